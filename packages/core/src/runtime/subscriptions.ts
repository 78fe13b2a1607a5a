import type { Command } from '../engine/command.ts'
import type { Batch } from './batch.ts'
import type { RunActor } from './run-actor.ts'
import type { RunShell } from './run-shell.ts'

/** Events that are read at once. */
const PAGE = 100

interface Subscription {
  readonly event: string
  /** Newest event that was offered. Undefined until the store has set it: the newest one when the wait began. */
  after: number | undefined
  /** Only events stored at or after this time are offered (epoch ms). */
  readonly from: number
  /** The row's cursor is behind `after`. */
  moved: boolean
}

/**
 * The event waits of a run. Stored events are offered to each in order of their ids, each event once: the cursor goes
 * past an event when the core has seen it, and is saved when the run parks; the journal itself refuses an id twice.
 */
export class Subscriptions {
  readonly #run: RunActor
  readonly #shell: RunShell
  readonly #byPath = new Map<string, Subscription>()
  #offering = false
  #again = false

  constructor(run: RunActor, shell: RunShell) {
    this.#run = run
    this.#shell = shell
  }

  /** True while events are being read: the run stays in memory until they have been offered. */
  get busy(): boolean {
    return this.#offering
  }

  get size(): number {
    return this.#byPath.size
  }

  /** Takes up what the store has for the run. */
  restore(subscriptions: readonly { readonly path: string; readonly event: string; readonly after: number }[]): void {
    for (const { path, event, after } of subscriptions) {
      this.#byPath.set(path, { event, after, from: this.#run.identity.createdAt, moved: false })
    }
  }

  /** Begins a subscription; answers what is to be stored. */
  add(command: Extract<Command, { type: 'subscribe' }>): { path: string; event: string; after?: number } {
    const { path, event } = command
    const { eventMark, createdAt } = this.#run.identity
    const ofRun = command.since === 'run'
    const after = ofRun ? eventMark : undefined
    this.#byPath.set(path, { event, after, from: ofRun ? createdAt : this.#shell.clock.now(), moved: false })
    return after === undefined ? { path, event } : { path, event, after }
  }

  remove(path: string): void {
    this.#byPath.delete(path)
  }

  /** Adds cursors that have moved since they were stored. */
  saveCursors(batch: Batch): void {
    for (const [path, subscription] of this.#byPath) {
      const { event, after, moved } = subscription
      if (!moved || after === undefined) continue
      subscription.moved = false
      ;(batch.subscribe ??= []).push({ path, event, after })
    }
  }

  /** Offers what has been stored since the last time. The run is told when it is done. */
  offer(): void {
    if (this.#offering) {
      this.#again = true
      return
    }
    if (this.#byPath.size === 0) return
    this.#offering = true
    this.#offerAll().then(
      () => this.#done(),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        this.#shell.log('warn', `run ${this.#run.runId}: events could not be read, and are read again: ${reason}`)
        const { clock } = this.#shell
        clock.at(clock.now() + 1_000, () => {
          this.#offering = false
          this.offer()
        })
      },
    )
  }

  #done(): void {
    this.#offering = false
    this.#run.offered()
  }

  async #offerAll(): Promise<void> {
    do {
      this.#again = false
      for (const [path, subscription] of this.#byPath) await this.#offerTo(path, subscription)
    } while (this.#again)
  }

  async #offerTo(path: string, subscription: Subscription): Promise<void> {
    const { store } = this.#shell
    for (;;) {
      const after = subscription.after ?? this.#run.identity.eventMark
      const events = await store.eventsAfter(this.#run.tenant, subscription.event, after, PAGE)
      for (const { id, name, data, at: publishedAt } of events) {
        if (this.#run.gone || this.#byPath.get(path) !== subscription) return
        subscription.after = id
        subscription.moved = true
        if (publishedAt < subscription.from) continue
        const at = this.#shell.clock.now()
        this.#run.feed({ type: 'event', at, path, eventId: id, name, data, publishedAt })
      }
      if (events.length < PAGE) return
    }
  }
}
