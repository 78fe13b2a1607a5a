import { expect, test } from 'vitest'
import type { Json } from '../json.ts'
import { differences } from './difference.ts'

const cases: readonly (readonly [Json, Json, boolean, readonly string[]])[] = [
  [{ a: [1, { b: null }] }, { a: [1, { b: null }] }, false, []],
  [{ a: 1 }, { a: '1' }, false, ['a: expected 1, but got "1"']],
  [{ a: 1 }, {}, false, ['a: expected 1, but there is none']],
  [{}, { a: 1 }, false, ['a: not expected, but got 1']],
  [{}, { a: 1 }, true, []],
  [{ a: { b: 1 } }, { a: { b: 1, c: 2 }, d: 3 }, true, []],
  [[1, 2], [1], true, ['the list: expected 2 items, but got 1: [1]']],
  [{ a: [{ b: 1 }] }, { a: [{ b: 2 }] }, true, ['a[0].b: expected 1, but got 2']],
  [null, {}, false, ['the value: expected null, but got {}']],
  [[], {}, false, ['the value: expected [], but got {}']],
]

test.each(cases)('%j and %j (partial %s)', (expected, actual, partial, lines) => {
  expect(differences(expected, actual, { partial })).toEqual(lines)
})

test('of many differences ten are told', () => {
  const many = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`k${index}`, index]))
  expect(differences(many, {}, { partial: false })).toHaveLength(11)
  expect(differences(many, {}, { partial: false }).at(-1)).toBe('and 5 more differences')
})
