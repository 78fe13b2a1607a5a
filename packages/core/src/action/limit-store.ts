/**
 * Token buckets: how often a service may be called. A bucket holds `burst` tokens and gains `requests` each `perMs`; a
 * call takes one. Calls queue by reservation: who comes while the bucket is empty is told how long to wait for the token
 * that is now theirs, so one question to the store is enough, nobody polls, and the order is that of asking.
 *
 * Kept as one number per key (GCRA): the time at which the bucket will be full again. That is what makes a shared bucket
 * one atomic statement. Own code and not rate-limiter-flexible's: its algorithm is a fixed window, which lets twice the
 * limit through around the edge of a window, and it refuses where a caller could wait.
 *
 * A token that was taken is not given back when its caller goes away while it waits: later callers have been told their
 * times already, and giving it to one of them would let more through than the limit.
 */
import { parseDuration } from '../flow/duration.ts'
import { actionError } from './errors.ts'

export interface LimitRule {
  readonly requests: number
  readonly perMs: number
  readonly burst: number
}

/** A rule as connectors and operators write it; `burst` is `requests` where it is left out. */
export interface LimitSpec {
  readonly requests: number
  /** Duration such as `1m`. */
  readonly per: string
  readonly burst?: number
}

export interface LimitAnswer {
  /** False: nothing was taken, because the wait would be longer than allowed. */
  readonly taken: boolean
  /** How long to wait before the call; 0 for at once. */
  readonly waitMs: number
}

export interface TakeRequest {
  readonly key: string
  readonly rule: LimitRule
  readonly cost: number
  /** Longest wait that is of use; a longer one takes nothing. */
  readonly maxWaitMs: number
}

/**
 * Where buckets live. Memory serves one process (and SQLite, whose file one process owns); Redis and PostgreSQL serve
 * all that share them, by the service's own clock, so that clocks of processes need not agree.
 */
export interface LimitStore {
  take(request: TakeRequest): LimitAnswer | Promise<LimitAnswer>
  /** The service asked for a pause: nobody gets a token of this bucket before it is over. Longer pauses stand. */
  pause(key: string, ms: number): void | Promise<void>
}

/** Reads a rule. Throws `action_option_invalid` that names `what`. */
export function limitRule(spec: LimitSpec, what: string): LimitRule {
  const { requests, per, burst = requests } = spec
  const perMs = parseDuration(per)
  const problem =
    perMs === null || perMs === 0
      ? `per "${per}" is not a duration such as 1m`
      : !(requests > 0 && Number.isFinite(requests))
        ? `requests must be more than 0, not ${requests}`
        : !(burst >= 1 && Number.isFinite(burst))
          ? `burst must be 1 or more, not ${burst}`
          : null
  if (problem === null) return { requests, perMs: perMs!, burst }
  throw actionError('action_option_invalid', `The limits of ${what} cannot be used: ${problem}.`)
}
