/**
 * How services say that there were too many calls. A preset looks at a reply of status 400 or more (or one that the
 * connector reads as an error) and answers the milliseconds to wait, or null when the reply is about something else.
 */
import type { Json } from '../json.ts'

/** A reply as presets and error readers see it. */
export interface ApiReply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Json
}

export type RateLimit = (reply: ApiReply, now: number) => number | null

const MAX_PAUSE_MS = 24 * 3_600_000

const bounded = (ms: number): number => Math.min(Math.max(Math.ceil(ms), 0), MAX_PAUSE_MS)

/** `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3). */
export function retryAfter(reply: ApiReply, now: number): number | null {
  const text = reply.headers['retry-after']?.trim()
  if (text === undefined) return null
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(ms) ? null : bounded(ms)
}

/** `X-RateLimit-Remaining: 0` with `X-RateLimit-Reset`: the epoch second at which calls are allowed again, or seconds until then. */
export function rateLimitReset(unit: 'epoch' | 'seconds'): RateLimit {
  return ({ headers }, now) => {
    if (headers['x-ratelimit-remaining']?.trim() !== '0') return null
    const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN)
    if (Number.isNaN(reset)) return null
    return bounded(unit === 'epoch' ? reset * 1_000 - now : reset * 1_000)
  }
}

/** A pause that the service documents and does not send (Airtable: 30 s after a 429). */
export function fixedPause(ms: number): RateLimit {
  return ({ status }) => (status === 429 ? ms : null)
}

/** A number in the body, in seconds (Telegram: `parameters.retry_after`). */
export function pauseInBody(...keys: readonly string[]): RateLimit {
  return ({ body }) => {
    let value: Json | undefined = body
    for (const key of keys) {
      value = typeof value === 'object' && value !== null && !Array.isArray(value) ? value[key] : undefined
    }
    return typeof value === 'number' ? bounded(value * 1_000) : null
  }
}

/**
 * GitHub's primary and secondary limits: 403 or 429; `retry-after` first, then `x-ratelimit-reset` when nothing remains, else a
 * minute for a secondary limit. Source: docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
export function githubLimit(reply: ApiReply, now: number): number | null {
  if (reply.status !== 403 && reply.status !== 429) return null
  const said = retryAfter(reply, now) ?? rateLimitReset('epoch')(reply, now)
  if (said !== null) return said
  const { body } = reply
  const message = typeof body === 'object' && body !== null && !Array.isArray(body) ? String(body['message'] ?? '') : ''
  return /secondary rate limit|abuse detection/i.test(message) ? 60_000 : null
}

/** The first preset that has an answer. */
export function firstOf(...presets: readonly RateLimit[]): RateLimit {
  return (reply, now) => {
    for (const preset of presets) {
      const ms = preset(reply, now)
      if (ms !== null) return ms
    }
    return null
  }
}
