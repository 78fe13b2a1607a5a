import { expect, test } from 'vitest'
import { parseTestFile } from './parse-test-file.ts'

const problems = (text: string): string[] => {
  const parsed = parseTestFile(text)
  return parsed.kind === 'file' ? [] : parsed.problems.map(({ line, message }) => `${line}: ${message}`)
}

test('a complete file is read with the line of each case', () => {
  const parsed = parseTestFile(`flow: A
fixtures: { order: { file: order.json }, n: 3 }
env: { REGION: eu }
fakes: { http.*: { returns: { status: 200 } } }
cases:
  - name: one
    inputs: '\${fixtures.order}'
    now: 2026-01-01T00:00:00Z
    fakes:
      charge: [{ when: input.amount > 5, error: { code: too_much, retryable: false } }, { returns: 1, delay: 2s }]
      send: { sequence: [{ error: busy }, { returns: null }] }
    send: [{ approve: ask, as: me, after: 2d }, { event: paid, data: { id: 1 } }, { cancel: true }]
    expect:
      status: failed
      error: { code: x, message: part }
      called: [charge, { send: { to: a } }]
      calls: { charge: 2 }
      assert: [outputs.n > 1]
      takes: 3d
`)
  expect(parsed).toMatchObject({ kind: 'file', file: { flow: 'A', cases: [{ name: 'one', line: 6 }] } })
})

test.each([
  ['cases: [{ name: a, expekt: {} }]', ['1: `expekt` is not known here. Did you mean `expect`?']],
  ['cases:\n  - name: a\n    expect: { status: done }', [expect.stringMatching(/^3: `cases.0.expect.status`: /)]],
  [
    'cases:\n  - name: a\n    fakes: { x: { return: 1 } }',
    expect.arrayContaining(['3: `return` is not known here. Did you mean `returns`?']),
  ],
  [
    'cases:\n  - name: a\n    fakes: { x: { returns: 1, error: e } }',
    [expect.stringContaining('needs exactly one of')],
  ],
  ['cases:\n  - name: a\n    send: [{ approve: x, after: soon }]', [expect.stringContaining('`cases.0.send.0.after`')]],
  ['cases: []', [expect.stringMatching(/^1: `cases`: /)]],
  ['flow: A', [expect.stringMatching(/^1: `cases`: /)]],
  ['cases: [{ name: a }', [expect.stringMatching(/^1: This is not YAML/)]],
])('%j is refused with place and reason', (text, expected) => {
  expect(problems(text)).toEqual(expected)
})
