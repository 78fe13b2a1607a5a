import type { BlobStore } from '../blob/blob-store.ts'
import type { Command } from '../engine/command.ts'
import type { LogLine } from '../engine/event.ts'
import type { ErrorInfo, PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import type { AppendOutcome, NewRun, Store } from '../store/store.ts'
import type { Batch } from './batch.ts'
import type { Effects } from './effects.ts'
import type { Observers } from './observers.ts'
import type { RunActor } from './run-actor.ts'
import type { Clock } from '../clock.ts'

export type StartChild = Extract<Command, { type: 'start_child' }>

/** What runs in memory need of the worker that owns them. */
export interface RunShell {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly effects: Effects
  readonly observers: Observers
  /** While true no effect begins: commands of durable records stay undone, and whoever takes the run over does them. */
  readonly stopping: boolean
  /** Has `flush` called at the end of this turn of the event loop. */
  schedule(run: RunActor): void
  /** Called where a run has been fed: the store may begin with what has been scheduled so far. */
  breathe(): void
  /** The row of a sub-flow's run, or why it cannot be started. */
  child(run: RunActor, command: StartChild): NewRun | ErrorInfo
  /** A batch is durable: what concerns other runs (children, messages, events) is passed on. */
  committed(run: RunActor, batch: Batch, outcome: Extract<AppendOutcome, { kind: 'committed' }>): void
  /** The run has ended or is parked: it leaves the memory. */
  settled(run: RunActor): void
  /** Another process owns the run: it leaves the memory, nothing of it lands any more. */
  fenced(run: RunActor): void
  /** The store says that it has something else of the run: it leaves the memory, and is read anew. */
  disagrees(run: RunActor, error: PlugworkError): void
  log(level: LogLine['level'], message: string, data?: Json): void
}
