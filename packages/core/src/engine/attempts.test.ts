import { expect, test } from 'vitest'
import { attempt, delay, exit, fail, parallel, plan, rethrow, set, task } from './testing/build.ts'
import { simulate } from './testing/simulate.ts'

test('catch handles the error with `error` in scope, finally runs after it', () => {
  const run = simulate(
    plan(
      [
        attempt([task('a'), task('never')], {
          catch: [set('c', { code: '${error.code}', step: '${error.step}', said: '${context.last_error}' })],
          finally: [task('f')],
        }),
        set('after', { c: '${c}', a: '${a.x}' }),
      ],
      { outputs: { v: '${after}' } },
    ),
  )
  run.fail('try@0/try/a')
  expect(run.commands).toMatchObject([{ path: 'try@0/finally/f' }])
  run.complete('try@0/finally/f')
  expect(run.outputs).toEqual({ v: { c: { code: 'boom', step: 'try@0/try/a', said: 'boom happened' }, a: null } })
  expect(run.started()).not.toContain('try@0/try/never')
})

test('without an error catch does not run, finally does', () => {
  const run = simulate(plan([attempt([set('s', { v: 1 })], { catch: [task('c')], finally: [task('f')] })]))
  expect(run.started()).toEqual(['try@0/finally/f'])
})

test('without catch the error goes on after finally', () => {
  const run = simulate(plan([attempt([fail('no', 'no')], { finally: [task('f')] })]))
  run.complete('try@0/finally/f')
  expect(run.error).toMatchObject({ code: 'no' })
})

test('rethrow raises the same error again, without a cause of its own', () => {
  const run = simulate(plan([attempt([task('a')], { catch: [task('c'), rethrow()] })]))
  run.fail('try@0/try/a')
  run.complete('try@0/catch/c')
  expect(run.error).toEqual({ code: 'boom', message: 'boom happened', step: 'try@0/try/a' })
})

test('an error in catch replaces the error, one in finally replaces both', () => {
  const run = simulate(
    plan([attempt([fail('1', 'one')], { catch: [fail('2', 'two')], finally: [fail('3', 'three')] })]),
  )
  expect(run.error).toMatchObject({ code: 'three', cause: { code: 'two', cause: { code: 'one' } } })
})

test('an error in finally of a block that went well is the error', () => {
  const run = simulate(plan([attempt([set('s', { v: 1 })], { catch: [task('c')], finally: [fail('f', 'f')] })]))
  expect(run.error).toMatchObject({ code: 'f' })
  expect(run.error?.cause).toBeUndefined()
})

test('catch takes no exit; finally runs, and then the run ends', () => {
  const run = simulate(
    plan([attempt([exit('success', { v: 1 })], { catch: [task('c')], finally: [task('f')] }), task('after')]),
  )
  expect(run.started()).toEqual(['try@0/finally/f'])
  run.complete('try@0/finally/f')
  expect(run.outputs).toEqual({ v: 1 })
  expect(run.status).toBe('succeeded')
})

test('an error in finally replaces an exit', () => {
  const run = simulate(plan([attempt([exit('success', { v: 1 })], { finally: [fail('f', 'f')] })]))
  expect(run.error).toMatchObject({ code: 'f' })
  expect(run.outputs).toBeNull()
})

test('catch takes no cancellation; finally blocks run, innermost first, and are not interrupted', () => {
  const run = simulate(
    plan([
      attempt([attempt([task('a')], { catch: [task('c')], finally: [task('inner'), delay('d', '1m')] })], {
        catch: [task('c2')],
        finally: [task('outer')],
      }),
    ]),
  )
  run.send({ type: 'cancel', force: false })
  expect(run.commands).toMatchObject([{ type: 'abort' }])
  run.fail('try@0/try/try@0/try/a', 'aborted')
  expect(run.commands).toMatchObject([{ path: 'try@0/try/try@0/finally/inner' }])
  expect(run.send({ type: 'cancel', force: false })).toBe(false)
  run.complete('try@0/try/try@0/finally/inner')
  expect(run.status).toBe('waiting: timer')
  run.tick()
  expect(run.commands).toMatchObject([{ path: 'try@0/finally/outer' }])
  run.complete('try@0/finally/outer')
  expect(run.status).toBe('cancelled')
  expect(run.started()).not.toContain('try@0/catch/c2')
})

test('a forced cancel interrupts finally', () => {
  const run = simulate(plan([attempt([fail('no')], { finally: [task('f'), delay('d', '1m')] })]))
  expect(run.send({ type: 'cancel', force: true })).toBe(true)
  expect(run.commands).toMatchObject([
    { type: 'abort', path: 'try@0/finally/f' },
    { type: 'finish', status: 'cancelled' },
  ])
  expect(run.complete('try@0/finally/f')).toBe(false)
})

test('a sibling left for an error runs its finally; an error in there replaces that error', () => {
  const run = simulate(plan([parallel([[task('a')], [attempt([delay('d', '1h')], { finally: [task('undo')] })]])]))
  run.fail('parallel@0/branch[0]/a')
  expect(run.commands).toMatchObject([{ path: 'parallel@0/branch[1]/try@0/finally/undo' }])
  run.fail('parallel@0/branch[1]/try@0/finally/undo', 'undo_failed')
  expect(run.error).toMatchObject({ code: 'undo_failed', cause: { code: 'boom' } })
})

test('catch takes the time-out of a block inside', () => {
  const run = simulate(
    plan(
      [
        attempt([attempt([task('a')], { timeoutMs: 5000, id: 'slow', catch: [task('own')] })], {
          catch: [set('c', { code: '${error.code}', step: '${error.step}' })],
        }),
      ],
      {
        outputs: { c: '${c}' },
      },
    ),
  )
  run.tick()
  expect(run.commands).toMatchObject([{ type: 'abort', path: 'try@0/try/slow/try/a' }])
  run.fail('try@0/try/slow/try/a', 'aborted')
  expect(run.outputs).toEqual({ c: { code: 'timeout', step: 'try@0/try/slow' } })
})

test('cancelled while a sibling is in its grace: the catch around does not run', () => {
  const run = simulate(plan([attempt([parallel([[task('a')], [task('b')]])], { catch: [task('c')] })]))
  run.fail('try@0/try/parallel@0/branch[0]/a')
  run.send({ type: 'cancel', force: false })
  run.fail('try@0/try/parallel@0/branch[1]/b', 'aborted')
  expect(run.status).toBe('cancelled')
  expect(run.started()).not.toContain('try@0/catch/c')
})

test('a finally that runs already when its block is left runs to its end, and then the block is left', () => {
  const steps = [attempt([task('a')], { finally: [task('f'), delay('d', '1m'), task('g')] }), task('after')]
  const cancelled = simulate(plan(steps))
  cancelled.complete('try@0/try/a')
  cancelled.send({ type: 'cancel', force: false })
  expect(cancelled.commands).toEqual([])
  cancelled.complete('try@0/finally/f')
  cancelled.tick()
  cancelled.complete('try@0/finally/g')
  expect(cancelled.status).toBe('cancelled')
  expect(cancelled.started()).not.toContain('after')

  const failed = simulate(plan([parallel([steps, [task('b')]])]))
  failed.complete('parallel@0/branch[0]/try@0/try/a')
  failed.fail('parallel@0/branch[1]/b')
  expect(failed.commands).toEqual([])
  failed.complete('parallel@0/branch[0]/try@0/finally/f')
  failed.tick()
  failed.complete('parallel@0/branch[0]/try@0/finally/g')
  expect(failed.error).toMatchObject({ code: 'boom' })
})

test('the time-out of a try does not interrupt its finally, but fails it afterwards', () => {
  const run = simulate(plan([attempt([task('a')], { catch: [task('c')], finally: [task('f')], timeoutMs: 1000 })]))
  run.complete('try@0/try/a')
  run.tick()
  expect(run.commands).toEqual([])
  run.complete('try@0/finally/f')
  expect(run.error).toMatchObject({ code: 'timeout', step: 'try@0' })
})

test('what a finally raises in a block that was left twice is not lost', () => {
  const inner = parallel([[task('a')], [attempt([task('b')], { finally: [task('undo')] })]], { id: 'inner' })
  const run = simulate(plan([parallel([[inner], [task('c')]])]))
  const at = 'parallel@0/branch[0]/inner'
  run.fail(`${at}/branch[0]/a`, 'first')
  run.fail('parallel@0/branch[1]/c', 'second')
  run.fail(`${at}/branch[1]/try@0/try/b`, 'aborted')
  run.fail(`${at}/branch[1]/try@0/finally/undo`, 'undo_failed')
  expect(run.error).toMatchObject({ code: 'undo_failed', cause: { code: 'second' } })
})
