import { describe, expect, test } from 'vitest'
import { closest } from './suggest.ts'
import {
  ANY,
  NULL,
  NUMBER,
  STRING,
  arrayOf,
  describeType,
  isAssignable,
  literalType,
  objectOf,
  overlaps,
  recordOf,
} from './type.ts'
import { typeFromJsonSchema, union } from './type.ts'
import { isReservedWord } from './words.ts'

describe('typeFromJsonSchema', () => {
  const person = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
  test.each([
    [{ type: 'string' }, 'string'],
    [{ type: 'int' }, 'number'],
    [{ type: 'list' }, 'array'],
    [{ type: ['string', 'null'] }, 'string or null'],
    [{ type: 'string', nullable: true }, 'string or null'],
    [{ const: 5 }, '5'],
    [{ enum: ['a', 'b', null] }, '"a" or "b" or null'],
    [{ type: 'array', items: { type: 'number' } }, 'array of number'],
    [{ prefixItems: [{ type: 'string' }, { type: 'number' }], items: false }, 'array of (string or number)'],
    [{ anyOf: [{ type: 'string' }, { type: 'number' }] }, 'string or number'],
    [{ oneOf: [person, { type: 'null' }] }, 'object { name: string, … } or null'],
    [{ allOf: [person, { properties: { age: { type: 'integer' } } }] }, 'object { name: string, age: number, … }'],
    [{ $ref: '#/$defs/p', $defs: { p: { type: 'boolean' } } }, 'boolean'],
    [{ $ref: 'https://example.com/other.json' }, 'anything'],
    [{ $ref: '#' }, 'anything'],
    [{ properties: { a: { type: 'string' } }, additionalProperties: false }, 'object { a: string }'],
    [{ type: 'object', additionalProperties: { type: 'number' } }, 'object'],
    [{}, 'anything'],
    [true, 'anything'],
    [false, 'nothing'],
    [{ type: 'secret' }, 'secret'],
    ['nonsense', 'anything'],
  ])('%j is %s', (schema, expected) => {
    expect(describeType(typeFromJsonSchema(schema))).toBe(expected)
  })
})

describe('isAssignable', () => {
  test.each([
    [literalType('a'), STRING, true],
    [STRING, literalType('a'), false],
    [STRING, union(STRING, NULL), true],
    [union(STRING, NULL), STRING, false],
    [ANY, STRING, true],
    [STRING, ANY, true],
    [arrayOf(NUMBER), arrayOf(union(NUMBER, NULL)), true],
    [arrayOf(STRING), arrayOf(NUMBER), false],
    [objectOf({ a: NUMBER, b: STRING }), objectOf({ a: NUMBER }), false],
    [objectOf({ a: NUMBER, b: STRING }), objectOf({ a: NUMBER }, ANY), true],
    [objectOf({ a: STRING }), objectOf({ a: NUMBER }), false],
    [objectOf({}), objectOf({ a: NUMBER }), false],
    [objectOf({ a: NUMBER }), recordOf(NUMBER), true],
    [objectOf({ a: STRING }), recordOf(NUMBER), false],
    [NULL, STRING, false],
  ])('%j to %j: %s', (from, to, expected) => {
    expect(isAssignable(from, to)).toBe(expected)
  })

  test('types that share values overlap', () => {
    expect(overlaps(union(STRING, NUMBER), NUMBER)).toBe(true)
    expect(overlaps(STRING, NUMBER)).toBe(false)
  })
})

describe('union', () => {
  test('is flat and has no member twice', () => {
    expect(describeType(union(union(STRING, NULL), literalType('a'), NULL))).toBe('string or null')
    expect(describeType(union(literalType('a'), STRING))).toBe('string')
    expect(union()).toEqual({ kind: 'never' })
    expect(union(STRING, ANY)).toBe(ANY)
  })
})

describe('closest', () => {
  test.each([
    ['is_vaild', ['is_valid', 'id'], 'is_valid'],
    ['customerName', ['customer_name', 'customer'], 'customer_name'],
    ['totl', ['total', 'tax'], 'total'],
    ['x', ['y'], 'y'],
    ['banana', ['total', 'tax'], undefined],
    ['a', [], undefined],
  ])('%s', (name, candidates, expected) => {
    expect(closest(name, candidates)).toBe(expected)
  })
})

test('words of the grammar and of JavaScript cannot be names', () => {
  expect(['and', 'null', 'new', 'function'].every(isReservedWord)).toBe(true)
  expect(['order', 'of', 'async', 'type'].some(isReservedWord)).toBe(false)
})
