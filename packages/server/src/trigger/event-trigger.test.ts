import { join } from 'node:path'
import { openSqliteStore } from '@plugwork/core/node'
import type { RunRow } from '@plugwork/core/node'
import { expect, test } from 'vitest'
import { openHarness, until } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'

const PAID = `
flow: Paid
inputs: [{ name: order, type: integer, required: true }, { name: amount, type: number }]
triggers:
  - event: { event: "order.*", match: "event.data.amount > 10" }
steps: [{ id: s, set: { order: "\${inputs.order}" } }]
`
const MAPPED = `
flow: Mapped
inputs: [{ name: text, type: string, required: true }]
triggers:
  - event: { event: order.paid, input_mapping: { text: "\${event.name} \${event.data.order}" } }
steps: [{ id: s, set: { a: 1 } }]
`

const runs = async (harness: Harness, flow: string): Promise<readonly RunRow[]> =>
  (await harness.store.listRuns({ tenant: 'default', flow, limit: 100 })).toReversed()
const publish = async (harness: Harness, name: string, data: unknown) =>
  (await harness.request('POST', '/api/v1/events', { name, data })).json().id as number

test('events that match start a run each, with their data as inputs', async () => {
  await using harness = await openHarness({ files: { 'a/flow.yaml': PAID, 'b/flow.yaml': MAPPED } })
  await publish(harness, 'order.paid', { order: 1, amount: 5 })
  const id = await publish(harness, 'order.paid', { order: 2, amount: 50, more: true })
  await publish(harness, 'order.sent', { order: 3, amount: 50 })
  await publish(harness, 'order.paid.late', { order: 4, amount: 50 })
  await publish(harness, 'order.odd', 'text')
  const paid = await until(
    () => runs(harness, 'Paid'),
    (rows) => rows.length >= 2,
  )
  expect(paid.map(({ inputs }) => inputs)).toEqual([
    { order: 2, amount: 50 },
    { order: 3, amount: 50 },
  ])
  expect(paid[0]).toMatchObject({
    trigger: { kind: 'event', event: 'order.paid', event_id: id },
    idempotencyKey: `event:Paid:0:${id}`,
  })
  const mapped = await until(
    () => runs(harness, 'Mapped'),
    (rows) => rows.length >= 2,
  )
  expect(mapped.map(({ inputs }) => inputs.text)).toEqual(['order.paid 1', 'order.paid 2'])
})

test('what a flow emits starts other flows', async () => {
  const emitter = 'flow: Emitter\nsteps: [{ emit: { event: order.paid, data: { order: 7, amount: 20 } } }]\n'
  await using harness = await openHarness({ files: { 'a/flow.yaml': PAID, 'b/flow.yaml': emitter } })
  await harness.request('POST', '/api/v1/flows/Emitter/execute', {})
  const [run] = await until(
    () => runs(harness, 'Paid'),
    (rows) => rows.length === 1,
  )
  expect(run?.inputs).toMatchObject({ order: 7 })
})

test('events that came while nothing ran are not lost, and none starts twice', async () => {
  const first = await openHarness({ files: { 'flow.yaml': PAID } })
  await publish(first, 'order.paid', { order: 1, amount: 50 })
  await until(
    () => runs(first, 'Paid'),
    (rows) => rows.length === 1,
  )
  await first.close({ keep: true })
  const store = await openSqliteStore({ file: join(first.folder, 'data/plugwork.db'), socket: '', version: 'test' })
  const data = { order: 2, amount: 50 }
  await store.publish({ tenant: 'default', name: 'order.paid', data, at: Date.now() })
  // As if the process had died before it stored that it had seen the first one.
  await store.setMeta('event-triggers', JSON.stringify({ 'Paid/0': 0 }))
  await store.close()
  await using second = await openHarness({ folder: first.folder })
  const rows = await until(
    () => runs(second, 'Paid'),
    (found) => found.length >= 2,
  )
  expect(rows.map(({ inputs }) => inputs.order)).toEqual([1, 2])
})

test('a trigger that is new begins with what comes after it', async () => {
  await using harness = await openHarness()
  await publish(harness, 'order.paid', { order: 1, amount: 50 })
  await harness.request('PUT', '/api/v1/flows/Paid', PAID, { 'content-type': 'application/yaml' })
  await until(
    async () => JSON.parse((await harness.store.getMeta('event-triggers')) ?? '{}') as object,
    (cursors) => 'Paid/0' in cursors,
  )
  await publish(harness, 'order.paid', { order: 2, amount: 50 })
  const rows = await until(
    () => runs(harness, 'Paid'),
    (found) => found.length > 0,
  )
  expect(rows.map(({ inputs }) => inputs.order)).toEqual([2])
})

test('an event whose data do not fit is recorded, and the next one is handled', async () => {
  await using harness = await openHarness({ files: { 'flow.yaml': PAID } })
  const id = await publish(harness, 'order.paid', { order: 'one', amount: 50 })
  await publish(harness, 'order.paid', { order: 2, amount: 50 })
  await until(
    () => runs(harness, 'Paid'),
    (rows) => rows.length === 1,
  )
  const { events } = (await harness.request('GET', '/api/v1/events?name=plugwork.trigger.*')).json() as {
    events: object[]
  }
  expect(events).toMatchObject([
    {
      name: 'plugwork.trigger.failed',
      data: { flow: 'Paid', reason: 'inputs_invalid', event_id: id, problems: [{ input: 'order' }] },
    },
  ])
})
