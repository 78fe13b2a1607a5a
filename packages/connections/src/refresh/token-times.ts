/** When a token is renewed: a margin before it expires, and on request where nobody knows when that is. */
import type { ConnectionData } from '../connection/connection.ts'

const LONGEST_MARGIN_MS = 15 * 60_000
const MARGIN_SHARE = 0.2

type TokenTimes = Pick<ConnectionData, 'tokens' | 'expiresAt' | 'obtainedAt'>

/**
 * A fixed margin would refresh a token of half an hour for ever, or one of a day too late: it is a fifth of the lifetime,
 * at most 15 minutes. Null: not by the clock.
 */
export function refreshAt({ expiresAt, obtainedAt }: Pick<TokenTimes, 'expiresAt' | 'obtainedAt'>): number | null {
  if (expiresAt === null) return null
  const lifetime = Math.max(0, expiresAt - (obtainedAt ?? expiresAt))
  return expiresAt - Math.min(LONGEST_MARGIN_MS, lifetime * MARGIN_SHARE)
}

/** There is no token, or it is close to its end. */
export function isDue(times: TokenTimes, now: number): boolean {
  if (times.tokens === null) return true
  const at = refreshAt(times)
  return at !== null && now >= at
}

/** There is a token that the service still takes, as far as anybody knows. */
export function isUsable({ tokens, expiresAt }: TokenTimes, now: number): boolean {
  return tokens !== null && (expiresAt === null || now < expiresAt)
}
