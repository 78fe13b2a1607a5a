/** What the suites of the contract share: a store per test, and rows to put into it. */
import type { TestFunctions } from '../../blob/blob-store-contract.ts'
import { storeError } from '../errors.ts'
import type { AcceptOutcome, JournalRecord, NewRun, RunWrite, Store } from '../store.ts'

/** An empty store, opened for one test. */
export interface OpenedStore {
  readonly store: Store
  /** Opens the same data again under a higher epoch, while the first owner still has it open: as after a stall. */
  readonly takeOver: () => Promise<Store>
  /** Closes everything and deletes the data. */
  readonly close: () => Promise<void>
}

export interface ContractContext {
  readonly expect: TestFunctions['expect']
  readonly test: (title: string, run: (store: Store, opened: OpenedStore) => Promise<void>) => unknown
}

export type Created = Extract<AcceptOutcome, { kind: 'created' }>

/** Time of everything that the suites store, unless a test says otherwise. */
export const T0 = Date.UTC(2026, 0, 1)

export function newRun(id: string, fields: Partial<NewRun> = {}): NewRun {
  return {
    id,
    tenant: 'default',
    flow: 'greet',
    flowHash: 'hash-1',
    priority: 5,
    trigger: { type: 'api' },
    inputs: { name: 'Ada' },
    facts: { token: 't' },
    createdAt: T0,
    ...fields,
  }
}

export function record(seq: number, fields: Partial<JournalRecord> = {}): JournalRecord {
  return { seq, kind: 'completed', path: `step${seq}`, completes: true, at: T0 + seq, data: `{"n":${seq}}`, ...fields }
}

export const START: JournalRecord = record(1, { kind: 'start', path: '', completes: false })

/** Stores a run that must be new; with its first record, unless `start` is null. */
export async function accept(
  store: Store,
  run: NewRun,
  start: Omit<RunWrite, 'rid' | 'epoch'> | null = { records: [START] },
): Promise<Created> {
  const outcome = start === null ? await store.accept(run) : await store.accept(run, start)
  if (outcome.kind !== 'created') throw storeError('store_failed', `Run ${run.id} is not new: ${outcome.kind}.`)
  return outcome
}

/** Ends a run as it stands. */
export async function finish(store: Store, rid: number, finishedAt = T0 + 1_000): Promise<void> {
  await store.append({ rid, epoch: store.epoch, records: [], run: { status: 'succeeded', finishedAt } })
}

/** Makes a run wait. */
export async function park(store: Store, rid: number, wakeAt: number | null = null): Promise<void> {
  await store.append({ rid, epoch: store.epoch, records: [], run: { status: 'waiting', reason: 'timer', wakeAt } })
}
