import { expect, test } from 'vitest'
import { deserialize, serialize } from './state.ts'
import {
  attempt,
  delay,
  exit,
  fail,
  loop,
  parallel,
  plan,
  repeat,
  set,
  subflow,
  task,
  webhook,
} from './testing/build.ts'
import { simulate } from './testing/simulate.ts'
import type { Simulation } from './testing/simulate.ts'

/** Retries a failed run as a process does that has just loaded it. */
function retry(run: Simulation): boolean {
  run.state = deserialize(serialize(run.state))
  return run.send({ type: 'retry' })
}

test('the failed step begins again as a new generation under the same key; completed ones stay', () => {
  const run = simulate(
    plan([task('a'), task('b', { input: { a: '${a.v}' } }), task('c')], { outputs: { n: '${run.attempt}' } }),
  )
  run.complete('a', { v: 1 })
  run.fail('b')
  expect(run.status).toBe('failed')
  expect(retry(run)).toBe(true)
  expect(run.commands).toMatchObject([{ type: 'effect', path: 'b@2', attempt: 1, input: { a: 1 } }])
  expect(run.attempt('b@2').idempotencyKey).toBe(run.attempt('b').idempotencyKey)
  run.fail('b@2')
  retry(run)
  expect(run.attempt('b@3').idempotencyKey).toBe(run.attempt('b').idempotencyKey)
  run.complete('b@3')
  run.complete('c')
  expect(run.started()).toEqual(['a', 'b', 'b@2', 'b@3', 'c'])
  expect(run.outputs).toEqual({ n: 3 })
})

test('steps cancelled with it begin again; items and branches that are done stay', () => {
  const run = simulate(
    plan([loop('l', '[1, 2, 3, 4]', [task('t'), task('u')], { concurrency: 3, collect: 'u' })], {
      outputs: { r: '${l.results}' },
    }),
  )
  run.complete('l[0]/t')
  run.complete('l[0]/u', 'A')
  run.complete('l[2]/t')
  run.fail('l[1]/t')
  run.complete('l[2]/u', 'C')
  run.fail('l[3]/t', 'aborted')
  expect(run.status).toBe('failed')
  retry(run)
  expect(run.commands).toMatchObject([{ path: 'l[1]/t@2' }, { path: 'l[3]/t@2' }])
  run.complete('l[1]/t@2')
  run.complete('l[1]/u', 'B')
  run.complete('l[3]/t@2')
  run.complete('l[3]/u', 'D')
  expect(run.outputs).toEqual({ r: ['A', 'B', 'C', 'D'] })
})

test('handlers that ran run again as a new generation, if they are needed again', () => {
  const run = simulate(plan([attempt([task('a')], { finally: [task('f')] })], { onError: [task('h')] }))
  run.fail('try@0/try/a')
  run.complete('try@0/finally/f')
  run.complete('on_error/h')
  retry(run)
  expect(run.commands).toMatchObject([{ path: 'try@0/try/a@2' }])
  run.fail('try@0/try/a@2')
  run.complete('try@0/finally/f@2')
  expect(run.commands).toMatchObject([{ path: 'on_error/h@2' }])
  run.complete('on_error/h@2')
  expect(run.status).toBe('failed')
})

test('a failure in catch begins again with what was being caught', () => {
  const run = simulate(plan([attempt([task('a')], { catch: [task('b')] })]))
  run.fail('try@0/try/a')
  run.fail('try@0/catch/b')
  retry(run)
  expect(run.commands).toMatchObject([{ path: 'try@0/try/a@2' }])
  run.fail('try@0/try/a@2')
  expect(run.commands).toMatchObject([{ path: 'try@0/catch/b@2' }])
  run.complete('try@0/catch/b@2')
  expect(run.status).toBe('succeeded')
})

test('a failure in finally begins again there', () => {
  const run = simulate(plan([attempt([task('a')], { finally: [task('f'), task('g')] })], { outputs: { a: '${a}' } }))
  run.complete('try@0/try/a', 'A')
  run.complete('try@0/finally/f')
  run.fail('try@0/finally/g')
  retry(run)
  expect(run.commands).toMatchObject([{ path: 'try@0/finally/g@2' }])
  run.complete('try@0/finally/g@2')
  expect(run.outputs).toEqual({ a: 'A' })
})

test('on_error of a step that failed itself: the step begins again', () => {
  const run = simulate(plan([task('a', { onError: [task('h')] })]))
  run.fail('a')
  run.fail('a/on_error/h')
  retry(run)
  run.fail('a@2')
  expect(run.commands).toMatchObject([{ path: 'a/on_error/h@2' }])
})

test('parallel: what failed and what was cancelled begins again, waits as well', () => {
  const run = simulate(plan([parallel([[task('a')], [webhook('w')], [task('c')], [subflow('d')]])]))
  run.complete('parallel@0/branch[2]/c')
  run.fail('parallel@0/branch[0]/a')
  run.childEnded('parallel@0/branch[3]/d', 'cancelled')
  retry(run)
  expect(run.started().slice(-2)).toEqual(['parallel@0/branch[0]/a@2', 'parallel@0/branch[3]/d@2'])
  run.signal('w')
  run.complete('parallel@0/branch[0]/a@2')
  run.childEnded('parallel@0/branch[3]/d@2', 'succeeded')
  expect(run.status).toBe('succeeded')
})

test('parallel with wait: skipped branches get their turn', () => {
  const run = simulate(plan([parallel([[task('a')], [task('b')]], { after: [[], [0]], wait: true })]))
  run.fail('parallel@0/branch[0]/a')
  retry(run)
  run.complete('parallel@0/branch[0]/a@2')
  expect(run.commands).toMatchObject([{ path: 'parallel@0/branch[1]/b' }])
})

test('a repeat that was exhausted may go on as long again', () => {
  const run = simulate(plan([repeat('r', [task('t')], { until: 't.done', max: 1, delayMs: 1000 })]))
  run.complete('r[0]/t', { done: false })
  expect(run.error).toMatchObject({ code: 'repeat_exhausted' })
  retry(run)
  run.tick()
  run.complete('r[1]/t', { done: true })
  expect(run.status).toBe('succeeded')
})

test('a repeat that was left during its delay waits again', () => {
  const run = simulate(plan([parallel([[task('a')], [repeat('r', [task('t')], { max: 2, delayMs: 1000 })]])]))
  run.complete('parallel@0/branch[1]/r[0]/t')
  run.fail('parallel@0/branch[0]/a')
  retry(run)
  run.complete('parallel@0/branch[0]/a@2')
  expect(run.status).toBe('waiting: timer')
  run.tick()
  run.complete('parallel@0/branch[1]/r[1]/t')
  expect(run.status).toBe('succeeded')
})

test('an error that is computed is computed again', () => {
  const run = simulate(plan([loop('l', '[1]', [set('s', { v: null })], { collect: 's.v.x' })]))
  retry(run)
  expect(run.error).toMatchObject({ code: 'expression_null_member' })
  const outputs = simulate(plan([], { outputs: { x: '${inputs.a.b}' } }))
  retry(outputs)
  expect(outputs.status).toBe('failed')
})

test('time-outs count anew', () => {
  const run = simulate(plan([delay('d', '10s')], { settings: { timeoutMs: 5000 } }))
  run.tick()
  expect(run.error).toMatchObject({ code: 'timeout' })
  run.pass(100_000)
  retry(run)
  const before = run.now
  run.tick()
  expect(run.now - before).toBe(5000)
  const block = simulate(plan([parallel([[task('a')]], { timeoutMs: 5000 })]))
  block.tick()
  block.fail('parallel@0/branch[0]/a')
  retry(block)
  expect(block.commands).toMatchObject([{ path: 'parallel@0/branch[0]/a@2' }])
  block.tick()
  expect(block.commands).toMatchObject([{ type: 'abort', path: 'parallel@0/branch[0]/a@2' }])
})

test('a wait of an earlier generation is still reached by its link', () => {
  const run = simulate(plan([parallel([[loop('l', '[1]', [webhook('w')])], [task('a')]])]))
  run.fail('parallel@0/branch[1]/a')
  retry(run)
  run.complete('parallel@0/branch[1]/a@2')
  const byNewPath = deserialize(serialize(run.state))
  run.signal('parallel@0/branch[0]/l[0]/w')
  expect(run.status).toBe('succeeded')
  run.state = byNewPath
  run.signal('parallel@0/branch[0]/l[0]/w@2', 'received', null, 'another')
  expect(run.status).toBe('succeeded')
})

test('only a failed run can be retried, and not one that ended itself', () => {
  const open = simulate(plan([task('a')]))
  expect(retry(open)).toBe(false)
  const exited = simulate(plan([exit('failure')]))
  expect(retry(exited)).toBe(false)
  const cancelled = simulate(plan([task('a')]))
  cancelled.send({ type: 'cancel', force: true })
  expect(retry(cancelled)).toBe(false)
  expect(retry(simulate(plan([fail('no')])))).toBe(true)
})
