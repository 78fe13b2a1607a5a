/**
 * Hundreds of runs, started in bursts within one turn of the event loop, with signals, cancels, events, sub-flows, timers,
 * retries arriving at every moment. Whatever comes when: every run ends, none stays in memory, nothing is logged as an
 * error, and each stored run is what its journal says. A failing seed is in the test's name.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'

import type { JsonObject } from '../json.ts'
import { TERMINAL } from '../store/store.ts'
import { openWorkshop, TENANT, until, type Workshop } from './testing/workshop.ts'

const FLOWS = [
  `
flow: Pure
inputs: [{ name: n, type: int }]
steps: [{ id: s, set: { n: "\${inputs.n + 1}" } }]
outputs: [{ name: n, value: "\${s.n}" }]
`,
  `
flow: Steps
inputs: [{ name: n, type: int }]
steps:
  - { id: a, task: Work, inputs: { n: "\${inputs.n}" } }
  - id: items
    for_each: "[1, 2, 3]"
    as: item
    concurrency: 2
    do:
      - { id: one, task: Work, inputs: { n: "\${item}" }, retry: { max_attempts: 3, delay: 1ms } }
outputs: [{ name: n, value: "\${a.n}" }]
`,
  `
flow: Waits
inputs: [{ name: n, type: int }]
steps:
  - { id: nap, wait: "\${inputs.n % 3}ms" }
  - { id: go, wait: { webhook: { timeout: 10m } } }
  - { id: b, task: Work, inputs: { n: "\${inputs.n}" } }
on_cancel:
  - { id: undo, task: Work, inputs: { n: 0 } }
outputs: [{ name: n, value: "\${b.n}" }]
`,
  `
flow: Events
inputs: [{ name: n, type: int }]
steps:
  - parallel:
      - { id: tick, wait: { event: tick, since: run } }
      - { id: go, wait: { webhook: { timeout: 10m } } }
      - { id: tock, wait: { event: tock } }
  - { id: tell, emit: { event: told, data: { n: "\${inputs.n}" } } }
outputs: [{ name: n, value: "\${inputs.n}" }]
`,
  `
flow: Parent
inputs: [{ name: n, type: int }]
steps:
  - parallel:
      - { id: x, subflow: Steps, inputs: { n: "\${inputs.n}" } }
      - { id: y, subflow: Pure, inputs: { n: "\${inputs.n}" } }
      - { id: z, subflow: Keyed, inputs: { n: "\${inputs.n}" } }
  - { id: late, wait: 1ms }
outputs: [{ name: n, value: "\${x.n}" }]
`,
  `
flow: Keyed
inputs: [{ name: n, type: int }]
settings: { concurrency: { key: "k\${inputs.n % 3}", limit: 2, when_full: queue, hold_while_waiting: false } }
steps:
  - { id: a, task: Work, inputs: { n: "\${inputs.n}" } }
  - { id: nap, wait: 1200ms }
  - { id: b, task: Work, inputs: { n: "\${inputs.n}" } }
outputs: [{ name: n, value: "\${b.n}" }]
`,
  `
flow: Replaces
inputs: [{ name: n, type: int }]
settings: { concurrency: { key: "r\${inputs.n % 4}", limit: 1, when_full: cancel_running } }
steps:
  - { id: a, task: Work, inputs: { n: "\${inputs.n}" } }
  - { id: go, wait: { webhook: { timeout: 10m } } }
`,
  `
flow: Fails
inputs: [{ name: n, type: int }]
steps:
  - { id: a, task: Fail, inputs: { n: "\${inputs.n}" } }
  - { id: go, wait: { webhook: { timeout: 10m } } }
on_error:
  - { id: told, task: Work, inputs: { n: 1 } }
`,
]
const NAMES = FLOWS.map((source) => /flow: (\w+)/.exec(source)![1]!)
const SEEDS = [1, 2, 3, 4]
const RUNS = 240

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

type Below = (below: number) => number

/** A moment: at once, within this turn, after it, or some milliseconds later. */
function moment(below: Below): Promise<unknown> {
  switch (below(5)) {
    case 0:
      return Promise.resolve()
    case 1:
      return new Promise((resolve) => queueMicrotask(() => resolve(null)))
    case 2:
      return turn()
    default:
      return sleep(below(25))
  }
}

function tasksOf(below: Below) {
  return {
    Work: ({ n }: JsonObject, { signal, attempt }: { signal: AbortSignal; attempt: number }) => {
      if (below(20) === 0 && attempt < 3) throw new Error('again')
      if (below(3) === 0) return { n }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve({ n }), below(4))
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(signal.reason as Error)
        })
      })
    },
    Fail: () => {
      if (below(3) > 0) throw new Error('fails')
      return null
    },
  }
}

/** Everything that may happen to a run, at random moments of its life. */
async function disturb(shop: Workshop, id: string, below: Below): Promise<void> {
  const { runtime } = shop
  for (let i = below(4); i > 0; i--) {
    await moment(below)
    switch (below(8)) {
      case 0:
        await runtime.cancel(TENANT, id, { force: below(3) === 0 })
        break
      case 1:
        await runtime.signal(TENANT, id, { name: 'nobody', outcome: 'received', data: i })
        break
      case 2:
        await Promise.all([runtime.publish(TENANT, { name: 'tick', data: i }), runtime.get(TENANT, id)])
        break
      case 3:
        await Promise.all([runtime.publish(TENANT, { name: 'tock', data: i }), runtime.wait(TENANT, id, 1)])
        break
      case 4:
        await runtime.retry(TENANT, id)
        break
      default:
        await runtime.signal(TENANT, id, { name: 'go', outcome: 'received', data: i, dedupe: `go-${i}` })
    }
  }
}

it.each(SEEDS)(
  'runs end and leave the memory, whatever comes when (seed %i)',
  async (seed) => {
    const below = random(seed)
    const shop = await openWorkshop({
      store: 'sqlite',
      flows: FLOWS,
      tasks: tasksOf(below),
      runtime: { maxActive: seed % 2 === 0 ? 1_000 : 30 },
    })
    const disturbances: Promise<void>[] = []
    const starts: Promise<unknown>[] = []
    for (let started = 0; started < RUNS;) {
      // A burst: not one of them is awaited before the next is asked for.
      for (let i = 1 + below(60); i > 0 && started < RUNS; i--, started++) {
        const flow = NAMES[below(NAMES.length)]!
        const start = shop.start(flow, { n: started }, { priority: 1 + below(9) })
        starts.push(start.then(({ id }) => void disturbances.push(disturb(shop, id, below))))
      }
      await moment(below)
    }
    await Promise.all(starts)
    await Promise.all(disturbances)

    let open: readonly { readonly id: string; readonly flow: string; readonly status: string }[] = []
    await until(async () => {
      open = await shop.store.listRuns({ tenant: TENANT, status: ['queued', 'running', 'waiting'], limit: 10_000 })
      await shop.runtime.publish(TENANT, { name: 'tick', data: null })
      await shop.runtime.publish(TENANT, { name: 'tock', data: null })
      for (const { id } of open)
        await shop.runtime.signal(TENANT, id, { name: 'go', outcome: 'received', data: null, dedupe: 'last' })
      await sleep(20)
      return open.length === 0
    }, 'every run has ended').catch((error: unknown) => {
      const still = open.map(({ id, flow, status }) => `${id} ${flow} ${status}`).join('\n')
      throw new Error(`${String(error)}\n${JSON.stringify(shop.runtime.stats())}\n${shop.logs.join('\n')}\n${still}`)
    })
    // The last acknowledgements may still be on their way back.
    await until(() => shop.runtime.stats().active === 0, 'no run is in memory')
    expect(shop.runtime.stats()).toMatchObject({ active: 0, queued: 0, open: 0, effects: 0 })
    expect(shop.logs).toEqual([])
    const rows = await shop.store.listRuns({ tenant: TENANT, limit: 10_000 })
    expect(rows.length).toBeGreaterThanOrEqual(RUNS)
    for (const { id, status, flow, parentRid, reason } of rows) {
      expect(TERMINAL.has(status), `${flow} ${id} is ${status} (${reason})`).toBe(true)
      expect(await shop.runtime.verify(TENANT, id), `${flow} ${id} (${status}, parent ${parentRid})`).toEqual([])
    }
  },
  60_000,
)
