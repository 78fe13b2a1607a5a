/** The memory store is the model: after any sequence of operations the others must have answered the same and hold the same. */
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'

import { newRun, record, T0 } from './contract/context.ts'
import { createMemoryStore, MemoryDisk } from './memory/memory-store.ts'
import { createTestDatabase, openTestStore as openPostgres } from './postgres/fixtures/test-database.ts'
import { openTestStore as openSqlite } from './sqlite/fixtures/test-store.ts'
import type { OpenedStore } from './store-contract.ts'
import type { NewRun, RunPatch, Store } from './store.ts'

const database = await createTestDatabase()
afterAll(() => database.drop())

const STORES: readonly (readonly [name: string, open: () => Promise<OpenedStore>])[] = [
  ['SQLite', () => openSqlite()],
  ['PostgreSQL', () => openPostgres(database)],
]

const POLICIES = ['queue', 'skip', 'cancel_running'] as const
type Policy = (typeof POLICIES)[number]

/** One operation; numbers name runs by the order of their acceptance, so that both stores mean the same ones. */
type Operation =
  | {
      readonly op: 'accept'
      readonly key: string | null
      readonly policy: number
      readonly start: boolean
      readonly idem: number
      readonly priority: number
    }
  | {
      readonly op: 'append'
      readonly run: number
      readonly gap: number
      readonly path: number
      readonly patch: number
      readonly nonce: number
      readonly child: Policy | 'free' | null
      readonly extra: number
    }
  | { readonly op: 'claim'; readonly limit: number }
  | { readonly op: 'deliver'; readonly run: number; readonly dedupe: number }
  | { readonly op: 'publish'; readonly name: number; readonly key: number }
  | { readonly op: 'prune'; readonly limit: number }

const small = (max: number) => fc.integer({ min: 0, max })
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('accept' as const),
      key: fc.constantFrom(null, null, 'k', 'l'),
      policy: small(3),
      start: fc.boolean(),
      idem: small(9),
      priority: small(2),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('append' as const),
      run: small(12),
      gap: fc.constantFrom(0, 0, 0, 0, 0, -1, 1),
      path: small(5),
      patch: small(9),
      nonce: small(3),
      child: fc.constantFrom(null, null, 'free' as const, ...POLICIES),
      extra: small(5),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('claim' as const), limit: small(4) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('deliver' as const), run: small(12), dedupe: small(3) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('publish' as const), name: small(1), key: small(3) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('prune' as const), limit: small(3) }) },
)

const PATCHES: readonly (RunPatch | undefined)[] = [
  undefined,
  undefined,
  undefined,
  { status: 'waiting', reason: 'timer', wakeAt: T0 + 5 },
  { status: 'waiting', reason: 'event', wakeAt: null },
  { status: 'running', reason: null },
  { status: 'queued' },
  { status: 'succeeded', outputs: { a: 1 }, finishedAt: T0 + 1 },
  { status: 'failed', error: { code: 'x', message: 'y' }, finishedAt: T0 + 2 },
  { crashCount: 1 },
]

/** Carries out one operation; answers what the store answered, or the code it refused with. */
async function perform(store: Store, operation: Operation, n: number): Promise<unknown> {
  try {
    switch (operation.op) {
      case 'accept':
        return await store.accept(
          toRun(operation, n),
          ...(operation.start ? [{ records: [record(1)], nonce: `a${n}` }] : []),
        )
      case 'append':
        return await append(store, operation, n)
      case 'claim':
        return await store.claim(operation.limit, T0 + n)
      case 'deliver': {
        const dedupe = operation.dedupe === 0 ? {} : { dedupe: `d${operation.dedupe}` }
        return await store.deliver({ rid: operation.run, kind: 'signal', payload: { n }, at: T0, ...dedupe })
      }
      case 'publish': {
        const key = operation.key === 0 ? {} : { key: `k${operation.key}` }
        return await store.publish({ tenant: 'default', name: `e${operation.name}`, data: n, at: T0 + n, ...key })
      }
      case 'prune': {
        const { runs, blobs } = await store.prune({ before: T0 + 2, limit: operation.limit })
        return { runs, blobs: blobs.toSorted() }
      }
    }
  } catch (error) {
    return { refused: (error as { code?: string }).code }
  }
}

function toRun({ key, policy, idem, priority }: Operation & { op: 'accept' }, n: number): NewRun {
  const whenFull = POLICIES[policy % 3] ?? 'queue'
  return newRun(`run-${n}`, {
    priority,
    ...(key === null ? {} : { concurrency: { key, limit: 1 + (policy % 2), whenFull, holdWhileWaiting: policy < 3 } }),
    ...(idem < 3 ? { idempotencyKey: `i${idem}` } : {}),
    blobs: [{ hash: `${n % 4}`.repeat(64), size: 1 }],
  })
}

async function append(store: Store, operation: Operation & { op: 'append' }, n: number): Promise<unknown> {
  const { run: rid, gap, path, patch, nonce, child, extra } = operation
  const next = (await store.getRun(rid))?.nextSeq ?? 1
  const run = PATCHES[patch]
  const [waiting] = (await store.load(rid))?.messages ?? []
  return await store.append({
    rid,
    epoch: store.epoch,
    records: extra === 5 ? [] : [record(next + gap, { path: `p${path}`, completes: path > 0 })],
    // One nonce is one write: the same content each time.
    ...(nonce === 0 ? {} : { nonce: `n${[nonce, path, patch, child, extra].join('-')}` }),
    ...(run === undefined ? {} : { run }),
    ...(child === null ? {} : { children: [childRun(rid, `c${path}`, child, n)] }),
    ...(extra === 1 ? { subscribe: [{ path: `w${path}`, event: `e${path % 2}` }] } : {}),
    ...(extra === 2 ? { unsubscribe: [`w${path}`] } : {}),
    ...(extra === 3 && waiting !== undefined ? { consumes: [waiting.id] } : {}),
    ...(extra === 4
      ? { childMessages: [{ parentPath: `c${path}`, message: { kind: 'cancel', dedupe: 'c', payload: {}, at: T0 } }] }
      : {}),
  })
}

function childRun(rid: number, path: string, policy: Policy | 'free', n: number): NewRun {
  const parent = { rid, path, rootRid: rid }
  if (policy === 'free') return newRun(`child-${n}`, { parent })
  return newRun(`child-${n}`, { parent, concurrency: { key: 'k', limit: 1, whenFull: policy } })
}

/** All that a store tells of itself. */
async function contentOf(store: Store): Promise<unknown> {
  const rows = await store.listRuns({ tenant: 'default', limit: 1_000 })
  return {
    runs: await Promise.all(rows.map(({ rid }) => store.load(rid))),
    journals: await Promise.all(rows.map(({ rid }) => store.readJournal(rid, 1, 1_000))),
    due: await store.due(T0 + 10, 100),
    nextWake: await store.nextWake(),
    unoffered: await store.unoffered(0, 100),
    events: await store.eventsAfter('default', null, 0, 1_000),
    ended: await store.endedFlows(),
    open: await store.countRuns(null, ['queued', 'running', 'waiting']),
  }
}

test.each(STORES)(
  'any sequence of operations leaves the %s store as it leaves the model',
  async (_, open) => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 60 }), async (operations) => {
        const opened = await open()
        const model = createMemoryStore(new MemoryDisk())
        try {
          for (const [n, operation] of operations.entries()) {
            const expected = await perform(model, operation, n)
            expect(await perform(opened.store, operation, n), `${n}: ${JSON.stringify(operation)}`).toEqual(expected)
          }
          expect(await contentOf(opened.store)).toEqual(await contentOf(model))
        } finally {
          await opened.close()
        }
      }),
      { numRuns: Number(process.env['PLUGWORK_MODEL_RUNS'] ?? 25) },
    )
  },
  300_000,
)
