/**
 * What watchers of a run are told. The journal is followed a second time, beside the run: only records that are durable
 * count, a watcher may come in the middle of a run, and a run that nobody watches pays nothing.
 */
import type { BlobStore } from '../blob/blob-store.ts'
import { decideObserved } from '../engine/decide.ts'
import { decodeRecord } from '../engine/record.ts'
import { useJournaled } from '../engine/replay.ts'
import type { RunState } from '../engine/state.ts'
import type { StepTrace } from '../engine/step-trace.ts'
import { Tracer } from '../engine/trace.ts'
import type { JournalRecord, RunStatus, Store } from '../store/store.ts'
import type { Batch } from './batch.ts'
import { readWholeJournal, restoreRecords } from './journal.ts'
import type { Observers } from './observers.ts'
import type { RunActor } from './run-actor.ts'

export interface NoticesOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly observers: Observers
  onError(error: unknown): void
}

/** Followers of the runs that are watched. */
export class Notices {
  readonly #options: NoticesOptions
  readonly #followers = new Map<string, Follower>()

  constructor(options: NoticesOptions) {
    this.#options = options
  }

  /** A batch of the run is durable. */
  committed(run: RunActor, batch: Batch): void {
    const { observers } = this.#options
    const { runId } = run
    const at = batch.records.at(-1)?.at ?? run.identity.createdAt
    const status = batch.patch?.status
    if (status !== undefined) this.statusChanged(runId, status, { reason: batch.patch?.reason ?? null, at })
    if (!observers.watches(runId)) {
      this.#followers.delete(runId)
      return
    }
    const follower = this.#followers.get(runId) ?? new Follower(this.#options, run)
    if (batch.settles) this.#followers.delete(runId)
    else this.#followers.set(runId, follower)
    follower.follow(batch, at)
  }

  /** The status of a run has changed by something else than its own records. */
  statusChanged(runId: string, status: RunStatus, { reason, at }: { reason: string | null; at: number }): void {
    const { observers } = this.#options
    observers.statusChanged(runId, status, reason)
    observers.notifyAll({ type: 'status', runId, status, reason, at })
  }
}

class Follower {
  readonly #options: NoticesOptions
  readonly #run: RunActor
  readonly #tracer = new Tracer()
  #state: RunState | null = null
  /** The last record that was followed; null until the ones before the first batch have been read. */
  #seq: number | null = null
  #chain: Promise<void> = Promise.resolve()

  constructor(options: NoticesOptions, run: RunActor) {
    this.#options = options
    this.#run = run
  }

  follow(batch: Batch, at: number): void {
    this.#chain = this.#chain.then(() => this.#tell(batch, at)).catch((error: unknown) => this.#options.onError(error))
  }

  async #tell(batch: Batch, at: number): Promise<void> {
    const { observers, blobs } = this.#options
    const { runId } = this.#run
    const { status, reason = null } = batch.patch ?? {}
    const tellStatus = (): void => {
      if (status !== undefined) observers.notifyRun({ type: 'status', runId, status, reason, at })
    }
    if (status === 'running') tellStatus()
    const records = await restoreRecords(batch.records, blobs)
    this.#seq ??= await this.#catchUp(records[0]?.seq ?? this.#run.nextSeq)
    for (const record of records) {
      if (record.seq <= this.#seq) continue
      for (const step of this.#trace(record)) observers.notifyRun({ type: 'step', runId, step, at: record.at })
      this.#seq = record.seq
    }
    if (status !== 'running') tellStatus()
  }

  /** Follows what happened before, without telling it. */
  async #catchUp(before: number): Promise<number> {
    if (before === 1) return 0
    const records = await readWholeJournal(this.#options, this.#run.rid)
    for (const record of records) if (record.seq < before) this.#trace(record)
    return before - 1
  }

  #trace(record: JournalRecord): StepTrace[] {
    const { event, started } = decodeRecord(record)
    this.#tracer.before(event)
    const decision = decideObserved(this.#run.loaded.program, this.#state, event, this.#tracer)
    this.#state = decision.state
    useJournaled(decision.state, started)
    for (const { path, input } of started) this.#tracer.journaled(path, input)
    return this.#tracer.changed()
  }
}
