import { callLambda, checkArrayLength, overBudget, spend, truthy } from '../frame.ts'
import type { Frame } from '../frame.ts'
import { ANY, BOOLEAN, NULL, STRING, arrayOf, mapMembers, recordOf, union } from '../type.ts'
import type { Field, Type } from '../type.ts'
import { getOwn, isObject, kindOf, setOwn } from '../value.ts'
import type { Value, ValueObject } from '../value.ts'
import { func, lambda, list, object, optional, text, texts, value } from './entry.ts'
import type { OperandTypes } from './entry.ts'
import { refuse } from './refuse.ts'

const area = 'objects'
type Writable = { [key: string]: Value }

const valuesOf = (types: OperandTypes): Type => fieldTypes(types[0] ?? ANY)
const eachEntry = (types: OperandTypes): readonly Type[] => [valuesOf(types), STRING]

export const OBJECTS = [
  func('Object.keys', {
    area,
    parameters: [object('object')],
    result: arrayOf(STRING),
    doc: 'The keys of an object.',
    examples: [['Object.keys({ a: 1, b: 2 })', ['a', 'b']]],
    run: (frame, source) => keys(frame, source),
  }),
  func('Object.values', {
    area,
    parameters: [object('object')],
    result: (types) => arrayOf(valuesOf(types)),
    doc: 'The values of an object.',
    examples: [['Object.values({ a: 1, b: 2 })', [1, 2]]],
    run: (frame, source) => keys(frame, source).map((key) => getOwn(source, key)),
  }),
  func('Object.entries', {
    area,
    parameters: [object('object')],
    result: (types) => arrayOf(arrayOf(union(STRING, valuesOf(types)))),
    doc: 'The keys of an object with their values, as pairs.',
    examples: [
      [
        'Object.entries({ a: 1, b: 2 })',
        [
          ['a', 1],
          ['b', 2],
        ],
      ],
    ],
    run: (frame, source) => keys(frame, source).map((key) => [key, getOwn(source, key)]),
  }),
  func('Object.fromEntries', {
    area,
    parameters: [list('pairs')],
    result: recordOf(ANY),
    doc: 'An object made of pairs of key and value.',
    examples: [['Object.fromEntries([["a", 1], ["b", 2]])', { a: 1, b: 2 }]],
    run: (frame, pairs) => {
      const result: Writable = {}
      for (const pair of pairs) {
        const [key, item] = Array.isArray(pair) ? (pair as readonly Value[]) : []
        if (typeof key !== 'string' && typeof key !== 'number') {
          const expected = 'a list of pairs of key and value'
          throw refuse(frame, { name: 'Object.fromEntries', parameter: 'pairs', expected }, pair)
        }
        setOwn(result, String(key), item ?? null)
      }
      return result
    },
  }),
  func('merge', {
    area,
    parameters: [],
    rest: object('objects'),
    result: recordOf(ANY),
    doc: 'One object of all: later ones win, objects within them are merged too.',
    examples: [['merge({ a: { x: 1, y: 1 } }, { a: { y: 2 }, b: 3 })', { a: { x: 1, y: 2 }, b: 3 }]],
    run: (frame, objects) => objects.reduce((merged, each) => mergeTwo(frame, merged, each, 1), {}),
  }),
  func('pick', {
    area,
    parameters: [object('object'), texts('keys')],
    result: recordOf(ANY),
    doc: 'The object with only these keys, as far as it has them.',
    examples: [['pick({ a: 1, b: 2 }, ["a", "c"])', { a: 1 }]],
    run: (_frame, source, names) => {
      const result: Writable = {}
      for (const name of names) if (Object.hasOwn(source, name)) setOwn(result, name, getOwn(source, name))
      return result
    },
  }),
  func('omit', {
    area,
    parameters: [object('object'), texts('keys')],
    result: recordOf(ANY),
    doc: 'The object without these keys.',
    examples: [['omit({ a: 1, b: 2 }, ["a"])', { b: 2 }]],
    run: (frame, source, names) => {
      const left = new Set(names)
      return select(frame, source, (key) => !left.has(key))
    },
  }),
  func('withoutNulls', {
    area,
    parameters: [object('object')],
    result: recordOf(ANY),
    doc: 'The object without the keys whose value is null.',
    examples: [['withoutNulls({ a: 1, b: null })', { a: 1 }]],
    run: (frame, source) => select(frame, source, (_key, item) => item !== null),
  }),
  func('filterObject', {
    area,
    parameters: [object('object'), lambda('test', '(value, key) => value > 0', eachEntry)],
    result: recordOf(ANY),
    doc: 'The object with only the keys for which the arrow function gives something true.',
    examples: [['filterObject({ a: 1, b: 5 }, (value, key) => value > 2)', { b: 5 }]],
    run: (frame, source, test) =>
      select(frame, source, (key, item) => truthy(frame, callLambda(frame, test, item, key))),
  }),
  func('mapValues', {
    area,
    parameters: [object('object'), lambda('change', '(value, key) => value * 2', eachEntry)],
    result: (types) => recordOf(types[1] ?? ANY),
    doc: 'The object with each value changed by the arrow function.',
    examples: [['mapValues({ a: 1, b: 2 }, value => value * 10)', { a: 10, b: 20 }]],
    run: (frame, source, change) => {
      const result: Writable = {}
      for (const key of keys(frame, source)) setOwn(result, key, callLambda(frame, change, getOwn(source, key), key))
      return result
    },
  }),
  func('mapKeys', {
    area,
    parameters: [
      object('object'),
      lambda('change', '(key, value) => key.toLowerCase()', (types) => [STRING, valuesOf(types)]),
    ],
    result: (types) => recordOf(valuesOf(types)),
    doc: 'The object with each key changed by the arrow function.',
    examples: [['mapKeys({ A: 1 }, key => key.toLowerCase())', { a: 1 }]],
    run: (frame, source, change) => {
      const result: Writable = {}
      for (const key of keys(frame, source)) {
        const name = callLambda(frame, change, key, getOwn(source, key))
        if (typeof name !== 'string') {
          throw refuse(
            frame,
            { name: 'mapKeys', parameter: 'change', expected: 'an arrow function that gives text' },
            name,
          )
        }
        setOwn(result, name, getOwn(source, key))
      }
      return result
    },
  }),
  func('getPath', {
    area,
    parameters: [value('value'), text('path'), optional(value('otherwise'))],
    result: ANY,
    doc: 'What is at a path such as `"order.items[0].sku"`; null, or `otherwise`, where something on the way is missing.',
    examples: [
      ['getPath({ a: [{ b: 7 }] }, "a[0].b")', 7],
      ['getPath({ a: null }, "a.b.c", "none")', 'none'],
    ],
    run: (frame, source, path, otherwise = null) => {
      let current: Value = source
      for (const segment of path.split(/[.[\]]/).filter((each) => each !== '')) {
        spend(frame, 1)
        if (isObject(current)) current = getOwn(current, segment)
        else if (Array.isArray(current) && /^\d+$/.test(segment))
          current = (current as readonly Value[])[Number(segment)] ?? null
        else current = null
      }
      return current ?? otherwise
    },
  }),
  func('isEmpty', {
    area,
    parameters: [value('value')],
    result: BOOLEAN,
    doc: 'Whether a value is null, an empty text, an empty list or an object without keys.',
    examples: [
      ['isEmpty("")', true],
      ['isEmpty({ a: 1 })', false],
      ['isEmpty(0)', false],
    ],
    cost: 'constant',
    run: (_frame, source) => {
      if (source === null || source === '') return true
      if (Array.isArray(source)) return source.length === 0
      return isObject(source) && Object.keys(source).length === 0
    },
  }),
  func('typeOf', {
    area,
    parameters: [value('value')],
    result: STRING,
    doc: 'The type of a value: `"null"`, `"boolean"`, `"number"`, `"string"`, `"array"` or `"object"`.',
    examples: [
      ['typeOf([])', 'array'],
      ['typeOf(null)', 'null'],
    ],
    cost: 'constant',
    run: (_frame, source) => kindOf(source),
  }),
  func('Array.isArray', {
    area,
    parameters: [value('value')],
    result: BOOLEAN,
    doc: 'Whether a value is a list.',
    examples: [['Array.isArray([1])', true]],
    cost: 'constant',
    run: (_frame, source) => Array.isArray(source),
  }),
  func('Boolean', {
    area,
    parameters: [value('value')],
    result: BOOLEAN,
    doc: 'Whether a value counts as true: all but null, false, 0 and the empty text.',
    examples: [
      ['Boolean("no")', true],
      ['Boolean("")', false],
    ],
    cost: 'constant',
    run: (frame, source) => truthy(frame, source),
  }),
]

function keys(frame: Frame, source: ValueObject): string[] {
  const names = Object.keys(source)
  spend(frame, names.length)
  checkArrayLength(frame, names.length)
  return names
}

function select(frame: Frame, source: ValueObject, wanted: (key: string, item: Value) => boolean): ValueObject {
  const result: Writable = {}
  for (const key of keys(frame, source)) {
    const item = getOwn(source, key)
    if (wanted(key, item)) setOwn(result, key, item)
  }
  return result
}

function mergeTwo(frame: Frame, left: ValueObject, right: ValueObject, depth: number): ValueObject {
  if (depth > frame.limits.depth) throw overBudget(frame, 'depth')
  const result: Writable = {}
  for (const key of keys(frame, left)) setOwn(result, key, getOwn(left, key))
  for (const key of keys(frame, right)) {
    const [before, after] = [getOwn(result, key), getOwn(right, key)]
    setOwn(result, key, isObject(before) && isObject(after) ? mergeTwo(frame, before, after, depth + 1) : after)
  }
  return result
}

/** The union of the types of an object's values. */
function fieldTypes(type: Type): Type {
  return mapMembers(type, (member) => {
    if (member.kind !== 'object') return ANY
    const fields = [...member.fields.values()].map((field: Field) =>
      field.optional ? union(field.type, NULL) : field.type,
    )
    return union(...fields, ...(member.rest ? [member.rest] : []))
  })
}
