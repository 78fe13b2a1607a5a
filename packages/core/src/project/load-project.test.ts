import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadProject, type LoadProjectOptions } from './load-project.ts'
import type { Project } from './project.ts'
import type { TaskContext } from '../runtime/runtime.ts'

let directory: string
const open: Project[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-project-'))
})
afterEach(async () => {
  for (const project of open.splice(0)) await project.close()
  rmSync(directory, { recursive: true })
})

function write(name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true })
  writeFileSync(join(directory, name), text)
}

async function load(options: Partial<LoadProjectOptions> = {}): Promise<Project> {
  const project = await loadProject(directory, { connectors: [], environment: {}, ...options })
  open.push(project)
  return project
}

const flow = (name: string, step = 'set: { a: 1 }') => `flow: ${name}\nsteps:\n  - { id: s, ${step} }\n`
// Tasks of these tests use nothing of their context.
const context = {} as TaskContext

test('finds flow files in the folder and below, and leaves out what holds no flows', async () => {
  write('flow.yaml', flow('Root'))
  write('a/b/deep.flow.yaml', flow('Deep'))
  write('a/flow.ts', `export default { flow: 'Typed', steps: [{ id: 's', set: { a: 1 } }] }\n`)
  write('node_modules/x/flow.yaml', flow('Dependency'))
  write('.git/flow.yaml', flow('Git'))
  write('data/flow.yaml', flow('Data'))
  write('other.yaml', flow('NotAFlowFile'))
  write('flow.test.yaml', 'flow: Root\ncases: []\n')
  const project = await load({ dataDirectory: join(directory, 'data') })
  expect(Object.fromEntries([...project.flows.values()].map(({ name, file }) => [name, file]))).toEqual({
    Deep: 'a/b/deep.flow.yaml',
    Root: 'flow.yaml',
    Typed: 'a/flow.ts',
  })
  expect(project.problems).toEqual([])
})

test('of two files with one flow name both are named and neither is served', async () => {
  write('one.flow.yaml', flow('Same'))
  write('two.flow.yaml', flow('Same'))
  write('third.flow.yaml', flow('Other'))
  const project = await load()
  expect([...project.flows.keys()]).toEqual(['Other'])
  expect(project.problems.map(({ file, code, message }) => ({ file, code, message }))).toEqual([
    { file: 'one.flow.yaml', code: 'PW1301', message: 'two.flow.yaml has a flow Same too; neither is served.' },
    { file: 'two.flow.yaml', code: 'PW1301', message: 'one.flow.yaml has a flow Same too; neither is served.' },
  ])
  expect(project.definitions.plan('default', 'Same')).toBeNull()
})

test('a broken file is a problem with its place, the others are served', async () => {
  write('good.flow.yaml', flow('Good'))
  write('bad.flow.yaml', 'flow: Bad\nsteps:\n  - { id: s, sett: { a: 1 } }\n')
  write('bad.flow.ts', `import { missing } from './nowhere.ts'\nexport default missing\n`)
  write('empty.flow.ts', 'export const flow = 1\n')
  const project = await load()
  expect([...project.flows.keys()]).toEqual(['Good'])
  const codes = project.problems.map(({ file, code }) => `${file} ${code}`)
  expect(codes).toEqual([
    expect.stringMatching(/^bad\.flow\.ts PW1303$/),
    'bad.flow.yaml PW1030',
    'empty.flow.ts PW1304',
  ])
  expect(project.problems[0]!.message).toContain('nowhere.ts')
})

test('a flow with mistakes is known to its callers, and what it calls is checked', async () => {
  write('caller.flow.yaml', `flow: Caller\nsteps:\n  - { id: s, subflow: Called, inputs: { a: 1 }, tmeout: 5 }\n`)
  write('called.flow.yaml', `flow: Called\ninputs: [{ name: b, type: string }]\nsteps:\n  - { id: s, set: 5 }\n`)
  const { problems } = await load()
  expect(problems.map(({ file, code }) => `${file} ${code}`)).toEqual([
    'called.flow.yaml PW1012',
    'caller.flow.yaml PW1061',
    'caller.flow.yaml PW1010',
  ])
})

test('tasks beside a flow are its own, plain or declared', async () => {
  write('a/flow.yaml', flow('A', 'task: Double, inputs: { n: 2 }'))
  write('a/tasks.ts', `export const limit = 3\nexport function Double({ n }: { n: number }) { return { n: n * 2 } }\n`)
  write('b/flow.yaml', flow('B', 'task: Double, inputs: { n: 2 }'))
  write('b/tasks.ts', `export async function Double({ n }: { n: number }) { return { n: n * 20 } }\n`)
  const { definitions } = await load()
  const run = async (name: string) => await definitions.task('default', name, 'Double')!.run({ n: 2 }, context)
  expect(await run('A')).toEqual({ n: 4 })
  expect(await run('B')).toEqual({ n: 40 })
  expect(definitions.task('default', 'A', 'limit')).toBeNull()
  expect(definitions.task('default', 'Unknown', 'Double')).toBeNull()
  expect(definitions.directory('default', 'A')).toBe(join(directory, 'a'))
})

test('a task that is not exported is a problem of the flow', async () => {
  write('flow.yaml', flow('A', 'task: Duble'))
  write('tasks.ts', `export function Double() { return {} }\n`)
  const { problems } = await load()
  expect(problems.map((problem) => problem.code)).toEqual(['PW1055'])
  expect(problems[0]!.suggestion).toContain('Double')
})

test('tasks that do not load are a problem of their file, not of every step', async () => {
  write('flow.yaml', flow('A', 'task: Double'))
  write('tasks.ts', `throw new Error('no database')\n`)
  const { problems } = await load()
  const errors = problems.filter((problem) => problem.severity === 'error')
  expect(errors).toMatchObject([{ file: 'tasks.ts', code: 'PW1303' }])
  expect(errors[0]!.message).toContain('no database')
})

test('declared tasks validate their inputs and outputs', async () => {
  const zod = import.meta.resolve('zod')
  write('flow.yaml', flow('A', 'task: Half, inputs: { n: 2 }'))
  write(
    'tasks.ts',
    `import { z } from '${zod}'
export const Half = { [Symbol.for('plugwork.task')]: true, description: 'Halves.',
  input: z.object({ n: z.number().min(0), note: z.string().default('') }),
  output: z.object({ n: z.int() }), run: ({ n }: { n: number }) => ({ n: n / 2 }) }\n`,
  )
  const project = await load()
  const task = project.definitions.task('default', 'A', 'Half')!
  expect(task.validate!({ n: 4 })).toEqual({ n: 4, note: '' })
  expect(() => task.validate!({ n: -1 })).toThrow(/inputs of task Half do not fit its schema: n: /)
  await expect(task.run({ n: 3 }, context)).rejects.toMatchObject({ code: 'task_output_invalid' })
  const [described] = project.catalog.tasks!
  expect(described).toMatchObject({
    name: 'Half',
    description: 'Halves.',
    input: { type: 'object', required: ['n'] },
    output: { type: 'object', properties: { n: { type: 'integer' } } },
  })
})

test('one file alone is loaded, and the others only when it calls one of them', async () => {
  write('alone.flow.yaml', flow('Alone'))
  write('caller.flow.yaml', flow('Caller', 'subflow: Alone'))
  expect([...(await load({ only: 'alone.flow.yaml' })).flows.keys()]).toEqual(['Alone'])
  expect([...(await load({ only: join(directory, 'caller.flow.yaml') })).flows.keys()]).toEqual(['Alone', 'Caller'])
})

test('env and secrets come from what the project is given', async () => {
  write('flow.yaml', flow('A'))
  const { definitions } = await load({
    environment: { REGION: 'eu', PLUGWORK_SECRET_KEY: 's3cret' },
    envAllow: ['REGION'],
  })
  expect(definitions.env('default', 'A', 'REGION')).toBe('eu')
  expect(definitions.env('default', 'A', 'PATH')).toBeNull()
  expect(await definitions.secret('default', 'KEY')).toBe('s3cret')
})

test('a folder that is not there is an error', async () => {
  await expect(loadProject(join(directory, 'none'), { connectors: [], environment: {} })).rejects.toMatchObject({
    code: 'project_not_found',
  })
})
