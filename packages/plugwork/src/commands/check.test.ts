import { afterAll, expect, test } from 'vitest'
import { openSandbox } from '../testing/spawn.ts'

const sandbox = openSandbox({
  'good/flow.yaml': 'flow: Good\nsteps:\n  - { id: s, set: { a: 1 } }\noutputs:\n  - { name: a, value: "${s.a}" }\n',
  'bad/flow.yaml': 'flow: Bad\nsteps:\n  - { id: s, set: { a: 1 } }\noutputs:\n  - { name: a, value: "${s.b}" }\n',
  'tasks/flow.yaml':
    'flow: Tasks\nsteps:\n  - { id: half, task: Half, inputs: { nn: 1 }, outputs: [value] }\n  - { id: other, task: Hlaf }\n',
  'tasks/tasks.ts': 'export function Half({ n }: { n: number }) { return { n: n / 2 } }\n',
  'broken/flow.yaml': 'flow: Broken\nsteps:\n  - { id: s, task: A }\n',
  'broken/tasks.ts': 'export function A() { return {} }\nexport enum No { A }\n',
  'plain.yaml': 'flow: Plain\nsteps:\n  - { id: s, set: { a: 1 } }\n',
})
afterAll(() => sandbox[Symbol.dispose]())

const check = (...args: string[]) => sandbox.plugwork(['check', ...args])

test('one line a problem: place, code, sentence, suggestion; exit code 1', async () => {
  const { code, stdout, stderr } = await check('bad')
  expect(code).toBe(1)
  expect(stdout).toMatch(/^bad\/flow\.yaml:5:28 PW12\d\d `b` is not a property of .*\n$/)
  expect(stderr).toBe('1 flow checked, 1 error\n')
})

test('--json prints all problems as one document', async () => {
  const { code, stdout, stderr } = await check('bad', '--json')
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    problems: [
      {
        file: 'bad/flow.yaml',
        line: 5,
        column: 28,
        code: expect.stringMatching(/^PW\d{4}$/),
        severity: 'error',
        message: expect.any(String),
        suggestion: expect.any(String),
        endLine: 5,
        endColumn: expect.any(Number),
      },
    ],
  })
})

test('a flow without problems exits with 0, also under a name of its own', async () => {
  expect(await check('good/flow.yaml', 'plain.yaml', '--json')).toMatchObject({ code: 0, stdout: '{"problems":[]}\n' })
})

test('types of plain task functions are checked: inputs, outputs, names', async () => {
  const { stdout } = await check('tasks', '--json')
  const { problems } = JSON.parse(stdout) as { problems: { line: number; code: string; message: string }[] }
  expect(problems.map(({ line, code }) => `${line} ${code}`)).toEqual(
    expect.arrayContaining(['3 PW1060', '3 PW1061', '3 PW1042', '4 PW1055']),
  )
  const untyped = await check('tasks', '--json', '--no-types')
  const codes = (JSON.parse(untyped.stdout) as { problems: { code: string }[] }).problems.map(({ code }) => code)
  expect(codes).toContain('PW1055')
  expect(codes).not.toContain('PW1061')
})

test('tasks that do not load are a problem of their file', async () => {
  const { code, stdout } = await check('broken/flow.yaml')
  expect(code).toBe(1)
  expect(stdout).toMatch(/^broken\/tasks\.ts:\d+:\d+ PW1303 .*enum/i)
})

test('a path that is not there exits with 2', async () => {
  const { code, stdout, stderr } = await check('nowhere', '--json')
  expect(code).toBe(2)
  expect(JSON.parse(stdout)).toEqual({ error: { code: 'usage', message: 'There is no file or folder nowhere.' } })
  expect(stderr).toContain('nowhere')
})

test('an unknown setting warns on stderr', async () => {
  const { code, stderr } = await sandbox.plugwork(['check', 'good'], { env: { PLUGWORK_PRT: '1' } })
  expect(code).toBe(0)
  expect(stderr).toContain('PLUGWORK_PRT is not a setting. Did you mean `PLUGWORK_PORT`?')
})
