/**
 * A clock that tests own: time stands still until `advance` moves it. Timers fire in order of their time, ties in the
 * order in which they were set, and between two of them the event loop turns, so that what a timer starts can set
 * further timers before time goes on.
 */
import type { Clock } from '../clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #now: number
  #order = 0
  readonly #timers = new Set<Timer>()

  /** `start` is in epoch milliseconds. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  at(at: number, callback: () => void): () => void {
    const timer: Timer = { at, order: this.#order++, callback }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Time of the earliest timer that is set; null when there is none. */
  next(): number | null {
    return this.#earliest()?.at ?? null
  }

  /**
   * Moves time forward by `ms`, firing what becomes due on the way. `settle` is awaited before the first and after each
   * timer; give one that waits until the system under test is idle.
   */
  async advance(ms: number, settle: () => Promise<void> = turn): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const timer = this.#earliest()
      if (timer === undefined || timer.at > end) break
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.at)
      timer.callback()
      await settle()
    }
    this.#now = end
  }

  /** Moves time to the earliest timer and fires it; false when none is set. */
  async step(settle: () => Promise<void> = turn): Promise<boolean> {
    const at = this.next()
    if (at === null) return false
    await this.advance(Math.max(0, at - this.#now), settle)
    return true
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined
    for (const timer of this.#timers) {
      if (
        earliest === undefined ||
        timer.at < earliest.at ||
        (timer.at === earliest.at && timer.order < earliest.order)
      ) {
        earliest = timer
      }
    }
    return earliest
  }
}

/** Lets the event loop turn once: promises settle, callbacks of finished I/O run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
