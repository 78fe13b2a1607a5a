import { describe, expect, it } from 'vitest'

import type { Json } from '../json.ts'
import { MAX_SIGNAL_CHARACTERS, MAX_SIGNALS } from './signal-buffer.ts'
import { openWorkshop, STORES, TENANT, until, type Workshop } from './testing/workshop.ts'

const FLOW = `
flow: Ask
steps:
  - { id: a, task: Step }
  - { id: answer, wait: { webhook: { timeout: 1h } } }
outputs: [{ name: got, value: "\${answer.data}" }]
`

const send = (shop: Workshop, id: string, name: string, data: Json = null, dedupe?: string) =>
  shop.runtime.signal(TENANT, id, { name, outcome: 'received', data, ...(dedupe === undefined ? {} : { dedupe }) })

/** Sends signals that no step takes; answers how many were taken, and the last refusal. */
async function flood(shop: Workshop, id: string, signals: readonly Json[]) {
  const outcomes = await Promise.all(signals.map((data) => send(shop, id, 'nobody', data)))
  const refused = outcomes.filter((outcome) => outcome.kind === 'refused')
  return { taken: outcomes.length - refused.length, refused: refused.at(-1) }
}

const many = (count: number): Json[] => Array.from({ length: count }, (_, i) => i)

describe.each(STORES)('signals that nobody takes, on the %s store', (store) => {
  it('are bounded by number, and what is waited for still comes through', async () => {
    const shop = await openWorkshop({ store, flows: [FLOW], tasks: { Step: () => null } })
    const { id, rid } = await shop.start('Ask')
    await shop.parked(id, 'webhook')
    const { taken, refused } = await flood(shop, id, many(MAX_SIGNALS + 200))
    expect(taken).toBe(MAX_SIGNALS)
    expect(refused).toMatchObject({ code: 'signals_full' })
    await shop.parked(id, 'webhook')
    // Also of a parked run, and after a restart.
    await shop.reopen()
    const late = await send(shop, id, 'nobody')
    expect(late).toMatchObject({ kind: 'refused', code: 'signals_full' })
    expect(late.kind === 'refused' && late.message).toContain(
      'It waits for "answer". Check the name "nobody", or send the signal when the run waits for it.',
    )
    expect(await send(shop, id, 'answer', 'yes')).toEqual({ kind: 'done', id })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { got: 'yes' } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('are bounded by size', async () => {
    const shop = await openWorkshop({ store, flows: [FLOW], tasks: { Step: () => null } })
    const { id } = await shop.start('Ask')
    await shop.parked(id, 'webhook')
    const part = 'x'.repeat(MAX_SIGNAL_CHARACTERS / 4)
    const { taken, refused } = await flood(shop, id, [part, part, part, part, part])
    expect(taken).toBe(3)
    expect(refused).toMatchObject({ code: 'signals_full' })
    expect(await send(shop, id, 'nobody', 'small')).toMatchObject({ kind: 'done' })
  })

  it('are bounded while the run is queued, or runs', async () => {
    let release = (): void => undefined
    const Step = () => new Promise((resolve) => (release = () => resolve(null)))
    const shop = await openWorkshop({ store, flows: [FLOW], tasks: { Step }, runtime: { maxActive: 1 } })
    const runs = [await shop.start('Ask'), await shop.start('Ask')]
    await until(() => shop.runtime.stats().effects === 1, 'the first runs')
    for (const { id } of runs) {
      expect(await flood(shop, id, many(MAX_SIGNALS + 1))).toMatchObject({ taken: MAX_SIGNALS })
      expect(await send(shop, id, 'nobody')).toMatchObject({ code: 'signals_full' })
    }
    release()
  })
})

it('a signal whose id looks like one of ours is a signal, no more', async () => {
  const shop = await openWorkshop({ store: 'sqlite', flows: [FLOW], tasks: { Step: () => null } })
  const { id, rid } = await shop.start('Ask')
  await shop.parked(id, 'webhook')
  const { nextSeq } = (await shop.store.getRun(rid))!
  for (const dedupe of [`cancel:false:${nextSeq}`, `cancel:false:${nextSeq + 1}`, 'concurrency']) {
    await send(shop, id, 'nobody', null, dedupe)
  }
  await shop.parked(id, 'webhook')
  await shop.runtime.cancel(TENANT, id, { force: false })
  expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'cancelled' })
})

it('a cancel counts after a retry, also when one came to nothing before', async () => {
  const flow = `
flow: Again
steps:
  - { id: a, task: Fail }
  - { id: answer, wait: { webhook: { timeout: 1h } } }
on_error:
  - { id: told, wait: { webhook: { timeout: 1h } } }
`
  let fails = true
  const Fail = () => {
    if (fails) throw new Error('no')
  }
  const shop = await openWorkshop({ store: 'sqlite', flows: [flow], tasks: { Fail } })
  const { id, rid } = await shop.start('Again')
  await shop.parked(id, 'webhook')
  // The run fails already: this changes nothing any more.
  await shop.runtime.cancel(TENANT, id, { force: false })
  await send(shop, id, 'told')
  expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'failed' })
  fails = false
  await shop.runtime.retry(TENANT, id)
  await until(async () => (await shop.status(id)).reason === 'webhook', 'the run waits')
  await shop.runtime.cancel(TENANT, id, { force: false })
  await until(async () => (await shop.status(id)).status === 'cancelled', 'the run is cancelled')
})
