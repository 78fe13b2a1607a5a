/**
 * What a run's row has to say after each batch: its status, why and until when it waits, its end, its crashes; and when a
 * snapshot is due. Nothing is written that the row says already.
 */
import { serialize, statusOf, wakeAt, type RunState } from '../engine/state.ts'
import type { ErrorInfo } from '../error.ts'
import { crashPoint } from '../store/crash-point.ts'
import type { RunStatus } from '../store/store.ts'
import type { Batch } from './batch.ts'
import { endMessage } from './messages.ts'
import { isLarge } from './offload.ts'
import type { RunIdentity } from './run-actor.ts'

/** A snapshot is taken when this many records have followed the last one, and more text than that one had. */
const SNAPSHOT_RECORDS = 256
/** A run whose next timer is due within this time stays in memory. */
const LINGER_MS = 1_000
/** Records by which a run has come no further: crashes before them count on. */
const STANDSTILL: ReadonlySet<string> = new Set(['start', 'takeover', 'timer', 'cancel'])

/** What the row says, the batch on its way included. */
export interface RowStanding {
  readonly status: RunStatus
  readonly reason: string | null
  readonly wakeAt: number | null
}

export interface RunRowOptions extends RowStanding {
  /** Whether the row shows an error although the run has not ended. */
  readonly held: boolean
  readonly crashCount: number
  /** Journal since the last snapshot, and that snapshot's length. */
  readonly journal?: { readonly records: number; readonly characters: number; readonly snapshot: number }
}

/** The run at the end of a batch. */
export interface RunAtBatch {
  readonly identity: RunIdentity
  readonly state: RunState
  /** Seq of the last record. */
  readonly seq: number
  readonly now: number
  /** The run has to leave the memory whatever it is doing. */
  readonly evicted: boolean
  /** Adds what a parked run's row has to remember of its subscriptions. */
  readonly onPark: (batch: Batch) => void
}

export class RunRow {
  /** When the run ended; null while it has not. */
  finishedAt: number | null = null
  #standing: RowStanding
  #held: boolean
  #crashCount: number
  #records: number
  #characters: number
  #snapshotLength: number

  constructor(options: RunRowOptions) {
    const { status, reason, wakeAt, held, crashCount, journal } = options
    this.#standing = { status, reason, wakeAt }
    this.#held = held
    this.#crashCount = crashCount
    this.#records = journal?.records ?? 0
    this.#characters = journal?.characters ?? 0
    this.#snapshotLength = journal?.snapshot ?? 0
  }

  get standing(): RowStanding {
    return this.#standing
  }

  /** A record has been added to the journal. */
  recorded(characters: number): void {
    this.#records++
    this.#characters += characters
  }

  /** Notes that the process died while it ran this run. */
  countCrash(batch: Batch, crashCount: number): void {
    this.#crashCount = crashCount
    ;(batch.patch ??= {}).crashCount = crashCount
  }

  /** Has the row say why the run is held. */
  showError(batch: Batch, error: ErrorInfo): void {
    this.#held = true
    ;(batch.patch ??= {}).error = error
  }

  /** Adds to the batch what the row has to say after it, and the snapshot when one is due. */
  complete(batch: Batch, run: RunAtBatch): void {
    const { status, reason } = statusOf(run.state)
    if (status === 'succeeded' || status === 'failed' || status === 'cancelled') this.#end(batch, run, status)
    else if (run.evicted) this.#park(batch, run, { status: 'waiting', reason: 'stopped', wakeAt: run.now })
    else if (status === 'waiting' && !lingers(run)) {
      this.#park(batch, run, { status, reason, wakeAt: wakeAt(run.state) })
    } else this.#move(batch, RUNNING)
    if (batch.records[0]?.kind === 'start') (batch.patch ??= {}).startedAt = run.state.startedAt
    if (this.#crashCount > 0 && batch.records.some((record) => !STANDSTILL.has(record.kind))) {
      this.#crashCount = 0
      ;(batch.patch ??= {}).crashCount = 0
    }
    if (this.#records >= SNAPSHOT_RECORDS && this.#characters > this.#snapshotLength) this.#snapshot(batch, run)
  }

  #end(batch: Batch, { identity, state, now }: RunAtBatch, status: 'succeeded' | 'failed' | 'cancelled'): void {
    // Also of what comes after the end (a message, a touch): the run leaves the memory with its last batch.
    batch.settles = true
    if (this.#standing.status === status) return
    this.#move(batch, { status, reason: null, wakeAt: null })
    const patch = (batch.patch ??= {})
    patch.outputs = state.outputs
    patch.error = state.error
    this.finishedAt = patch.finishedAt = batch.records.at(-1)?.at ?? now
    if (state.outputs !== null && isLarge(state.outputs)) batch.largeRow = true
    const { parent } = identity
    if (parent !== null) (batch.messages ??= []).push(endMessage(identity, parent, patch.finishedAt, status, state))
  }

  #park(batch: Batch, run: RunAtBatch, standing: RowStanding): void {
    crashPoint('park.before')
    this.#move(batch, standing)
    run.onPark(batch)
    if (this.#records > 0) this.#snapshot(batch, run)
    batch.settles = true
  }

  #snapshot(batch: Batch, { state, seq }: RunAtBatch): void {
    if (batch.snapshot !== null) return
    const text = serialize(state)
    crashPoint('snapshot.during')
    batch.snapshot = { seq, state: text }
    this.#records = 0
    this.#characters = 0
    this.#snapshotLength = text.length
  }

  #move(batch: Batch, to: RowStanding): void {
    const from = this.#standing
    if (from.status === to.status && from.reason === to.reason && from.wakeAt === to.wakeAt) return
    this.#standing = to
    const patch = (batch.patch ??= {})
    patch.status = to.status
    patch.reason = to.reason
    patch.wakeAt = to.wakeAt
    if (!this.#held || to.status !== 'running') return
    this.#held = false
    patch.error = null
  }
}

const RUNNING: RowStanding = { status: 'running', reason: null, wakeAt: null }

function lingers({ state, now }: RunAtBatch): boolean {
  const next = wakeAt(state)
  return next !== null && next - now <= LINGER_MS
}
