import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadProject, type LoadProjectOptions } from './load-project.ts'
import type { Project } from './project.ts'

let directory = ''
const open: Project[] = []
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-packages-')))
})
afterEach(async () => {
  for (const project of open.splice(0)) await project.close()
  rmSync(directory, { recursive: true })
})

function write(name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true })
  writeFileSync(join(directory, name), text)
}

const dependencies = (...names: string[]): string =>
  `${JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) }, null, 2)}\n`

const FITS = { connectors: './index.js', api: '>=0.0.1' }

/** Installs a package; `source` is its module. */
function install(name: string, field: object | null, source: string, manifest: object = {}): void {
  const plugwork = field === null ? {} : { plugwork: field }
  const all = { name, version: '1.0.0', type: 'module', ...plugwork, ...manifest }
  write(`node_modules/${name}/package.json`, JSON.stringify(all))
  write(
    `node_modules/${name}/index.js`,
    `import { writeFileSync } from 'node:fs'
writeFileSync(${JSON.stringify(join(directory, `${name.replaceAll('/', '-')}.loaded`))}, '')
${source}`,
  )
}

const loaded = (name: string): boolean => existsSync(join(directory, `${name}.loaded`))

/** The source of a module with one connector. */
const connector = (name: string, { prefix = name, action = 'get', extra = '' } = {}): string => `
import { defineConnector, defineAction } from '@plugwork/core/node'
import { z } from 'zod'
export const connectors = [defineConnector({
  name: '${name}', title: 'T', description: 'D.', version: '1.0.0', prefixes: ['${prefix}'],
  config: z.strictObject({}),
  connect: async () => ({}),
  actions: { ${action}: defineAction({
    description: 'Gets.', input: z.strictObject({ id: z.string() }), output: z.object({ id: z.string() }),
    effect: 'read', idempotency: 'natural', run: async (_context, { id }) => ({ id }),
  }) },
  scaffold: () => '', example: () => ({ fileName: 'x.flow.yaml', source: '' }),
})]
${extra}`

const uses = (type: string): string =>
  `flow: Uses\nconnections:\n  c: { type: ${type} }\nsteps:\n  - ${type}_get:\n      connection: c\n      with: { id: "1" }\n`

async function load(options: Partial<LoadProjectOptions> = {}): Promise<Project> {
  const provided = { zod: import.meta.resolve('zod') }
  const project = await loadProject(directory, { connectors: [], environment: {}, provided, ...options })
  open.push(project)
  return project
}

test('a package that package.json names brings its connectors to flows and runtime', async () => {
  write('package.json', dependencies('acme-todo', 'left-pad'))
  install('acme-todo', FITS, connector('todo'))
  install('left-pad', null, '')
  write('flow.yaml', uses('todo'))
  const project = await load()
  expect(project.problems).toEqual([])
  expect([...project.flows.keys()]).toEqual(['Uses'])
  expect(project.packages).toEqual([{ name: 'acme-todo', version: '1.0.0', connectors: ['todo'], fault: null }])
  expect(project.catalog.connectors.map(({ name }) => name)).toEqual(['todo'])
  expect(project.definitions.connector?.('todo')?.name).toBe('todo')
  expect(loaded('left-pad')).toBe(false)
})

test('the keyword alone is enough where the peer dependency says the versions', async () => {
  write('package.json', dependencies('acme-todo'))
  const peerDependencies = { '@plugwork/core': '>=0.0.1' }
  install('acme-todo', null, `${connector('todo')}\nexport default connectors[0]`, {
    keywords: ['plugwork-connector'],
    exports: './index.js',
    peerDependencies,
  })
  write('flow.yaml', uses('todo'))
  expect((await load()).problems).toEqual([])
})

test('packages that package.json does not name are never looked at', async () => {
  write('package.json', dependencies('other'))
  install('acme-todo', FITS, connector('todo'))
  install('other', null, '')
  write('flow.yaml', uses('todo'))
  const { problems, packages } = await load()
  expect(packages).toEqual([])
  expect(problems[0]).toMatchObject({ code: 'PW1050', line: 3 })
  expect(loaded('acme-todo')).toBe(false)
})

test('a package that tells its names is loaded only when a flow mentions one, or when all are asked for', async () => {
  write('package.json', dependencies('acme-todo', 'acme-memo'))
  install('acme-todo', { ...FITS, names: ['todo'] }, connector('todo'))
  install('acme-memo', { ...FITS, names: ['memo'] }, connector('memo'))
  write('flow.yaml', uses('todo'))
  expect((await load()).connectors.map(({ name }) => name)).toEqual(['todo'])
  expect([loaded('acme-todo'), loaded('acme-memo')]).toEqual([true, false])
  expect((await load({ connectorPackages: 'all' })).connectors.map(({ name }) => name)).toEqual(['memo', 'todo'])
  expect(loaded('acme-memo')).toBe(true)
})

test('connector packages get the core that runs, whatever they have installed', async () => {
  write('package.json', dependencies('acme-todo'))
  write('node_modules/@plugwork/core/package.json', '{ "version": "0.0.1", "exports": { "./node": "./old.js" } }')
  write('node_modules/@plugwork/core/old.js', 'throw new Error("the wrong core")')
  install('acme-todo', FITS, connector('todo'))
  write('flow.yaml', uses('todo'))
  expect((await load()).problems).toEqual([])
})

const BUILTIN = { name: 'memo', description: '', prefixes: ['mm'], config: {}, actions: [] }

test.each<[string, object | null, string, string]>([
  ['throws when it is imported', FITS, 'throw new TypeError("no such luck")', 'does not load: TypeError: no such luck'],
  ['imports what is not there', FITS, "import 'nowhere-to-be-found'", 'nowhere-to-be-found'],
  ['does not parse', FITS, 'export const = 1', 'does not load: SyntaxError'],
  ['exports nothing', FITS, '', 'exports no connectors'],
  ['exports something else', FITS, 'export const connectors = [{ name: "todo" }]', 'no connector'],
  ['has an invalid definition', FITS, connector('todo', { action: 'Get' }), 'The action name "Get" must match'],
  ['is made for another version', { ...FITS, api: '^99.0.0' }, connector('todo'), 'made for Plugwork ^99.0.0'],
  ['has a range that is none', { ...FITS, api: 'soon' }, connector('todo'), '"soon" cannot be read'],
  ['says no range', { connectors: './index.js' }, connector('todo'), 'does not say which versions'],
  ['names a file that is not there', { ...FITS, connectors: './dist/x.js' }, '', 'There is no file "./dist/x.js"'],
  ['names a file outside', { ...FITS, connectors: '../../x.js' }, '', 'There is no file "../../x.js"'],
  ['takes the name of a built-in', FITS, connector('memo'), '"memo" is taken by Plugwork itself'],
  ['takes a prefix of a built-in', FITS, connector('todo', { prefix: 'mm' }), '"mm" is taken by Plugwork itself'],
  ['takes the name of another package', FITS, connector('first'), '"first" is taken by acme-first'],
  ['keeps a name to itself', { ...FITS, names: ['todo'] }, connector('todo', { prefix: 'td' }), 'leaves out "td"'],
])('a package that %s is left out with the reason, and everything else goes on', async (_what, field, source, said) => {
  write('package.json', dependencies('acme-first', 'acme-todo', 'not-installed'))
  install('acme-first', FITS, connector('first'))
  install('acme-todo', field, source)
  write('a.flow.yaml', uses('todo'))
  write('b.flow.yaml', uses('first').replace('Uses', 'Good'))
  write('c.flow.yaml', 'flow: Plain\nsteps: [{ set: { a: 1 } }]\n')
  const { problems, packages, flows } = await load({ connectors: [BUILTIN] })
  expect([...flows.keys()].toSorted()).toEqual(['Good', 'Plain'])
  expect(packages.map(({ name, fault }) => [name, fault === null])).toEqual([
    ['acme-first', true],
    ['acme-todo', false],
  ])
  const [first, ...others] = problems
  expect(first).toMatchObject({ file: 'package.json', code: 'PW1309', severity: 'warning', line: 4, column: 5 })
  expect(first!.message).toContain('The connector package acme-todo@1.0.0 is left out.')
  expect(first!.message).toContain(said)
  expect(first!.message).not.toContain('?plugwork=')
  // The flow that wants it says why, at its place.
  expect(others[0]).toMatchObject({ file: 'a.flow.yaml', code: 'PW1050', severity: 'error', line: 3, column: 14 })
  expect(others[0]!.suggestion).toContain('the package acme-todo is left out')
})

test('a package.json that is not JSON is a problem, and flows without packages go on', async () => {
  write('package.json', '{ "dependencies": ')
  write('flow.yaml', 'flow: Plain\nsteps: [{ set: { a: 1 } }]\n')
  const { problems, flows } = await load()
  expect(problems).toMatchObject([{ file: 'package.json', code: 'PW1309' }])
  expect(flows.size).toBe(1)
})

test('a changed package.json brings connectors while the project is watched, and takes them away', async () => {
  write('package.json', dependencies())
  write('flow.yaml', uses('todo'))
  const project = await load()
  expect(project.flows.size).toBe(0)
  project.watch(() => undefined)
  install('acme-todo', FITS, connector('todo'))
  write('package.json', dependencies('acme-todo'))
  await expect.poll(() => project.flows.size).toBe(1)
  write('package.json', dependencies())
  await expect.poll(() => project.problems[0]?.code).toBe('PW1050')
  // What was loaded last is still served: its runs go on.
  expect(project.flows.size).toBe(1)
  expect(project.definitions.connector?.('todo')?.name).toBe('todo')
})

test('another version of a package is another module, and so is what it imports relatively', async () => {
  write('package.json', dependencies('acme-todo'))
  const module = `export { connectors } from './todo.js'\n`
  install('acme-todo', FITS, module)
  write('node_modules/acme-todo/todo.js', connector('todo'))
  write('flow.yaml', uses('todo').replace('todo_get', 'todo_fetch'))
  const project = await load()
  expect(project.flows.size).toBe(0)
  project.watch(() => undefined)
  install('acme-todo', FITS, module, { version: '1.1.0' })
  write('node_modules/acme-todo/todo.js', connector('todo', { action: 'fetch' }))
  write('package.json', `${dependencies('acme-todo')}\n`)
  await expect.poll(() => project.flows.size).toBe(1)
})

test('the folder of a connector package is a project that has its connector', async () => {
  const plugwork = { connectors: './index.js', api: '>=0.0.1', names: ['todo'] }
  write('package.json', JSON.stringify({ name: 'acme-todo', version: '3.0.0', type: 'module', plugwork }))
  write('examples/flow.yaml', uses('todo'))
  expect((await load()).problems[0]!.message).toContain('Is it built?')
  write('index.js', connector('todo'))
  const { problems, packages } = await load()
  expect(problems).toEqual([])
  expect(packages).toEqual([{ name: 'acme-todo', version: '3.0.0', connectors: ['todo'], fault: null }])
})
