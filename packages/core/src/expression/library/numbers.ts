import { reserveString, fail } from '../frame.ts'
import type { Frame } from '../frame.ts'
import { BOOLEAN, NULL, NUMBER, STRING, union } from '../type.ts'
import { func, method, number, optional, text, value } from './entry.ts'
import type { Entry } from './entry.ts'
import { refuse } from './refuse.ts'

const area = 'numbers'

/** A function of `Math` with one argument. */
function math(name: string, run: (x: number) => number, doc: string, example: readonly [string, number]): Entry {
  return func(`Math.${name}`, {
    area,
    parameters: [number('number')],
    result: NUMBER,
    doc,
    examples: [example],
    cost: 'constant',
    run: (frame, x) => finite(frame, `Math.${name}`, run(x)),
  })
}

export const NUMBERS = [
  func('Number', {
    area,
    parameters: [value('value')],
    result: NUMBER,
    doc: 'The number that a text is, or 1 and 0 for true and false. Text that is no number is an error; see `parseNumber`.',
    examples: [
      ['Number(" 12.50 ")', 12.5],
      ['Number(true)', 1],
    ],
    run: (frame, source) => {
      if (typeof source === 'number') return source
      if (typeof source === 'boolean') return source ? 1 : 0
      const result = typeof source === 'string' ? decimal(source) : null
      if (result === null)
        throw refuse(frame, { name: 'Number', parameter: 'value', expected: 'a number as text' }, source)
      return result
    },
  }),
  func('parseNumber', {
    area,
    parameters: [text('text')],
    result: union(NUMBER, NULL),
    doc: 'The number that a text is, or null when it is none.',
    examples: [
      ['parseNumber("1e3")', 1000],
      ['parseNumber("12 pieces")', null],
    ],
    run: (_frame, source) => decimal(source),
  }),
  func('round', {
    area,
    parameters: [number('number'), optional(number('digits'))],
    result: NUMBER,
    doc: 'The number rounded to so many digits after the point (none when not given); halves go away from zero.',
    examples: [
      ['round(2.5)', 3],
      ['round(1.005, 2)', 1.01],
      ['round(-2.5)', -3],
    ],
    cost: 'constant',
    run: (frame, x, digits = 0) => round(x, wholeDigits(frame, 'round', digits)),
  }),
  method('number', 'toFixed', {
    area,
    parameters: [optional(number('digits'))],
    result: STRING,
    doc: 'The number as text with just so many digits after the point, rounded as `round` does.',
    examples: [
      ['(3).toFixed(2)', '3.00'],
      ['(1.005).toFixed(2)', '1.01'],
    ],
    cost: 'constant',
    run: (frame, self, digits = 0) => {
      const places = wholeDigits(frame, 'toFixed', digits)
      return round(self, places).toFixed(places)
    },
  }),
  func('formatNumber', {
    area,
    parameters: [number('number'), optional(number('digits')), optional(text('thousands')), optional(text('point'))],
    result: STRING,
    doc: 'The number as text with thousands set apart (by a comma) and so many digits after the point.',
    examples: [
      ['formatNumber(1234567.891, 2)', '1,234,567.89'],
      ['formatNumber(1234.5, 2, ".", ",")', '1.234,50'],
    ],
    cost: 'constant',
    run: (frame, x, digits = 0, thousands = ',', point = '.') => {
      const places = wholeDigits(frame, 'formatNumber', digits)
      reserveString(frame, 40 + 110 * (thousands.length + point.length))
      const [whole = '', fraction] = round(x, places).toFixed(places).split('.')
      const grouped = /e/.test(whole) ? whole : whole.replaceAll(/\B(?=(?:\d{3})+$)/g, () => thousands)
      return fraction === undefined ? grouped : grouped + point + fraction
    },
  }),
  math('abs', Math.abs, 'The number without its sign.', ['Math.abs(-3)', 3]),
  math('floor', Math.floor, 'The next whole number below.', ['Math.floor(-1.5)', -2]),
  math('ceil', Math.ceil, 'The next whole number above.', ['Math.ceil(1.2)', 2]),
  math('round', Math.round, 'The nearest whole number; halves go up, as in JavaScript.', ['Math.round(-2.5)', -2]),
  math('trunc', Math.trunc, 'The number without what stands after the point.', ['Math.trunc(-1.9)', -1]),
  math('sign', Math.sign, 'Whether the number is below, at or above zero: -1, 0 or 1.', ['Math.sign(-7)', -1]),
  math('sqrt', Math.sqrt, 'The square root.', ['Math.sqrt(9)', 3]),
  math('log', Math.log, 'The natural logarithm.', ['Math.log(1)', 0]),
  math('log10', Math.log10, 'The logarithm to base 10.', ['Math.log10(1000)', 3]),
  math('log2', Math.log2, 'The logarithm to base 2.', ['Math.log2(8)', 3]),
  func('Math.min', {
    area,
    parameters: [number('first')],
    rest: number('others'),
    result: NUMBER,
    doc: 'The smallest of the numbers. For a list write `list.min()`.',
    examples: [['Math.min(3, 1, 2)', 1]],
    run: (_frame, first, others) => others.reduce((least, other) => (other < least ? other : least), first),
  }),
  func('Math.max', {
    area,
    parameters: [number('first')],
    rest: number('others'),
    result: NUMBER,
    doc: 'The largest of the numbers. For a list write `list.max()`.',
    examples: [['Math.max(3, 1, 2)', 3]],
    run: (_frame, first, others) => others.reduce((most, other) => (other > most ? other : most), first),
  }),
  func('clamp', {
    area,
    parameters: [number('number'), number('least'), number('most')],
    result: NUMBER,
    doc: 'The number, or the nearest limit when it lies outside of them.',
    examples: [['clamp(12, 0, 10)', 10]],
    cost: 'constant',
    run: (_frame, x, least, most) => (x < least ? least : x > most ? most : x),
  }),
  func('Number.isInteger', {
    area,
    parameters: [value('value')],
    result: BOOLEAN,
    doc: 'Whether a value is a whole number.',
    examples: [
      ['Number.isInteger(3)', true],
      ['Number.isInteger("3")', false],
    ],
    cost: 'constant',
    run: (_frame, x) => Number.isInteger(x),
  }),
]

function finite(frame: Frame, operation: string, result: number): number {
  if (Number.isFinite(result)) return result + 0
  throw fail(frame, 'expression_number', { operation })
}

/** A decimal number as text: digits, point, exponent; no hexadecimal, no empty text, nothing after it. */
function decimal(source: string): number | null {
  const trimmed = source.length > 400 ? '' : source.trim()
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(trimmed)) return null
  const result = Number(trimmed)
  return Number.isFinite(result) ? result + 0 : null
}

/** Rounds the decimal number that is shown, not the binary one behind it: 1.005 becomes 1.01. */
function round(x: number, digits: number): number {
  const [mantissa = '0', exponent = '0'] = String(Math.abs(x)).split('e')
  const shifted = Number(`${mantissa}e${Number(exponent) + digits}`)
  if (!Number.isFinite(shifted)) return x
  const [rounded = '0', scale = '0'] = String(Math.floor(shifted + 0.5)).split('e')
  return Math.sign(x) * Number(`${rounded}e${Number(scale) - digits}`) + 0
}

function wholeDigits(frame: Frame, name: string, digits: number): number {
  if (Number.isInteger(digits) && digits >= 0 && digits <= 20) return digits
  throw refuse(frame, { name, parameter: 'digits', expected: 'a whole number from 0 to 20' }, digits)
}
