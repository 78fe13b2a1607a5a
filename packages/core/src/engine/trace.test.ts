import { expect, test } from 'vitest'
import { decideObserved } from './decide.ts'
import { traceRun } from './trace.ts'
import { Tracer } from './trace.ts'
import { decodeRecord } from './record.ts'
import type { RunState } from './state.ts'
import { action, cond, delay, loop, parallel, plan, set, subflow, task } from './testing/build.ts'
import { START, simulate } from './testing/simulate.ts'

const brief = (run: ReturnType<typeof simulate>) =>
  traceRun(run.program, run.records).map(({ path, status }) => [path, status])

test('every step in the order of its beginning, pure and skipped ones too', () => {
  const run = simulate(
    plan([
      set('s', { v: 1 }),
      cond('s.v == 2', [task('never')], [set('t', { v: 2 })]),
      task('skip', { if: 'false' }),
      loop('l', '[1, 2]', [task('x')]),
    ]),
  )
  run.complete('l[0]/x')
  run.complete('l[1]/x')
  expect(brief(run)).toEqual([
    ['s', 'succeeded'],
    ['if@1', 'succeeded'],
    ['if@1/else/t', 'succeeded'],
    ['skip', 'skipped'],
    ['l', 'succeeded'],
    ['l[0]/x', 'succeeded'],
    ['l[1]/x', 'succeeded'],
  ])
})

test('a step tells its input, output, attempts, times, log lines and code', () => {
  const run = simulate(plan([action('a', { input: { n: '${1 + 1}' }, retry: { delayMs: 1000 } })]))
  run.send({
    type: 'failed',
    path: 'a',
    attempt: 1,
    error: { code: 'boom', message: 'm' },
    startedAt: START,
    logs: [{ at: START, level: 'warn', message: 'one' }],
  })
  expect(traceRun(run.program, run.records)).toMatchObject([
    { status: 'retrying', attempts: 1, error: { code: 'boom' } },
  ])
  run.tick()
  expect(traceRun(run.program, run.records)).toMatchObject([{ status: 'running', attempts: 2, endedAt: null }])
  run.pass(500)
  const log = { at: run.now, level: 'info' as const, message: 'two' }
  run.send({
    type: 'completed',
    path: 'a',
    attempt: 2,
    output: { ok: true },
    startedAt: START + 1000,
    logs: [log],
    code: 'hash',
  })
  expect(traceRun(run.program, run.records)).toEqual([
    {
      path: 'a',
      kind: 'action',
      id: 'a',
      name: 'test.a',
      status: 'succeeded',
      attempts: 2,
      startedAt: START,
      endedAt: START + 1500,
      input: { n: 2 },
      output: { ok: true },
      error: null,
      logs: [{ at: START, level: 'warn', message: 'one' }, log],
      childRunId: null,
      code: 'hash',
    },
  ])
})

test('failed, handled, cancelled, waiting, held', () => {
  const run = simulate(
    plan([task('a', { onError: [task('h')] }), parallel([[task('b')], [task('c')], [delay('d', '1h')]])]),
  )
  run.fail('a')
  expect(brief(run)).toEqual([
    ['a', 'failed'],
    ['a/on_error/h', 'running'],
  ])
  run.complete('a/on_error/h')
  run.send({ type: 'hold', path: 'parallel@1/branch[1]/c', reason: 'no task' })
  expect(brief(run).slice(0, 2)).toEqual([
    ['a', 'handled'],
    ['a/on_error/h', 'succeeded'],
  ])
  expect(brief(run).slice(3)).toEqual([
    ['parallel@1/branch[0]/b', 'running'],
    ['parallel@1/branch[1]/c', 'needs_attention'],
    ['parallel@1/branch[2]/d', 'waiting'],
  ])
  run.fail('parallel@1/branch[0]/b')
  expect(brief(run).slice(2)).toEqual([
    ['parallel@1', 'failed'],
    ['parallel@1/branch[0]/b', 'failed'],
    ['parallel@1/branch[1]/c', 'cancelled'],
    ['parallel@1/branch[2]/d', 'cancelled'],
  ])
})

test('a forced cancel leaves nothing open', () => {
  const run = simulate(plan([loop('l', '[1]', [task('t')])]))
  run.send({ type: 'cancel', force: true })
  expect(brief(run)).toEqual([
    ['l', 'cancelled'],
    ['l[0]/t', 'cancelled'],
  ])
})

test('a sub-flow names its run; a retry in place is a step of its own', () => {
  const run = simulate(plan([subflow('c')]))
  run.childEnded('c', 'failed')
  run.send({ type: 'retry' })
  expect(traceRun(run.program, run.records)).toMatchObject([
    { path: 'c', status: 'failed', childRunId: 'child-of-c', name: 'Child' },
    { path: 'c@2', status: 'running' },
  ])
})

test('a tracer that follows a run tells what each decision has changed', () => {
  const run = simulate(plan([task('a'), set('s', { v: 1 }), task('b')]))
  run.complete('a')
  const tracer = new Tracer()
  const changes: string[][] = []
  let state: RunState | null = null
  for (const record of run.records) {
    const { event } = decodeRecord(record)
    tracer.before(event)
    ;({ state } = decideObserved(run.program, state, event, tracer))
    changes.push(tracer.changed().map(({ path, status }) => `${path} ${status}`))
  }
  expect(changes).toEqual([['a running'], ['a succeeded', 's succeeded', 'b running']])
})
