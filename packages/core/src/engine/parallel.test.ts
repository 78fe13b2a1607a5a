import { expect, test } from 'vitest'
import { delay, fail, parallel, plan, set, task } from './testing/build.ts'
import { simulate } from './testing/simulate.ts'

test('branches run at once; the block ends with the last of them', () => {
  const run = simulate(plan([parallel([[task('a'), task('a2')], [task('b')]])], { outputs: { a: '${a2}', b: '${b}' } }))
  expect(run.started()).toEqual(['parallel@0/branch[0]/a', 'parallel@0/branch[1]/b'])
  run.complete('parallel@0/branch[1]/b', 'B')
  run.complete('parallel@0/branch[0]/a')
  run.complete('parallel@0/branch[0]/a2', 'A2')
  expect(run.outputs).toEqual({ a: 'A2', b: 'B' })
})

test('the first failure cancels the rest; what completes in its grace still counts', () => {
  const run = simulate(plan([parallel([[task('a')], [task('b'), task('b2')], [delay('d', '1h')]])]))
  run.fail('parallel@0/branch[0]/a')
  expect(run.commands).toEqual([{ type: 'abort', path: 'parallel@0/branch[1]/b', attempt: 1, reason: 'cancelled' }])
  run.pass(29_000)
  expect(run.complete('parallel@0/branch[1]/b')).toBe(true)
  expect(run.records.at(-1)).toMatchObject({ kind: 'completed', completes: true })
  expect(run.started()).not.toContain('parallel@0/branch[1]/b2')
  expect(run.error).toMatchObject({ code: 'boom' })
})

test('after the grace the step is cancelled, and its late result is ignored', () => {
  const run = simulate(plan([parallel([[task('a')], [task('b')]], { onError: [task('h')] })]))
  run.fail('parallel@0/branch[0]/a')
  const before = run.now
  run.tick()
  expect(run.now - before).toBe(30_000)
  expect(run.complete('parallel@0/branch[1]/b')).toBe(false)
  expect(run.commands).toMatchObject([{ path: 'parallel@0/on_error/h' }])
})

test('wait: all branches end; the error is that of the first in document order, with all of them in its data', () => {
  const run = simulate(plan([parallel([[task('a')], [task('b')], [task('c')]], { wait: true })]))
  run.fail('parallel@0/branch[2]/c', 'third')
  expect(run.commands).toEqual([])
  run.complete('parallel@0/branch[1]/b')
  run.fail('parallel@0/branch[0]/a', 'first')
  expect(run.error).toMatchObject({
    code: 'first',
    data: { errors: [{ code: 'first' }, { code: 'third' }] },
  })
})

test('a branch that comes after another begins when that one is done, and sees its steps', () => {
  const run = simulate(plan([parallel([[task('a')], [task('b', { input: { a: '${a.v}' } })]], { after: [[], [0]] })]))
  expect(run.started()).toEqual(['parallel@0/branch[0]/a'])
  run.complete('parallel@0/branch[0]/a', { v: 3 })
  expect(run.attempt('parallel@0/branch[1]/b')).toMatchObject({ input: { a: 3 } })
})

test('with wait, a branch after one that failed is skipped', () => {
  const run = simulate(
    plan([parallel([[fail('no')], [task('b')], [set('c', { v: 1 })]], { after: [[], [0], []], wait: true })]),
  )
  expect(run.started()).toEqual([])
  expect(run.error).toMatchObject({ code: 'failed', data: { errors: [{ code: 'failed' }] } })
})

test('the value of the block is the list of its branches', () => {
  const run = simulate(
    plan([parallel([[set('a', { v: 1 })], [set('b', { v: 2 })]], { id: 'p' })], { outputs: { p: '${p}' } }),
  )
  expect(run.outputs).toEqual({ p: [{ v: 1 }, { v: 2 }] })
})

test('branches that wait for each other are refused when the plan is loaded', () => {
  expect(() => simulate(plan([parallel([[task('a')], [task('b')]], { after: [[1], [0]] })]))).toThrow(
    expect.objectContaining({ code: 'plan_invalid' }),
  )
})
