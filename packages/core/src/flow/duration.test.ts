import { expect, test } from 'vitest'
import { parseDuration, parseSize } from './duration.ts'

test.each([
  ['250ms', 250],
  ['10s', 10_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['30d', 2_592_000_000],
  ['1.5h', 5_400_000],
  ['1h30m', 5_400_000],
  ['90', 90_000],
  [2.5, 2500],
  [0, 0],
  [-1, null],
  [Number.NaN, null],
  ['', null],
  ['5 minutes', null],
  ['1y', null],
  ['ms', null],
  ['99999999d', null],
  [true, null],
  [null, null],
])('the duration %s', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds)
})

test.each([
  [1024, 1024],
  ['256kb', 262_144],
  ['1 MB', 1_048_576],
  ['1.5k', 1536],
  ['10', 10],
  [-1, null],
  ['big', null],
  [1.5, null],
])('the size %s', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})
