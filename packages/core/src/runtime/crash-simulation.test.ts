/**
 * Random crashes in process: a runtime is cut off from its store after a random number of writes, with the last one
 * landed or lost, and another one goes on from what was stored. Whatever happens, the invariants hold: every accepted run
 * ends as one without crashes does, no step completes twice, nothing begins again that was completed, every event and
 * sub-flow is there once. A failing seed is printed by the test's name.
 */
import { expect, it, onTestFinished } from 'vitest'

import type { JsonObject } from '../json.ts'
import type { RunWrite, Store } from '../store/store.ts'
import { openWorkshop, TENANT, type Workshop } from './testing/workshop.ts'

const FLOW = `
flow: Order
inputs: [{ name: n, type: int }]
steps:
  - { id: first, task: Step, inputs: { name: first, n: "\${inputs.n}" } }
  - id: items
    for_each: "[0, 1, 2, 3, 4]"
    as: item
    concurrency: 2
    do:
      - { id: one, task: Step, inputs: { name: "item-\${item}", n: "\${item}" }, retry: { max_attempts: 3, delay: 1ms } }
  - parallel:
      - { id: sub, subflow: Part, inputs: { n: "\${first.n}" } }
      - { id: emit, emit: { event: order.placed, data: { n: "\${inputs.n}" } } }
      - { id: nap, wait: 2ms }
  - try:
      - { id: fails, task: Fails }
    catch:
      - { id: caught, task: Step, inputs: { name: caught, n: 1 } }
  - { id: signal, wait: { event: order.go } }
outputs:
  - { name: sum, value: "\${items.results.reduce((sum, r) => sum + r.n, 0) + sub.n + caught.n}" }
`
const PART = `
flow: Part
inputs: [{ name: n, type: int }]
steps:
  - { id: a, task: Step, inputs: { name: part, n: "\${inputs.n}" } }
outputs: [{ name: n, value: "\${a.n}" }]
`
const RUNS = 6
const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1)

/** A small seeded generator (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below) | 0
  }
}

/** Calls back at the n-th write, before it is sent or when it has landed and nobody knows yet. */
function crashAt(store: Store, n: number, landed: boolean, crash: () => void): void {
  const append = store.append.bind(store)
  let writes = 0
  store.append = async (write: RunWrite) => {
    if (++writes !== n) return append(write)
    if (landed) await append(write)
    crash()
    return new Promise(() => undefined)
  }
}

it.each(SEEDS)('runs end as they should, whatever crashes happen (seed %i)', async (seed) => {
  const below = random(seed)
  const begun = new Map<string, number>()
  const tasks = {
    Step: ({ name, n }: JsonObject, { idempotencyKey }: { idempotencyKey: string }) => {
      begun.set(idempotencyKey, (begun.get(idempotencyKey) ?? 0) + 1)
      if (name === 'item-3' && begun.get(idempotencyKey) === 1) throw new Error('the first time fails')
      return below(2) === 0 ? { n } : new Promise((resolve) => setTimeout(() => resolve({ n }), below(3)))
    },
    Fails: () => {
      throw Object.assign(new Error('no'), { code: 'NO' })
    },
  }
  const shop = await openWorkshop({ store: seed % 3 === 0 ? 'sqlite' : 'memory', flows: [FLOW, PART], tasks })
  let died = Promise.withResolvers<void>()
  const arm = () => {
    died = Promise.withResolvers()
    crashAt(shop.store, 1 + below(25), below(2) === 0, died.resolve)
  }
  arm()
  const human = setInterval(() => void release(shop), 20)
  onTestFinished(() => clearInterval(human))
  const runs: { id: string; rid: number }[] = []
  for (let n = 0; n < RUNS; n++) runs.push(await shop.start('Order', { n }))
  // May be lost with the process, and is then published again under the same key.
  const publish = () => shop.runtime.publish(TENANT, { name: 'order.go', data: null, key: 'go' })
  void publish()
  let crashes = 0
  for (; crashes < 12; crashes++) {
    const crashed = await Promise.race([died.promise.then(() => true), allEnded(shop, runs).then(() => false)])
    if (!crashed) break
    await shop.reopen()
    arm()
    void publish()
  }
  await shop.reopen()
  await publish()
  for (const [n, { id, rid }] of runs.entries()) {
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { sum: 10 + n + 1 } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    const children = await shop.store.listRuns({ tenant: TENANT, parentRid: rid, limit: 10 })
    expect(children).toMatchObject([{ status: 'succeeded' }])
    expect(await shop.runtime.verify(TENANT, children[0]!.id)).toEqual([])
  }
  const events = await shop.store.eventsAfter(TENANT, 'order.placed', 0, 100)
  expect(events.map((event) => (event.data as { n: number }).n).toSorted()).toEqual([0, 1, 2, 3, 4, 5])
  for (const count of begun.values()) expect(count).toBeLessThanOrEqual(2 + crashes)
})

/** Too many crashes in a row without a step in between hold a run: a human lets it go on. */
async function release(shop: Workshop): Promise<void> {
  for (const { id, reason } of await shop.store.listRuns({ tenant: TENANT, status: ['waiting'], limit: 100 })) {
    if (reason !== 'needs_attention') continue
    const { steps } = await shop.detail(id)
    for (const { path, status } of steps) {
      if (status === 'needs_attention') await shop.runtime.resolve(TENANT, id, path, { kind: 'retry' })
    }
  }
}

async function allEnded(shop: Workshop, runs: readonly { rid: number }[]): Promise<void> {
  await Promise.all(runs.map(({ rid }) => shop.runtime.finished(rid)))
}
