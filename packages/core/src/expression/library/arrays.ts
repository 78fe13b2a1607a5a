import {
  callLambda,
  callLambda3,
  checkArrayLength,
  checkStringLength,
  fail,
  reserveString,
  spend,
  truthy,
} from '../frame.ts'
import type { Frame, Lambda } from '../frame.ts'
import { compare, equals, identity, toText } from '../measure.ts'
import { ANY, BOOLEAN, NULL, NUMBER, STRING, arrayOf, isAssignable, recordOf, union, widen } from '../type.ts'
import type { Type } from '../type.ts'
import { setOwn } from '../value.ts'
import type { Value } from '../value.ts'
import { func, itemType, lambda, list, method, number, optional, text, value } from './entry.ts'
import type { OperandTypes } from './entry.ts'
import { refuse } from './refuse.ts'

const self = (types: OperandTypes): Type => arrayOf(itemType(types[0] ?? ANY))
const itemOrNull = (types: OperandTypes): Type => union(itemType(types[0] ?? ANY), NULL)
const operand = (types: OperandTypes, index: number): Type => types[index] ?? ANY
const area = 'lists'

export const ARRAYS = [
  method('array', 'filter', {
    area,
    parameters: [lambda('test', 'item => item.active')],
    result: self,
    doc: 'The items for which the arrow function gives something true.',
    examples: [['[5, 12, 8].filter(n => n > 6)', [12, 8]]],
    run: (frame, items, test) => {
      const kept: Value[] = []
      for (let i = 0; i < items.length; i++) {
        const item = items[i] ?? null
        if (truthy(frame, callLambda(frame, test, item, i))) kept.push(item)
      }
      return kept
    },
  }),
  method('array', 'map', {
    area,
    parameters: [lambda('change', 'item => item.name')],
    result: (types) => arrayOf(widen(operand(types, 1))),
    doc: 'What the arrow function makes of each item.',
    examples: [
      ['[1, 2, 3].map(n => n * 2)', [2, 4, 6]],
      ['["a", "b"].map((letter, index) => `${index}${letter}`)', ['0a', '1b']],
    ],
    run: mapItems,
  }),
  method('array', 'flatMap', {
    area,
    parameters: [lambda('change', 'item => item.lines')],
    result: (types) => {
      const made = operand(types, 1)
      return arrayOf(
        widen(made.kind === 'array' ? made.items : made.kind === 'any' ? ANY : union(made, itemType(made))),
      )
    },
    doc: 'What the arrow function makes of each item; lists among the results are opened, one level deep.',
    examples: [['[{ tags: ["a", "b"] }, { tags: ["c"] }].flatMap(x => x.tags)', ['a', 'b', 'c']]],
    run: (frame, items, change) => flatten(frame, mapItems(frame, items, change), 1),
  }),
  method('array', 'find', {
    area,
    parameters: [lambda('test', 'item => item.id == 7')],
    result: itemOrNull,
    doc: 'The first item for which the arrow function gives something true, or null.',
    examples: [
      ['[5, 12, 8].find(n => n > 6)', 12],
      ['[5].find(n => n > 6)', null],
    ],
    run: (frame, items, test) => items[position(frame, items, test)] ?? null,
  }),
  method('array', 'findLast', {
    area,
    parameters: [lambda('test', 'item => item.id == 7')],
    result: itemOrNull,
    doc: 'The last item for which the arrow function gives something true, or null.',
    examples: [['[5, 12, 8].findLast(n => n > 6)', 8]],
    run: (frame, items, test) => {
      for (let i = items.length - 1; i >= 0; i--) {
        const item = items[i] ?? null
        if (truthy(frame, callLambda(frame, test, item, i))) return item
      }
      return null
    },
  }),
  method('array', 'findIndex', {
    area,
    parameters: [lambda('test', 'item => item.id == 7')],
    result: NUMBER,
    doc: 'Where the first item is for which the arrow function gives something true; -1 when there is none.',
    examples: [
      ['[5, 12, 8].findIndex(n => n > 6)', 1],
      ['[5].findIndex(n => n > 6)', -1],
    ],
    run: position,
  }),
  method('array', 'some', {
    area,
    parameters: [lambda('test', 'item => item.active')],
    result: BOOLEAN,
    doc: 'Whether the arrow function gives something true for at least one item.',
    examples: [['[1, 2].some(n => n > 1)', true]],
    run: (frame, items, test) => position(frame, items, test) >= 0,
  }),
  method('array', 'every', {
    area,
    parameters: [lambda('test', 'item => item.active')],
    result: BOOLEAN,
    doc: 'Whether the arrow function gives something true for every item; true for an empty list.',
    examples: [
      ['[1, 2].every(n => n > 1)', false],
      ['[].every(n => n > 1)', true],
    ],
    run: (frame, items, test) => {
      for (let i = 0; i < items.length; i++) {
        if (!truthy(frame, callLambda(frame, test, items[i] ?? null, i))) return false
      }
      return true
    },
  }),
  method('array', 'reduce', {
    area,
    parameters: [
      lambda('step', '(total, item) => total + item.price', (types) => [
        widen(operand(types, 2)),
        itemType(operand(types, 0)),
        NUMBER,
      ]),
      value('initial'),
    ],
    result: (types) => {
      const start = widen(operand(types, 2))
      return isAssignable(operand(types, 1), start) ? start : union(start, widen(operand(types, 1)))
    },
    doc: 'One value made from all items: the arrow function gets what there is so far and the next item.',
    examples: [['[1, 2, 3].reduce((total, n) => total + n, 0)', 6]],
    run: (frame, items, step, initial) => {
      let result: Value = initial
      for (let i = 0; i < items.length; i++) result = callLambda3(frame, step, result, items[i] ?? null, i)
      return result
    },
  }),
  method('array', 'join', {
    area,
    parameters: [optional(text('separator'))],
    result: STRING,
    doc: 'The items as one text with a separator between them (a comma when none is given). Null items are empty.',
    examples: [
      ['["a", 1, null, true].join("-")', 'a-1--true'],
      ['[1, 2].join()', '1,2'],
    ],
    run: (frame, items, separator = ',') => {
      const parts: string[] = []
      let length = Math.max(0, items.length - 1) * separator.length
      reserveString(frame, length)
      for (const item of items) {
        const part = toText(frame, item)
        length += part.length
        checkStringLength(frame, length)
        parts.push(part)
      }
      reserveString(frame, length)
      return parts.join(separator)
    },
  }),
  method('array', 'includes', {
    area,
    parameters: [value('item')],
    result: BOOLEAN,
    doc: 'Whether an item equals the value; lists and objects are compared by content.',
    examples: [
      ['["a", "b"].includes("b")', true],
      ['[{ id: 1 }].includes({ id: 1 })', true],
    ],
    run: (frame, items, item) => items.some((other) => equals(frame, other, item)),
  }),
  method('array', 'indexOf', {
    area,
    parameters: [value('item')],
    result: NUMBER,
    doc: 'Where the first item is that equals the value; -1 when there is none.',
    examples: [['["a", "b"].indexOf("b")', 1]],
    run: (frame, items, item) => items.findIndex((other) => equals(frame, other, item)),
  }),
  method('array', 'lastIndexOf', {
    area,
    parameters: [value('item')],
    result: NUMBER,
    doc: 'Where the last item is that equals the value; -1 when there is none.',
    examples: [['["a", "b", "a"].lastIndexOf("a")', 2]],
    run: (frame, items, item) => items.findLastIndex((other) => equals(frame, other, item)),
  }),
  method('array', 'slice', {
    area,
    parameters: [optional(number('start')), optional(number('end'))],
    result: self,
    doc: 'The items from `start` up to, not including, `end`. Negative positions count from the end.',
    examples: [
      ['[1, 2, 3, 4].slice(1, 3)', [2, 3]],
      ['[1, 2, 3].slice(-2)', [2, 3]],
    ],
    run: (_frame, items, start, end) => items.slice(start, end),
  }),
  method('array', 'at', {
    area,
    parameters: [number('index')],
    result: itemOrNull,
    doc: 'The item at a position, counted from the end when it is negative; null when there is none.',
    examples: [
      ['[1, 2, 3].at(-1)', 3],
      ['[].at(0)', null],
    ],
    cost: 'constant',
    run: (_frame, items, index) => items.at(index) ?? null,
  }),
  method('array', 'first', {
    area,
    parameters: [],
    result: itemOrNull,
    doc: 'The first item, or null.',
    examples: [['[1, 2].first()', 1]],
    cost: 'constant',
    run: (_frame, items) => items[0] ?? null,
  }),
  method('array', 'last', {
    area,
    parameters: [],
    result: itemOrNull,
    doc: 'The last item, or null.',
    examples: [['[1, 2].last()', 2]],
    cost: 'constant',
    run: (_frame, items) => items.at(-1) ?? null,
  }),
  method('array', 'concat', {
    area,
    parameters: [],
    rest: value('others'),
    result: (types) => arrayOf(union(...types.map((type) => (type.kind === 'array' ? type.items : type)))),
    doc: 'The items followed by the others; those that are lists are opened.',
    examples: [['[1].concat([2, 3], 4)', [1, 2, 3, 4]]],
    run: (frame, items, others) => {
      const total = others.reduce<number>((sum, other) => sum + (Array.isArray(other) ? other.length : 1), items.length)
      checkArrayLength(frame, total)
      const joined = [...items]
      for (const other of others) {
        if (Array.isArray(other)) for (const item of other as readonly Value[]) joined.push(item)
        else joined.push(other)
      }
      return joined
    },
  }),
  method('array', 'flat', {
    area,
    parameters: [optional(number('depth'))],
    result: (types) => {
      const item = itemType(operand(types, 0))
      return types.length === 1 && item.kind === 'array' ? item : arrayOf(ANY)
    },
    doc: 'The items with lists among them opened, one level deep or as many as given.',
    examples: [
      ['[[1, 2], [3]].flat()', [1, 2, 3]],
      ['[1, [2, [3]]].flat(2)', [1, 2, 3]],
    ],
    run: (frame, items, depth = 1) => flatten(frame, items, Math.min(depth, frame.limits.depth)),
  }),
  method('array', 'reverse', {
    area,
    parameters: [],
    result: self,
    doc: 'The items from last to first, as a new list.',
    examples: [['[1, 2, 3].reverse()', [3, 2, 1]]],
    run: (_frame, items) => items.toReversed(),
  }),
  method('array', 'sort', {
    area,
    parameters: [
      optional(
        lambda('order', '(a, b) => a - b', (types) => [itemType(operand(types, 0)), itemType(operand(types, 0))]),
      ),
    ],
    result: self,
    doc: 'The items in order, as a new list: numbers by size, texts by code unit, or as the arrow function says by a number below, at or above 0. Null comes last.',
    examples: [
      ['[10, 9, 1].sort()', [1, 9, 10]],
      ['["b", "a"].sort()', ['a', 'b']],
      ['[1, 2, 3].sort((a, b) => b - a)', [3, 2, 1]],
    ],
    run: (frame, items, order) =>
      items.toSorted((a, b) => {
        spend(frame, 1)
        return order === undefined ? compareNullLast(frame, a, b) : orderOf(frame, callLambda(frame, order, a, b))
      }),
  }),
  method('array', 'sortBy', {
    area,
    parameters: [lambda('key', 'item => item.price'), optional(text('direction', { choices: ['asc', 'desc'] }))],
    result: self,
    doc: 'The items in order of what the arrow function gives for each, `"asc"` or `"desc"`. Equal ones keep their order; null comes last.',
    examples: [
      ['[{ n: 2 }, { n: 1 }].sortBy(x => x.n)', [{ n: 1 }, { n: 2 }]],
      ['["a", "ccc", "bb"].sortBy(x => x.length, "desc")', ['ccc', 'bb', 'a']],
    ],
    run: (frame, items, key, direction) => {
      const keyed = items.map((item, index) => ({ item, key: callLambda(frame, key, item, index) }))
      const sign = direction === 'desc' ? -1 : 1
      return keyed
        .toSorted((a, b) => {
          spend(frame, 1)
          return a.key === null || b.key === null
            ? compareNullLast(frame, a.key, b.key)
            : sign * compare(frame, a.key, b.key)
        })
        .map((each) => each.item)
    },
  }),
  method('array', 'unique', {
    area,
    parameters: [optional(lambda('key', 'item => item.email'))],
    result: self,
    doc: 'The items without those that equal an earlier one, or whose key does.',
    examples: [
      ['[1, 2, 1].unique()', [1, 2]],
      ['[{ id: 1, n: "a" }, { id: 1, n: "b" }].unique(x => x.id)', [{ id: 1, n: 'a' }]],
    ],
    run: (frame, items, key) => {
      const seen = new Set<string | number | boolean | null>()
      return items.filter((item, index) => {
        const known = identity(frame, key === undefined ? item : callLambda(frame, key, item, index))
        return seen.has(known) ? false : seen.add(known)
      })
    },
  }),
  method('array', 'groupBy', {
    area,
    parameters: [lambda('key', 'item => item.country')],
    result: (types) => recordOf(self(types)),
    doc: 'An object of lists: the items by the text (number, true or false) that the arrow function gives for each.',
    examples: [['[1, 2, 3].groupBy(n => n % 2 == 0 ? "even" : "odd")', { odd: [1, 3], even: [2] }]],
    run: (frame, items, key) => {
      const groups = new Map<string, Value[]>()
      for (const [index, item] of items.entries()) {
        const name = keyOf(frame, 'groupBy', callLambda(frame, key, item, index))
        const group = groups.get(name)
        if (group) group.push(item)
        else groups.set(name, [item])
      }
      return fromMap(groups)
    },
  }),
  method('array', 'keyBy', {
    area,
    parameters: [lambda('key', 'item => item.id')],
    result: (types) => recordOf(itemType(operand(types, 0))),
    doc: 'An object that finds each item by the text (number, true or false) that the arrow function gives for it; the last of equals wins.',
    examples: [['[{ id: "a", n: 1 }].keyBy(x => x.id)', { a: { id: 'a', n: 1 } }]],
    run: (frame, items, key) => {
      const found = new Map<string, Value>()
      for (const [index, item] of items.entries()) {
        found.set(keyOf(frame, 'keyBy', callLambda(frame, key, item, index)), item)
      }
      return fromMap(found)
    },
  }),
  method('array', 'partition', {
    area,
    parameters: [lambda('test', 'item => item.ok')],
    result: (types) => arrayOf(self(types)),
    doc: 'Two lists: the items for which the arrow function gives something true, and the others.',
    examples: [['[1, 2, 3].partition(n => n > 1)', [[2, 3], [1]]]],
    run: (frame, items, test) => {
      const [yes, no]: [Value[], Value[]] = [[], []]
      for (const [index, item] of items.entries()) {
        ;(truthy(frame, callLambda(frame, test, item, index)) ? yes : no).push(item)
      }
      return [yes, no]
    },
  }),
  method('array', 'chunk', {
    area,
    parameters: [number('size')],
    result: (types) => arrayOf(self(types)),
    doc: 'The items in lists of at most `size`.',
    examples: [['[1, 2, 3].chunk(2)', [[1, 2], [3]]]],
    run: (frame, items, size) => {
      if (!Number.isInteger(size) || size < 1)
        throw refuse(frame, { name: 'chunk', parameter: 'size', expected: 'a whole number above 0' }, size)
      const chunks: Value[] = []
      for (let i = 0; i < items.length; i += size) chunks.push(items.slice(i, i + size))
      return chunks
    },
  }),
  method('array', 'zip', {
    area,
    parameters: [list('other')],
    result: (types) => arrayOf(arrayOf(union(itemType(operand(types, 0)), itemType(operand(types, 1)), NULL))),
    doc: 'Pairs of the items that stand at the same position; the shorter list is filled with null.',
    examples: [
      [
        '["a", "b"].zip([1])',
        [
          ['a', 1],
          ['b', null],
        ],
      ],
    ],
    run: (_frame, items, other) =>
      Array.from({ length: Math.max(items.length, other.length) }, (_, i) => [items[i] ?? null, other[i] ?? null]),
  }),
  method('array', 'compact', {
    area,
    parameters: [],
    result: (types) => arrayOf(union(...[itemType(operand(types, 0))].flatMap(withoutNullMembers))),
    doc: 'The items without those that are null.',
    examples: [['[1, null, 0, ""].compact()', [1, 0, '']]],
    run: (_frame, items) => items.filter((item) => item !== null && item !== undefined),
  }),
  method('array', 'count', {
    area,
    parameters: [lambda('test', 'item => item.active')],
    result: NUMBER,
    doc: 'For how many items the arrow function gives something true.',
    examples: [['[1, 2, 3].count(n => n > 1)', 2]],
    run: (frame, items, test) => {
      let count = 0
      for (let i = 0; i < items.length; i++) {
        if (truthy(frame, callLambda(frame, test, items[i] ?? null, i))) count++
      }
      return count
    },
  }),
  method('array', 'sum', {
    area,
    parameters: [optional(lambda('number', 'item => item.price'))],
    result: NUMBER,
    doc: 'The sum of the items, or of what the arrow function gives for each; 0 for an empty list.',
    examples: [
      ['[1, 2, 3].sum()', 6],
      ['[{ n: 2 }, { n: 3 }].sum(x => x.n)', 5],
    ],
    run: (frame, items, pick) => total(frame, 'sum', items, pick),
  }),
  method('array', 'average', {
    area,
    parameters: [optional(lambda('number', 'item => item.price'))],
    result: union(NUMBER, NULL),
    doc: 'The mean of the items, or of what the arrow function gives for each; null for an empty list.',
    examples: [
      ['[1, 2, 3].average()', 2],
      ['[].average()', null],
    ],
    run: (frame, items, pick) => (items.length === 0 ? null : total(frame, 'average', items, pick) / items.length),
  }),
  method('array', 'min', {
    area,
    parameters: [optional(lambda('key', 'item => item.price'))],
    result: itemOrNull,
    doc: 'The smallest item, or the item with the smallest key; null for an empty list.',
    examples: [
      ['[3, 1, 2].min()', 1],
      ['[{ n: 2 }, { n: 1 }].min(x => x.n)', { n: 1 }],
    ],
    run: (frame, items, key) => extreme(frame, items, key, -1),
  }),
  method('array', 'max', {
    area,
    parameters: [optional(lambda('key', 'item => item.price'))],
    result: itemOrNull,
    doc: 'The largest item, or the item with the largest key; null for an empty list.',
    examples: [['[3, 1, 2].max()', 3]],
    run: (frame, items, key) => extreme(frame, items, key, 1),
  }),
  method('array', 'union', {
    area,
    parameters: [list('other')],
    result: (types) => arrayOf(union(itemType(operand(types, 0)), itemType(operand(types, 1)))),
    doc: 'The items of both lists, each once.',
    examples: [['[1, 2].union([2, 3])', [1, 2, 3]]],
    run: (frame, items, other) => {
      checkArrayLength(frame, items.length + other.length)
      const found = new Map<string | number | boolean | null, Value>()
      for (const item of [...items, ...other]) {
        const key = identity(frame, item)
        if (!found.has(key)) found.set(key, item)
      }
      return [...found.values()]
    },
  }),
  method('array', 'intersection', {
    area,
    parameters: [list('other')],
    result: self,
    doc: 'The items that are also in the other list.',
    examples: [['[1, 2, 3].intersection([3, 2])', [2, 3]]],
    run: (frame, items, other) => {
      const known = new Set(other.map((item) => identity(frame, item)))
      return items.filter((item) => known.has(identity(frame, item)))
    },
  }),
  method('array', 'difference', {
    area,
    parameters: [list('other')],
    result: self,
    doc: 'The items that are not in the other list.',
    examples: [['[1, 2, 3].difference([2])', [1, 3]]],
    run: (frame, items, other) => {
      const known = new Set(other.map((item) => identity(frame, item)))
      return items.filter((item) => !known.has(identity(frame, item)))
    },
  }),
  func('range', {
    area,
    parameters: [number('start'), optional(number('end')), optional(number('step'))],
    result: arrayOf(NUMBER),
    doc: 'The numbers from `start` up to, not including, `end`; with one argument from 0 up to it.',
    examples: [
      ['range(3)', [0, 1, 2]],
      ['range(1, 10, 3)', [1, 4, 7]],
      ['range(3, 0, -1)', [3, 2, 1]],
    ],
    cost: 'constant',
    run: (frame, first, last, step = 1) => {
      const [start, end] = last === undefined ? [0, first] : [first, last]
      if (step === 0) throw refuse(frame, { name: 'range', parameter: 'step', expected: 'a number other than 0' }, step)
      const length = Math.max(0, Math.ceil((end - start) / step))
      checkArrayLength(frame, length)
      spend(frame, length)
      return Array.from({ length }, (_, index) => start + index * step)
    },
  }),
]

function mapItems(frame: Frame, items: readonly Value[], change: Lambda): Value[] {
  const result: Value[] = []
  for (let i = 0; i < items.length; i++) result.push(callLambda(frame, change, items[i] ?? null, i))
  return result
}

function position(frame: Frame, items: readonly Value[], test: Lambda): number {
  for (let i = 0; i < items.length; i++) {
    if (truthy(frame, callLambda(frame, test, items[i] ?? null, i))) return i
  }
  return -1
}

function flatten(frame: Frame, items: readonly Value[], depth: number): Value[] {
  const result: Value[] = []
  const add = (list: readonly Value[], levels: number): void => {
    spend(frame, list.length)
    for (const item of list) {
      if (Array.isArray(item) && levels > 0) add(item, levels - 1)
      else result.push(item)
    }
    checkArrayLength(frame, result.length)
  }
  add(items, depth)
  return result
}

function compareNullLast(frame: Frame, a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
  return compare(frame, a, b)
}

function orderOf(frame: Frame, order: Value): number {
  if (typeof order === 'number') return order
  throw refuse(frame, { name: 'sort', parameter: 'order', expected: 'an arrow function that gives a number' }, order)
}

function keyOf(frame: Frame, name: string, key: Value): string {
  if (typeof key === 'string' || typeof key === 'number' || typeof key === 'boolean') return String(key)
  throw refuse(
    frame,
    { name, parameter: 'key', expected: 'an arrow function that gives text, a number, true or false' },
    key,
  )
}

function fromMap(map: ReadonlyMap<string, Value>): Value {
  const result: { [key: string]: Value } = {}
  for (const [key, item] of map) setOwn(result, key, item)
  return result
}

function total(frame: Frame, name: string, items: readonly Value[], pick: Lambda | undefined): number {
  let sum = 0
  for (const [index, item] of items.entries()) {
    const part = pick === undefined ? item : callLambda(frame, pick, item, index)
    if (typeof part !== 'number')
      throw refuse(frame, { name, parameter: pick ? 'number' : 'list', expected: 'numbers' }, part)
    sum += part
  }
  if (!Number.isFinite(sum)) throw fail(frame, 'expression_number', { operation: name })
  return sum
}

function extreme(frame: Frame, items: readonly Value[], key: Lambda | undefined, sign: number): Value {
  let best: Value = null
  let bestKey: Value = null
  for (const [index, item] of items.entries()) {
    const known = key === undefined ? item : callLambda(frame, key, item, index)
    if (index > 0 && sign * compare(frame, known, bestKey) <= 0) continue
    best = item
    bestKey = known
  }
  return best
}

const withoutNullMembers = (type: Type): readonly Type[] =>
  (type.kind === 'union' ? type.members : [type]).filter((member) => member.kind !== 'null')
