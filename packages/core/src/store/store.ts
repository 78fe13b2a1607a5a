/**
 * The store's contract: rows. `memory`, `sqlite` and `postgres` implement it and pass `store-contract.ts`.
 *
 * What every implementation promises:
 * - A resolved `append`, `accept`, `deliver` or `publish` is durable. Writes of many runs share commits (group commit);
 *   the order of `append` calls of one run is the order of its records.
 * - A run belongs to one process at a time. Every write names the epoch under which its process owns the run; a write
 *   under an older epoch lands nowhere and answers `fenced`.
 * - (rid, seq) is unique; at most one completion per (rid, path).
 * - A write that was sent twice (unknown outcome, same `nonce`) lands once.
 *
 * SQL shape: runs and journal key on the integer `rid`; payloads are JSON text; indexes are partial; nothing is counted
 * in a table that can be counted by query. A PostgreSQL store fences with `UPDATE runs … WHERE lease_epoch = …`, one
 * statement per batch; SQLite fences the whole file by its owner row, checked inside each transaction.
 */
import type { ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'

export type RunStatus = 'queued' | 'running' | 'waiting' | 'succeeded' | 'failed' | 'cancelled'

/** Statuses in which a run has ended. */
export const TERMINAL: ReadonlySet<RunStatus> = new Set(['succeeded', 'failed', 'cancelled'])

export interface RunRow {
  readonly rid: number
  /** UUIDv7, the public id. */
  readonly id: string
  readonly tenant: string
  readonly flow: string
  readonly flowHash: string
  readonly status: RunStatus
  /** Why a waiting run waits: `timer`, `event`, `approval`, `webhook`, `child`, `needs_attention`, `nondeterminism`. */
  readonly reason: string | null
  readonly priority: number
  readonly concurrencyKey: string | null
  readonly concurrencyLimit: number | null
  readonly parentRid: number | null
  readonly parentPath: string | null
  readonly rootRid: number | null
  readonly forkedFrom: string | null
  readonly forkedAt: string | null
  readonly idempotencyKey: string | null
  readonly trigger: JsonObject
  readonly inputs: JsonObject
  readonly outputs: JsonObject | null
  readonly error: ErrorInfo | null
  readonly epoch: number
  /** Seq that the next journal record gets; the first record of a run has 1. */
  readonly nextSeq: number
  readonly wakeAt: number | null
  /** How often a process died while it ran this run. */
  readonly crashCount: number
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
}

/** A run to be stored. The store assigns `rid`. */
export interface NewRun {
  readonly id: string
  readonly tenant: string
  readonly flow: string
  readonly flowHash: string
  readonly priority: number
  readonly trigger: JsonObject
  readonly inputs: JsonObject
  readonly concurrency?: {
    readonly key: string
    readonly limit: number
    readonly whenFull: 'queue' | 'skip' | 'cancel_running'
    /** A waiting run keeps its slot unless this is false; such a run is queued again when it wakes, and claimed anew. */
    readonly holdWhileWaiting?: boolean
  }
  readonly idempotencyKey?: string
  readonly parent?: { readonly rid: number; readonly path: string; readonly rootRid: number }
  readonly fork?: { readonly from: string; readonly at: string }
  /** Blobs that `inputs`, `trigger` or `facts` refer to. */
  readonly blobs?: readonly BlobRow[]
  readonly createdAt: number
  /** Free for the runtime: token, base address, sub-flow hashes, captured environment. JSON. */
  readonly facts: JsonObject
}

/** One journal record: an event of the run and what it started. */
export interface JournalRecord {
  readonly seq: number
  /** Type of the event. */
  readonly kind: string
  /** Path of the step the event is about; '' where there is none. */
  readonly path: string
  /** True for the record that completes `path` (unique per run and path). */
  readonly completes: boolean
  readonly at: number
  /** The event's other fields and the entries it started, as JSON text (already redacted and offloaded). */
  readonly data: string
}

export interface RunPatch {
  readonly status?: RunStatus
  readonly reason?: string | null
  readonly wakeAt?: number | null
  readonly outputs?: JsonObject | null
  readonly error?: ErrorInfo | null
  readonly startedAt?: number
  readonly finishedAt?: number | null
  readonly crashCount?: number
}

export interface NewEvent {
  readonly tenant: string
  readonly name: string
  readonly data: Json
  readonly at: number
  /** Deduplicates: an event with a known key is not stored again. */
  readonly key?: string
}

export interface StoredEvent extends NewEvent {
  readonly id: number
}

/** A durable message to a run: signal, cancel request, child's end, retry, resolve. Consumed by a journal record. */
export interface NewMessage {
  readonly rid: number
  /** Type of the run event that it becomes. */
  readonly kind: string
  /** Deduplicates within the run. */
  readonly dedupe?: string
  readonly payload: JsonObject
  readonly at: number
}

export interface StoredMessage extends NewMessage {
  readonly id: number
}

/**
 * Everything one decision writes; lands whole or not at all. Its records are consecutive and begin at the run's
 * `nextSeq`; other numbers reject with `store_sequence`, unless `nonce` tells that the same write was stored before.
 */
export interface RunWrite {
  readonly rid: number
  readonly epoch: number
  readonly nonce?: string
  readonly records: readonly JournalRecord[]
  /**
   * Of a write without records: the number that the next one would get, as the writer knows it. A store that several
   * processes share answers `fenced` when the run has come further.
   */
  readonly nextSeq?: number
  readonly run?: RunPatch
  /** `seq` is that of the last record which the state includes. Replaces an earlier snapshot. */
  readonly snapshot?: { readonly seq: number; readonly state: string }
  /**
   * Stored as queued. One whose key is full and whose policy is `skip` is stored as failed, and the message that ends it
   * (`child_ended`) goes into the run's own inbox in the same transaction.
   */
  readonly children?: readonly NewRun[]
  readonly events?: readonly NewEvent[]
  /**
   * Subscribes, or moves the cursor of a subscription. Without `after` (`since: wait`) the run is offered events that are
   * stored after this write.
   */
  readonly subscribe?: readonly { readonly path: string; readonly event: string; readonly after?: number }[]
  readonly unsubscribe?: readonly string[]
  /** Messages to other runs (a child's end to its parent, a cancel to a child named by its path). */
  readonly messages?: readonly NewMessage[]
  readonly childMessages?: readonly { readonly parentPath: string; readonly message: Omit<NewMessage, 'rid'> }[]
  /** Ids of inbox messages that these records consume. */
  readonly consumes?: readonly number[]
  readonly blobs?: readonly BlobRow[]
}

export interface BlobRow {
  readonly hash: string
  readonly size: number
}

export type AppendOutcome =
  | {
      readonly kind: 'committed'
      /**
       * In the order of the write. `full`: its concurrency key was held and its policy is `skip`, so it is stored as
       * failed with the error code `concurrency_full`.
       */
      readonly children: readonly { readonly rid: number; readonly id: string; readonly full?: true }[]
      /**
       * The messages that this write stored: for the run itself the ends of children that are `full`, then `messages` and
       * `childMessages` for others. Duplicates are left out, and messages for runs that are not stored (any more) are
       * dropped.
       */
      readonly messages?: readonly StoredMessage[]
    }
  | { readonly kind: 'fenced' }

export type AcceptOutcome =
  /** Stored. `running` when it was admitted at once (`start` given and no concurrency key stood against it). */
  | {
      readonly kind: 'created'
      readonly rid: number
      readonly epoch: number
      readonly status: 'queued' | 'running'
      /** Holders of its key that were asked to cancel, in their inboxes. */
      readonly cancelled: readonly number[]
      /** As for `append`, of what `start` stored. */
      readonly messages?: readonly StoredMessage[]
    }
  /** The idempotency key is known: the run it made. */
  | { readonly kind: 'existing'; readonly row: RunRow }
  /** `when_full: skip` and the key is held. Nothing is stored. */
  | { readonly kind: 'concurrency_full'; readonly holders: readonly string[] }

export interface LoadedRun {
  readonly row: RunRow
  readonly facts: JsonObject
  readonly snapshot: { readonly seq: number; readonly state: string } | null
  /** Records after the snapshot's `seq` (all, without one). */
  readonly records: readonly JournalRecord[]
  readonly messages: readonly StoredMessage[]
  readonly subscriptions: readonly { readonly path: string; readonly event: string; readonly after: number }[]
}

export interface RunQuery {
  readonly tenant: string
  readonly flow?: string
  readonly status?: readonly RunStatus[]
  /** Created at or after, epoch ms. */
  readonly since?: number
  readonly parentRid?: number
  /** Rows with a smaller rid; from the previous page. */
  readonly before?: number
  readonly limit: number
}

export interface FlowVersion {
  readonly hash: string
  readonly flow: string
  readonly plan: string
  readonly createdAt: number
}

/** A flow that was put over the API (flows of project files are not rows). */
export interface FlowRow {
  readonly tenant: string
  readonly name: string
  readonly hash: string
  readonly source: string
  readonly enabled: boolean
  readonly updatedAt: number
}

export interface ScheduleRow {
  readonly tenant: string
  readonly flow: string
  /** Position of the trigger in the flow, or its id. */
  readonly trigger: string
  /** Identity of cron, zone: a change starts the schedule anew. */
  readonly spec: string
  readonly lastAt: number | null
  readonly nextAt: number
}

export interface TokenRow {
  readonly id: string
  readonly tenant: string
  readonly name: string
  /** SHA-256 of the token, hex. The token itself is never stored. */
  readonly hash: string
  readonly permissions: readonly string[]
  readonly createdAt: number
  readonly expiresAt: number | null
}

export interface Owner {
  readonly epoch: number
  readonly pid: number
  /** Start time of the process as the system tells it; tells a reused pid apart. */
  readonly processStart: string
  readonly socket: string
  readonly renewedAt: number
  readonly version: string
}

export interface StoreStats {
  readonly kind: 'memory' | 'sqlite' | 'postgres'
  readonly commits: number
  readonly records: number
  readonly bytes: number
  readonly lastCommitMs: number
  /** Writes not yet durable. */
  readonly pending: number
  /** Records per commit, most recent commits last (for the replay benchmark). */
  readonly batchSizes: readonly number[]
}

/** What other processes on the same store have done, or left: each a reason to look, none a promise that there is something. */
export type StoreNews =
  /** There may be runs to claim. */
  | { readonly kind: 'queued' }
  /** A message for the run is in its inbox. */
  | { readonly kind: 'message'; readonly rid: number }
  | { readonly kind: 'event'; readonly tenant: string; readonly name: string }
  /** A process has ended: what it was running has no owner any more. */
  | { readonly kind: 'interrupted' }
  /** Comes every few seconds, for what else may have been missed. */
  | { readonly kind: 'look' }

export interface Store {
  readonly kind: 'memory' | 'sqlite' | 'postgres'
  /** Epoch under which this process owns what it claims. */
  readonly epoch: number

  /**
   * Stores a new run. With `start`, and if no concurrency key forbids it, the run is stored as running with these
   * records in the same commit (the fast path: one commit from request to first effect). `start.run.status` may be a
   * terminal one (a flow without effects is accepted and finished by one commit) or `waiting`. The parent of
   * `start.children` is the new run, whatever their `parent` says: its rid was not known when they were made.
   */
  accept(run: NewRun, start?: Omit<RunWrite, 'rid' | 'epoch'>): Promise<AcceptOutcome>
  append(write: RunWrite): Promise<AppendOutcome>
  /**
   * Takes queued runs, highest priority first, oldest first, whose concurrency key has a free slot; marks them running.
   * With `only`, none but these (a command that works on its own runs).
   */
  claim(limit: number, now: number, only?: readonly number[]): Promise<readonly RunRow[]>
  deliver(message: NewMessage): Promise<{ readonly kind: 'stored' | 'duplicate'; readonly id: number }>
  /** Stores an event; answers its id and the runs that wait for its name. */
  publish(
    event: NewEvent,
  ): Promise<{ readonly id: number; readonly waiting: readonly { readonly rid: number; readonly path: string }[] }>

  load(rid: number): Promise<LoadedRun | null>
  /** By the public id. Tenant null: of any tenant, for a caller who proves his right by the run's own token. */
  findRun(tenant: string | null, id: string): Promise<RunRow | null>
  getRun(rid: number): Promise<RunRow | null>
  listRuns(query: RunQuery): Promise<readonly RunRow[]>
  countRuns(tenant: string | null, status: readonly RunStatus[]): Promise<number>
  readJournal(rid: number, fromSeq: number, limit: number): Promise<readonly JournalRecord[]>
  /** Runs of an earlier epoch that were running when their process ended; in pages by rid. */
  interrupted(afterRid: number, limit: number): Promise<readonly RunRow[]>
  /** Waiting runs whose `wake_at` has come, or that have unconsumed messages. */
  due(now: number, limit: number): Promise<readonly number[]>
  nextWake(): Promise<number | null>
  eventsAfter(tenant: string, name: string | null, after: number, limit: number): Promise<readonly StoredEvent[]>
  /** Runs that wait for an event of this name. */
  subscribers(tenant: string, event: string): Promise<readonly { readonly rid: number; readonly path: string }[]>
  /**
   * Waiting runs with a subscription that has events after its cursor, in pages by rid: what a process that died between
   * storing an event and offering it left undone.
   */
  unoffered(afterRid: number, limit: number): Promise<readonly number[]>
  lastEventId(): Promise<number>

  putFlowVersion(version: FlowVersion): Promise<void>
  getFlowVersion(hash: string): Promise<FlowVersion | null>
  listFlowVersions(flow: string): Promise<readonly FlowVersion[]>
  putFlow(row: FlowRow): Promise<void>
  deleteFlow(tenant: string, name: string): Promise<boolean>
  listFlows(tenant: string | null): Promise<readonly FlowRow[]>

  listSchedules(): Promise<readonly ScheduleRow[]>
  putSchedule(row: ScheduleRow): Promise<void>
  deleteSchedule(tenant: string, flow: string, trigger: string): Promise<void>

  /** Small durable facts: cursors of dispatchers, the store's own settings. */
  getMeta(key: string): Promise<string | null>
  setMeta(key: string, value: string): Promise<void>

  putToken(row: TokenRow): Promise<void>
  findToken(hash: string): Promise<TokenRow | null>
  listTokens(tenant: string): Promise<readonly TokenRow[]>
  deleteToken(tenant: string, id: string): Promise<boolean>

  /** Deletes ended root runs (with their whole tree) that finished before `before`; returns how many, and unused blobs. */
  prune(query: {
    readonly tenant?: string
    readonly flow?: string
    readonly before: number
    readonly limit: number
  }): Promise<{
    readonly runs: number
    readonly blobs: readonly string[]
  }>
  /** Flows of which ended root runs are stored: what retention goes through. */
  endedFlows(): Promise<readonly { readonly tenant: string; readonly flow: string }[]>
  /** Those of these blobs that a run refers to: what the collection of orphans must leave alone. */
  knownBlobs(hashes: readonly string[]): Promise<readonly string[]>
  /** Gives free pages back to the file system. */
  compact(): Promise<{ readonly bytesBefore: number; readonly bytesAfter: number }>
  /** Writes a consistent copy while work goes on. */
  backup(file: string): Promise<void>
  stats(): StoreStats
  /** Called once when this process has lost the store (fenced, or its disk is gone). Nothing it does lands any more. */
  onLost(listener: (reason: string) => void): void
  /** A store that several processes may work on at a time has these two. */
  onNews?(listener: (news: StoreNews) => void): void
  /** Whether a live process other than this one has, or last had, the run: that one is told of its messages and events. */
  isElsewhere?(row: Pick<RunRow, 'epoch'>): Promise<boolean>
  /** Flushes and releases ownership. */
  close(): Promise<void>
}
