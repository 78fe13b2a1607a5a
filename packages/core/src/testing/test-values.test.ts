import { expect, test } from 'vitest'
import { holds, milliseconds, render, staticPath } from './test-values.ts'

test('templates keep types, data stays data', () => {
  const names = { fixtures: { n: 3, text: 'a ${b}' }, input: { x: [1] } }
  expect(render({ a: '${fixtures.n}', b: ['${input.x}', 'n=${fixtures.n}'], c: '$${literal}' }, names)).toEqual({
    a: 3,
    b: [[1], 'n=3'],
    c: '${literal}',
  })
  expect(render('${fixtures.text}', names)).toBe('a ${b}')
})

test('a condition has to be true or false', () => {
  expect(holds('input.n > 2 and input.n < 4', { input: { n: 3 } })).toBe(true)
  expect(() => holds('input.n', { input: { n: 3 } })).toThrow('neither true nor false')
})

test.each([
  ['250ms', 250],
  ['1.5s', 1500],
  ['2h', 7_200_000],
  ['3d', 259_200_000],
  [2, 2000],
])('%s', (duration, ms) => {
  expect(milliseconds(duration)).toBe(ms)
})

const known = new Set(['loop/send', 'set@2', 'pick/case[0]/do', 'all/branch[1]/x', 'outer/inner/y'])
test.each([
  ['loop[3]/send', 'loop/send'],
  ['loop[3]/send@2', 'loop/send'],
  ['set@2', 'set@2'],
  ['set@2@3', 'set@2'],
  ['pick/case[0]/do', 'pick/case[0]/do'],
  ['all/branch[1]/x@2', 'all/branch[1]/x'],
  ['outer[0]/inner[12]/y', 'outer/inner/y'],
  ['unknown[1]/z', 'unknown/z'],
])('the static path of %s is %s', (path, expected) => {
  expect(staticPath(path, known)).toBe(expected)
})
