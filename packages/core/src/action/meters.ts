/** What happened to actions, counted: one meter per action, one histogram of durations each, no allocation per call. */

/** What a caller sees of one action. Durations in milliseconds, limit waits included. */
export interface ActionMetrics {
  /** `github.issues.create`. */
  readonly action: string
  readonly calls: number
  readonly errors: number
  /** Errors by code. */
  readonly errorCodes: { readonly [code: string]: number }
  /** Attempts after the first one of a call. */
  readonly retries: number
  readonly cacheHits: number
  readonly cacheMisses: number
  /** Calls that waited for a limit, and how long together. */
  readonly limitWaits: number
  readonly limitWaitMs: number
  /** Calls that the limits left no room for. */
  readonly limitRefusals: number
  readonly breakerOpens: number
  /** Calls that an open breaker kept from the service. */
  readonly breakerRefusals: number
  readonly dryRuns: number
  readonly duration: {
    readonly sumMs: number
    readonly maxMs: number
    readonly p50Ms: number
    readonly p95Ms: number
    readonly p99Ms: number
    /** Calls that took at most so long: cumulative, as Prometheus wants it. */
    readonly buckets: readonly { readonly atMostMs: number; readonly count: number }[]
  }
}

/** Bounds from 0.1 ms to about 14 minutes; each is 1.5 times the one before. */
const BOUNDS: readonly number[] = Array.from({ length: 40 }, (_, i) => 0.1 * 1.5 ** i)
const LOG_STEP = 1 / Math.log(1.5)
/** Codes counted one by one; a connector that makes codes up cannot fill the memory. */
const MAX_CODES = 50

export class Meter {
  readonly action: string
  calls = 0
  errors = 0
  retries = 0
  cacheHits = 0
  cacheMisses = 0
  limitWaits = 0
  limitWaitMs = 0
  limitRefusals = 0
  breakerOpens = 0
  breakerRefusals = 0
  dryRuns = 0
  #sumMs = 0
  #maxMs = 0
  readonly #counts = new Float64Array(BOUNDS.length + 1)
  readonly #codes = new Map<string, number>()

  constructor(action: string) {
    this.action = action
  }

  ended(durationMs: number, code: string | null): void {
    this.calls++
    this.#sumMs += durationMs
    if (durationMs > this.#maxMs) this.#maxMs = durationMs
    this.#counts[bucketOf(durationMs)]!++
    if (code === null) return
    this.errors++
    const known = this.#codes.get(code)
    const name = known !== undefined || this.#codes.size < MAX_CODES ? code : 'other'
    this.#codes.set(name, (this.#codes.get(name) ?? 0) + 1)
  }

  read(): ActionMetrics {
    let cumulative = 0
    const buckets = BOUNDS.map((atMostMs, i) => ({ atMostMs, count: (cumulative += this.#counts[i]!) }))
    return {
      action: this.action,
      calls: this.calls,
      errors: this.errors,
      errorCodes: Object.fromEntries(this.#codes),
      retries: this.retries,
      cacheHits: this.cacheHits,
      cacheMisses: this.cacheMisses,
      limitWaits: this.limitWaits,
      limitWaitMs: this.limitWaitMs,
      limitRefusals: this.limitRefusals,
      breakerOpens: this.breakerOpens,
      breakerRefusals: this.breakerRefusals,
      dryRuns: this.dryRuns,
      duration: {
        sumMs: this.#sumMs,
        maxMs: this.#maxMs,
        p50Ms: this.#percentile(0.5),
        p95Ms: this.#percentile(0.95),
        p99Ms: this.#percentile(0.99),
        buckets,
      },
    }
  }

  /** By straight line inside a bucket; at most half of the bucket's width off. */
  #percentile(share: number): number {
    const wanted = this.calls * share
    let before = 0
    for (let i = 0; i < this.#counts.length; i++) {
      const count = this.#counts[i]!
      if (count > 0 && before + count >= wanted) {
        const from = i === 0 ? 0 : BOUNDS[i - 1]!
        const to = Math.min(BOUNDS[i] ?? this.#maxMs, this.#maxMs)
        return Math.min(from + (to - from) * ((wanted - before) / count), this.#maxMs)
      }
      before += count
    }
    return 0
  }
}

function bucketOf(ms: number): number {
  if (!(ms > BOUNDS[0]!)) return 0
  const at = Math.min(Math.ceil(Math.log(ms / BOUNDS[0]!) * LOG_STEP - 1e-9), BOUNDS.length)
  return at
}
