import { parse } from 'yaml'
import { describe, expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { CATALOG } from './cases/catalog.ts'
import { checkFlow } from './check.ts'
import { compileFlow } from './compile.ts'
import { defineFlow } from './define-flow.ts'
import type { FlowDocument } from './document.ts'
import { planHash } from './hash.ts'

const yaml = `
# A comment changes nothing.
flow: Orders
connections: { api: { type: http, base_url: "https://api.example.com" } }
inputs:
  - { name: order_id, type: string, required: true }
steps:
  - http_get:
      id: order
      connection: api
      path: /orders/\${ inputs.order_id }
      outputs: [body]
  - if: \${order.body.paid} == true
    then:
      - id: user
        task: ValidateUser
        inputs: { user_id: "\${inputs.order_id}" }
`

const flow = defineFlow({
  flow: 'Orders',
  connections: { api: { type: 'http', base_url: 'https://api.example.com' } },
  inputs: [{ name: 'order_id', type: 'string', required: true }],
  steps: [
    { 'http.get': { id: 'order', connection: 'api', path: '/orders/${inputs.order_id}', outputs: ['body'] } },
    {
      if: 'order.body.paid == true',
      // oxlint-disable-next-line unicorn/no-thenable -- the word of the language
      then: [{ id: 'user', task: 'ValidateUser', inputs: { user_id: '${inputs.order_id}' } }],
    },
  ],
})

describe('defineFlow', () => {
  test('compiles to the plan of the same flow in YAML', () => {
    const one = compileFlow(yaml, CATALOG)
    const other = compileFlow(flow, CATALOG)
    expect([one.problems, other.problems]).toEqual([[], []])
    expect(planHash(one.plan!)).toBe(planHash(other.plan!))
  })

  test('every construct means the same as an object', () => {
    const text = readFileSync(new URL('./cases/valid/every-step.yaml', import.meta.url), 'utf8')
    const object = parse(text) as FlowDocument
    expect(planHash(compileFlow(object, CATALOG).plan!)).toBe(planHash(compileFlow(text, CATALOG).plan!))
  })

  test('problems of an object carry a JSON pointer', () => {
    const broken = { ...flow, steps: [{ task: 'ValidateUser', inputs: { usr: '${inputs.order}' } }] }
    expect(
      checkFlow(broken as FlowDocument, CATALOG).problems.map(({ code, pointer }) => `${code} ${pointer}`),
    ).toEqual(
      expect.arrayContaining(['PW1061 /steps/0/inputs/usr', 'PW1060 /steps/0/inputs', 'PW1202 /steps/0/inputs/usr']),
    )
  })

  test('what is no JSON value is a problem, whatever it is', () => {
    const circle: { [key: string]: unknown } = { flow: 'A' }
    circle['steps'] = [circle]
    const values = [() => 1, new Date(0), Number.NaN, Symbol('x'), 1n, new Map()]
    for (const value of [...values, circle]) {
      const document = { flow: 'A', steps: [{ set: { a: value } }] } as unknown as FlowDocument
      expect(checkFlow(document, CATALOG).problems.map((found) => found.code)).toContain(
        value === circle ? 'PW1002' : 'PW1004',
      )
    }
  })

  test('mistakes are type errors', () => {
    // @ts-expect-error a misspelt kind of step
    defineFlow({ flow: 'A', steps: [{ tsak: 'ValidateUser' }] })
    // @ts-expect-error a loop without its name for the item
    defineFlow({ flow: 'A', steps: [{ for_each: '[1]', do: [] }] })
    // @ts-expect-error a policy that does not exist
    defineFlow({ flow: 'A', steps: [{ task: 'T', retry: { max_attempt: 3 } }] })
    // @ts-expect-error a flow without a name
    defineFlow({ steps: [] })
    defineFlow({
      flow: 'A',
      // @ts-expect-error a trigger of no known kind
      triggers: [{ hook: { path: '/a' } }],
      // @ts-expect-error a misspelt key of an input mapping inside a nest of steps
      steps: [{ try: [{ for_each: '[1]', as: 'item', do: [{ task: 'T', input: {} }] }] }],
    })
    expect(checkFlow(defineFlow({ flow: 'A', steps: [{ wait: '1h' }] }), CATALOG).problems).toEqual([])
  })
})
