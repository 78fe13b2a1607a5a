import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSandbox, type Sandbox } from '../testing/spawn.ts'

const FLOW = `flow: Store
inputs: [{ name: text, type: string, default: small }]
steps: [{ id: kept, task: Keep, inputs: { text: '\${inputs.text}' } }]
outputs: [{ name: size, value: '\${kept.text.length}' }]
`
const TASKS = `export const Keep = ({ text }: { text: string }) => ({ text: text === 'large' ? 'x'.repeat(200_000) : text })\n`

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox({ 'flow.yaml': FLOW, 'tasks.ts': TASKS })
})
afterEach(() => sandbox[Symbol.dispose]())

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, code } = await sandbox.plugwork([...args, '--json'])
  return { ...(JSON.parse(stdout) as Record<string, unknown>), code }
}

test('a backup has store and blobs, and is what comes back; the old store is kept', async () => {
  const { id } = (await json('run', 'flow.yaml', '-i', 'text=large')) as unknown as { id: string }
  const made = await sandbox.plugwork(['backup', 'copy', '--json'])
  expect(made.code).toBe(0)
  expect(JSON.parse(made.stdout)).toMatchObject({ blobs: 1, keys: false })
  expect(made.stderr).toContain('The key ring is not in it.')
  await json('run', 'flow.yaml')
  expect(await json('restore', 'copy')).toMatchObject({
    code: 2,
    error: { message: expect.stringContaining('There is a store') },
  })
  const restored = await json('restore', 'copy', '--force')
  expect(restored['code']).toBe(0)
  expect(existsSync(join(restored['replaced'] as string, 'plugwork.db'))).toBe(true)
  const { runs } = (await json('runs', 'list')) as unknown as { runs: { id: string }[] }
  expect(runs.map((run) => run.id)).toEqual([id])
  const shown = await json('runs', 'show', id)
  expect(JSON.stringify(shown)).toContain('x'.repeat(200_000))
})

test('a backup into another folder needs no force, and says when the key ring is missing', async () => {
  await json('run', 'flow.yaml')
  await json('backup', 'copy')
  const { code, stderr } = await sandbox.plugwork(['restore', 'copy', '--data-dir', 'elsewhere'])
  expect(code).toBe(0)
  expect(stderr).toContain('There is no key ring here.')
  expect(await json('runs', 'list', '--data-dir', 'elsewhere')).toMatchObject({ runs: [{ flow: 'Store' }] })
  await json('backup', 'full', '--with-keys')
  expect(statSync(join(sandbox.directory, 'full/keys')).mode & 0o777).toBe(0o600)
  expect((await sandbox.plugwork(['restore', 'full', '--data-dir', 'third'])).stderr).toBe('')
})

test.each([
  [['backup', 'copy'], 'There is no store'],
  [['restore', 'nothing'], 'is no backup'],
])('%o has nothing to work on', async (args, message) => {
  const { code, stderr } = await sandbox.plugwork(args)
  expect(code).toBe(2)
  expect(stderr).toContain(message)
})

test('a damaged backup is refused, and what is there stays', async () => {
  await json('run', 'flow.yaml')
  await json('backup', 'copy')
  const file = join(sandbox.directory, 'copy/plugwork.db')
  const { size } = statSync(file)
  writeFileSync(file, Buffer.alloc(size, 7))
  expect(await json('restore', 'copy', '--force')).toMatchObject({ code: 1 })
  expect(await json('runs', 'list')).toMatchObject({ runs: [{ flow: 'Store' }] })
})

test.each([
  ['cut off by a page', (file: string) => truncateSync(file, statSync(file).size - 4096)],
  ['with other bytes at its head', (file: string) => writeBytes(file, 0, Buffer.from('XXXX'))],
  ['with other bytes in its pages', damagePages],
])('a store %s: every command says so and what to do, and restore puts it right', async (_how, damage) => {
  await json('run', 'flow.yaml')
  await json('backup', 'copy')
  damage(join(sandbox.directory, '.plugwork/plugwork.db'))
  for (const args of [
    ['migrate'],
    ['runs', 'list'],
    ['runs', 'verify', 'last'],
    ['backup', 'more'],
    ['run', 'flow.yaml'],
    ['start', '--port', '0'],
  ]) {
    const { code, stdout, stderr } = await sandbox.plugwork(args)
    expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' })
    expect(stderr).toMatch(/^error .*plugwork\.db is damaged \(.*\)\. Restore a backup\. \(store_corrupt\)\n$/)
  }
  expect((await sandbox.plugwork(['restore', 'copy'])).code).toBe(2)
  expect(await json('restore', 'copy', '--force')).toMatchObject({ code: 0 })
  expect(await json('runs', 'list')).toMatchObject({ runs: [{ flow: 'Store' }] })
})

test.each([
  ['gone', (file: string) => rmSync(file), 'blob_missing'],
  ['damaged', (file: string) => writeBytes(file, 50, Buffer.from('XXXX')), 'blob_corrupt'],
])('a blob that is %s is named by what needs it', async (_how, damage, reason) => {
  const { id } = (await json('run', 'flow.yaml', '-i', 'text=large')) as unknown as { id: string }
  const blobs = join(sandbox.directory, '.plugwork/blobs')
  const name = readdirSync(blobs, { recursive: true, encoding: 'utf8' }).find((file) => /[0-9a-f]{64}/.test(file))
  damage(join(blobs, name!))
  for (const command of ['show', 'verify']) {
    const { code, stderr } = await sandbox.plugwork(['runs', command, id])
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`^error Blob [0-9a-f]{64} .* \\(${reason}\\)\\n$`))
  }
})

test('commands that need the folder for themselves are refused alike while somebody works in it', async () => {
  sandbox.write('slow.flow.yaml', 'flow: Slow\nsteps: [{ id: s, task: Slow }]\n')
  sandbox.write(
    'tasks.ts',
    `${TASKS}export const Slow = () => new Promise((resolve) => setTimeout(resolve, 600_000))\n`,
  )
  await json('run', 'flow.yaml')
  await json('backup', 'copy')
  const { child } = sandbox.begin(['run', 'slow.flow.yaml'])
  await expect.poll(async () => JSON.stringify(await json('runs', 'list'))).toContain('"running"')
  for (const args of [['migrate'], ['restore', 'copy'], ['restore', 'copy', '--force'], ['start', '--port', '0']]) {
    const { code, stderr } = await sandbox.plugwork(args)
    expect({ args, code }).toEqual({ args, code: 2 })
    expect(stderr).toContain(`.plugwork is in use by process ${child.pid}`)
  }
  // A backup is none of these.
  expect(await json('backup', 'live')).toMatchObject({ code: 0 })
  child.kill('SIGKILL')
})

test('a backup that is made while runs go on has them whole', async () => {
  sandbox.write(
    'many.flow.yaml',
    `flow: Many
steps:
  - { id: list, task: List }
  - { id: all, for_each: list.names, as: name, concurrency: 4, do: [{ id: kept, task: Later, inputs: { name: '\${name}' } }] }
`,
  )
  sandbox.write(
    'tasks.ts',
    `export const List = () => ({ names: Array.from({ length: 2000 }, (_, n) => String(n)) })
export const Later = async ({ name }: { name: string }) => { await new Promise((resolve) => setTimeout(resolve, 20)); return { name } }\n`,
  )
  const { child, sees } = sandbox.begin(['run', 'many.flow.yaml'])
  await sees(/all\[5\]/)
  expect(await json('backup', 'copy')).toMatchObject({ code: 0 })
  expect(child.exitCode).toBe(null)
  child.kill('SIGKILL')
  expect(await json('restore', 'copy', '--data-dir', 'other')).toMatchObject({ code: 0 })
  const { runs } = (await json('runs', 'list', '--data-dir', 'other')) as unknown as { runs: { id: string }[] }
  expect(runs.length).toBe(1)
  expect(await json('runs', 'verify', runs[0]!.id, '--data-dir', 'other')).toMatchObject({ code: 0 })
})

/** Other bytes in every page but the first; SQLite notices when it reads them. */
function damagePages(file: string): void {
  for (let page = 4096; page < statSync(file).size; page += 4096) writeBytes(file, page, Buffer.alloc(64, 0xee))
}

function writeBytes(file: string, at: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+')
  writeSync(handle, bytes, 0, bytes.length, at)
  closeSync(handle)
}

test('migrate tells the version, and is content with a store that is current', async () => {
  expect(await json('migrate')).toMatchObject({ code: 0, exists: false })
  await json('run', 'flow.yaml')
  const migrated = await json('migrate')
  expect(migrated['code']).toBe(0)
  expect(migrated['from']).toBe(migrated['to'])
})

test('doctor finds nothing wrong with a good project and shows where settings come from', async () => {
  sandbox.write('plugwork.yaml', 'log_level: warn\n')
  await json('run', 'flow.yaml')
  const { stdout, code } = await sandbox.plugwork(['doctor', '--json'], { env: { PLUGWORK_PORT: '0' } })
  expect(code).toBe(0)
  const { findings, settings } = JSON.parse(stdout) as {
    findings: { check: string; status: string; message: string }[]
    settings: { name: string; value: string; from: string }[]
  }
  expect(findings.filter(({ status }) => status === 'error')).toEqual([])
  const checks = ['node', 'project', 'connectors', 'data folder', 'disk', 'owner', 'store', 'clock', 'keys', 'port']
  expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(checks))
  expect(settings).toEqual(
    expect.arrayContaining([
      { name: 'port', value: '0', from: 'PLUGWORK_PORT' },
      { name: 'log_level', value: 'warn', from: 'plugwork.yaml:1' },
      { name: 'host', value: '127.0.0.1', from: 'default' },
    ]),
  )
})

test('doctor names what is wrong: errors in flows, an open key file, a damaged store, a bad setting', async () => {
  sandbox.write('bad.flow.yaml', 'flow: Bad\nsteps: 1\n')
  sandbox.write('.plugwork/keys', `k1:${Buffer.alloc(32).toString('base64')}\n`)
  chmodSync(join(sandbox.directory, '.plugwork/keys'), 0o644)
  sandbox.write('.plugwork/plugwork.db', 'not a database')
  const { code, stdout } = await sandbox.plugwork(['doctor', '--json'])
  expect(code).toBe(1)
  const { findings } = JSON.parse(stdout) as { findings: { check: string; status: string }[] }
  const wrong = findings.filter(({ status }) => status === 'error').map(({ check }) => check)
  expect(wrong).toEqual(expect.arrayContaining(['project', 'keys', 'store']))
  const setting = await sandbox.plugwork(['doctor'], { env: { PLUGWORK_PORT: 'x' } })
  expect(setting.code).toBe(1)
  expect(setting.stdout).toMatch(/✘ {2}settings .*PLUGWORK_PORT must be a whole number/)
})

test.each([
  ['basic', ['run', 'flow.yaml', '-i', 'name=Ada', '--json'], { greeting: 'Hello, Ada!' }],
  [
    'webhook',
    ['run', 'flow.yaml', '-i', 'order_id=A-1', '-i', 'total=20', '-i', 'email=a@b.c', '--json'],
    { status: 'accepted', invoice: 'INV-A-1' },
  ],
  ['typescript', ['run', 'flow.ts', '-i', 'numbers=[1,2,3]', '--json'], { sentence: 'The sum is 6.' }],
])(
  'init makes a %s project that checks, runs and passes its tests before anything is installed',
  async (template, run, outputs) => {
    const inside = openSandbox()
    try {
      const made = await inside.plugwork(['init', '--template', template, '--json'])
      expect(made.code).toBe(0)
      expect(JSON.parse(made.stdout).files).toEqual(
        expect.arrayContaining(['.gitignore', 'package.json', 'plugwork.yaml']),
      )
      expect(inside.read('.gitignore')).toContain('secrets.env')
      expect(JSON.parse(inside.read('package.json'))).toMatchObject({ private: true, type: 'module' })
      expect(await inside.plugwork(['check'])).toMatchObject({ code: 0 })
      expect(await inside.plugwork(['test'])).toMatchObject({ code: 0 })
      const { stdout } = await inside.plugwork(run)
      expect(JSON.parse(stdout)).toMatchObject({ status: 'succeeded', outputs })
    } finally {
      inside[Symbol.dispose]()
    }
  },
)

test('init does not write into a folder that has something, unless forced; then it keeps what is there', async () => {
  expect(await json('init')).toMatchObject({ code: 2 })
  expect(await json('init', '.', '--force', '--template', 'basic')).toMatchObject({ code: 0 })
  expect(sandbox.read('flow.yaml')).toBe(FLOW)
  expect(readdirSync(sandbox.directory)).toContain('package.json')
})

test('connectors describe themselves', async () => {
  const { connectors } = (await json('connection', 'list')) as unknown as { connectors: { name: string }[] }
  expect(connectors.map(({ name }) => name)).toEqual(expect.arrayContaining(['http', 'sqlite']))
  expect((await sandbox.plugwork(['connection', 'info', 'sqlite'])).stdout).toMatch(/sqlite\.query {2}read/)
  expect(await json('connection', 'info', 'sqlte')).toMatchObject({
    code: 2,
    error: { message: expect.stringContaining('Did you mean sqlite?') },
  })
  expect((await sandbox.plugwork(['connection', 'scaffold', 'http', '--name', 'api'])).stdout).toMatch(
    /^ {2}api:\n {4}type: http/,
  )
  expect(await sandbox.plugwork(['connection', 'deps', 'http', '--check'])).toMatchObject({ code: 0 })
  const made = await sandbox.plugwork(['connection', 'example', 'sqlite', '--output', 'shop'])
  expect(made.code).toBe(0)
  const [file] = readdirSync(join(sandbox.directory, 'shop'))
  expect(await sandbox.plugwork(['check', join('shop', file!)])).toMatchObject({ code: 0 })
})
