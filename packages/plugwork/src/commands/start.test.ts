import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { github } from '@plugwork/connectors/github'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSandbox, type Running, type Sandbox } from '../testing/spawn.ts'

const FLOW = `flow: Greet
triggers:
  - { type: webhook, path: '/greet/{name}', method: GET, auth: none, input_mapping: path, respond: when_finished }
inputs: [{ name: name, type: string, default: world }]
steps: [{ id: text, task: Say, inputs: { name: '\${inputs.name}' } }]
outputs: [{ name: text, value: '\${text.said}' }]
`
const tasks = (word: string): string =>
  `export const Say = ({ name }: { name: string }) => ({ said: '${word} ' + name })\n`

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox({ 'flow.yaml': FLOW, 'tasks.ts': tasks('hello') })
})
afterEach(() => sandbox[Symbol.dispose]())

interface Served {
  readonly server: Running
  readonly address: string
}

async function serve(...args: string[]): Promise<Served> {
  const server = sandbox.begin(['start', '--port', '0', '--log-level', 'warn', ...args])
  const [, address] = await server.sees(/serves \d+ flows? at (http:\/\/127\.0\.0\.1:\d+)/)
  return { server, address: address! }
}

async function greet(address: string, name: string): Promise<unknown> {
  return (await fetch(`${address}/webhooks/greet/${name}`)).json()
}

test('serves the project, prints what one needs, and stops in order', async () => {
  const { server, address } = await serve()
  const [, token] = await server.sees(/Owner token .*: (pwk_\S+)/)
  await server.sees(/curl http:\S+\/webhooks\/greet\/world/)
  expect(await greet(address, 'Ada')).toEqual({ text: 'hello Ada' })
  const headers = { authorization: `Bearer ${token}` }
  const runs = (await (await fetch(`${address}/api/v1/runs`, { headers })).json()) as object
  expect(JSON.stringify(runs)).toContain('succeeded')
  server.child.kill('SIGTERM')
  expect(await server.finished).toMatchObject({ code: 0, signal: null })
})

test('the owner token is printed once', async () => {
  const first = await serve()
  first.server.child.kill('SIGTERM')
  expect((await first.server.finished).stdout).toContain('Owner token')
  const second = await serve()
  second.server.child.kill('SIGTERM')
  expect((await second.server.finished).stdout).not.toContain('Owner token')
})

test('other commands work through the server; only another start is refused, naming it', async () => {
  const { server, address } = await serve()
  const run = await sandbox.plugwork(['run', 'flow.yaml', '-i', 'name=Grace', '--json'])
  expect(run.code).toBe(0)
  const { id, outputs } = JSON.parse(run.stdout) as { id: string; outputs: unknown }
  expect(outputs).toEqual({ text: 'hello Grace' })
  expect(JSON.parse((await sandbox.plugwork(['runs', 'show', id, '--json'])).stdout)).toMatchObject({
    status: 'succeeded',
    steps: [{ path: 'text', output: { said: 'hello Grace' } }],
  })
  expect((await sandbox.plugwork(['runs', 'list'])).stdout).toContain(id)
  const other = await sandbox.plugwork(['start', '--port', '0'])
  expect(other.code).toBe(2)
  expect(other.stderr).toContain(`is in use by process ${server.child.pid} at ${address}`)
})

test('a changed task, a changed flow and a new flow are served without a restart', async () => {
  const { server, address } = await serve()
  sandbox.write('tasks.ts', tasks('good evening'))
  await server.sees(/↻ tasks\.ts loaded again/)
  expect(await greet(address, 'Ada')).toEqual({ text: 'good evening Ada' })
  sandbox.write('flow.yaml', FLOW.replace("'${text.said}'", "'${text.said}!'"))
  const [note] = await server.sees(/↻ Greet.*/)
  expect(note).toBe('↻ Greet loaded again')
  await expect.poll(() => greet(address, 'Ada')).toEqual({ text: 'good evening Ada!' })
  sandbox.write('flow.yaml', FLOW.replace('steps', 'stepz'))
  await server.sees(/error flow\.yaml:5:1 PW1010/)
  expect(await greet(address, 'Ada')).toEqual({ text: 'good evening Ada!' })
  sandbox.write('more.flow.yaml', FLOW.replace('flow: Greet', 'flow: More').replace('/greet/', '/more/'))
  await expect.poll(async () => (await fetch(`${address}/webhooks/more/Ada`)).status).toBe(200)
})

test('a server that loses its store says so once, and ends with 1', async () => {
  sandbox.write('slow.flow.yaml', 'flow: Slow\nsteps: [{ id: s, task: Slow }]\n')
  sandbox.write('tasks.ts', `${tasks('hello')}export const Slow = () => new Promise(() => {})\n`)
  const { server } = await serve()
  const run = sandbox.begin(['run', 'slow.flow.yaml'])
  await expect
    .poll(async () => (await sandbox.plugwork(['runs', 'list', '--status', 'running'])).stdout)
    .toContain('Slow')
  const db = new DatabaseSync(join(sandbox.directory, '.plugwork/plugwork.db'))
  db.exec('UPDATE owner SET epoch = epoch + 1')
  db.close()
  const { code, stderr } = await server.finished
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error The store was lost: .+\. Its runs go on in the process that has them now\.\n$/)
  expect((await run.finished).stderr).toMatch(/^error .* \(\w+\)$/m)
})

test('a killed server goes on at the next start where it was', async () => {
  sandbox.write(
    'slow.flow.yaml',
    `flow: Slow\nsteps:\n  - { id: one, task: Mark }\n  - { id: two, wait: 2s }\n  - { id: three, task: Mark }\n`,
  )
  sandbox.write(
    'tasks.ts',
    `import { appendFileSync } from 'node:fs'
export const Say = () => ({ said: '' })
export const Mark = () => { appendFileSync('marks', 'x'); return {} }\n`,
  )
  const first = await serve()
  const started = sandbox.begin(['run', 'slow.flow.yaml'])
  await expect.poll(() => sandbox.read('marks')).toBe('x')
  first.server.child.kill('SIGKILL')
  await first.server.finished
  started.child.kill('SIGKILL')
  await serve()
  await expect.poll(() => sandbox.read('marks'), { timeout: 15_000 }).toBe('xx')
})

test.each([
  [['start', 'nowhere'], 'There is no folder nowhere'],
  [['start', '--port', 'many'], '--port must be a whole number'],
  [['start', '--database-url', 'http://x'], 'The database address cannot be used'],
  [['start', '--host', '0.0.0.0', '--port', '0'], 'no token has been set up'],
])('%o cannot start', async (args, message) => {
  const { code, stderr } = await sandbox.plugwork(args)
  expect(code).toBeGreaterThan(0)
  expect(stderr).toContain(message)
})

test('a port that is taken is named', async () => {
  const { address } = await serve()
  const { port } = new URL(address)
  const { code, stderr } = await sandbox.plugwork(['start', '--port', port, '--data-dir', 'other'])
  expect(code).toBe(2)
  expect(stderr).toContain(`Port ${port} on 127.0.0.1 is taken`)
})

test('a service calls its own address, and the event starts a flow', async () => {
  sandbox.write(
    'opened.flow.yaml',
    `flow: Opened
triggers: [{ type: event, event: github.issues.opened }]
inputs: [{ name: event, type: object }]
steps: [{ id: seen, set: { here: true } }]
`,
  )
  const { server, address } = await serve()
  const [, token] = await server.sees(/Owner token .*: (pwk_\S+)/)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const secret = 'a secret that GitHub was given'
  const made = await fetch(`${address}/api/v1/hooks`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ connector: 'github', secret }),
  })
  expect(made.status).toBe(201)
  const { id } = (await made.json()) as { id: string }
  const body = JSON.stringify(github.triggers?.['issues.opened']?.sample)
  const send = (signature: string): Promise<Response> =>
    fetch(`${address}/hooks/github/${id}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'issues',
        'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
        'x-hub-signature-256': `sha256=${signature}`,
      },
      body,
    })
  expect((await send('0'.repeat(64))).status).toBe(401)
  const accepted = await send(createHmac('sha256', secret).update(body).digest('hex'))
  expect([accepted.status, await accepted.text()]).toEqual([
    expect.toSatisfy((status) => status < 300),
    expect.anything(),
  ])
  const opened = async (): Promise<unknown> => {
    const { runs } = (await (await fetch(`${address}/api/v1/runs?flow=Opened`, { headers })).json()) as {
      runs: object[]
    }
    return runs.length
  }
  await expect.poll(opened).toBe(1)
})
