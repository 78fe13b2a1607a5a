import type { ErrorInfo } from '../error.ts'
import type { RetryPolicy } from '../flow/plan.ts'

/** Whether a step is tried again after so many failures. */
export function isRetried(policy: RetryPolicy, failures: number, error: ErrorInfo, final: boolean): boolean {
  if (failures >= policy.maxAttempts || final) return false
  return policy.on === undefined ? error.retryable !== false : policy.on.includes(error.code)
}

/** Wait before the next attempt, in milliseconds. Jitter takes up to half of it away, by `seed`: the same when computed again. */
export function backoffMs(policy: RetryPolicy, failures: number, seed: string): number {
  const full = Math.min(policy.delayMs * policy.backoff ** (failures - 1), policy.maxDelayMs)
  return Math.round(policy.jitter ? full * (1 - fraction(seed) / 2) : full)
}

/** A number from 0 to 1, by the text (FNV-1a). */
function fraction(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  // Mixes once more: FNV leaves texts that differ in their last character close together.
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return ((hash ^ (hash >>> 13)) >>> 0) / 0x1_0000_0000
}
