import { describe, expect, it } from 'vitest'

import { openWorkshop, STORES, TENANT, type Workshop } from './testing/workshop.ts'

const FLOW = `
flow: Ask
steps:
  - { id: a, task: Step }
  - { id: answer, wait: { webhook: { timeout: 1h } } }
  - { id: b, task: Step }
outputs: [{ name: got, value: "\${[a, answer.data, b]}" }]
`

/** A run that waits, whose snapshot is then replaced by something else. */
async function parkedWith(store: (typeof STORES)[number], state: (written: string) => string) {
  const calls: string[] = []
  const shop = await openWorkshop({ store, flows: [FLOW], tasks: { Step: () => calls.push('step') } })
  const { id, rid } = await shop.start('Ask')
  await shop.parked(id, 'webhook')
  const { snapshot } = (await shop.store.load(rid))!
  const { epoch } = shop.store
  await shop.store.append({
    rid,
    epoch,
    records: [],
    snapshot: { seq: snapshot!.seq, state: state(snapshot!.state) },
  })
  await shop.reopen()
  return { shop, id, rid, calls }
}

const signal = (shop: Workshop, id: string) =>
  shop.runtime.signal(TENANT, id, { name: 'answer', outcome: 'received', data: 42 })

describe.each(STORES)('a snapshot that cannot be read, on the %s store', (store) => {
  it.each([
    ['of a later version', (written: string) => written.replace('"version":1', '"version":2')],
    ['that is no JSON', () => '{"version":'],
  ])('%s is passed over: the journal is replayed from its start', async (_what, state) => {
    const { shop, id, rid, calls } = await parkedWith(store, state)
    expect(await signal(shop, id)).toEqual({ kind: 'done', id })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { got: [1, 42, 2] } })
    expect(calls).toHaveLength(2)
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect(shop.logs).toEqual([])
  })

  it('does not keep `verify` and a look at the waits from working', async () => {
    const { shop, id } = await parkedWith(store, (written) => written.replace('"version":1', '"version":2'))
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect(await shop.runtime.resolve(TENANT, id, 'a', { kind: 'retry' })).toMatchObject({ code: 'run_not_held' })
  })

  it('holds the run when its journal is not complete', async () => {
    const { shop, id } = await parkedWith(store, (written) => written.replace('"version":1', '"version":2'))
    const readJournal = shop.store.readJournal.bind(shop.store)
    shop.store.readJournal = async (rid, from, limit) =>
      (await readJournal(rid, from, limit)).filter((record) => record.seq !== 1)
    await shop.runtime.signal(TENANT, id, { name: 'answer', outcome: 'received', data: 42 }).catch(() => undefined)
    const row = await shop.parked(id, 'needs_attention')
    expect(row.error).toMatchObject({ code: 'run_unreadable' })
    expect(row.error?.message).toContain('record 1 of 2 is missing')
  })
})
