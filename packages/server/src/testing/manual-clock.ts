import type { Clock } from '@plugwork/core/node'

interface Timer {
  readonly at: number
  readonly callback: () => void
}

/** A clock that a test sets, also by leaps: what would have fired on the way fires late, as after a sleep. */
export class ManualClock implements Clock {
  time: number
  readonly #timers = new Set<Timer>()

  constructor(time: number) {
    this.time = time
  }

  now(): number {
    return this.time
  }

  at(at: number, callback: () => void): () => void {
    const timer = { at, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Fires what is due at the time that it is. */
  fire(): void {
    for (const timer of Array.from(this.#timers)) {
      if (timer.at > this.time || !this.#timers.delete(timer)) continue
      timer.callback()
    }
  }
}
