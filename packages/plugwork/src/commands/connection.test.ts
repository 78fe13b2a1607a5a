import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { openSandbox, type Sandbox } from '../testing/spawn.ts'

/** A connector package that needs `some-client` and answers from it. */
function withPackage(sandbox: Sandbox, field: object = {}): void {
  sandbox.write('package.json', '{\n  "private": true,\n  "dependencies": {\n    "acme-todo": "1.0.0"\n  }\n}\n')
  const plugwork = { connectors: './index.js', api: '>=0.0.1', ...field }
  sandbox.write(
    'node_modules/acme-todo/package.json',
    JSON.stringify({ name: 'acme-todo', version: '1.0.0', type: 'module', plugwork }),
  )
  sandbox.write(
    'node_modules/acme-todo/index.js',
    `import { defineAction, defineConnector } from '@plugwork/core/node'
import { z } from 'zod'
const open = defineAction({
  description: 'Lists what is open.', input: z.strictObject({ limit: z.int().default(3) }),
  output: z.object({ items: z.array(z.string()) }), effect: 'read', idempotency: 'natural',
  run: async (_context, { limit }) => ({ items: ['a', 'b', 'c', 'd'].slice(0, limit) }),
})
const todo = defineConnector({
  name: 'todo', title: 'To-do', description: 'Keeps things to do.', version: '2.1.0', prefixes: ['todo'],
  config: z.strictObject({}), packages: [{ name: 'some-client', range: '^1.2.0' }],
  connect: async () => ({}), actions: { open },
  scaffold: ({ name }) => \`  \${name}:\\n    type: todo\\n\`,
  example: ({ name }) => ({ fileName: 'todo.flow.yaml', source: \`flow: T\\nconnections:\\n  \${name}: { type: todo }\\nsteps:\\n  - todo_open: { id: o, connection: \${name} }\\n\` }),
})
export const connectors = [todo]
`,
  )
}

const FLOW = `flow: Todo
connections:
  list: { type: todo }
steps:
  - todo_open: { id: open, connection: list, limit: 2 }
outputs:
  - { name: items, value: "\${open.items}" }
`

function installClient(sandbox: Sandbox, version: string): void {
  sandbox.write('node_modules/some-client/package.json', JSON.stringify({ name: 'some-client', version }))
}

interface Deps {
  readonly packages: readonly { readonly name: string; readonly status: string; readonly installed: string | null }[]
}

const json = <T>(text: string): T => JSON.parse(text) as T

test('deps tells what is there in which version, and --check exits with 1 when something is not', async () => {
  using sandbox = openSandbox()
  withPackage(sandbox)
  const missing = await sandbox.plugwork(['connection', 'deps', 'todo', '--check'])
  expect({ code: missing.code, stdout: missing.stdout }).toMatchObject({ code: 1 })
  expect(missing.stdout).toMatch(/missing\s+some-client\s+needs \^1\.2\.0/)
  expect(missing.stderr).toContain('plugwork connection deps todo --install')
  expect((await sandbox.plugwork(['connection', 'deps', 'todo'])).code).toBe(0)
  installClient(sandbox, '0.9.0')
  const wrong = await sandbox.plugwork(['connection', 'deps', 'todo', '--check', '--json'])
  expect(wrong.code).toBe(1)
  expect(json<Deps>(wrong.stdout)).toEqual({
    connector: 'todo',
    packages: [{ name: 'some-client', range: '^1.2.0', status: 'wrong', installed: '0.9.0', place: 'project' }],
  })
  installClient(sandbox, '1.4.0')
  const fine = await sandbox.plugwork(['connection', 'deps', 'todo', '--check'])
  expect(fine.code).toBe(0)
  expect(fine.stdout).toMatch(/ok\s+some-client\s+needs \^1\.2\.0\s+1\.4\.0 in the project/)
})

test('packages beside Plugwork count too', async () => {
  using sandbox = openSandbox()
  const { code, stdout } = await sandbox.plugwork(['connection', 'deps', 'redis', '--check', '--json'])
  expect(code).toBe(0)
  expect(json<Deps>(stdout).packages).toMatchObject([{ name: 'ioredis', status: 'ok', place: 'plugwork' }])
  expect((await sandbox.plugwork(['connection', 'deps', 'sqlite', '--check'])).stdout).toBe(
    'sqlite needs no packages.\n',
  )
})

test.skipIf(process.platform === 'win32').each([
  ['package-lock.json', 'npm', 'install --no-audit --no-fund some-client@^1.2.0'],
  ['pnpm-lock.yaml', 'pnpm', 'add some-client@^1.2.0'],
  ['yarn.lock', 'yarn', 'add some-client@^1.2.0'],
  ['bun.lock', 'bun', 'add some-client@^1.2.0'],
])('--install runs the package manager of %s', async (lockFile, manager, args) => {
  using sandbox = openSandbox()
  withPackage(sandbox)
  sandbox.write(lockFile, '')
  const bin = join(sandbox.directory, 'bin')
  const folder = join(sandbox.directory, 'node_modules/some-client')
  sandbox.write(
    `bin/${manager}`,
    `#!/bin/sh\necho "$@" > asked\necho 'added 1 package'\nmkdir -p '${folder}'\necho '{ "version": "1.3.0" }' > '${folder}/package.json'\n`,
  )
  chmodSync(join(bin, manager), 0o755)
  const env = { PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin` }
  const { code, stdout, stderr } = await sandbox.plugwork(['connection', 'deps', 'todo', '--install', '--json'], {
    env,
  })
  expect(stderr).toContain(`${manager} ${args}`)
  expect(stderr).toContain('added 1 package')
  expect(sandbox.read('asked').trim()).toBe(args)
  expect(code).toBe(0)
  expect(json<Deps>(stdout).packages).toMatchObject([{ status: 'ok', installed: '1.3.0' }])
})

test.skipIf(process.platform === 'win32')(
  'an installation that fails, and a package manager that is not there, say so',
  async () => {
    using sandbox = openSandbox()
    withPackage(sandbox)
    const bin = join(sandbox.directory, 'bin')
    mkdirSync(bin)
    const env = { PATH: bin }
    const none = await sandbox.plugwork(['connection', 'deps', 'todo', '--install'], { env })
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('There is no npm here.')
    sandbox.write('bin/npm', `#!/bin/sh\necho 'E404 not found' >&2\nexit 3\n`)
    chmodSync(join(bin, 'npm'), 0o755)
    const failed = await sandbox.plugwork(['connection', 'deps', 'todo', '--install', '--json'], {
      env: { PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin` },
    })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('E404 not found')
    expect(json<{ error: { code: string } }>(failed.stdout).error.code).toBe('packages_not_installed')
  },
)

test('list and info show where a connector comes from and what it needs', async () => {
  using sandbox = openSandbox()
  withPackage(sandbox)
  const { stdout } = await sandbox.plugwork(['connection', 'list', '--json'])
  const { connectors } = json<{ connectors: { name: string; from: unknown; packages: { status: string }[] }[] }>(stdout)
  expect(connectors.find(({ name }) => name === 'todo')).toMatchObject({
    from: { package: 'acme-todo', version: '1.0.0' },
    packages: [{ name: 'some-client', status: 'missing' }],
  })
  expect(connectors.find(({ name }) => name === 'http')).toMatchObject({ from: null, packages: [] })
  const table = await sandbox.plugwork(['connection', 'list'])
  expect(table.stdout).toMatch(/todo\s+Keeps things to do\. from acme-todo@1\.0\.0\s+1 action\s+some-client missing/)
  const info = await sandbox.plugwork(['connection', 'info', 'todo'])
  expect(info.stdout).toContain('To-do todo 2.1.0, from acme-todo@1.0.0')
  expect(info.stdout).toContain('todo.open')
  const scaffold = await sandbox.plugwork(['connection', 'scaffold', 'todo', '--name', 'mine'])
  expect(scaffold.stdout).toBe('  mine:\n    type: todo\n')
})

test("a flow uses a package's connector: check, run and test know it", async () => {
  using sandbox = openSandbox({
    'flow.yaml': FLOW,
    'flow.test.yaml':
      'cases:\n  - name: lists\n    fakes: { open: { returns: { items: [z] } } }\n    expect: { outputs: { items: [z] } }\n',
  })
  withPackage(sandbox, { names: ['todo'] })
  const check = await sandbox.plugwork(['check'])
  expect(check).toMatchObject({ code: 0, stdout: '' })
  const run = await sandbox.plugwork(['run', 'flow.yaml', '--json'])
  expect(json(run.stdout)).toMatchObject({ status: 'succeeded', outputs: { items: ['a', 'b'] } })
  expect(await sandbox.plugwork(['test'])).toMatchObject({ code: 0 })
})

test('a broken package: check names it at the flow, doctor warns, and other flows run', async () => {
  using sandbox = openSandbox({
    'todo.flow.yaml': FLOW,
    'other.flow.yaml': 'flow: Other\nsteps: [{ set: { a: 1 } }]\n',
  })
  withPackage(sandbox, { api: '^99.0.0', names: ['todo'] })
  const check = await sandbox.plugwork(['check'])
  expect(check.code).toBe(1)
  expect(check.stdout).toContain('package.json:4:5 PW1309 warning: The connector package acme-todo@1.0.0 is left out.')
  expect(check.stdout).toMatch(
    /todo\.flow\.yaml:3:\d+ PW1050 .*the package acme-todo is left out: It is made for Plugwork/,
  )
  expect((await sandbox.plugwork(['run', 'other.flow.yaml'])).code).toBe(0)
  const doctor = await sandbox.plugwork(['doctor', '--json'])
  expect(doctor.stdout).toContain('the connector package acme-todo@1.0.0 is left out')
  const info = await sandbox.plugwork(['connection', 'info', 'todo'])
  expect(info.code).toBe(2)
  expect(info.stderr).toContain('made for Plugwork ^99.0.0')
})

test('every example that is written has no problem', { timeout: 120_000 }, async () => {
  using sandbox = openSandbox()
  const { stdout } = await sandbox.plugwork(['connection', 'list', '--json'])
  const { connectors } = json<{ connectors: { name: string }[] }>(stdout)
  expect(connectors.length).toBeGreaterThan(10)
  for (const { name } of connectors) {
    const written = await sandbox.plugwork(['connection', 'example', name, '--output', `examples/${name}`])
    expect(written).toMatchObject({ code: 0 })
  }
  const check = await sandbox.plugwork(['check', '--json'])
  expect(json(check.stdout)).toEqual({ problems: [] })
  expect(existsSync(join(sandbox.directory, 'examples/sqlite'))).toBe(true)
  const again = await sandbox.plugwork(['connection', 'example', 'http', '--output', 'examples/http'])
  expect(again.code).toBe(2)
  expect(again.stderr).toContain('exists')
})

test('a server lists the connectors of packages, and logs which one is left out', async () => {
  using sandbox = openSandbox({ 'flow.yaml': FLOW })
  withPackage(sandbox)
  const port = await freePort()
  const env = { PLUGWORK_OWNER_TOKEN: 'owner-token-of-this-test-0123456789' }
  const server = sandbox.begin(['start', '--port', String(port)], { env })
  await server.sees(/serves 1 flow/)
  const headers = { authorization: `Bearer ${env.PLUGWORK_OWNER_TOKEN}`, 'content-type': 'application/json' }
  const origin = `http://127.0.0.1:${port}/api/v1`
  const one = await fetch(`${origin}/connectors/todo`, { headers })
  expect(await one.json()).toMatchObject({ name: 'todo', actions: [{ name: 'open' }] })
  const body = JSON.stringify({ inputs: {} })
  const run = await fetch(`${origin}/flows/Todo/runs?wait=20s`, { method: 'POST', headers, body })
  expect(await run.json()).toMatchObject({ status: 'succeeded', outputs: { items: ['a', 'b'] } })
  // A package that is added while it runs, and is broken: said, and everything else goes on.
  sandbox.write('node_modules/bad/package.json', '{ "version": "1.0.0", "keywords": ["plugwork-connector"] }')
  sandbox.write('package.json', '{ "dependencies": { "acme-todo": "1.0.0", "bad": "1.0.0" } }')
  await server.sees(/connector package bad@1\.0\.0 is left out/)
  const again = await fetch(`${origin}/flows/Todo/runs?wait=20s`, { method: 'POST', headers, body })
  expect(await again.json()).toMatchObject({ status: 'succeeded' })
  server.child.kill('SIGTERM')
  expect((await server.finished).code).toBe(0)
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
