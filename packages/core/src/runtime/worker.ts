/**
 * Owns the runs that are in memory. Work comes from four places, in this order: parked runs that something has woken,
 * runs that an earlier process was working on when it ended, queued runs, and new ones (`start.ts`, which asks for
 * room). At most `maxActive` runs are in memory; everything else is rows.
 */
import type { BlobStore } from '../blob/blob-store.ts'
import type { LogLine } from '../engine/event.ts'
import type { ErrorInfo, PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import { crashPoint } from '../store/crash-point.ts'
import { mutated } from '../store/mutation.ts'
import { SlotMap } from '../slots.ts'
import { TERMINAL, type AppendOutcome, type NewMessage, type NewRun } from '../store/store.ts'
import type { RunStatus, Store, StoredMessage, StoreNews } from '../store/store.ts'
import type { Batch } from './batch.ts'
import { childRun } from './children.ts'
import type { Effects } from './effects.ts'
import { Ends } from './ends.ts'
import type { InputChecker } from './inputs.ts'
import { Notices } from './notices.ts'
import { Observers } from './observers.ts'
import type { Programs } from './programs.ts'
import { restoreObject } from './recovery.ts'
import type { RunActor } from './run-actor.ts'
import type { RunFactory } from './run-facts.ts'
import { RunLoader, type LoaderHost, type WakeReason } from './run-loader.ts'
import type { RunShell, StartChild } from './run-shell.ts'
import type { Clock } from '../clock.ts'
import { endSummary } from './summary.ts'
import { WakeTimer } from './wake-timer.ts'

/** Faults for the crash tests: interrupted runs are left, queued ones are not taken, parked ones are not woken. */
const LEAVES_INTERRUPTED = mutated('no_recovery')
const LEAVES_QUEUED = mutated('no_dispatch')
const LEAVES_PARKED = mutated('no_wake')

/** Rows that are read at once. */
const PAGE = 64
const DUE_PAGE = 500
/** So many runs are written although the turn of the event loop goes on. */
const EARLY_RUNS = 24
/** Pause after a read of the store that failed, and while woken runs are still to be loaded. */
const RETRY_MS = 1_000
const BEHIND_MS = 20
/** Of so many looks at a store that others use as well, one looks for events that nobody was offered. */
const UNOFFERED_EVERY = 12

export interface WorkerOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly effects: Effects
  readonly programs: Programs
  readonly inputs: InputChecker
  readonly factory: RunFactory
  readonly maxActive: number
  /** Works on runs that were started here or adopted, and on no others. */
  readonly ownOnly: boolean
  log(level: LogLine['level'], message: string, data?: Json): void
}

export class Worker implements RunShell, LoaderHost {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly effects: Effects
  readonly observers = new Observers()
  readonly ends = new Ends()
  readonly #options: WorkerOptions
  readonly #active = new SlotMap<number, RunActor>()
  readonly #wakes = new Map<number, WakeReason>()
  /** With `ownOnly`: the runs that are worked on, and when a parked one has to be looked at. */
  readonly #own: Map<number, number | null> | null
  readonly #notices: Notices
  readonly #loader: RunLoader
  readonly #timer: WakeTimer
  #scheduled: RunActor[] = []
  #flush: ReturnType<typeof setImmediate> | null = null
  #reserved = 0
  /** Runs that are being stored, by their public id, and what has woken one meanwhile. */
  readonly #starting = new Map<string, { readonly rid: number; readonly why: WakeReason } | null>()
  #queued = 0
  #mayClaim = false
  /** Where the pass over interrupted runs has come to; null when it is done. */
  #interruptedAfter: number | null = null
  #fetching = false
  #looks = 0
  #stopping = false
  #steps = 0
  readonly #openedAt: number
  #emptied: (() => void) | null = null

  constructor(options: WorkerOptions) {
    this.#options = options
    this.store = options.store
    this.blobs = options.blobs
    this.clock = options.clock
    this.effects = options.effects
    this.#openedAt = options.clock.now()
    this.#own = options.ownOnly ? new Map() : null
    this.#notices = new Notices({
      store: options.store,
      blobs: options.blobs,
      observers: this.observers,
      onError: (error) => this.log('warn', `watchers of a run could not be told: ${messageOf(error)}`),
    })
    this.#loader = new RunLoader(options, this)
    this.#timer = new WakeTimer(options.clock, () => void this.#wakeDue())
  }

  get stopping(): boolean {
    return this.#stopping
  }

  get active(): number {
    return this.#active.size + this.#loader.size + this.#reserved
  }

  /** Every run counts once when it is queued and once when it is taken, and either may be heard of first. */
  get queued(): number {
    return Math.max(0, this.#queued)
  }

  /** Steps completed since the start of the process. */
  get steps(): number {
    return this.#steps
  }

  /** Runs that ended per second, over the life of the process. */
  get endsPerSecond(): number {
    const seconds = Math.max(1, (this.clock.now() - this.#openedAt) / 1_000)
    return this.ends.total / seconds
  }

  get hasRoom(): boolean {
    return this.active < this.#options.maxActive
  }

  /** The run, if it is in memory. */
  find(rid: number): RunActor | null {
    return this.#active.get(rid) ?? null
  }

  isHere(rid: number): boolean {
    return this.#active.has(rid) || this.#loader.isLoading(rid) || this.#wakes.has(rid)
  }

  log(level: LogLine['level'], message: string, data?: Json): void {
    this.#options.log(level, message, data)
  }

  /** Begins to take over what earlier processes left. */
  async open(): Promise<void> {
    this.store.onNews?.((news) => this.#hear(news))
    if (this.#own !== null) return
    this.#queued = await this.store.countRuns(null, ['queued'])
    this.#mayClaim = true
    this.#interruptedAfter = LEAVES_INTERRUPTED ? null : 0
    await this.#wakeDue()
    await this.#wakeUnoffered()
    this.pump()
  }

  // --- Room and queue -------------------------------------------------------------------------------------------------

  /** Keeps room for a run that is about to be stored; `admit` or `release` must follow. */
  reserve(runId: string): void {
    this.#reserved++
    this.#starting.set(runId, null)
  }

  release(runId: string): void {
    this.#reserved--
    this.#hasStarted(runId)
    this.pump()
  }

  /** Takes a run that the store has accepted as running. */
  admit(run: RunActor, rid: number): void {
    this.#reserved--
    this.#own?.set(rid, null)
    this.#active.set(rid, run)
    this.#loader.supersede(rid)
    this.#hasStarted(run.runId)
  }

  /** Whether the run is being stored by this process, which then has it in memory: it must not be loaded beside that. */
  defersToStart(runId: string, rid: number, why: WakeReason): boolean {
    const starting = this.#starting.has(runId)
    if (starting) this.#starting.set(runId, { rid, why })
    return starting
  }

  #hasStarted(runId: string): void {
    const wake = this.#starting.get(runId)
    this.#starting.delete(runId)
    if (wake === null || wake === undefined) return
    this.comeAgain(wake.rid, wake.why)
    queueMicrotask(() => this.pump())
  }

  /** A run that was stored is in memory. */
  arrived(run: RunActor): void {
    this.#active.set(run.rid, run)
  }

  /** A queued run has been taken by something else than a claim. */
  queueShrank(): void {
    this.#queued--
  }

  /** The run comes again when its present turn of loading is over. */
  comeAgain(rid: number, why: WakeReason): void {
    this.#wakes.set(rid, why)
  }

  /** A run's status was changed by the worker itself. */
  statusChanged(runId: string, status: RunStatus, reason: string | null): void {
    this.#notices.statusChanged(runId, status, { reason, at: this.clock.now() })
  }

  /** Sub-flows have been stored together with their parent. */
  queueChildren(parent: RunActor): void {
    const children = async (): Promise<void> => {
      const rows = await this.store.listRuns({ tenant: parent.tenant, parentRid: parent.rid, limit: 10_000 })
      // One whose key was full was never queued; its parent has its end in the inbox.
      this.queueGrew(rows.filter((row) => row.error?.code !== 'concurrency_full').map((row) => row.rid))
    }
    this.inBackground(children())
  }

  /** A run has been stored as queued. */
  queueGrew(rids: readonly number[]): void {
    this.#queued += rids.length
    this.#mayClaim = true
    for (const rid of rids) this.#own?.set(rid, null)
    this.pump()
  }

  /** Makes a run of an earlier process this one's own. */
  own(rid: number): void {
    this.#own?.set(rid, null)
    this.#loader.release(rid)
  }

  // --- Waking ---------------------------------------------------------------------------------------------------------

  /** Brings a run into memory as soon as there is room, or has it look for events if it is there. */
  wake(rid: number, why: WakeReason = 'wake'): void {
    if (this.#own !== null && !this.#own.has(rid)) return
    const run = this.#active.get(rid)
    if (run !== undefined) run.subscriptions.offer()
    else if (!this.#loader.isHeld(rid)) {
      // A cancel frees room, so it does not wait for any.
      if (why === 'cancel' && !this.#stopping && !this.#loader.isLoading(rid)) void this.#loader.bring(rid, why)
      else this.#wakes.set(rid, why)
    }
    this.pump()
  }

  /** Hands a stored message to its run, waking it if it is parked. */
  async pass(message: StoredMessage): Promise<void> {
    const { rid } = message
    const run = this.#active.get(rid)
    if (this.#loader.keep(message)) return
    if (run === undefined) this.wake(rid, message.kind === 'cancel' ? 'cancel' : 'wake')
    else {
      const payload = await restoreObject(message.payload, this.blobs)
      // The run may have been parked in the meantime; then it is woken by its message.
      if (!run.receive({ ...message, payload })) await this.pass(message)
    }
  }

  /** Stores a message and hands it to its run. */
  async send(message: NewMessage): Promise<'stored' | 'duplicate'> {
    const { kind, id } = await this.store.deliver(message)
    await this.pass({ ...message, id })
    return kind
  }

  /** Tells the runs that wait for an event of this name. */
  async announce(tenant: string, event: string): Promise<void> {
    for (const { rid } of await this.store.subscribers(tenant, event)) this.wake(rid)
  }

  // --- What runs tell (RunShell) --------------------------------------------------------------------------------------

  schedule(run: RunActor): void {
    this.#scheduled.push(run)
    if (this.#flush === null) this.#flush = setImmediate(this.#flushAll)
  }

  /** So much has been scheduled that the store can begin while this turn goes on. */
  breathe(): void {
    if (this.#scheduled.length >= EARLY_RUNS) this.#flushAll()
  }

  child(run: RunActor, command: StartChild): NewRun | ErrorInfo {
    const { factory, inputs } = this.#options
    return childRun(run, command, { factory, inputs, now: this.clock.now() })
  }

  committed(run: RunActor, batch: Batch, outcome: Extract<AppendOutcome, { kind: 'committed' }>): void {
    for (const record of batch.records) if (record.completes) this.#steps++
    if (outcome.children.length > 0) {
      this.queueGrew(outcome.children.filter((child) => child.full !== true).map((child) => child.rid))
    }
    for (const { concurrency } of batch.children ?? []) {
      if (concurrency?.whenFull === 'cancel_running') this.inBackground(this.#readInboxes(concurrency.key))
    }
    if (outcome.messages !== undefined) for (const message of outcome.messages) this.inBackground(this.pass(message))
    if (batch.events !== null) {
      for (const name of new Set(batch.events.map((event) => event.name))) {
        this.inBackground(this.announce(run.tenant, name))
      }
    }
    this.#notices.committed(run, batch)
  }

  settled(run: RunActor): void {
    this.#active.delete(run.rid)
    const { status, wakeAt } = run.row
    if (TERMINAL.has(status)) {
      this.#own?.delete(run.rid)
      this.ends.add(run.rid, endSummary(run))
    } else {
      this.#own?.set(run.rid, wakeAt)
      if (wakeAt !== null && !this.#stopping) this.#timer.at(wakeAt)
    }
    this.#mayClaim = true
    this.#left()
  }

  fenced(run: RunActor): void {
    this.log('warn', `run ${run.runId}: another process owns it now; what this one was doing is dropped`)
    run.drop('Another process owns the run now.')
    this.#active.delete(run.rid)
    this.#left()
  }

  disagrees(run: RunActor, error: PlugworkError): void {
    this.log('error', `run ${run.runId} is read anew, because the store has something else of it: ${error.message}`)
    run.drop('The run is read anew.')
    this.#active.delete(run.rid)
    this.clock.at(this.clock.now() + RETRY_MS, () => this.wake(run.rid))
    this.#left()
  }

  // --- Stopping -------------------------------------------------------------------------------------------------------

  /** Begins no further effect and takes no further run. */
  drain(): void {
    this.#stopping = true
    this.#timer.clear()
    this.#wakes.clear()
  }

  /** Takes every run out of memory, resumable; resolves when that is stored. */
  evictAll(): Promise<void> {
    for (const run of this.#active.values()) run.evict()
    if (this.#active.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#emptied = resolve
    })
  }

  /** Takes every run out of memory as it is: nothing that it does lands any more. */
  dropAll(reason: string): number {
    this.drain()
    const count = this.#active.size
    for (const run of this.#active.values()) run.drop(reason)
    this.#active.clear()
    this.#left()
    return count
  }

  // --- Work -----------------------------------------------------------------------------------------------------------

  /** Takes on work while there is room. */
  pump(): void {
    if (this.#stopping) return
    for (const [rid, why] of this.#wakes) {
      if (!this.hasRoom) return
      if (this.#loader.isLoading(rid)) continue
      this.#wakes.delete(rid)
      void this.#loader.bring(rid, why)
    }
    if (this.hasRoom && !this.#fetching && (this.#interruptedAfter !== null || this.#claims)) void this.#fetch()
  }

  get #claims(): boolean {
    return this.#mayClaim && this.#queued > 0 && !LEAVES_QUEUED
  }

  async #fetch(): Promise<void> {
    this.#fetching = true
    try {
      const room = Math.min(this.#options.maxActive - this.active, PAGE)
      if (this.#interruptedAfter !== null) await this.#fetchInterrupted(this.#interruptedAfter, room)
      else await this.#claim(room)
    } catch (error) {
      this.#mayClaim = true
      this.log('warn', `runs could not be taken from the store, and are tried again: ${messageOf(error)}`)
      this.clock.at(this.clock.now() + RETRY_MS, () => this.pump())
      return
    } finally {
      this.#fetching = false
    }
    this.pump()
  }

  async #fetchInterrupted(after: number, room: number): Promise<void> {
    const rows = await this.store.interrupted(after, room)
    this.#interruptedAfter = rows.at(-1)?.rid ?? null
    for (const row of rows) if (!this.isHere(row.rid)) void this.#loader.bring(row.rid, 'interrupted')
  }

  async #claim(room: number): Promise<void> {
    const only = this.#own === null ? undefined : [...this.#own.keys()]
    // Whatever makes a claim worth while from here on is not forgotten when this one finds nothing.
    this.#mayClaim = false
    const rows = await this.store.claim(room, this.clock.now(), only)
    crashPoint('claim.after')
    this.#queued -= rows.length
    // Nothing could be claimed: the keys of what is queued are held. The end of a run is the next chance.
    if (rows.length > 0) this.#mayClaim = true
    for (const row of rows) void this.#loader.bring(row.rid, 'claimed')
  }

  /** The store has asked the holders of a key to cancel, in their inboxes; those in memory look there. */
  async #readInboxes(key: string): Promise<void> {
    for (const run of this.#active.values()) {
      if (!run.identity.keys.includes(key)) continue
      for (const message of (await this.store.load(run.rid))?.messages ?? []) await this.pass(message)
    }
    await this.#wakeDue()
  }

  async #wakeDue(): Promise<void> {
    if (this.#stopping || LEAVES_PARKED) return
    const now = this.clock.now()
    try {
      const due = this.#own === null ? await this.store.due(now, DUE_PAGE) : dueOf(this.#own, now)
      for (const rid of due) if (!this.isHere(rid)) this.wake(rid, 'due')
      const next = this.#own === null ? await this.store.nextWake() : earliest(this.#own)
      // Runs that are being loaded still count as due in the store: look again soon.
      if (next !== null && !this.#stopping) this.#timer.at(Math.max(next, now + BEHIND_MS))
      else if (due.length === DUE_PAGE) this.#timer.at(now + BEHIND_MS)
    } catch (error) {
      this.log('warn', `due runs could not be read, and are read again: ${messageOf(error)}`)
      this.#timer.at(now + RETRY_MS)
    }
  }

  /** Another process on the same store has done something, or has ended. */
  #hear(news: StoreNews): void {
    if (this.#stopping) return
    switch (news.kind) {
      case 'queued':
        this.#queued = Math.max(1, this.#queued)
        this.#mayClaim = true
        return this.pump()
      case 'message':
        return this.inBackground(this.#readInbox(news.rid))
      case 'event':
        return this.inBackground(this.announce(news.tenant, news.name))
      case 'interrupted':
        if (this.#own === null && !LEAVES_INTERRUPTED) this.#interruptedAfter ??= 0
        return this.inBackground(this.#look())
      case 'look':
        return this.inBackground(this.#look())
    }
  }

  /** Looks for what could be done: for news that was missed, and for what others have left. */
  async #look(): Promise<void> {
    if (this.#own === null) {
      this.#queued = await this.store.countRuns(null, ['queued'])
      if (++this.#looks % UNOFFERED_EVERY === 0) await this.#wakeUnoffered()
    }
    this.#mayClaim = true
    await this.#wakeDue()
    this.pump()
  }

  /** A message has come in for a run that this process has, or had last. */
  async #readInbox(rid: number): Promise<void> {
    const stored = await this.store.load(rid)
    if (stored === null || TERMINAL.has(stored.row.status)) return
    if (!this.isHere(rid) && stored.row.epoch !== this.store.epoch) return
    for (const message of stored.messages) await this.pass(message)
  }

  async #wakeUnoffered(): Promise<void> {
    for (let after = 0; ;) {
      const rids = await this.store.unoffered(after, DUE_PAGE)
      for (const rid of rids) this.wake(rid)
      after = rids.at(-1) ?? 0
      if (rids.length < DUE_PAGE) return
    }
  }

  readonly #flushAll = (): void => {
    if (this.#flush !== null) clearImmediate(this.#flush)
    this.#flush = null
    const scheduled = this.#scheduled
    this.#scheduled = []
    for (const run of scheduled) run.flush()
  }

  #left(): void {
    if (this.#active.size === 0) this.#emptied?.()
    this.pump()
  }

  /** Work that nobody waits for: what it was about is in the store, and found there again. */
  inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.log('warn', `a message or event could not be passed on at once: ${messageOf(error)}`)
      this.#timer.at(this.clock.now() + RETRY_MS)
    })
  }
}

function dueOf(own: ReadonlyMap<number, number | null>, now: number): number[] {
  return [...own].flatMap(([rid, at]) => (at !== null && at <= now ? [rid] : []))
}

function earliest(own: ReadonlyMap<number, number | null>): number | null {
  const times = [...own.values()].filter((at) => at !== null)
  return times.length === 0 ? null : Math.min(...times)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
