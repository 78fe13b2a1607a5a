/** Several runtimes on one database, as several processes have them: a run is worked on by one at a time, and none is left lying. */
import { afterAll, expect, onTestFinished, test } from 'vitest'

import type { Egress } from '../egress/egress.ts'
import { planHash } from '../flow/hash.ts'
import { createTestDatabase, emptyDatabase } from '../store/postgres/fixtures/test-database.ts'
import { openPostgresStore } from '../store/postgres/postgres-store.ts'
import type { Store } from '../store/store.ts'
import { createRuntime } from './create-runtime.ts'
import type { RunSummary, Runtime, RuntimeOptions } from './runtime.ts'
import { plansOf, type TaskFunction } from './testing/workshop.ts'

const database = await createTestDatabase()
afterAll(() => database.drop())

const FLOWS = [
  `flow: Work
inputs: [{ name: n, type: integer, required: true }]
steps:
  - { task: Do, id: act, inputs: { n: "\${inputs.n}" }, outputs: [n] }
outputs: [{ name: n, value: "\${act.n}" }]
`,
  `flow: Wait
steps:
  - { id: paid, wait: { event: paid } }
  - { task: Do, id: act, inputs: { n: 1 }, outputs: [n] }
`,
  `flow: Approve
steps:
  - { id: ok, wait: { approval: { title: "Go on?" } } }
  - { task: Do, id: act, inputs: { n: 1 }, outputs: [n] }
`,
  `flow: Parent
steps:
  - { id: loop, for_each: "\${[1, 2, 3, 4, 5, 6, 7, 8]}", as: n, concurrency: 8, do: [{ id: sub, subflow: Work, inputs: { n: "\${n}" } }] }
`,
]

interface Process {
  readonly name: string
  readonly store: Store
  readonly runtime: Runtime
  readonly logs: string[]
}

/** Which process has done a step, in order. */
const done: string[] = []

async function open(name: string, task: TaskFunction, options: Partial<RuntimeOptions> = {}): Promise<Process> {
  const plans = new Map(plansOf(FLOWS).map((plan) => [plan.flow, { plan, hash: planHash(plan) }]))
  const times = { renewMs: 200, expireMs: 2_000 }
  const { store, blobs } = await openPostgresStore({ url: database.url, version: 'test', times })
  const logs: string[] = []
  const runtime = createRuntime({
    store,
    blobs,
    egress: { fetch: globalThis.fetch } as Egress,
    connectors: [],
    definitions: {
      plan: (_tenant, flow) => plans.get(flow) ?? null,
      task: () => ({
        code: 'test',
        run: async (inputs, context) => {
          done.push(name)
          return task(inputs, context)
        },
      }),
      directory: () => '/',
      secret: () => null,
      env: () => null,
    },
    key: new Uint8Array(32).fill(7),
    baseUrl: 'http://plugwork.test',
    version: 'test',
    log: (level, message) => void logs.push(`${level}: ${message}`),
    ...options,
  })
  await runtime.open()
  onTestFinished(async () => {
    await runtime.stop(0)
    await store.close()
  })
  return { name, store, runtime, logs }
}

async function begin(): Promise<void> {
  done.length = 0
  await emptyDatabase(database)
}

async function start({ runtime }: Process, flow: string, inputs = {}): Promise<{ id: string; rid: number }> {
  const outcome = await runtime.start({ tenant: 'default', flow, inputs, trigger: {} })
  if (outcome.kind !== 'accepted') throw new Error(outcome.kind)
  return outcome
}

const ended = async ({ runtime }: Process, id: string): Promise<RunSummary | null> =>
  runtime.wait('default', id, 20_000)

test('what one process has no room for, another one does, and who waits for it is told', async () => {
  await begin()
  const held = Promise.withResolvers<void>()
  const full = await open('full', () => held.promise.then(() => ({ n: 1 })), { maxActive: 1 })
  const blocker = await start(full, 'Work', { n: 0 })
  const free = await open('free', ({ n }) => ({ n }))
  const runs = await Promise.all([1, 2, 3].map((n) => start(full, 'Work', { n })))
  const outcomes = await Promise.all(runs.map(({ rid }) => full.runtime.finished(rid)))
  expect(outcomes.map(({ outputs }) => outputs)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  expect(done).toEqual(['full', 'free', 'free', 'free'])
  held.resolve()
  expect(await full.runtime.finished(blocker.rid)).toMatchObject({ status: 'succeeded' })
  expect(free.logs).toEqual([])
})

test('an event that one process publishes wakes a run that another one has parked', async () => {
  await begin()
  const [a, b] = [await open('a', () => ({ n: 1 })), await open('b', () => ({ n: 1 }))]
  const { id } = await start(a, 'Wait')
  expect(await a.runtime.wait('default', id, 50)).toMatchObject({ status: 'waiting' })
  await b.runtime.publish('default', { name: 'paid', data: 1 })
  expect(await ended(b, id)).toMatchObject({ status: 'succeeded' })
  expect(done).toEqual(['a'])
})

test('a decision that is given to one process reaches the run of another; a cancel too', async () => {
  await begin()
  const never = () => new Promise<never>(() => undefined)
  const [a, b] = [await open('a', never), await open('b', never)]
  const waiting = await start(a, 'Approve')
  await a.runtime.wait('default', waiting.id, 5_000)
  const decided = { name: 'ok', outcome: 'approved', data: {} } as const
  expect(await b.runtime.signal('default', waiting.id, decided)).toMatchObject({ kind: 'done' })
  await expect.poll(() => done, { timeout: 10_000 }).toEqual(['a'])
  expect(await b.runtime.cancel('default', waiting.id, { force: true })).toMatchObject({ kind: 'done' })
  expect(await ended(b, waiting.id)).toMatchObject({ status: 'cancelled' })
  expect(done).toEqual(['a'])
})

test('runs of a process that is gone are taken over by one of those that are left, each by one', async () => {
  await begin()
  const never = () => new Promise<never>(() => undefined)
  const dead = await open('dead', never)
  const runs = await Promise.all(Array.from({ length: 30 }, (_, n) => start(dead, 'Work', { n })))
  const [a, b] = [await open('a', ({ n }) => ({ n })), await open('b', ({ n }) => ({ n }))]
  await abandonOnly(dead)
  const outcomes = await Promise.all(runs.map(({ id }) => ended(a, id)))
  expect(outcomes.every((one) => one?.status === 'succeeded')).toBe(true)
  const again = done.filter((name) => name !== 'dead')
  expect(again).toHaveLength(30)
  for (const { id } of runs) expect(await b.runtime.verify('default', id)).toEqual([])
  await expect.poll(() => dead.logs.some((line) => line.includes('has lost its store'))).toBe(true)
})

test('sub-flows go to whoever has room, and the parent hears of every end', async () => {
  await begin()
  const [a, b] = [
    await open('a', ({ n }) => ({ n }), { maxActive: 2 }),
    await open('b', ({ n }) => ({ n }), { maxActive: 2 }),
  ]
  const { id } = await start(a, 'Parent')
  expect(await ended(b, id)).toMatchObject({ status: 'succeeded' })
  expect(done).toHaveLength(8)
})

/** Ends the session of this one alone, as another process does whose time is up. */
async function abandonOnly({ store }: Process): Promise<void> {
  await database.query('DELETE FROM sessions WHERE epoch = $1', [store.epoch])
}
