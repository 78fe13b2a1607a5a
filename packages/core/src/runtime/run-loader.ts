/**
 * Brings stored runs into memory, one turn at a time for each. What cannot be brought back is held; what could not be
 * read is tried again; what its crashes have made suspect is treated as `crash-loop.ts` says.
 */
import type { BlobStore } from '../blob/blob-store.ts'
import type { LogLine } from '../engine/event.ts'
import { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import { TERMINAL, type LoadedRun, type RunPatch, type RunRow, type StoredMessage } from '../store/store.ts'
import type { RunStatus, Store } from '../store/store.ts'
import { crashLoopError, holdInterrupted, isCrashLoop, isUntouchable } from './crash-loop.ts'
import type { InputChecker } from './inputs.ts'
import type { Programs } from './programs.ts'
import { RunHeldError, resumeRun, reviveRun } from './recovery.ts'
import type { RunActor } from './run-actor.ts'
import type { RunShell } from './run-shell.ts'
import type { Clock } from '../clock.ts'

/** Pauses after loads that failed: the first, and the longest that doubling it comes to. */
const RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000
/** So often a run is tried that fails to load for no known reason; what a store or a blob store refuses is tried for ever. */
const TRIES = 10

/**
 * Why a run is brought into memory. `cancel` also takes one that is still queued. On a store of several processes, `wake` and
 * `cancel` leave a run to the live process that had it last, which is told as well; `due` takes it if that one does not.
 */
export type WakeReason = 'wake' | 'due' | 'interrupted' | 'claimed' | 'cancel'

export interface LoaderOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly programs: Programs
  readonly inputs: InputChecker
  log(level: LogLine['level'], message: string, data?: Json): void
}

/** The worker, as the loader sees it. */
export interface LoaderHost extends RunShell {
  find(rid: number): RunActor | null
  arrived(run: RunActor): void
  /** True when the run is being stored by this process; it is brought again when that is done. */
  defersToStart(runId: string, rid: number, why: WakeReason): boolean
  comeAgain(rid: number, why: WakeReason): void
  queueGrew(rids: readonly number[]): void
  queueShrank(): void
  statusChanged(runId: string, status: RunStatus, reason: string | null): void
  pass(message: StoredMessage): Promise<void>
  pump(): void
}

export class RunLoader {
  readonly #options: LoaderOptions
  readonly #host: LoaderHost
  /** Runs that are being loaded, and the messages that came meanwhile. */
  readonly #loading = new Map<number, StoredMessage[]>()
  /** Runs that could not be brought back; they are left alone until somebody takes care of them. */
  readonly #held = new Set<number>()

  /** How often in a row a run could not be loaded. */
  readonly #failures = new Map<number, number>()
  /** Runs that were started here while they were being loaded. */
  readonly #superseded = new Set<number>()
  /** Queued runs that something else than a claim has taken out of the queue. */
  readonly #unqueued = new Set<number>()

  constructor(options: LoaderOptions, host: LoaderHost) {
    this.#options = options
    this.#host = host
  }

  get size(): number {
    return this.#loading.size
  }

  isLoading(rid: number): boolean {
    return this.#loading.has(rid)
  }

  isHeld(rid: number): boolean {
    return this.#held.has(rid)
  }

  /** Somebody has taken care of a held run: it may be tried again. */
  release(rid: number): void {
    this.#held.delete(rid)
  }

  /** Keeps a message for a run that is being loaded; false when it is not. */
  keep(message: StoredMessage): boolean {
    const kept = this.#loading.get(message.rid)
    kept?.push(message)
    return kept !== undefined
  }

  /** Loads a run, unless that is being done. Never rejects: what goes wrong is logged, and tried again or held. */
  async bring(rid: number, why: WakeReason): Promise<void> {
    // A claim takes a run out of the queue; a cancel that took it out before has counted that already.
    if (why === 'claimed' && this.#unqueued.delete(rid)) this.#host.queueGrew([rid])
    if (this.#host.find(rid) !== null) return this.#catchUp(rid)
    if (this.#loading.has(rid)) {
      // Claimed again while its earlier turn is still ending: this one follows.
      this.#host.comeAgain(rid, why)
      return
    }
    this.#loading.set(rid, [])
    try {
      await this.#load(rid, why)
      this.#failures.delete(rid)
    } catch (error) {
      const held = error instanceof RunHeldError ? error : this.#giveUp(rid, error)
      if (held === null) this.#again(rid, why, error)
      else await this.#hold(rid, held)
    } finally {
      this.#superseded.delete(rid)
      this.#loading.delete(rid)
      this.#host.pump()
    }
  }

  /** The run has come into memory in another way: what is being loaded is out of date. */
  supersede(rid: number): void {
    if (this.#loading.has(rid)) this.#superseded.add(rid)
  }

  /** Then the run is brought again: it is told what came meanwhile, or loaded anew if it has left the memory by now. */
  #isSuperseded(rid: number, why: WakeReason): boolean {
    const superseded = this.#superseded.delete(rid)
    if (superseded) this.#host.comeAgain(rid, why)
    return superseded
  }

  /** A run that has come into memory while it was to be brought there: it is told what it may have missed. */
  async #catchUp(rid: number): Promise<void> {
    this.#host.find(rid)?.subscriptions.offer()
    try {
      for (const message of (await this.#options.store.load(rid))?.messages ?? []) await this.#host.pass(message)
    } catch (error) {
      this.#again(rid, 'wake', error)
    }
  }

  async #load(rid: number, why: WakeReason): Promise<void> {
    const { store, clock } = this.#options
    const host = this.#host
    const stored = await store.load(rid)
    if (stored === null || TERMINAL.has(stored.row.status) || host.stopping) return
    const { row } = stored
    if (await this.#isOthers(row, why)) return
    if (host.defersToStart(row.id, rid, why) || this.#isSuperseded(rid, why)) return
    if (row.status === 'queued' && why !== 'claimed' && why !== 'cancel') return
    if (row.status === 'queued') this.#takeOutOfQueue(rid)
    if (row.status === 'waiting' && givesSlotBack(stored)) return this.#queueAgain(rid)
    const crashes = row.status === 'running' && why === 'interrupted' ? row.crashCount + 1 : null
    if (crashes !== null && (await this.#countCrash(row, crashes)) === 'untouchable') return
    const revived = await reviveRun(host, this.#options, stored)
    if (host.stopping || this.#isSuperseded(rid, why)) return
    if (crashes !== null) revived.run.countCrash(crashes)
    const late = this.#loading.get(rid) ?? []
    this.#loading.delete(rid)
    host.arrived(revived.run)
    if (crashes !== null && isCrashLoop(crashes)) holdInterrupted(revived.run, crashes, clock.now())
    else resumeRun(revived, clock.now())
    for (const message of late) await host.pass(message)
  }

  /** Whether another live process sees to it. */
  async #isOthers(row: RunRow, why: WakeReason): Promise<boolean> {
    const { store } = this.#options
    if (store.isElsewhere === undefined || why === 'claimed' || why === 'interrupted') return false
    if (why === 'due' && row.status !== 'running') return false
    return store.isElsewhere(row)
  }

  /** A queued run is cancelled. Until that is stored it may be claimed as well, which would count it twice. */
  #takeOutOfQueue(rid: number): void {
    for (const known of this.#unqueued) {
      // With its first write, and then with its leaving, a run has left the queue for good.
      if (this.#host.find(known) === null && !this.#loading.has(known)) this.#unqueued.delete(known)
    }
    if (this.#unqueued.has(rid)) return
    this.#unqueued.add(rid)
    this.#host.queueShrank()
  }

  /**
   * Counts the crash before anything else is done, where nothing later might come to do it: for a run that has recorded
   * nothing yet, and for one whose loading alone may be what the process dies of. That is then not even tried.
   */
  async #countCrash({ rid, nextSeq }: RunRow, crashCount: number): Promise<'counted' | 'untouchable'> {
    if (isUntouchable(crashCount)) {
      const error = crashLoopError(crashCount)
      await this.#patch(rid, { status: 'waiting', reason: 'needs_attention', wakeAt: null, error, crashCount })
      return 'untouchable'
    }
    if (nextSeq === 1 || isCrashLoop(crashCount)) await this.#patch(rid, { crashCount })
    return 'counted'
  }

  /** A run that holds no slot of its concurrency key while it waits gets one anew. */
  async #queueAgain(rid: number): Promise<void> {
    await this.#patch(rid, { status: 'queued', reason: null, wakeAt: null })
    this.#host.queueGrew([rid])
  }

  async #hold(rid: number, { reason, info }: RunHeldError): Promise<void> {
    const { log, store } = this.#options
    this.#held.add(rid)
    this.#failures.delete(rid)
    log('error', `run ${rid} is held: ${info.message}`)
    try {
      await this.#patch(rid, { status: 'waiting', reason, wakeAt: null, error: info })
      const row = await store.getRun(rid)
      if (row !== null) this.#host.statusChanged(row.id, 'waiting', reason)
    } catch (error) {
      log('warn', `run ${rid}: that it is held could not be stored: ${messageOf(error)}`)
    }
  }

  #again(rid: number, why: WakeReason, error: unknown): void {
    const { log, clock } = this.#options
    if (this.#host.stopping) return
    const failures = (this.#failures.get(rid) ?? 0) + 1
    this.#failures.set(rid, failures)
    const pause = Math.min(RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS)
    log('warn', `run ${rid} could not be loaded, and is tried again in ${pause / 1_000} s: ${messageOf(error)}`)
    clock.at(clock.now() + pause, () => {
      if (!this.#host.stopping) void this.bring(rid, why)
    })
  }

  /** Why the run is held, when it has failed in this unknown way too often; else null. */
  #giveUp(rid: number, error: unknown): RunHeldError | null {
    if (error instanceof PlugworkError || (this.#failures.get(rid) ?? 0) + 1 < TRIES) return null
    const message =
      `The run could not be loaded in ${TRIES} tries; the last one ended with: ${messageOf(error)}. It is held. Cure the ` +
      'cause and resume the run, or cancel it.'
    return new RunHeldError('needs_attention', { code: 'run_unreadable', message })
  }

  async #patch(rid: number, run: RunPatch): Promise<void> {
    const { store } = this.#options
    await store.append({ rid, epoch: store.epoch, records: [], run })
  }
}

function givesSlotBack({ row, facts }: LoadedRun): boolean {
  return row.concurrencyKey !== null && facts.holdsSlot === false
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
