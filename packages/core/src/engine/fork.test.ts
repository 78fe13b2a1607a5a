import { expect, test } from 'vitest'
import { prefixFor } from './fork.ts'
import { loadProgram } from './program.ts'
import { replay } from './replay.ts'
import { cond, loop, parallel, plan, set, task } from './testing/build.ts'
import { facts, simulate } from './testing/simulate.ts'

const flow = plan([
  task('a', { input: { n: '${inputs.n}' } }),
  loop('l', '[1, 2]', [task('x', { input: { v: '${a.v + item}' } })]),
  set('s', { v: 1 }),
  task('z'),
])

function lived() {
  const run = simulate(flow, { n: 1 })
  run.complete('a', { v: 10 })
  run.complete('l[0]/x')
  run.complete('l[1]/x')
  run.complete('z')
  return run
}

const fork = (from: string, more: Partial<Parameters<typeof prefixFor>[0]> = {}) => {
  const run = lived()
  const newFacts = facts({ runId: 'run-2', rootRunId: 'run-2', inputs: { n: 1 } })
  return prefixFor({ program: run.program, records: run.records, from, facts: newFacts, ...more })
}

function inFlightAfter(prefix: ReturnType<typeof fork>, program = lived().program) {
  if (prefix.kind !== 'prefix') throw new Error(JSON.stringify(prefix))
  const replayed = replay(program, prefix.records)
  if (replayed.kind !== 'replayed') throw new Error(JSON.stringify(replayed))
  return { count: prefix.records.length, commands: replayed.commandsInFlight, runId: replayed.state?.facts.runId }
}

test('the prefix ends where the step begins; the new run asks for it under its own key', () => {
  const result = inFlightAfter(fork('l[1]/x'))
  expect(result).toMatchObject({
    count: 3,
    runId: 'run-2',
    commands: [{ path: 'l[1]/x', attempt: 1, input: { v: 12 } }],
  })
  expect(result.commands[0]).not.toMatchObject({ idempotencyKey: lived().attempt('l[1]/x').idempotencyKey })
})

test('the input of the step can be replaced', () => {
  expect(inFlightAfter(fork('l[0]/x', { stepInput: { v: 'edited' } }))).toMatchObject({
    commands: [{ input: { v: 'edited' } }],
  })
})

test('a pure step can be begun with', () => {
  expect(inFlightAfter(fork('s'))).toMatchObject({ count: 4, commands: [{ path: 'z' }] })
})

test('a step that is named by its id alone', () => {
  expect(fork('x')).toMatchObject({ kind: 'not_found', message: expect.stringContaining('l[0]/x') })
  expect(fork('nothing')).toMatchObject({ kind: 'not_found' })
  const branches = plan([cond('inputs.n == 1', [task('x')], [task('x')])])
  const run = simulate(branches, { n: 1 })
  const options = { program: run.program, records: run.records, facts: facts({ inputs: { n: 1 } }) }
  expect(prefixFor({ ...options, from: 'x' })).toMatchObject({
    kind: 'not_found',
    message: expect.stringContaining('if@0/else/x'),
  })
  expect(prefixFor({ ...options, from: 'if@0/then/x' })).toMatchObject({ kind: 'prefix' })
  const one = simulate(plan([cond('true', [task('only')])]))
  expect(prefixFor({ ...options, program: one.program, records: one.records, from: 'only' })).toMatchObject({
    path: 'if@0/then/only',
  })
})

test('a newer version of the flow, if it goes the same way to the step', () => {
  const newer = loadProgram(
    plan([
      set('fresh', { v: 1 }),
      task('a', { input: { n: '${inputs.n}', more: '${fresh.v}' } }),
      loop('l', '[1, 2]', [task('x', { input: { v: '${a.v * item}' } })]),
      task('other'),
    ]),
    'newer',
  )
  const result = inFlightAfter(fork('l[1]/x', { program: newer }), newer)
  expect(result).toMatchObject({ commands: [{ path: 'l[1]/x', input: { v: 20 } }] })
  expect(fork('z', { program: newer })).toMatchObject({
    kind: 'differences',
    differences: ['record 3: z would not begin', 'record 3: other would begin'],
  })
})

test('a newer version that goes another way is refused with what differs', () => {
  const newer = loadProgram(plan([task('a'), task('between'), loop('l', '[1, 2]', [task('x')])]), 'newer')
  expect(fork('l[1]/x', { program: newer })).toEqual({
    kind: 'differences',
    differences: ['record 1: l[0]/x would not begin', 'record 1: between would begin'],
  })
})

test('edited inputs that lead another way are refused', () => {
  const branching = plan([cond('inputs.n == 1', [task('a')], [task('b')]), task('c')])
  const run = simulate(branching, { n: 1 })
  run.complete('if@0/then/a')
  const options = { program: run.program, records: run.records, from: 'c' }
  expect(prefixFor({ ...options, facts: facts({ inputs: { n: 2 } }) })).toMatchObject({ kind: 'differences' })
  expect(prefixFor({ ...options, facts: facts({ inputs: { n: 1 } }) })).toMatchObject({ kind: 'prefix' })
})

test('siblings in flight where the step began are begun again', () => {
  const run = simulate(plan([parallel([[task('a')], [task('b'), task('c')]])]))
  run.complete('parallel@0/branch[1]/b')
  run.complete('parallel@0/branch[0]/a')
  const prefix = prefixFor({ program: run.program, records: run.records, from: 'c', facts: facts({ runId: 'new' }) })
  expect(inFlightAfter(prefix, run.program).commands).toMatchObject([
    { path: 'parallel@0/branch[0]/a' },
    { path: 'parallel@0/branch[1]/c' },
  ])
})
