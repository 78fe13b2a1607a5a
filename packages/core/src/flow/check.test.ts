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
    asked: expect.stringContaining('outcome: "approved" or "rejected" or "timeout"') as string,
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
