import { expect, test } from 'vitest'
import { decide } from './decide.ts'
import { loadProgram } from './program.ts'
import { attempt, delay, exit, fail, loop, parallel, plan, set, subflow, task, webhook } from './testing/build.ts'
import { simulate } from './testing/simulate.ts'

test('exit ends the run from any depth; its outputs are exactly those of the exit', () => {
  const run = simulate(
    plan(
      [
        loop(
          'l',
          '[1, 2, 3]',
          [task('t', { input: {} }), parallel([[exit('success', { n: '${item}' })], [task('other')]])],
          { concurrency: 2 },
        ),
        task('after'),
      ],
      { outputs: { never: 1 }, onError: [task('h')] },
    ),
  )
  run.complete('l[1]/t')
  expect(run.commands).toEqual([{ type: 'abort', path: 'l[0]/t', attempt: 1, reason: 'cancelled' }])
  run.fail('l[0]/t', 'aborted')
  expect(run.commands).toEqual([{ type: 'finish', status: 'succeeded', outputs: { n: 2 } }])
})

test('exit with failure fails the run, without on_error', () => {
  const run = simulate(plan([exit('failure', { n: 1 }, 'out of stock')], { onError: [task('h')] }))
  expect(run.started()).toEqual([])
  expect(run.commands).toEqual([
    {
      type: 'finish',
      status: 'failed',
      outputs: { n: 1 },
      error: { code: 'exit_failure', message: 'out of stock', step: 'exit@0' },
    },
  ])
})

test('exit where something must run to its end is an error', () => {
  const inFinally = simulate(plan([attempt([set('s', { v: 1 })], { finally: [exit('success')] })]))
  expect(inFinally.error).toMatchObject({ code: 'exit_in_handler' })
  const inHandler = simulate(plan([fail('no', 'no')], { onError: [exit('success')] }))
  expect(inHandler.error).toMatchObject({ code: 'exit_in_handler', cause: { code: 'no' } })
})

test('on_error runs once before the run fails, and its own error replaces the error', () => {
  const flow = plan([task('a')], { onError: [task('h', { input: { why: '${error.message}', a: '${a.x}' } })] })
  const run = simulate(flow)
  run.fail('a')
  expect(run.commands).toMatchObject([{ path: 'on_error/h', input: { why: 'boom happened', a: null } }])
  run.complete('on_error/h')
  expect(run.error).toEqual({ code: 'boom', message: 'boom happened', step: 'a' })
  const worse = simulate(flow)
  worse.fail('a')
  worse.fail('on_error/h', 'worse')
  expect(worse.error).toMatchObject({ code: 'worse', cause: { code: 'boom' } })
})

test('an error in the outputs fails the run', () => {
  expect(simulate(plan([], { outputs: { x: '${inputs.a.b}' } })).error).toMatchObject({
    code: 'expression_null_member',
    step: 'outputs',
  })
})

test('cancelling leaves everything, then runs on_cancel; the run is cancelled even if that fails', () => {
  const flow = plan([task('a'), task('b')], { onCancel: [task('undo', { input: { a: '${a.v}' } })] })
  const run = simulate(flow)
  run.complete('a', { v: 1 })
  run.send({ type: 'cancel', force: false, reason: 'enough' })
  run.tick()
  expect(run.commands).toMatchObject([{ path: 'on_cancel/undo', input: { a: 1 } }])
  expect(run.send({ type: 'cancel', force: false })).toBe(false)
  run.fail('on_cancel/undo')
  expect(run.commands).toMatchObject([{ type: 'finish', status: 'cancelled', error: { code: 'boom' } }])
})

test('what a finally raised while the run was cancelled is kept', () => {
  const run = simulate(plan([attempt([delay('d', '1h')], { finally: [fail('f', 'f')] })], { onCancel: [task('undo')] }))
  run.send({ type: 'cancel', force: false })
  run.complete('on_cancel/undo')
  expect(run.commands).toMatchObject([{ status: 'cancelled', error: { code: 'f' } }])
})

test('a forced cancel ends the run at once', () => {
  const run = simulate(plan([parallel([[task('a')], [subflow('c')], [webhook('w')]])], { onCancel: [task('undo')] }))
  run.send({ type: 'cancel', force: true })
  expect(run.commands).toEqual([
    { type: 'abort', path: 'parallel@0/branch[0]/a', attempt: 1, reason: 'cancelled' },
    { type: 'cancel_child', path: 'parallel@0/branch[1]/c', attempt: 1, force: true },
    { type: 'finish', status: 'cancelled' },
  ])
  expect(run.complete('parallel@0/branch[0]/a')).toBe(false)
})

test('force comes through where a cancel is already under way', () => {
  const run = simulate(plan([task('a')], { onCancel: [task('undo')] }))
  run.send({ type: 'cancel', force: false })
  expect(run.send({ type: 'cancel', force: true })).toBe(true)
  expect(run.status).toBe('cancelled')
  expect(run.send({ type: 'cancel', force: true })).toBe(false)
})

test('the first cause wins: a run that is failing cannot be cancelled, one that is cancelled does not fail', () => {
  const failing = simulate(plan([task('a')], { onError: [task('h')] }))
  failing.fail('a')
  expect(failing.send({ type: 'cancel', force: false })).toBe(false)
  const cancelled = simulate(plan([parallel([[task('a')], [task('b')]])], { onError: [task('h')] }))
  cancelled.send({ type: 'cancel', force: false })
  cancelled.fail('parallel@0/branch[0]/a')
  cancelled.fail('parallel@0/branch[1]/b')
  expect(cancelled.status).toBe('cancelled')
})

test('the time-out of the flow counts from its start, waits included, and goes through on_error', () => {
  const run = simulate(
    plan([attempt([delay('d', '1h')], { catch: [task('c')], finally: [task('f')] })], {
      settings: { timeoutMs: 60_000 },
      onError: [task('h')],
    }),
  )
  run.tick()
  expect(run.commands).toMatchObject([{ path: 'try@0/finally/f' }])
  run.complete('try@0/finally/f')
  expect(run.commands).toMatchObject([{ path: 'on_error/h' }])
  run.complete('on_error/h')
  expect(run.error).toMatchObject({ code: 'timeout' })
  expect(run.error?.step).toBeUndefined()
})

test('the time-out of a block leaves what is inside; on_error of the block takes it', () => {
  const run = simulate(
    plan(
      [
        loop('l', '[1, 2]', [task('t')], {
          concurrency: 2,
          timeoutMs: 1000,
          onError: [set('s', { code: '${error.code}' })],
        }),
      ],
      {
        outputs: { code: '${s.code}' },
      },
    ),
  )
  run.tick()
  expect(run.commands).toMatchObject([{ type: 'abort' }, { type: 'abort' }])
  run.fail('l[0]/t', 'aborted')
  run.complete('l[1]/t')
  expect(run.outputs).toEqual({ code: 'timeout' })
})

test('a run begins with start, once, and keeps to its plan', () => {
  const program = loadProgram(plan([]), 'one')
  expect(() => decide(program, null, { type: 'takeover', at: 0 })).toThrow(
    expect.objectContaining({ code: 'run_not_started' }),
  )
  const run = simulate(plan([task('a')]))
  expect(run.send({ type: 'start', facts: run.state.facts })).toBe(false)
  expect(() => decide(program, run.state, { type: 'takeover', at: 0 })).toThrow(
    expect.objectContaining({ code: 'plan_invalid' }),
  )
})

test('an ended run ignores what comes', () => {
  const run = simulate(plan([]))
  expect(run.signal('w')).toBe(false)
  expect(run.send({ type: 'timer' })).toBe(false)
  expect(run.send({ type: 'retry' })).toBe(false)
  expect(run.send({ type: 'takeover' })).toBe(false)
})
