/**
 * Concurrency keys under churn, against a model of a few lines: after each start, end, cancel and crash, exactly the runs
 * work that should, in the order of the queue. Prints the sequence that went wrong.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'

import type { JsonObject } from '../json.ts'
import { STORES, TENANT, Workshop } from './testing/workshop.ts'

const LIMITS = { queue: 2, skip: 2, cancel_running: 1 } as const
type Policy = keyof typeof LIMITS
const POLICIES = Object.keys(LIMITS) as Policy[]

const FLOWS = POLICIES.map(
  (policy) => `
flow: ${policy}
inputs: [{ name: key, type: string }, { name: n, type: int }]
settings: { concurrency: { key: "${policy}-\${inputs.key}", limit: ${LIMITS[policy]}, when_full: ${policy} } }
steps: [{ id: work, task: Work, inputs: { n: "\${inputs.n}" } }]
`,
)

type Operation =
  | { readonly op: 'start'; readonly policy: Policy; readonly key: string; readonly priority: number }
  | { readonly op: 'end' | 'cancel'; readonly which: number }
  | { readonly op: 'crash' }

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('start' as const),
      policy: fc.constantFrom(...POLICIES),
      key: fc.constantFrom('a', 'b'),
      priority: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('end' as const, 'cancel' as const), which: fc.nat(30) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('crash' as const) }) },
)

interface Entry {
  readonly n: number
  readonly id: string
  readonly policy: Policy
  readonly key: string
  readonly priority: number
  status: 'queued' | 'running' | 'succeeded' | 'cancelled'
}

/** What should be. `room`: runs that work at once, whatever their keys. */
class Model {
  readonly runs: Entry[] = []
  readonly #room: number

  constructor(room: number) {
    this.#room = room
  }

  /** Runs of a key that have its slots. */
  holders(policy: Policy, key: string): readonly Entry[] {
    return this.runs.filter((run) => run.policy === policy && run.key === key && run.status === 'running')
  }

  /** False where the newcomer is turned away. */
  mayStart(policy: Policy, key: string): boolean {
    return policy !== 'skip' || this.holders(policy, key).length < LIMITS.skip
  }

  start(entry: Omit<Entry, 'status'>): void {
    if (entry.policy === 'cancel_running') {
      for (const holder of this.holders(entry.policy, entry.key)) holder.status = 'cancelled'
    }
    this.runs.push({ ...entry, status: 'queued' })
    this.settle()
  }

  end(entry: Entry, status: 'succeeded' | 'cancelled'): void {
    entry.status = status
    this.settle()
  }

  /** Whoever can work does: the more important first, then the older; nobody overtakes within a key. */
  settle(): void {
    const queue = this.runs.filter(({ status }) => status === 'queued')
    for (const run of queue.toSorted((a, b) => b.priority - a.priority || a.n - b.n)) {
      if (this.runs.filter(({ status }) => status === 'running').length >= this.#room) return
      if (this.holders(run.policy, run.key).length < LIMITS[run.policy]) run.status = 'running'
    }
  }
}

/** The workshop beside the model. */
class Trial {
  readonly shop: Workshop
  readonly model: Model
  #working = new Map<number, () => void>()
  #count = 0
  #crashes = 0

  constructor(store: (typeof STORES)[number], room: number) {
    this.model = new Model(room)
    const Work = ({ n }: JsonObject, { signal }: { signal: AbortSignal }) =>
      new Promise((resolve, reject) => {
        this.#working.set(n as number, () => resolve(null))
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    this.shop = new Workshop({ store, flows: FLOWS, tasks: { Work }, runtime: { maxActive: room } })
  }

  async perform(operation: Operation): Promise<void> {
    switch (operation.op) {
      case 'start':
        return this.#start(operation)
      case 'end': {
        const entry = this.#pick(operation.which, ['running'])
        if (entry === undefined) return
        this.#working.get(entry.n)?.()
        return this.model.end(entry, 'succeeded')
      }
      case 'cancel': {
        const entry = this.#pick(operation.which, ['running', 'queued'])
        if (entry === undefined) return
        await this.shop.runtime.cancel(TENANT, entry.id, { force: false })
        return this.model.end(entry, 'cancelled')
      }
      case 'crash':
        // One more, and the runs would be held for taking the process down.
        if (++this.#crashes > 3) return
        this.#working.clear()
        return this.shop.reopen()
    }
  }

  async #start({ policy, key, priority }: Operation & { op: 'start' }): Promise<void> {
    const n = this.#count++
    const inputs = { key, n }
    const trigger = {}
    const outcome = await this.shop.runtime.start({ tenant: TENANT, flow: policy, inputs, trigger, priority })
    if (!this.model.mayStart(policy, key)) {
      const holders = this.model.holders(policy, key).map(({ id }) => id)
      return assert.deepEqual(outcome, { kind: 'concurrency_full', holders })
    }
    if (outcome.kind !== 'accepted')
      throw new Error(`run ${n} of ${policy} was not accepted: ${JSON.stringify(outcome)}`)
    this.model.start({ n, id: outcome.id, policy, key, priority })
  }

  #pick(which: number, statuses: readonly string[]): Entry | undefined {
    const open = this.model.runs.filter(({ status }) => statuses.includes(status))
    return open[which % open.length]
  }

  /** Waits until runtime and model agree; they must not part again. */
  async agree(): Promise<void> {
    const expected = this.model.runs.map(({ n, status }) => `${n} ${status}`)
    const deadline = Date.now() + 5_000
    for (;;) {
      const found = await this.#found()
      if (found.join() === expected.join()) break
      if (Date.now() > deadline) return assert.deepEqual(found, expected)
      await turn()
    }
    await turn()
    assert.deepEqual(await this.#found(), expected)
  }

  async #found(): Promise<string[]> {
    const rows = await this.shop.store.listRuns({ tenant: TENANT, limit: 1_000 })
    const byId = new Map(rows.map(({ id, status }) => [id, status]))
    return this.model.runs.map(({ n, id }) => {
      const status = byId.get(id)
      // One that is in memory works when its task has been called.
      return `${n} ${status === 'running' && !this.#working.has(n) ? 'about to run' : status}`
    })
  }
}

describe.each(STORES)('admission under churn, on the %s store', (store) => {
  it.each([
    ['with room for all', 1_000],
    ['with room for three', 3],
  ])(
    '%s: the runs that should work do',
    async (_what, room) => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
          const trial = new Trial(store, room)
          await trial.shop.open()
          try {
            for (const operation of operations) {
              await trial.perform(operation)
              await trial.agree()
            }
            for (const { id } of trial.model.runs) expect(await trial.shop.runtime.verify(TENANT, id)).toEqual([])
          } finally {
            await trial.shop.close()
          }
        }),
        { numRuns: Number(process.env['PLUGWORK_MODEL_RUNS'] ?? 12) },
      )
    },
    300_000,
  )
})
