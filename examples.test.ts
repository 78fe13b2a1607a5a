/** What the example flow in TypeScript says: it is the same flow as in YAML, and mistakes do not compile. */
import { expect, test } from 'vitest'
import flow from './examples/typescript/flow.ts'
import { call, output } from './examples/typescript/steps.ts'
import { Discount, Quote } from './examples/typescript/tasks.ts'
import { compileFlow } from './packages/core/src/flow/compile.ts'
import { planHash } from './packages/core/src/flow/hash.ts'

const twin = `
flow: PriceCart
description: The same flow in YAML.
inputs:
  - name: items
    type: array
    required: true
    items:
      type: object
      required: [sku, cents]
      properties: { sku: { type: string }, cents: { type: integer, minimum: 0 } }
steps:
  - { id: quote, task: Quote, inputs: { items: '\${inputs.items}' } }
  - { id: discount, task: Discount, inputs: { total: '\${quote.total}' } }
outputs:
  - { name: skus, value: '\${quote.skus}' }
  - { name: total, value: '\${Math.round(quote.total * (100 - discount.percent) / 100)}' }
`

test('the flow in TypeScript has the plan of its twin in YAML', () => {
  const plans = [flow, twin.replace('The same flow in YAML.', JSON.stringify(flow.description))].map((source) => {
    const { plan, problems } = compileFlow(source, { connectors: [] })
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
    return plan!
  })
  expect(planHash(plans[0]!)).toBe(planHash(plans[1]!))
})

test('what a task does not take, and what it does not give, does not compile', () => {
  const quote = call('quote', Quote, { items: '${inputs.items}' })
  expect(output(quote, 'total')).toBe('${quote.total}')
  // @ts-expect-error the task gives no `sum`
  expect(output(quote, 'sum')).toBe('${quote.sum}')
  // @ts-expect-error the task has no input `totl`
  expect(call('discount', Discount, { totl: 1 }).inputs).toEqual({ totl: 1 })
  // @ts-expect-error there is no such step
  expect(() => output(discont, 'percent')).toThrow(ReferenceError)
})
