import { expect, test } from 'vitest'
import { cond, fail, loop, plan, repeat, set, task } from './testing/build.ts'
import { simulate } from './testing/simulate.ts'

const results = { outputs: { r: '${l.results}', e: '${l.errors}' } }

test('so many items at once; results in the order of the items', () => {
  const run = simulate(
    plan(
      [
        loop('l', '["a", "b", "c"]', [task('t', { input: { v: '${item}', i: '${i}' } })], {
          concurrency: 2,
          indexAs: 'i',
        }),
      ],
      results,
    ),
  )
  expect(run.started()).toEqual(['l[0]/t', 'l[1]/t'])
  expect(run.attempt('l[1]/t')).toMatchObject({ input: { v: 'b', i: 1 } })
  run.complete('l[1]/t', 'B')
  expect(run.started()).toEqual(['l[0]/t', 'l[1]/t', 'l[2]/t'])
  run.complete('l[2]/t', 'C')
  run.complete('l[0]/t', 'A')
  expect(run.outputs).toEqual({ r: ['A', 'B', 'C'], e: [] })
})

test('collect sees the steps of its iteration; without it the value of the last step counts', () => {
  const run = simulate(
    plan(
      [
        loop('l', '[1, 2, 3]', [set('s', { v: '${item * 2}' }), cond('item == 2', [set('t', { w: 1 })])], {
          collect: 's.v + item',
        }),
      ],
      results,
    ),
  )
  expect(run.outputs?.r).toEqual([3, 6, 9])
  const last = simulate(plan([loop('l', '[1, 2]', [set('s', { v: '${item}' })])], results))
  expect(last.outputs?.r).toEqual([{ v: 1 }, { v: 2 }])
})

test('an empty list is done at once', () => {
  expect(simulate(plan([loop('l', '[]', [task('t')])], results)).outputs).toEqual({ r: [], e: [] })
})

test('something that is no list is an error of the loop', () => {
  expect(simulate(plan([loop('l', '"abc"', [task('t')])])).error).toMatchObject({ code: 'items_not_a_list', step: 'l' })
})

test('the failure of one item fails the loop, once the others have been left', () => {
  const run = simulate(plan([loop('l', '[1, 2, 3]', [task('t')], { concurrency: 2 })]))
  run.fail('l[0]/t')
  expect(run.commands).toEqual([{ type: 'abort', path: 'l[1]/t', attempt: 1, reason: 'cancelled' }])
  expect(run.status).toBe('running')
  run.fail('l[1]/t', 'aborted')
  expect(run.error).toMatchObject({ code: 'boom', step: 'l[0]/t' })
  expect(run.started()).not.toContain('l[2]/t')
})

test('on_item_error: continue gives null there and lists the errors', () => {
  const run = simulate(plan([loop('l', '[1, 2, 3]', [task('t')], { goOn: true })], results))
  run.complete('l[0]/t', 'A')
  run.fail('l[1]/t')
  run.complete('l[2]/t', 'C')
  expect(run.outputs?.r).toEqual(['A', null, 'C'])
  expect(run.outputs?.e).toMatchObject([{ index: 1, item: 2, error: { code: 'boom', step: 'l[1]/t' } }])
})

test('loops nest: each sees its own item and those around it', () => {
  const run = simulate(
    plan(
      [
        loop(
          'l',
          '[1, 2]',
          [loop('m', '[10, 20]', [task('t', { input: { v: '${outer + inner}' } })], { as: 'inner' })],
          {
            as: 'outer',
            collect: 'm.results',
          },
        ),
      ],
      results,
    ),
  )
  expect(run.attempt('l[0]/m[0]/t')).toMatchObject({ input: { v: 11 } })
  for (const path of ['l[0]/m[0]/t', 'l[0]/m[1]/t', 'l[1]/m[0]/t', 'l[1]/m[1]/t']) run.complete(path, path)
  expect(run.attempt('l[1]/m[1]/t')).toMatchObject({ input: { v: 22 } })
  expect(run.outputs?.r).toEqual([
    ['l[0]/m[0]/t', 'l[0]/m[1]/t'],
    ['l[1]/m[0]/t', 'l[1]/m[1]/t'],
  ])
})

test('an error in collect is one of the item', () => {
  const run = simulate(plan([loop('l', '[1, 2]', [set('s', { v: null })], { collect: 's.v.x', goOn: true })], results))
  expect(run.outputs?.e).toMatchObject([{ index: 0 }, { index: 1 }])
})

test('frames of finished items are gone: the state of a long loop stays small', () => {
  const run = simulate(plan([loop('l', 'inputs.n', [task('t', { input: { v: '${item}' } })], { concurrency: 3 })]), {
    n: Array.from({ length: 50 }, (_, index) => index),
  })
  for (let index = 0; index < 45; index++) run.complete(`l[${index}]/t`, index)
  const { child } = run.state.root.body ?? {}
  expect(child?.kind === 'loop' && [child.running.length, child.stopped.length]).toEqual([3, 0])
})

test('repeat: variables from iteration to iteration, until a condition, collected results', () => {
  const run = simulate(
    plan(
      [
        repeat('r', [task('page', { input: { cursor: '${cursor}' } })], {
          vars: { cursor: null },
          next: { cursor: '${page.next}' },
          until: 'page.next == null',
          collect: 'page.items',
        }),
      ],
      { outputs: { r: '${r.results}', n: '${r.iterations}' } },
    ),
  )
  expect(run.attempt('r[0]/page')).toMatchObject({ input: { cursor: null } })
  run.complete('r[0]/page', { next: 'x', items: [1] })
  expect(run.attempt('r[1]/page')).toMatchObject({ input: { cursor: 'x' } })
  run.complete('r[1]/page', { next: null, items: [2] })
  expect(run.outputs).toEqual({ r: [[1], [2]], n: 2 })
})

test('repeat that reaches max is exhausted', () => {
  const run = simulate(plan([repeat('r', [task('t')], { until: 't.done', max: 2 })]))
  run.complete('r[0]/t', { done: false })
  run.complete('r[1]/t', { done: false })
  expect(run.error).toMatchObject({ code: 'repeat_exhausted', step: 'r' })
})

test('repeat without until runs max times', () => {
  const run = simulate(plan([repeat('r', [set('s', { v: 1 })], { max: 3 })], { outputs: { n: '${r.results.length}' } }))
  expect(run.outputs).toEqual({ n: 3 })
})

test('repeat waits between iterations', () => {
  const run = simulate(plan([repeat('r', [task('t')], { until: 't.done', delayMs: 2000 })]))
  run.complete('r[0]/t', { done: false })
  expect(run.status).toBe('waiting: timer')
  const before = run.now
  run.tick()
  expect(run.now - before).toBe(2000)
  run.complete('r[1]/t', { done: true })
  expect(run.status).toBe('succeeded')
})

test('an error in until fails the step', () => {
  const run = simulate(plan([repeat('r', [set('s', { v: null })], { until: 's.v.x' })]))
  expect(run.error).toMatchObject({ code: 'expression_null_member', step: 'r' })
})

test('a failure in an iteration fails the repeat', () => {
  expect(simulate(plan([repeat('r', [fail('no')], { max: 3 })])).error).toMatchObject({ step: 'r[0]/fail@0' })
})
