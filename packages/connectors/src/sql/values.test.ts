import { expect, test } from 'vitest'
import { exactDecimal, exactInteger, exactJson } from './values.ts'

test.each([
  ['0', 0],
  ['-1.50', -1.5],
  ['0.000001', 0.000001],
  ['123456789012345', 123_456_789_012_345],
  ['9007199254740991', 9_007_199_254_740_991],
  ['9007199254740992', '9007199254740992'],
  ['1234567890.1234567', '1234567890.1234567'],
  ['0.1234567890123456', '0.1234567890123456'],
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
])('the decimal %s is %j', (text, value) => expect(exactDecimal(text)).toBe(value))

test('integers and JSON are never rounded', () => {
  expect(exactInteger('-9007199254740993')).toBe('-9007199254740993')
  expect(exactInteger('-42')).toBe(-42)
  expect(
    exactJson('{"a": 12345678901234567890, "b": [0.1, 1.0, 12345678901.1234567], "c": "1234567890123456"}'),
  ).toEqual({
    a: '12345678901234567890',
    b: [0.1, 1, '12345678901.1234567'],
    c: '1234567890123456',
  })
})
