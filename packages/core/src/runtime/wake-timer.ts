import type { Clock } from '../clock.ts'

/** The one timer for all parked runs: it stands at the earliest time at which one of them has to be looked at. */
export class WakeTimer {
  readonly #clock: Clock
  readonly #onWake: () => void
  #at: number | null = null
  #cancel: (() => void) | null = null

  constructor(clock: Clock, onWake: () => void) {
    this.#clock = clock
    this.#onWake = onWake
  }

  /** Moves the timer forward to `at`, if it stands later. */
  at(at: number): void {
    if (this.#at !== null && this.#at <= at) return
    this.clear()
    this.#at = at
    this.#cancel = this.#clock.at(at, () => {
      this.#at = null
      this.#cancel = null
      this.#onWake()
    })
  }

  clear(): void {
    this.#cancel?.()
    this.#cancel = null
    this.#at = null
  }
}
