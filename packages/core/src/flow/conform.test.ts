import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json, JsonSchema } from '../json.ts'
import type { Catalog } from './catalog.ts'
import { checkFlow } from './check.ts'
import { conform } from './conform.ts'
import { rootPlace } from './place.ts'
import { shapeOfJson } from './shape.ts'

const ORDER: JsonSchema = {
  type: 'object',
  properties: {
    customer: {
      type: 'object',
      properties: { name: { type: 'string', minLength: 2 }, email: { type: 'string', format: 'email' } },
      required: ['name'],
      additionalProperties: false,
    },
    lines: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: { sku: { type: 'string', pattern: '^[A-Z]\\d+$' }, quantity: { type: 'integer', minimum: 1 } },
        required: ['sku'],
        additionalProperties: false,
      },
    },
    tags: { type: 'array', items: { type: 'string' }, uniqueItems: true },
    pay: {
      oneOf: [
        {
          type: 'object',
          properties: { by: { const: 'card' }, number: { type: 'string' } },
          required: ['by', 'number'],
          additionalProperties: false,
        },
        {
          type: 'object',
          properties: { by: { const: 'invoice' }, days: { $ref: '#/$defs/days' } },
          required: ['by', 'days'],
          additionalProperties: false,
        },
      ],
    },
    label: { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'boolean' }] },
    meta: { type: 'object', patternProperties: { '^x-': { type: 'number' } }, additionalProperties: false },
    step: { type: 'number', multipleOf: 0.1 },
    when: { type: 'string', format: 'date-time' },
    to: {
      type: 'object',
      properties: { url: { type: 'string' }, path: { type: 'string' } },
      anyOf: [{ required: ['url'] }, { required: ['path'] }],
    },
    mode: {
      type: 'object',
      if: { properties: { kind: { const: 'a' } }, required: ['kind'] },
      then: { required: ['a'] },
      else: { required: ['b'] },
    },
  },
  additionalProperties: false,
  $defs: { days: { type: 'integer', minimum: 1, maximum: 90 } },
}

const CATALOG: Catalog = {
  connectors: [],
  tasks: [
    { name: 'Order', input: ORDER, output: {} },
    {
      name: 'Make',
      output: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          count: { type: 'number' },
          list: { type: 'array', items: { type: 'number' } },
        },
        required: ['name', 'count', 'list'],
        additionalProperties: false,
      },
    },
  ],
}

/** Findings of the inputs of a task, as `line:column CODE message`, the first line of the inputs being 1. */
function findings(inputs: string): readonly string[] {
  const head = `flow: Orders\nsteps:\n  - { id: made, task: Make }\n  - task: Order\n    inputs:\n`
  return checkFlow(head + inputs, CATALOG).problems.map(
    ({ line, column, code, message }) => `${line - 5}:${column} ${code} ${message}`,
  )
}

describe('written values meet the whole schema, at their own place', () => {
  test.each([
    [
      'nested length',
      `      customer: { name: X }`,
      ['1:25 PW1062 `customer.name` of the task `Order` has at least 2 characters, not 1.'],
    ],
    [
      'nested required',
      `      customer: { email: a@b.c }`,
      ['1:7 PW1060 `customer` of the task `Order` needs `name`.'],
    ],
    [
      'nested unknown key',
      `      customer:\n        name: Ann\n        emial: a@b.c`,
      ['3:9 PW1061 `customer` of the task `Order` has no `emial`; there are `name`, `email`.'],
    ],
    [
      'format',
      `      customer: { name: Ann, email: nobody }`,
      ['1:37 PW1062 `customer.email` of the task `Order` is an e-mail address, which this text is not.'],
    ],
    ['no items', `      lines: []`, ['1:14 PW1062 `lines` of the task `Order` has at least 1 items, not 0.']],
    [
      'item of a list',
      `      lines:\n        - { sku: A1 }\n        - { sku: a1, quantity: 1.5 }`,
      [
        '3:18 PW1062 `lines[1].sku` of the task `Order` matches the pattern `^[A-Z]\\d+$`, which this text does not.',
        '3:32 PW1062 `lines[1].quantity` of the task `Order` is a whole number, not 1.5.',
      ],
    ],
    ['twice', `      tags: [a, b, a]`, ['1:20 PW1062 `tags[2]` of the task `Order` is there twice.']],
    [
      'the form that is meant',
      `      pay: { by: invoice, days: 100 }`,
      ['1:33 PW1062 `pay.days` of the task `Order` is at most 90, not 100.'],
    ],
    [
      'the form with the fewest faults',
      `      pay: { by: card }`,
      ['1:7 PW1060 `pay` of the task `Order` needs `number`.'],
    ],
    [
      'no form',
      `      pay: cash`,
      [
        '1:12 PW1062 `pay` of the task `Order` is object { by: "card", number: string } or object { by: "invoice", days: number }, not "cash".',
      ],
    ],
    [
      'one of several types',
      `      label: long`,
      ['1:14 PW1062 `label` of the task `Order` has at most 3 characters, not 4.'],
    ],
    [
      'names by pattern',
      `      meta: { x-a: 1, x-b: b, y: 1 }`,
      [
        '1:28 PW1062 `meta.x-b` of the task `Order` is number, not "b".',
        '1:31 PW1061 `meta` of the task `Order` has no `y`; there are none.',
      ],
    ],
    ['multiples', `      step: 0.25`, ['1:13 PW1062 `step` of the task `Order` is a multiple of 0.1, not 0.25.']],
    ['binary fractions', `      step: 0.3`, []],
    [
      'dates',
      `      when: tomorrow`,
      [
        '1:13 PW1062 `when` of the task `Order` is a date and time such as `2026-01-31T09:00:00Z`, which this text is not.',
      ],
    ],
    ['one of several keys', `      to: {}`, ['1:7 PW1060 `to` of the task `Order` needs `url` or `path`.']],
    ['conditions', `      mode: { kind: a, b: 1 }`, ['1:7 PW1060 `mode` of the task `Order` needs `a`.']],
  ])('%s', (_, inputs, expected) => {
    expect(findings(inputs)).toEqual(
      expected.map((line) =>
        line.replace(/(PW\d+ )(.)/, (_all, code: string, first: string) => code + first.toUpperCase()),
      ),
    )
  })
})

describe('what is computed is checked by its type, what is written beside it by the schema', () => {
  test.each([
    ['a mixed map', `      customer: { name: "\${made.name}", emial: x }`, ['1:41 PW1061']],
    ['a computed part of another type', `      customer: { name: "\${made.count}", email: a@b.c }`, ['1:25 PW1062']],
    ['a computed item', `      tags: [a, "\${made.count}", "\${made.name}"]`, ['1:17 PW1062']],
    ['a list of another type', `      tags: "\${made.list}"`, ['1:13 PW1062']],
    ['an object without what is needed', `      customer: "\${{ email: made.name }}"`, ['1:7 PW1060']],
    ['an object with more than there is', `      customer: "\${made}"`, ['1:7 PW1061', '1:7 PW1061']],
    ['a form that a computed part may fit', `      pay: { by: "\${made.name}", number: "\${made.name}" }`, []],
    [
      'a form whose fixed part does not',
      `      pay: { by: "\${made.name}", nmbr: "\${made.name}" }`,
      ['1:7 PW1060', '1:34 PW1061'],
    ],
    ['a condition on a computed part', `      mode: { kind: "\${made.name}" }`, []],
    ['unique items of which one is computed', `      tags: [a, "\${made.name}"]`, []],
  ])('%s', (_, inputs, expected) => {
    expect(findings(inputs).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(expected)
  })
})

/** Schemas and values of a small world, so that they often meet. */
const scalar: fc.Arbitrary<Json> = fc.constantFrom<Json>(null, true, false, 0, 1, 2, 1.5, '', 'a', 'ab', 'b')
const key = fc.constantFrom('a', 'b', 'c')
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value
const count = fc.nat(3)
// Few keywords at a time: with many of them nothing fits.
const part = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
const schemas = fc.letrec<{ schema: JsonSchema | boolean }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.boolean(),
    fc
      .record({
        type: part(
          fc.oneof(
            ...['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'].map((type) => fc.constant(type)),
            fc.constant(['string', 'null']),
          ),
        ),
        enum: part(fc.array(json, { minLength: 1, maxLength: 3 })),
        const: part(json),
        minimum: part(count),
        exclusiveMaximum: part(count),
        multipleOf: part(fc.constantFrom(1, 2)),
        minLength: part(count),
        maxLength: part(count),
        pattern: part(fc.constantFrom('^a', 'b$')),
        items: part(tie('schema')),
        prefixItems: part(fc.array(tie('schema'), { minLength: 1, maxLength: 2 })),
        contains: part(tie('schema')),
        minItems: part(count),
        maxItems: part(count),
        uniqueItems: part(fc.boolean()),
        properties: part(fc.dictionary(key, tie('schema'), { maxKeys: 2, noNullPrototype: true })),
        patternProperties: part(
          fc.dictionary(fc.constantFrom('^a', 'b'), tie('schema'), { maxKeys: 1, noNullPrototype: true }),
        ),
        additionalProperties: part(tie('schema')),
        propertyNames: part(tie('schema')),
        required: part(fc.uniqueArray(key, { maxLength: 2 })),
        minProperties: part(count),
        maxProperties: part(count),
        dependentRequired: part(
          fc.dictionary(key, fc.uniqueArray(key, { maxLength: 2 }), { maxKeys: 1, noNullPrototype: true }),
        ),
        allOf: part(fc.array(tie('schema'), { minLength: 1, maxLength: 2 })),
        anyOf: part(fc.array(tie('schema'), { minLength: 1, maxLength: 2 })),
        oneOf: part(fc.array(tie('schema'), { minLength: 1, maxLength: 2 })),
        not: part(tie('schema')),
        if: part(tie('schema')),
        then: part(tie('schema')),
        else: part(tie('schema')),
      })
      // ajv 8 forgets `contains` beside `prefixItems` when the list is empty.
      .map(({ prefixItems, ...each }) => (each.contains === undefined ? { ...each, prefixItems } : each))
      .map((each) => Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined))),
  ),
})).schema

test('a value that is written out is refused exactly where ajv refuses it', () => {
  fc.assert(
    fc.property(schemas, json, (schema, value) => {
      const valid = new Ajv2020({ strict: false, logger: false }).validate(schema, value)
      const root = typeof schema === 'boolean' ? {} : schema
      const found = conform(shapeOfJson(value, rootPlace(value)), schema, { root, what: '`x`', of: 'y' })
      expect(found.length === 0).toBe(valid)
    }),
    { numRuns: 1000 },
  )
})
