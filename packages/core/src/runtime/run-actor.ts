/**
 * A run in memory. Events are fed to the pure core one after the other; what the core decides is collected in a batch,
 * the batch is written as one transaction, and when it is durable its commands are carried out. While a batch is on its
 * way the next one collects: acknowledgements therefore come in order, and a failed write is repeated (never an effect)
 * before anything after it is tried.
 *
 * A run that has nothing to do but wait is parked: its last batch carries a snapshot, and it leaves the memory.
 */
import type { Command } from '../engine/command.ts'
import { decide } from '../engine/decide.ts'
import type { RunEvent } from '../engine/event.ts'
import { encodeRecord, type EncodedRecord } from '../engine/record.ts'
import { wakeAt, type RunState } from '../engine/state.ts'
import { PlugworkError, type ErrorInfo } from '../error.ts'
import { crashPoint } from '../store/crash-point.ts'
import { mutated } from '../store/mutation.ts'
import type { AcceptOutcome, AppendOutcome, StoredMessage } from '../store/store.ts'
import type { Attempt, AttemptHost, EffectCommand } from './attempt.ts'
import { Batch } from './batch.ts'
import type { ConnectionRequest } from './connections.ts'
import { eventOf } from './messages.ts'
import type { LoadedFlow } from './programs.ts'
import { RunRow, type RowStanding, type RunRowOptions } from './run-row.ts'
import type { RunShell } from './run-shell.ts'
import { Subscriptions } from './subscriptions.ts'
import { collectCommand } from './transaction.ts'

/** A batch of so many records is written although the turn of the event loop goes on. */
const EARLY_RECORDS = 32
const FIRST_WRITE_PAUSE_MS = 50
const LONGEST_WRITE_PAUSE_MS = 5_000
/** Blobs of a write that is refused this long are put again: after a day they would be collected as orphans. */
const RENEW_BLOBS_MS = 60 * 60_000

/** Faults for the crash tests: effects begin before the record that starts them is durable, or twice; timers come early (ms). */
const EFFECTS_FIRST = mutated('effect_before_commit')
const EFFECTS_TWICE = mutated('effect_twice')
const TIMERS_EARLY_BY = mutated('early_timer') ? 200 : 0

/** The `rid` of a run that the store does not have yet. */
export const NO_ROW = 0

/** Who a run is. */
export interface RunIdentity {
  readonly id: string
  readonly tenant: string
  /** On whose behalf it runs; null: the tenant's. */
  readonly user: string | null
  readonly flow: string
  readonly createdAt: number
  readonly parent: { readonly rid: number; readonly path: string; readonly attempt: number } | null
  /** Event id from which `since: run` waits see events; a lower bound, `createdAt` does the rest. */
  readonly eventMark: number
  /** False for a run that gives its concurrency slot back while it waits. */
  readonly holdsSlot: boolean
  /** Concurrency keys that the run and its ancestors hold. */
  readonly keys: readonly string[]
  readonly rootRunId: string
  /** Null for a run without a parent. */
  readonly rootRid: number | null
  /** Hashes of the flow versions that the run and its sub-flows are pinned to. */
  readonly subflows: { readonly [flow: string]: string }
}

/** Errors by which the run in memory and the stored one do not fit together any more, or the write can never be whole. */
const DISAGREEMENTS: ReadonlySet<string> = new Set([
  'store_sequence',
  'store_duplicate_completion',
  'store_constraint',
  'store_run_missing',
  'blob_missing',
  'blob_corrupt',
])

export interface RunActorOptions {
  readonly shell: RunShell
  readonly identity: RunIdentity
  readonly loaded: LoadedFlow
  /** Versions of the sub-flows that the run may start, by hash. */
  readonly subflows: ReadonlyMap<string, LoadedFlow>
  /** `NO_ROW` before the store has the run. */
  readonly rid: number
  readonly epoch: number
  readonly nextSeq: number
  readonly state: RunState | null
  readonly row: RunRowOptions
}

export class RunActor implements AttemptHost {
  readonly identity: RunIdentity
  readonly loaded: LoadedFlow
  readonly subflows: ReadonlyMap<string, LoadedFlow>
  readonly subscriptions: Subscriptions
  rid: number
  epoch: number
  #state: RunState | null
  #nextSeq: number
  readonly #shell: RunShell
  readonly #row: RunRow
  #open: Batch | null = null
  #sent: Batch | null = null
  #attempts: Map<string, Attempt> | null = null
  #seenMessages: Set<number> | null = null
  #timer: { readonly at: number; readonly cancel: () => void } | null = null
  #gone = false
  #evict = false

  constructor(options: RunActorOptions) {
    this.#shell = options.shell
    this.identity = options.identity
    this.loaded = options.loaded
    this.subflows = options.subflows
    this.rid = options.rid
    this.epoch = options.epoch
    this.#nextSeq = options.nextSeq
    this.#state = options.state
    this.#row = new RunRow(options.row)
    this.subscriptions = new Subscriptions(this, options.shell)
  }

  get tenant(): string {
    return this.identity.tenant
  }

  get flow(): string {
    return this.identity.flow
  }

  get runId(): string {
    return this.identity.id
  }

  get startedAt(): number {
    return this.#state?.startedAt ?? this.identity.createdAt
  }

  /** The state after everything fed so far, durable or not. Not to be changed. */
  get state(): RunState | null {
    return this.#state
  }

  get nextSeq(): number {
    return this.#nextSeq
  }

  /** What the row says, the batch on its way included. */
  get row(): RowStanding {
    return this.#row.standing
  }

  /** When the run ended; null while it has not. */
  get finishedAt(): number | null {
    return this.#row.finishedAt
  }

  /** True when the run has left the memory. */
  get gone(): boolean {
    return this.#gone
  }

  /** True when everything fed so far is durable. */
  get settled(): boolean {
    return this.#open === null && this.#sent === null
  }

  connection(name: string): ConnectionRequest | null {
    const { plan, hash, connections } = this.loaded
    const config = connections.get(name)
    const declared = Object.hasOwn(plan.connections, name) ? plan.connections[name] : undefined
    if (config === undefined || declared === undefined) return null
    const { tenant, flow, identity } = this
    const stored = declared.use === undefined ? null : { name: declared.use, user: identity.user }
    return { tenant, flow, hash, name, type: declared.type, config, stored }
  }

  /** Gives an event to the core; false when the core has no use for it (a late result, a duplicate). */
  feed(event: RunEvent): boolean {
    if (this.#gone) return false
    const decision = decide(this.loaded.program, this.#state, event)
    if (decision.ignored === true) return false
    if (this.#attempts !== null && 'path' in event) this.#attempts.delete(event.path)
    this.#state = decision.state
    const batch = this.#collecting()
    const record = encodeRecord(event, decision.commands, this.#nextSeq++)
    batch.records.push(record)
    this.#row.recorded(record.data.length)
    for (const command of decision.commands) this.#collect(batch, command)
    if (batch.records.length === EARLY_RECORDS) this.flush()
    else this.#shell.breathe()
    return true
  }

  /** Begins with the journal of another run: its records become this one's, and what was in flight is asked for anew. */
  adopt(records: readonly EncodedRecord[], state: RunState, commands: readonly Command[]): void {
    const batch = this.#collecting()
    this.#state = state
    for (const record of records) batch.records.push({ ...record, seq: this.#nextSeq++ })
    for (const command of commands) this.#collect(batch, command)
  }

  /**
   * Takes a message of the inbox: its event is fed, and the message is consumed whether the core had a use for it or not.
   * False when the run has left the memory: the message is still in the inbox.
   */
  receive(message: StoredMessage): boolean {
    if (this.#gone) return false
    if (this.#seenMessages?.has(message.id) === true) return true
    this.#seenMessages ??= new Set()
    this.#seenMessages.add(message.id)
    const event = eventOf(message, this.#shell.clock.now())
    this.#collecting().consumes.push(message.id)
    this.feed(event)
    return true
  }

  /** Has the next write say where the run stands, even without a new record (after a load that changed nothing). */
  touch(): void {
    if (!this.#gone) this.#collecting()
  }

  /** Notes in the next write, which is durable before any effect begins, that the process died while it ran this run. */
  countCrash(crashCount: number): void {
    this.#row.countCrash(this.#collecting(), crashCount)
  }

  /** Has the row of a run that is held say why. */
  showError(error: ErrorInfo): void {
    this.#row.showError(this.#collecting(), error)
  }

  /** Takes the run out of memory at the next write, resumable, whatever it is doing. */
  evict(): void {
    this.#evict = true
    this.touch()
  }

  /** Takes what has been fed for the write that stores the run itself; `accepted` or `drop` must follow. */
  takeFirst(): Batch {
    const batch = this.#collecting()
    this.#open = null
    this.#sent = batch
    this.#complete(batch)
    return batch
  }

  /** The store has taken the run with its first records, and stored `messages` with them. */
  accepted({ rid, epoch, messages }: Omit<Accepted, 'kind' | 'status' | 'cancelled'>): void {
    this.rid = rid
    this.epoch = epoch
    if (this.#sent !== null) this.#committed(this.#sent, messages === undefined ? STORED : { ...STORED, messages })
  }

  /**
   * Writes what has been collected, unless a write is on its way: then it follows that one. A run without a row has
   * nothing to write to; `takeFirst` makes its first write.
   */
  flush(): void {
    if (this.#sent !== null || this.#open === null || this.#gone || this.rid === NO_ROW) return
    const batch = this.#open
    this.#open = null
    this.#sent = batch
    this.#complete(batch)
    if (batch.empty) this.#committed(batch, STORED)
    else this.#putBlobsAndSend(batch)
  }

  /** Leaves the memory without another write: running attempts are aborted, their results dropped. */
  drop(reason: string): void {
    if (this.#gone) return
    this.#leave(reason)
    this.#sent = null
    this.#open = null
  }

  #collecting(): Batch {
    if (this.#open === null) {
      this.#open = new Batch()
      this.#shell.schedule(this)
    }
    return this.#open
  }

  #collect(batch: Batch, command: Command): void {
    collectCommand(this, this.#shell, batch, command)
    if (EFFECTS_FIRST && command.type === 'effect') this.#carryOut(command, batch)
  }

  /** Adds what the row has to say after this batch. */
  #complete(batch: Batch): void {
    if (batch.records.length === 0) batch.nextSeq = this.#nextSeq
    const state = this.#state
    if (state === null) return
    this.#row.complete(batch, {
      identity: this.identity,
      state,
      seq: this.#nextSeq - 1,
      now: this.#shell.clock.now(),
      evicted: this.#evict,
      onPark: this.#onPark,
    })
  }

  readonly #onPark = (batch: Batch): void => this.subscriptions.saveCursors(batch)

  #putBlobsAndSend(batch: Batch): void {
    const { blobs, clock } = this.#shell
    const now = clock.now()
    const isOld = batch.hasBlobsFrom(now - RENEW_BLOBS_MS)
    if (!isOld && !batch.large) return this.#send(batch)
    const put = isOld ? batch.renewBlobs(blobs, now).then(() => batch.offload(blobs, now)) : batch.offload(blobs, now)
    put.then(
      () => {
        crashPoint('blob.after')
        this.#send(batch)
      },
      (error: unknown) => this.#failed(batch, error),
    )
  }

  #send(batch: Batch): void {
    if (this.#gone) return
    this.#shell.store.append(batch.write(this.rid, this.epoch)).then(
      (outcome) => {
        if (this.#gone) return
        if (outcome.kind === 'committed') this.#committed(batch, outcome)
        else this.#shell.fenced(this)
      },
      (error: unknown) => this.#failed(batch, error),
    )
  }

  /** The write is tried again, with the same nonce: whether it landed may not be known. */
  #failed(batch: Batch, error: unknown): void {
    if (this.#gone) return
    if (error instanceof PlugworkError && DISAGREEMENTS.has(error.code)) return this.#shell.disagrees(this, error)
    batch.failures++
    const pause = Math.min(FIRST_WRITE_PAUSE_MS * 2 ** (batch.failures - 1), LONGEST_WRITE_PAUSE_MS)
    const reason = error instanceof Error ? error.message : String(error)
    if (batch.failures === 1 || batch.failures % 10 === 0) {
      this.#shell.log('warn', `run ${this.runId}: its journal could not be written, and is tried again: ${reason}`)
    }
    const { clock } = this.#shell
    clock.at(clock.now() + pause, () => {
      if (!this.#gone) this.#putBlobsAndSend(batch)
    })
  }

  #committed(batch: Batch, outcome: Extract<AppendOutcome, { kind: 'committed' }>): void {
    crashPoint('commit.acked')
    this.#sent = null
    this.#shell.committed(this, batch, outcome)
    for (const command of batch.commands) {
      if (command.type !== 'effect' || !EFFECTS_FIRST) this.#carryOut(command, batch)
    }
    if (batch.settles && this.settled && (this.#evict || !this.subscriptions.busy)) this.#settle()
    else {
      if (this.#open !== null) this.#shell.schedule(this)
      this.#setTimer()
    }
  }

  /** The subscriptions have been offered what there is. */
  offered(): void {
    if (this.settled && !this.#gone && this.row.status !== 'running') this.#settle()
  }

  #settle(): void {
    this.#leave('The run has ended.')
    this.#shell.settled(this)
  }

  /** An attempt that its run no longer waits for may still run: it is told, and what it gives is dropped. */
  #leave(reason: string): void {
    this.#gone = true
    if (this.#attempts !== null) for (const attempt of this.#attempts.values()) attempt.drop(reason)
    this.#timer?.cancel()
    this.#timer = null
  }

  #carryOut(command: Command, batch: Batch): void {
    switch (command.type) {
      case 'effect': {
        if (this.#shell.stopping || this.#evict) return
        if (isWithdrawn(command, batch)) return this.#neverBegun(command)
        crashPoint('effect.before')
        if (EFFECTS_TWICE) this.#shell.effects.begin(this, command)
        const attempt = this.#shell.effects.begin(this, command)
        if (!attempt.ended) this.#track(command.path, attempt)
        return
      }
      case 'lookup': {
        if (this.#shell.stopping || this.#evict) return
        this.#track(command.path, this.#shell.effects.lookUp(this, command))
        return
      }
      case 'abort':
        this.#attempts?.get(command.path)?.abort(command.reason)
        return
      case 'subscribe':
        if (command.since === 'run') this.subscriptions.offer()
        return
      default:
        return
    }
  }

  /** Asked for and given up by one and the same write. */
  #neverBegun({ path, attempt }: EffectCommand): void {
    const at = this.#shell.clock.now()
    const error = { code: 'step_aborted', message: 'The attempt was aborted before it began.', retryable: true }
    this.feed({ type: 'failed', at, path, attempt, error, startedAt: at })
  }

  #track(path: string, attempt: Attempt): void {
    this.#attempts ??= new Map()
    this.#attempts.set(path, attempt)
  }

  /** One timer of the clock, for the earliest of the run's. */
  #setTimer(): void {
    if (this.#state === null) return
    const at = wakeAt(this.#state)
    if (at === null || this.#timer?.at === at) return
    this.#timer?.cancel()
    const fire = (): void => {
      this.#timer = null
      this.feed({ type: 'timer', at: this.#shell.clock.now() + TIMERS_EARLY_BY })
      if (this.settled) this.#setTimer()
    }
    this.#timer = { at, cancel: this.#shell.clock.at(at - TIMERS_EARLY_BY, fire) }
  }
}

type Accepted = Extract<AcceptOutcome, { kind: 'created' }>

const STORED: Extract<AppendOutcome, { kind: 'committed' }> = { kind: 'committed', children: [] }

function isWithdrawn({ path, attempt }: EffectCommand, batch: Batch): boolean {
  if (!batch.aborts) return false
  return batch.commands.some((other) => other.type === 'abort' && other.path === path && other.attempt === attempt)
}
