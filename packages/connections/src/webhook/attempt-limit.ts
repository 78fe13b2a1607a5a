/**
 * Slows down who guesses: an address that sent too many wrong credentials in a minute is refused before anything is
 * compared. Who was let in from that address in the last hour keeps being heard (a proxy has one address for everybody
 * behind it, and a service with one wrong secret has others that are right); `subject` says for what: an endpoint, a
 * credential.
 */
import { isIPv6 } from 'node:net'

/** Wrong credentials that an address may send in a minute. */
export const MAX_FAILURES = 30
const WINDOW_MS = 60_000
const TRUSTED_MS = 60 * 60_000
/** Addresses remembered; past it all are forgotten, so that an attacker with many cannot fill the memory. */
const MAX_REMEMBERED = 10_000

export interface AttemptLimit {
  /** Milliseconds to wait; 0 when the address may try. An unknown address ('') always may. */
  wait(address: string, subject: string): number
  failed(address: string): void
  succeeded(address: string, subject: string): void
}

export function createAttemptLimit(now: () => number): AttemptLimit {
  const failures = new Map<string, { count: number; readonly until: number }>()
  const trusted = new Map<string, number>()
  return {
    wait(address, subject) {
      if (failures.size === 0 || address === '') return 0
      const entry = failures.get(originOf(address))
      if (entry === undefined || entry.count < MAX_FAILURES || entry.until <= now()) return 0
      const until = trusted.get(`${originOf(address)} ${subject}`)
      return until !== undefined && until > now() ? 0 : entry.until - now()
    },
    failed(address) {
      if (address === '') return
      const origin = originOf(address)
      const entry = failures.get(origin)
      if (entry !== undefined && entry.until > now()) {
        entry.count += 1
        return
      }
      if (failures.size >= MAX_REMEMBERED) failures.clear()
      failures.set(origin, { count: 1, until: now() + WINDOW_MS })
    },
    succeeded(address, subject) {
      if (address === '') return
      const key = `${originOf(address)} ${subject}`
      if (trusted.size >= MAX_REMEMBERED && !trusted.has(key)) trusted.clear()
      trusted.set(key, now() + TRUSTED_MS)
    },
  }
}

/** Whoever has one IPv6 address has a network of 64 bits of them. */
function originOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const left = head.split(':')
  const right = tail === undefined ? [] : tail.split(':')
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return groups.slice(0, 4).join(':')
}
