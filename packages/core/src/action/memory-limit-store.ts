import type { Clock } from '../clock.ts'
import type { LimitAnswer, LimitStore, TakeRequest } from './limit-store.ts'

interface Bucket {
  /** When it will be full again; epoch ms. */
  fullAt: number
  pausedUntil: number
}

/** Buckets past which those that are full are dropped: they are as good as new. */
const MANY = 10_000

/** Buckets of this process. Answers at once, without a promise. */
export class MemoryLimitStore implements LimitStore {
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()
  #sweepAt = MANY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  take({ key, rule, cost, maxWaitMs }: TakeRequest): LimitAnswer {
    const now = this.#clock.now()
    const bucket = this.#bucket(key, now)
    const interval = rule.perMs / rule.requests
    const fullAt = Math.max(bucket.fullAt, now, bucket.pausedUntil) + cost * interval
    const waitMs = Math.max(0, bucket.pausedUntil - now, fullAt - rule.burst * interval - now)
    if (waitMs > maxWaitMs) return { taken: false, waitMs }
    bucket.fullAt = fullAt
    return waitMs === 0 ? AT_ONCE : { taken: true, waitMs }
  }

  pause(key: string, ms: number): void {
    const now = this.#clock.now()
    const bucket = this.#bucket(key, now)
    bucket.pausedUntil = Math.max(bucket.pausedUntil, now + ms)
  }

  #bucket(key: string, now: number): Bucket {
    const known = this.#buckets.get(key)
    if (known !== undefined) return known
    if (this.#buckets.size >= this.#sweepAt) this.#sweep(now)
    const bucket = { fullAt: 0, pausedUntil: 0 }
    this.#buckets.set(key, bucket)
    return bucket
  }

  #sweep(now: number): void {
    for (const [key, { fullAt, pausedUntil }] of this.#buckets) {
      if (fullAt <= now && pausedUntil <= now) this.#buckets.delete(key)
    }
    this.#sweepAt = Math.max(MANY, this.#buckets.size * 2)
  }
}

const AT_ONCE: LimitAnswer = { taken: true, waitMs: 0 }
