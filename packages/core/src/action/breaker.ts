/**
 * Leaves a service alone after it failed several times in a row, and tries it again with one call. Own code and not
 * cockatiel's, which is as fast: that one reads the machine's clock (tests here own time), and knows success and failure
 * only, where a call that its caller aborted is neither.
 */
import type { Clock } from '../clock.ts'

export interface BreakerRule {
  /** Outages in a row after which it opens. */
  readonly failures: number
  /** First time for which it stays open; doubles with each probe that fails. */
  readonly openMs: number
  readonly maxOpenMs: number
}

export const DEFAULT_BREAKER: BreakerRule = { failures: 5, openMs: 5_000, maxOpenMs: 60_000 }

export class Breaker {
  readonly #rule: BreakerRule
  readonly #clock: Clock
  #failures = 0
  /** How often it has opened since the last success. */
  #openings = 0
  /** Epoch ms; 0 while it is closed. */
  #closesAt = 0
  /** Until when a call is finding out whether the service is back; one that never ends does not keep it open. */
  #probingUntil = 0

  constructor(rule: BreakerRule, clock: Clock) {
    this.#rule = rule
    this.#clock = clock
  }

  /** When it may be tried again, epoch ms, while it is open; null otherwise. Claims nothing. */
  refusal(): number | null {
    return this.#closesAt !== 0 && this.#clock.now() < this.#closesAt ? this.#closesAt : null
  }

  /** Null: the call may go. Otherwise when it may be tried again, epoch ms. A call that goes must be told of at its end. */
  admit(): number | null {
    if (this.#closesAt === 0) return null
    const now = this.#clock.now()
    if (now < this.#closesAt) return this.#closesAt
    // Half open: one call finds out, the others wait for what it finds.
    if (now < this.#probingUntil) return this.#probingUntil
    this.#probingUntil = now + this.#rule.openMs
    return null
  }

  /** The service answered, be it with an error of its own. */
  answered(): void {
    this.#failures = 0
    if (this.#closesAt === 0) return
    this.#closesAt = 0
    this.#openings = 0
    this.#probingUntil = 0
  }

  /** The service was not there. True when this opened the breaker. */
  failed(): boolean {
    this.#failures++
    // A call that began before it opened says nothing new.
    if (this.#closesAt !== 0 && this.#probingUntil === 0) return false
    if (this.#closesAt === 0 && this.#failures < this.#rule.failures) return false
    const { openMs, maxOpenMs } = this.#rule
    this.#closesAt = this.#clock.now() + Math.min(openMs * 2 ** this.#openings, maxOpenMs)
    this.#openings++
    this.#probingUntil = 0
    return true
  }

  /** The call ended without a word of the service: aborted, or not sent at all. */
  abandoned(): void {
    this.#probingUntil = 0
  }

  get blank(): boolean {
    return this.#failures === 0 && this.#closesAt === 0
  }

  get state(): 'closed' | 'open' | 'half_open' {
    if (this.#closesAt === 0) return 'closed'
    return this.#clock.now() < this.#closesAt ? 'open' : 'half_open'
  }
}
