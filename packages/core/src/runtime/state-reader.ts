import type { BlobStore } from '../blob/blob-store.ts'
import { decodeRecord } from '../engine/record.ts'
import { waits, type RunState } from '../engine/state.ts'
import type { LoadedRun, RunRow, Store } from '../store/store.ts'
import { replayStored } from './journal.ts'
import type { Programs } from './programs.ts'
import type { Worker } from './worker.ts'

/** Looks into the state of a run without bringing it into memory for good. */
export class StateReader {
  readonly #store: Store
  readonly #blobs: BlobStore
  readonly #programs: Programs
  readonly #worker: Worker

  constructor(options: {
    readonly store: Store
    readonly blobs: BlobStore
    readonly programs: Programs
    readonly worker: Worker
  }) {
    this.#store = options.store
    this.#blobs = options.blobs
    this.#programs = options.programs
    this.#worker = options.worker
  }

  /** The state after the last durable record, or a later one for a run in memory. Null: not begun, or not to be replayed. */
  async read(row: RunRow): Promise<RunState | null> {
    const active = this.#worker.find(row.rid)
    if (active !== null) return active.state
    const stored = await this.#store.load(row.rid)
    if (stored === null) return null
    const { program } = await this.#programs.byHash(row.flowHash, row.flow)
    const outcome = await replayStored({ store: this.#store, blobs: this.#blobs }, program, stored)
    return outcome.kind === 'replayed' ? outcome.state : null
  }

  /** What a link to a wait is still good for. A wait that has not begun takes its answer in advance. */
  async tokenStanding(stored: LoadedRun, state: RunState, wait: string): Promise<'valid' | 'used' | 'expired'> {
    const buffered = stored.messages.some(({ kind, payload }) => kind === 'signal' && payload.name === wait)
    if (buffered || (state.signals[wait]?.length ?? 0) > 0) return 'used'
    if (waits(state).some(({ name, path }) => name === wait || path === wait)) return 'valid'
    return this.#hasEnded(stored, wait)
  }

  async #hasEnded(stored: LoadedRun, wait: string): Promise<'valid' | 'used' | 'expired'> {
    // The wait is neither open nor answered in advance: its answer, if there was one, is in the journal.
    const records = await this.#store.readJournal(stored.row.rid, 1, 1_000_000)
    const signal = records.some((record) => {
      if (record.kind !== 'signal') return false
      const { event } = decodeRecord(record)
      return event.type === 'signal' && event.name === wait
    })
    return signal ? 'used' : 'valid'
  }
}
