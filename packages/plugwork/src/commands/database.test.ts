/** Commands and servers on a PostgreSQL database: real processes, several at a time. */
import { setTimeout as pause } from 'node:timers/promises'
import { postgres } from '@plugwork/test-services'
import { afterAll, expect, test } from 'vitest'
import { openSandbox, type Running, type Sandbox } from '../testing/spawn.ts'

const database = await (await postgres()).createDatabase()
afterAll(() => database.drop())

const FLOW = `flow: Slow
inputs: [{ name: n, type: integer, required: true }]
steps:
  - { task: Note, id: first, inputs: { n: "\${inputs.n}" }, outputs: [n] }
  - { id: nap, wait: 2s }
  - { task: Note, id: second, inputs: { n: "\${first.n}" }, outputs: [n] }
outputs: [{ name: n, value: "\${second.n}" }]
`
const LARGE = `flow: Large
steps: [{ task: Text, id: a, outputs: [text] }]
outputs: [{ name: text, value: "\${a.text}" }]
`
const TASKS = `export const Note = ({ n }: { n: number }) => ({ n })
export const Text = () => ({ text: 'x'.repeat(100_000) })
`
const TOKEN = 'pw_database_tests_owner_token_000000000000'

/** A project with a schema of its own. */
function project(schema: string): { readonly sandbox: Sandbox; readonly env: Record<string, string> } {
  const files = { 'plugwork.yaml': '{}\n', 'slow.flow.yaml': FLOW, 'large.flow.yaml': LARGE, 'tasks.ts': TASKS }
  const url = new URL(database.url)
  url.password = 'geheim'
  url.searchParams.set('schema', schema)
  return { sandbox: openSandbox(files), env: { PLUGWORK_DATABASE_URL: url.href, PLUGWORK_OWNER_TOKEN: TOKEN } }
}

async function serve(sandbox: Sandbox, env: Record<string, string>): Promise<{ running: Running; address: string }> {
  const running = sandbox.begin(['start', '--port', '0'], { env })
  const [, address = ''] = await running.sees(/at (http:\/\/127\.0\.0\.1:\d+)/)
  return { running, address }
}

async function call(address: string, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return (await response.json()) as Record<string, unknown>
}

test('a flow runs on a database, and other commands find it there; the data folder has the key ring only', async () => {
  const { sandbox, env } = project('commands')
  using _ = sandbox
  const ran = await sandbox.plugwork(['run', 'slow.flow.yaml', '-i', 'n=7', '--json'], { env })
  expect(ran).toMatchObject({ code: 0 })
  expect(JSON.parse(ran.stdout)).toMatchObject({ status: 'succeeded', outputs: { n: 7 } })
  const listed = await sandbox.plugwork(['runs', 'list', '--json'], { env })
  expect(JSON.parse(listed.stdout)).toMatchObject({ runs: [{ flow: 'Slow', status: 'succeeded' }] })
  const doctor = await sandbox.plugwork(['doctor', '--json'], { env })
  const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; message: string }[] }
  expect(findings.find(({ check }) => check === 'store')?.message).toMatch(/PostgreSQL \d+.*, version 1$/)
  expect(findings.find(({ check }) => check === 'sessions')?.message).toBe('nobody')
  const migrated = await sandbox.plugwork(['migrate'], { env })
  expect(migrated.stdout).toMatch(/is at version \d+ already/)
  for (const { stdout, stderr } of [ran, listed, doctor, migrated]) expect(stdout + stderr).not.toContain('geheim')
  expect(() => sandbox.read('.plugwork/plugwork.db')).toThrow('ENOENT')
})

test.each([['backup'], ['restore']])('%s says what to use instead', async (command) => {
  const { sandbox, env } = project('backups')
  using _ = sandbox
  const { code, stderr } = await sandbox.plugwork([command, 'elsewhere'], { env })
  expect(code).toBe(2)
  expect(stderr).toContain('pg_dump --schema=backups')
  expect(stderr).not.toContain('geheim')
})

test('two servers share a database: one is killed, the other goes on with its runs', async () => {
  const { sandbox, env } = project('servers')
  using _ = sandbox
  const a = await serve(sandbox, env)
  const b = await serve(sandbox, env)
  const started = await Promise.all(
    [1, 2, 3, 4, 5].map((n) => call(a.address, 'POST', '/flows/Slow/runs', { inputs: { n } })),
  )
  const ids = started.map((run) => String(run['id']))
  a.running.child.kill('SIGKILL')
  await a.running.finished
  for (const [i, id] of ids.entries()) {
    const run = await settled(b.address, id)
    expect(run).toMatchObject({ status: 'succeeded', outputs: { n: i + 1 } })
  }
  // A value past 64 KiB, stored by a command and read by the server.
  const ran = await sandbox.plugwork(['run', 'large.flow.yaml', '--json'], { env })
  expect(ran).toMatchObject({ code: 0 })
  const { id } = JSON.parse(ran.stdout) as { id: string }
  expect(await call(b.address, 'GET', `/runs/${id}`)).toMatchObject({
    status: 'succeeded',
    outputs: { text: 'x'.repeat(100_000) },
  })
  b.running.child.kill('SIGTERM')
  expect((await b.running.finished).code).toBe(0)
}, 60_000)

async function settled(address: string, id: string): Promise<Record<string, unknown>> {
  for (let i = 0; i < 150; i++) {
    const run = await call(address, 'GET', `/runs/${id}`)
    if (!['queued', 'running', 'waiting'].includes(String(run['status']))) return run
    await pause(200)
  }
  throw new Error(`run ${id} does not end`)
}
