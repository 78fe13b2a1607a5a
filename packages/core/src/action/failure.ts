/** What an error says of the service behind a connection, whichever connector it comes from. */

/** Codes of egress, connections and sockets that mean: the service was not there, or broke off. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'action_timeout',
  'timeout',
  'connection_lost',
  'egress_broken',
  'egress_connect',
  'egress_dns',
  'egress_protocol',
  'egress_timeout',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

interface Thrown {
  readonly code?: unknown
  readonly retryable?: unknown
  readonly retryAfterMs?: unknown
  readonly data?: unknown
}

/**
 * The service did not answer, or answered that it is broken (5xx). Everything else, a 4xx above all, is an answer: the
 * service works.
 */
export function isOutage(error: unknown): boolean {
  const { code, data } = asThrown(error)
  if (typeof code === 'string' && (UNREACHABLE.has(code) || /_5\d\d$/.test(code))) return true
  const status = (data as { status?: unknown } | null | undefined)?.status
  return typeof status === 'number' && status >= 500 && status < 600
}

/** Whether trying again later can help. What says nothing of itself is only tried again after an outage. */
export function isRetryable(error: unknown): boolean {
  const { retryable } = asThrown(error)
  return typeof retryable === 'boolean' ? retryable : isOutage(error)
}

/** The pause that the service asks for (`Retry-After`), in milliseconds. */
export function retryAfterOf(error: unknown): number | undefined {
  const { retryAfterMs, data } = asThrown(error)
  if (isPause(retryAfterMs)) return retryAfterMs
  const inData = (data as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs
  return isPause(inData) ? inData : undefined
}

/** Code of an error for metrics and the log; never its message. */
export function codeOf(error: unknown): string {
  const { code } = asThrown(error)
  return typeof code === 'string' && /^[\w.:-]{1,100}$/.test(code) ? code : 'action_failed'
}

function isPause(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value)
}

function asThrown(error: unknown): Thrown {
  return typeof error === 'object' && error !== null ? error : {}
}
