import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { describeType } from '../expression/type.ts'
import { CATALOG } from './cases/catalog.ts'
import { checkFlow } from './check.ts'
import type { FlowDocument } from './document.ts'
import { STEPS, TRIGGERS, FLOW } from './grammar.ts'

const read = (name: string): string => readFileSync(new URL(`./cases/valid/${name}`, import.meta.url), 'utf8')

describe('flows without problems', () => {
  test.each(['every-step.yaml', 'spec-example.yaml', 'spec-test.yaml', 'spec-steps.yaml'])('%s', (name) => {
    const { problems, plan } = checkFlow(read(name), CATALOG)
    expect(problems).toEqual([])
    expect(plan).not.toBeNull()
  })
})

test('types of steps flow from schemas through expressions', () => {
  const { types } = checkFlow(
    `
flow: Types
inputs: [{ name: items, type: list, items: { type: object, properties: { sku: { type: string } }, required: [sku] }, default: [] }]
steps:
  - { id: user, task: ValidateUser, inputs: { user_id: "1" } }
  - { id: maybe, if: user.is_valid, task: Charge, inputs: { amount: 1 }, outputs: [confirmation_code] }
  - { id: loop, for_each: inputs.items, as: item, collect: item.sku, do: [{ set: { a: 1 } }] }
  - { id: seen, set: { first: "\${loop.results[0]}", n: "\${inputs.items.length}", t: "a \${user.name}" } }
  - { id: asked, wait: { approval: {} } }
`,
    CATALOG,
  )
  const described = Object.fromEntries([...(types ?? [])].map(([path, type]) => [path, describeType(type)]))
  expect(described).toMatchObject({
    user: 'object { is_valid: boolean, name: string }',
    maybe: 'object { confirmation_code: string } or null',
    loop: 'object { results: array of string, errors: array of object }',
    seen: 'object { first: string, n: number, t: string }',
    asked: expect.stringMatching(/^object \{ outcome: "approved", .*\} or object \{ outcome: "rejected"/) as string,
  })
})

test('blocks have the value of their last step, by branch', () => {
  const { types, problems } = checkFlow(
    `
flow: Blocks
inputs: [{ name: kind, enum: [a, b, c], required: true }, { name: items, type: list, items: { type: integer }, default: [] }]
steps:
  - id: either
    if: inputs.kind == "a"
    then: [{ id: user, task: ValidateUser, inputs: { user_id: "1" } }]
    else: [{ set: { n: 1 } }]
  - { id: one, if: inputs.kind == "a", then: [{ set: { n: 1 } }] }
  - id: which
    switch: inputs.kind
    cases: [{ when: a, do: [{ set: { n: 1 } }] }, { when: b, do: [{ fail: { message: no } }] }]
    default: [{ set: { t: x } }]
  - { id: both, parallel: [{ id: left, set: { n: 1 } }, [{ id: before, set: { t: x } }, { id: right, set: { b: true } }]] }
  - { id: read, set: { n: "\${both[0].n}", b: "\${both[1].b}", t: "\${before.t}" } }
  - { id: tried, try: [{ id: sure, set: { n: 1 } }], catch: [{ set: { t: x } }] }
  - { id: again, try: [{ id: certain, set: { n: 1 } }], catch: [{ fail: { rethrow: true } }] }
  - { id: known, set: { c: "\${certain.n}", s: "\${sure.n}" } }
  - { id: sent, emit: { event: e } }
  - { id: nested, for_each: inputs.items, as: item, do: [{ if: item > 1, then: [{ set: { n: "\${item}" } }] }] }
`,
    CATALOG,
  )
  expect(problems).toEqual([])
  const described = Object.fromEntries([...(types ?? [])].map(([path, type]) => [path, describeType(type)]))
  expect(described).toMatchObject({
    either: 'object { is_valid: boolean, name: string } or object { n: number }',
    one: 'object { n: number } or null',
    which: 'object { n: number } or object { t: string }',
    both: 'array of (object { n: number } or object { b: boolean })',
    read: 'object { n: number, b: boolean, t: string }',
    tried: 'object { n: number } or object { t: string }',
    again: 'object { n: number }',
    known: 'object { c: number, s: number or null }',
    sent: 'null',
    nested: 'object { results: array of (object or null), errors: array of object }',
  })
})

describe('conditions around a step say what cannot be null in it', () => {
  const check = (steps: string): readonly string[] =>
    checkFlow(
      `
flow: Narrow
inputs: [{ name: note, type: string }]
steps:
  - { id: paid, if: inputs.note != null, task: Charge, inputs: { amount: 1 } }
  - { id: asked, wait: { approval: { form: { type: object, properties: { by: { type: string } }, required: [by] } }, timeout: 1d } }
${steps}`,
      CATALOG,
    ).problems.map(({ line, code }) => `${line - 6} ${code}`)
  const validate = (value: string): string => `task: ValidateUser, inputs: { user_id: "\${${value}}" }`

  test.each([
    ['none', `  - { ${validate('inputs.note')} }`, ['1 PW1068']],
    ['`then`', `  - { if: inputs.note != null, then: [{ ${validate('inputs.note')} }] }`, []],
    ['`else`', `  - { if: inputs.note == null, then: [], else: [{ ${validate('inputs.note')} }] }`, []],
    ['the wrong branch', `  - { if: inputs.note == null, then: [{ ${validate('inputs.note')} }] }`, ['1 PW1068']],
    ['its own `if`', `  - { if: inputs.note != null, ${validate('inputs.note')} }`, []],
    [
      'all of several',
      `  - { if: { all: [inputs.note != null, paid != null] }, then: [{ ${validate('inputs.note')} }, { ${validate('paid.confirmation_code')} }] }`,
      [],
    ],
    [
      'none of several',
      `  - { if: { none: [inputs.note == null, true] }, then: [{ ${validate('inputs.note')} }] }`,
      [],
    ],
    [
      'any of several',
      `  - { if: { any: [inputs.note != null, true] }, then: [{ ${validate('inputs.note')} }] }`,
      ['1 PW1068'],
    ],
    [
      'a branch that ended the run',
      `  - { if: inputs.note == null, then: [{ exit: {} }] }\n  - { ${validate('inputs.note')} }`,
      [],
    ],
    ['a case', `  - { switch: inputs.note, cases: [{ when: x, do: [{ ${validate('inputs.note')} }] }] }`, []],
    ['an outcome', `  - { if: asked.outcome == 'approved', then: [{ ${validate('asked.data.by')} }] }`, []],
    [
      'another outcome',
      `  - { if: asked.outcome == 'rejected', then: [{ ${validate('asked.data.by')} }] }`,
      ['1 PW1209'],
    ],
    [
      'outcomes that ended the run',
      `  - { if: asked.outcome != 'approved', then: [{ exit: {} }] }\n  - { ${validate('asked.data.by')} }`,
      [],
    ],
    [
      'a parameter with the name',
      `  - { if: paid != null, then: [{ set: { x: "\${[null, paid].map(paid => paid.confirmation_code)}" } }] }`,
      ['1 PW1209'],
    ],
  ])('%s', (_, steps, problems) => {
    expect(check(steps)).toEqual(problems)
  })
})

/** Values that often stand where they should not. */
const oddity = fc.oneof(
  fc.constantFrom(
    '${',
    '${x}',
    '${inputs.a',
    '$${',
    'a b',
    '',
    '10s',
    '-1',
    '* * * * *',
    'inputs.a > 1',
    '(((',
    "'",
    '/{a}/{a}',
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
)

const keys = [
  ...Object.keys(FLOW),
  ...Object.values(STEPS).flatMap((shape) => Object.keys(shape)),
  ...Object.values(TRIGGERS).flatMap((shape) => Object.keys(shape)),
  ...Object.keys(TRIGGERS),
  'type',
  'auth',
  'use',
  'all',
  'any',
  'when',
  'vars',
  'next',
  'until',
  'event',
  'approval',
  'webhook',
  'message',
  'rethrow',
  'http.get',
  'sqlite_query',
  'query',
  'params',
  'url',
  'path',
  'connection',
  'with',
  'constructor',
  'toString',
  '__proto__',
  'a',
]

const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    oddity,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 6 }),
  ),
})).value

describe('the checker never throws', () => {
  test('on maps of known keys with any values', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), anything), (rest) => {
        const document = { flow: 'A', steps: [{ set: { a: 1 } }], ...rest } as unknown as FlowDocument
        const { problems, plan } = checkFlow(document, CATALOG)
        expect(plan === null).toBe(problems.some((found) => found.severity === 'error'))
        checkFlow(stringify(document), CATALOG)
      }),
      { numRuns: 300 },
    )
  })

  test('on a map with a `toString` of its own where a word is expected', () => {
    const odd = '{ toString: 1 }'
    const { problems } = checkFlow(
      `
flow: Odd
inputs: [{ name: a, type: ${odd}, enum: [${odd}] }, { name: b, type: [${odd}], required: ${odd}, pattern: ${odd} }]
triggers: [{ type: ${odd} }]
steps:
  - { depends_on: [${odd}], task: Charge, inputs: { amount: ${odd} }, outputs: [${odd}] }
  - { parallel: [{ depends_on: [${odd}], set: { a: 1 } }] }
`,
      CATALOG,
    )
    expect(problems.length).toBeGreaterThan(5)
  })

  test('on a good flow with a piece cut out or put in', () => {
    const text = read('every-step.yaml')
    const piece = fc.constantFrom(
      '',
      ' ',
      '\n',
      '${',
      '}',
      '"',
      ':',
      '- ',
      '[',
      '{',
      '5',
      'null',
      '&a ',
      '*a',
      'id: user\n',
      '|',
    )
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(30), piece, (at, length, insert) => {
        const { problems, plan } = checkFlow(text.slice(0, at) + insert + text.slice(at + length), CATALOG)
        expect(plan === null).toBe(problems.some((found) => found.severity === 'error'))
        for (const found of problems) expect(found.line).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })
})
