import { afterAll, expect, test } from 'vitest'
import { openSandbox } from '../testing/spawn.ts'

const sandbox = openSandbox({ 'data.json': '{"order":{"total":12.5,"items":["a","b"]},"name":"Ada"}' })
afterAll(() => sandbox[Symbol.dispose]())

const evaluate = (...args: string[]) => sandbox.plugwork(['eval', ...args])

test.each([
  ['1 + 2 * 3', '7\n'],
  ['order.items.join("-")', 'a-b\n'],
  ['${order.total > 10}', 'true\n'],
  ['Hello ${name}!', 'Hello Ada!\n'],
  ['order', '{\n  "total": 12.5,\n  "items": [\n    "a",\n    "b"\n  ]\n}\n'],
])('%s', async (expression, output) => {
  expect(await evaluate(expression, '--data', 'data.json')).toMatchObject({ code: 0, stdout: output, stderr: '' })
})

test('--json prints the value as one JSON document', async () => {
  expect(await evaluate('name', '--data', 'data.json', '--json')).toMatchObject({ code: 0, stdout: '"Ada"\n' })
})

test('data comes from stdin too', async () => {
  const { stdout } = await sandbox.plugwork(['eval', 'n * 2', '--data', '-'], { input: '{"n":21}' })
  expect(stdout).toBe('42\n')
})

test('as a condition `${x}` is a part of the expression', async () => {
  expect((await evaluate('${order.total} > 10 and name == "Ada"', '--condition', '--data', 'data.json')).stdout).toBe(
    'true\n',
  )
})

test('an error points at its place and exits with 1', async () => {
  const { code, stdout, stderr } = await evaluate('1 + nam', '--data', 'data.json')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('  1 + nam\n      ^^^')
  const json = await evaluate('1 + nam', '--data', 'data.json', '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'expression_unknown_name', start: 4, end: 7 } })
})

test.each([
  [['--data', 'none.json'], 'cannot be read'],
  [['--data', '-'], 'is not JSON'],
])('data that cannot be used exits with 2: %o', async (args, message) => {
  const { code, stderr } = await evaluate('1', ...args)
  expect(code).toBe(2)
  expect(stderr).toContain(message)
})
