import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkExpression } from './check.ts'
import type { CheckEnvironment } from './check.ts'
import { EXPRESSION_ERRORS } from './error.ts'
import { LIBRARY } from './library.ts'
import { parseExpression } from './parse.ts'
import { NULL, describeType, typeFromJsonSchema, union } from './type.ts'

interface Case {
  readonly expression: string
  readonly position?: 'condition'
  readonly type: string
  readonly problems?: readonly (readonly [code: string, start: number, end: number, suggestion?: string])[]
}

const cases = JSON.parse(readFileSync(join(import.meta.dirname, 'cases', 'check.json'), 'utf8')) as Case[]

const order = typeFromJsonSchema({
  type: 'object',
  properties: {
    total: { type: 'number' },
    status: { enum: ['open', 'paid'] },
    items: {
      type: 'array',
      items: {
        type: 'object',
        properties: { sku: { type: 'string' }, price: { type: 'number' } },
        required: ['sku', 'price'],
        additionalProperties: false,
      },
    },
    note: { type: 'string' },
  },
  required: ['total', 'status', 'items'],
  additionalProperties: false,
})
const pay = union(
  NULL,
  typeFromJsonSchema({
    type: 'object',
    properties: {
      code: { type: 'string' },
      card: {
        type: 'object',
        properties: { last4: { type: 'string' } },
        required: ['last4'],
        additionalProperties: false,
      },
    },
    required: ['code', 'card'],
    additionalProperties: false,
  }),
)
const names = new Map([
  ['order', order],
  ['pay', pay],
  ['steps', { kind: 'object', fields: new Map([['pay', { type: pay, optional: false }]]) } as const],
  ['anything', typeFromJsonSchema({})],
  ['loose', typeFromJsonSchema({ type: 'object', properties: { known: { type: 'string' } } })],
  ['env', typeFromJsonSchema({ type: 'object', additionalProperties: { type: ['string', 'null'] } })],
  ['secrets', typeFromJsonSchema({ type: 'object', additionalProperties: { type: 'secret' } })],
])
const environment: CheckEnvironment = {
  lookup: (name) => names.get(name),
  names: () => [...names.keys()],
  isStep: (name) => name === 'pay',
}

describe('check.json', () => {
  test.each(cases.map((each) => [each.expression, each] as const))('%s', (source, each) => {
    const env = each.position ? { ...environment, position: each.position } : environment
    const { type, problems } = checkExpression(parseExpression(source), env)
    const expected = each.problems ?? []
    const found = problems.map(({ code, start, end, suggestion }, index) =>
      expected[index]?.[3] === undefined ? [code, start, end] : [code, start, end, suggestion],
    )
    expect(found).toEqual(expected)
    expect(describeType(type)).toBe(each.type)
    for (const problem of problems) expect(problem.message).not.toMatch(/(?<!\$)\{[a-z]+\}|undefined[^`]/)
  })
})

test('every problem of the checker has a case', () => {
  const covered = new Set(cases.flatMap((each) => each.problems?.map(([code]) => code) ?? []))
  const codes = Object.keys(EXPRESSION_ERRORS).filter((code) => code.startsWith('PW12'))
  expect(codes.filter((code) => !covered.has(code))).toEqual([])
})

test('the examples of the library have no problems', () => {
  const env: CheckEnvironment = { lookup: () => undefined, names: () => [] }
  const sources = LIBRARY.flatMap((entry) => entry.examples.map((example) => example.source))
  const found = sources.flatMap((source) =>
    checkExpression(parseExpression(source), env).problems.map((problem) => `${source}: ${problem.message}`),
  )
  expect(found).toEqual([])
})
