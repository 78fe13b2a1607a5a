/**
 * From a stored event to its handlers, at least once. The event is stored with a lease, so that whoever took it in can begin
 * at once and nobody else does; the lease is renewed while handlers run. When the process dies the lease ends, and any
 * process with the handlers takes the event up. What failed is tried again with growing pauses, only by the handlers
 * that have not succeeded yet.
 */
import type { Clock } from '@plugwork/core/node'
import type { ConnectionStore } from '../store/connection-store.ts'
import type { Handler, Handlers } from './handlers.ts'
import { eventFromRow, eventToRow, type ReceivedEvent, type StoredEvent } from './service-event.ts'
import type { WebhookCounters } from './webhook-metrics.ts'

export interface DeliveryTiming {
  /** How long an event stays with the process that took it, when that says nothing more. */
  readonly leaseMs: number
  /** How often the store is looked at. */
  readonly pollMs: number
  /** Pause after the first failure; each further one doubles it, up to `maxBackoffMs`. */
  readonly backoffMs: number
  readonly maxBackoffMs: number
  readonly maxAttempts: number
  /** Events whose handlers run at once. */
  readonly concurrency: number
  /** How long ended events are kept; deliveries that come again are known for as long. At least a day. */
  readonly retentionMs: number
}

const HOURS = 60 * 60_000
/** Twelve attempts with these pauses take some seven hours. */
export const DELIVERY_TIMING: DeliveryTiming = {
  leaseMs: 30_000,
  pollMs: 1_000,
  backoffMs: 5_000,
  maxBackoffMs: HOURS,
  maxAttempts: 16,
  concurrency: 64,
  retentionMs: 7 * 24 * HOURS,
}

const PAGE = 100
const PAGES = 10
const SWEEP_EVERY_MS = 60_000
const MAX_ERROR = 500

export interface DeliveriesOptions {
  readonly store: ConnectionStore
  readonly handlers: Handlers
  readonly counters: WebhookCounters
  readonly clock: Clock
  readonly random: () => number
  readonly timing: DeliveryTiming
  readonly log: (level: 'warn' | 'error', message: string) => void
}

/** What became of storing an event. */
export type Stored = { readonly outcome: 'duplicate' } | { readonly outcome: 'stored'; readonly run: () => void }

export class Deliveries {
  readonly #options: DeliveriesOptions
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | null = null
  #lastSweep = 0
  /** Events that are being stored and will be begun with. */
  #reserved = 0
  /** Events were stored that nobody has begun with. */
  #backlog = false

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  /** Looks at the store from now on; harmless to say again. */
  begin(): void {
    if (this.#closing.signal.aborted) return
    this.#timer ??= setInterval(() => void this.look(), this.#options.timing.pollMs).unref()
  }

  /** Stores an event; `run` begins with its handlers, and has to be called. `keepMs`: how long at least a second delivery must be known. */
  async store(
    event: ReceivedEvent,
    wanted: readonly Handler[],
    keepMs: number,
    misfit: string | null,
  ): Promise<Stored> {
    const { store, clock, timing } = this.#options
    const now = clock.now()
    const kept = { event, version: 1 }
    if (wanted.length === 0) {
      const state = misfit === null ? ('done' as const) : ('failed' as const)
      const delivery = { state, waiting: [], attempts: 0, error: misfit }
      const due = now + this.#keepMs(keepMs)
      const fresh = await store.insert('events', eventToRow({ ...kept, delivery, due }))
      return fresh ? { outcome: 'stored', run: () => undefined } : { outcome: 'duplicate' }
    }
    const free = this.#isFree() && !this.#closing.signal.aborted
    const stored: StoredEvent = {
      ...kept,
      delivery: { state: 'pending', waiting: wanted.map(({ id }) => id), attempts: 0, error: misfit },
      due: free ? now + timing.leaseMs : now,
    }
    // The place is kept while the event is being stored, and until `run`.
    if (free) this.#reserved += 1
    let fresh = false
    try {
      fresh = await store.insert('events', eventToRow(stored))
    } finally {
      if (free && !fresh) this.#reserved -= 1
    }
    if (!fresh) return { outcome: 'duplicate' }
    const run = (): void => {
      if (!free) {
        this.#backlog = true
        return
      }
      this.#reserved -= 1
      this.#track(stored)
    }
    return { outcome: 'stored', run }
  }

  #isFree(): boolean {
    return this.#running.size + this.#reserved < this.#options.timing.concurrency
  }

  /** Takes up what is due, and deletes what has expired. Runs by itself; tests call it. */
  async look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  /** Everything that runs now has ended when this resolves. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Begins nothing more, and waits for handlers that run; after `graceMs` their signal says to stop. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#timer)
    const timer = setTimeout(() => this.#closing.abort(new Error('Plugwork is closing')), graceMs)
    await this.#looking
    await this.idle()
    clearTimeout(timer)
    this.#closing.abort()
  }

  async #lookOnce(): Promise<void> {
    try {
      await this.#takeUp()
      const now = this.#options.clock.now()
      if (now - this.#lastSweep < SWEEP_EVERY_MS) return
      this.#lastSweep = now
      await this.#sweep(now)
    } catch (error) {
      this.#options.log('error', `stored webhook events could not be read: ${messageOf(error)}`)
    }
  }

  async #takeUp(): Promise<void> {
    const { store, clock, timing, handlers } = this.#options
    this.#backlog = false
    let after: string | undefined
    for (let page = 0; page < PAGES; page += 1) {
      const now = clock.now()
      const query = { kind: 'pending', dueBefore: now, limit: PAGE }
      const rows = await store.list('events', after === undefined ? query : { ...query, after })
      for (const row of rows) {
        if (!this.#isFree()) return void (this.#backlog = true)
        const found = eventFromRow(row)
        // Another process has the handlers.
        if (!found.delivery.waiting.some((id) => handlers.get(id) !== undefined)) continue
        const taken = { ...found, due: now + timing.leaseMs }
        if ((await store.replace('events', eventToRow(taken), found.version)) !== 'done') continue
        this.#track({ ...taken, version: found.version + 1 })
      }
      if (rows.length < PAGE) return
      after = rows.at(-1)!.id
    }
  }

  async #sweep(now: number): Promise<void> {
    const { store } = this.#options
    for (const kind of ['done', 'failed']) {
      for (;;) {
        const rows = await store.list('events', { kind, dueBefore: now, limit: PAGE })
        for (const { id, version } of rows) await store.remove('events', id, version)
        if (rows.length < PAGE) break
      }
    }
  }

  #track(stored: StoredEvent): void {
    const running = this.#deliver(stored)
      .catch((error: unknown) => {
        // The lease ends, and the event is tried again.
        this.#options.log('error', `the outcome of event ${stored.event.id} could not be stored: ${messageOf(error)}`)
      })
      .finally(() => {
        this.#running.delete(running)
        if (this.#backlog && !this.#closing.signal.aborted) void this.look()
      })
    this.#running.add(running)
  }

  async #deliver(stored: StoredEvent): Promise<void> {
    const { store, timing, clock } = this.#options
    const lost = new AbortController()
    let current = stored
    let renewing: Promise<void> = Promise.resolve()
    let taken = false
    const renew = async (): Promise<void> => {
      const next = { ...current, due: clock.now() + timing.leaseMs }
      const outcome = await store.replace('events', eventToRow(next), current.version).catch(() => 'failed' as const)
      if (outcome === 'done') current = { ...next, version: current.version + 1 }
      if (outcome !== 'stale') return
      taken = true
      lost.abort(new Error('another process has taken the event over'))
    }
    const timer = setInterval(() => (renewing = renewing.then(renew)), timing.leaseMs / 3)
    // `AbortSignal.any` costs more than the rest of a short delivery.
    const giveUp = (): void => lost.abort(this.#closing.signal.reason)
    this.#closing.signal.addEventListener('abort', giveUp)
    const failures = await this.#runHandlers(stored, lost.signal).finally(() => {
      clearInterval(timer)
      this.#closing.signal.removeEventListener('abort', giveUp)
    })
    await renewing
    if (taken) return
    const next = this.#after(current, failures)
    await store.replace('events', eventToRow(next), current.version)
  }

  /** Runs the handlers that wait; answers what is left of them, with the errors. */
  async #runHandlers(
    { event, delivery }: StoredEvent,
    signal: AbortSignal,
  ): Promise<readonly { readonly id: string; readonly error: string }[]> {
    const { handlers, counters } = this.#options
    const attempt = delivery.attempts + 1
    const outcomes = await Promise.all(
      delivery.waiting.map(async (id) => {
        const handler = handlers.get(id)
        if (handler === undefined) return { id, error: `no handler "${id}" is registered in this process` }
        try {
          counters.add(event.connector, 'handled')
          // `on` has checked the payload for handlers that know its type.
          await (handler.run as (event: ReceivedEvent, context: object) => unknown)(event, { attempt, signal })
          return null
        } catch (error) {
          return { id, error: `${id}: ${messageOf(error)}` }
        }
      }),
    )
    return outcomes.filter((outcome) => outcome !== null)
  }

  #after(current: StoredEvent, failures: readonly { readonly id: string; readonly error: string }[]): StoredEvent {
    const { clock, timing, counters, log, random } = this.#options
    const { event, delivery } = current
    const now = clock.now()
    const attempts = delivery.attempts + 1
    const ended = now + this.#keepMs(0)
    if (failures.length === 0) {
      // A payload that does not fit stays failed for the handlers that did not get it.
      const state = delivery.error === MISFIT ? 'failed' : 'done'
      return { ...current, delivery: { ...delivery, state, waiting: [], attempts }, due: ended }
    }
    const error = failures
      .map((failure) => failure.error)
      .join('; ')
      .slice(0, MAX_ERROR)
    const waiting = failures.map(({ id }) => id)
    if (attempts >= timing.maxAttempts) {
      counters.add(event.connector, 'failed')
      log(
        'error',
        `event ${event.id} (${event.connector} ${event.name}) is given up after ${attempts} attempts: ${error}`,
      )
      return { ...current, delivery: { state: 'failed', waiting, attempts, error }, due: ended }
    }
    counters.add(event.connector, 'retried')
    const pause = Math.min(timing.maxBackoffMs, timing.backoffMs * 2 ** (attempts - 1)) * (0.75 + random() / 2)
    log('warn', `event ${event.id} (${event.connector} ${event.name}) is tried again: ${error}`)
    return { ...current, delivery: { state: 'pending', waiting, attempts, error }, due: Math.round(now + pause) }
  }

  #keepMs(atLeast: number): number {
    return Math.max(this.#options.timing.retentionMs, 24 * HOURS, atLeast)
  }
}

/** Stored as the error of an event whose payload does not fit. */
export const MISFIT = 'the payload does not fit the schema of the trigger'

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
