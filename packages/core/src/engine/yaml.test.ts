/** Flows as authors write them, from YAML to their end. */
import { expect, test } from 'vitest'
import type { Catalog } from '../flow/catalog.ts'
import { checkFlow } from '../flow/check.ts'
import { inFlight, waits } from './state.ts'
import { simulate } from './testing/simulate.ts'
import type { Json, JsonObject } from '../json.ts'

const any = { type: 'object' } as const

const catalog: Catalog = {
  connectors: [
    {
      name: 'http',
      description: 'HTTP',
      prefixes: [],
      config: any,
      actions: [
        {
          connector: 'http',
          name: 'get',
          description: 'GET',
          input: {
            type: 'object',
            properties: { url: { type: 'string' }, path: { type: 'string', 'x-plugwork': 'path' } },
          },
          output: any,
          effect: 'read',
          idempotency: 'natural',
          needsConnection: false,
        },
      ],
    },
    {
      name: 'sqlite',
      description: 'SQLite',
      prefixes: ['sqlite_'],
      config: any,
      actions: [
        {
          connector: 'sqlite',
          name: 'query',
          description: 'Query',
          input: { type: 'object', properties: { query: { type: 'string', 'x-plugwork': 'sql' }, params: {} } },
          output: any,
          effect: 'read',
          idempotency: 'natural',
          needsConnection: true,
          sqlDialect: 'sqlite',
        },
      ],
    },
  ],
  flows: [{ name: 'Ship', input: any, output: any }],
}

function flow(yaml: string) {
  const { plan, problems } = checkFlow(yaml, catalog)
  const errors = problems.filter((problem) => problem.severity === 'error')
  if (plan === null || errors.length > 0) throw new Error(JSON.stringify(errors, null, 1))
  return plan
}

/** Answers every effect by its path, until the run waits for something else or has ended. */
function answer(run: ReturnType<typeof simulate>, by: (path: string, input: Json) => Json): void {
  for (let [next] = inFlight(run.state); next !== undefined; [next] = inFlight(run.state)) {
    const command = run.attempt(next.path)
    if (command.type === 'start_child')
      run.childEnded(next.path, 'succeeded', { outputs: by(next.path, null) as JsonObject })
    else run.complete(next.path, by(next.path, (command as { readonly input: Json }).input))
  }
}

test('an order flow: query, loop, switch, parallel, approval, sub-flow', () => {
  const run = simulate(
    flow(`
flow: OrderFulfillment
connections:
  db: { type: sqlite, database: ./shop.db }
inputs:
  - { name: customer_id, type: string, required: true }
  - { name: items, type: array, items: { type: object }, default: [] }
steps:
  - sqlite_query:
      id: customer
      connection: db
      query: select * from customers where id = \${inputs.customer_id} and kind in (\${["a", "b"]})
      outputs: [rows]
  - id: tier
    set: { name: "\${customer.rows[0].tier}" }
  - for_each: inputs.items
    id: checked
    as: item
    concurrency: 2
    do:
      - task: Validate
        id: "validate_\${item.sku}"
        inputs: { sku: "\${item.sku}" }
      - id: line
        set: { total: "\${item.price * item.quantity}", ok: "\${steps['validate_' + item.sku].ok}" }
    collect: "\${{ total: line.total, ok: line.ok }}"
  - switch: \${tier.name}
    cases:
      - when: [gold, platinum]
        do: { id: discount, set: { percent: 10 } }
    default: { id: discount, set: { percent: 0 } }
  - if: "\${checked.results}.every(r => r.ok) and \${discount.percent} > 5"
    then:
      - id: approve
        wait: { approval: { title: "Discount for \${inputs.customer_id}?" }, timeout: 1d }
    else:
      - exit: { reason: no discount, outputs: { percent: 0 } }
  - parallel:
      - subflow: Ship
        id: ship
        inputs: { customer: "\${inputs.customer_id}" }
      - - http.get: { id: notify, url: "https://x.test/\${approve.outcome}" }
outputs:
  - { name: approved, value: "\${approve.outcome}" }
  - { name: totals, value: "\${checked.results.map(r => r.total)}" }
  - { name: parcel, value: "\${ship.parcel}" }
`),
    {
      customer_id: 'c1',
      items: [
        { sku: 'A1', price: 2, quantity: 3 },
        { sku: 'B2', price: 5, quantity: 1 },
      ],
    },
    { subflows: { Ship: 'hash-of-ship' } },
  )
  expect(run.attempt('customer')).toMatchObject({
    input: { query: { text: 'select * from customers where id = ? and kind in (?, ?)', params: ['c1', 'a', 'b'] } },
  })
  const by = (path: string): Json => {
    if (path === 'customer') return { rows: [{ tier: 'gold' }], row_count: 1 }
    return path.endsWith('ship') ? { parcel: 'p-1' } : { ok: true }
  }
  answer(run, by)
  expect(waits(run.state)).toMatchObject([{ kind: 'approval', name: 'approve', title: 'Discount for c1?' }])
  run.signal('approve', 'approved')
  expect(run.attempt('parallel@5/branch[1]/notify')).toMatchObject({ input: { url: 'https://x.test/approved' } })
  answer(run, by)
  expect(run.outputs).toEqual({ approved: 'approved', totals: [6, 5], parcel: 'p-1' })
})

test('polling with repeat, try with finally, retry in its spellings', () => {
  const run = simulate(
    flow(`
flow: Poll
steps:
  - try:
      - id: poll
        repeat:
          vars: { cursor: null }
          do:
            - task: Page
              id: page
              inputs: { cursor: "\${cursor}" }
              retry: { max_attempts: 2, delay_seconds: 1, backoff_multiplier: 1, jitter: false }
          next: { cursor: "\${page.next}" }
          until: page.next == null
          collect: page.items
          max: 5
          delay: 2s
    catch:
      - id: failed
        set: { why: "\${error.message}" }
    finally:
      - task: Clean
        id: clean
outputs:
  - { name: items, value: "\${poll.results.flat()}" }
  - { name: why, value: "\${failed.why}" }
`),
  )
  run.complete('try@0/try/poll[0]/page', { next: 'x', items: [1] })
  run.tick()
  run.fail('try@0/try/poll[1]/page')
  run.tick()
  run.complete('try@0/try/poll[1]/page', { next: null, items: [2, 3] })
  run.complete('try@0/finally/clean')
  expect(run.outputs).toEqual({ items: [1, 2, 3], why: null })
})
