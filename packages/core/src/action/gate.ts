/** What stands before the calls of one connection: its breaker, its limit, and the pause that the service asked for. */
import type { Clock } from '../clock.ts'
import { Breaker, type BreakerRule } from './breaker.ts'
import type { Pausable } from './call.ts'
import type { LimitRule, LimitSpec, LimitStore } from './limit-store.ts'

/** A service that asks for more is asked again after so long. */
const MAX_PAUSE_MS = 3_600_000

export interface GateOptions {
  readonly key: string
  readonly breaker: BreakerRule | null
  readonly clock: Clock
  /** Null: no pauses. */
  readonly limits: LimitStore | null
  /** A pause that could not be written down. */
  onError(error: unknown): void
}

export class Gate implements Pausable {
  readonly key: string
  /** Read from `spec`; null for no limit. */
  rule: LimitRule | null = null
  /** What the connection said last; limits may be changed while it is in use. */
  spec: LimitSpec | null = null
  readonly breaker: Breaker | null
  readonly #options: GateOptions
  #pausedUntil = 0

  constructor(options: GateOptions) {
    this.key = options.key
    this.breaker = options.breaker === null ? null : new Breaker(options.breaker, options.clock)
    this.#options = options
  }

  /** Milliseconds that the pause of this process still lasts. */
  pausedFor(): number {
    return this.#pausedUntil === 0 ? 0 : Math.max(0, this.#pausedUntil - this.#options.clock.now())
  }

  pauseUntil(until: number): void {
    const { clock, limits, key } = this.#options
    const ms = Math.min(until - clock.now(), MAX_PAUSE_MS)
    if (!(ms > 0) || limits === null) return
    this.#pausedUntil = Math.max(this.#pausedUntil, clock.now() + ms)
    // Other processes look at the bucket; without a limit there is none, and each of them finds out by itself.
    if (this.rule === null) return
    try {
      const paused = limits.pause(key, ms)
      if (paused !== undefined) paused.catch(this.#options.onError)
    } catch (error) {
      this.#options.onError(error)
    }
  }

  /** Nothing to remember: another gate in its place would do the same. */
  get blank(): boolean {
    return this.pausedFor() === 0 && (this.breaker === null || this.breaker.blank)
  }
}
