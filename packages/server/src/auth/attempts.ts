/**
 * Slows down who guesses: an address that sent too many different wrong tokens is refused for the rest of the minute,
 * unless its token was right before (a proxy has one address for everybody behind it). The same wrong token again is a
 * program that was set up wrongly, and no guess.
 */
import { hash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { ServerError } from '../errors.ts'

/** Different wrong tokens that an address may send in a minute. */
export const MAX_FAILURES = 30
const WINDOW_MS = 60_000
/** Addresses remembered; past it all are forgotten, so that an attacker with many cannot fill the memory. */
const MAX_ADDRESSES = 10_000

export interface Attempts {
  /** Throws `too_many_attempts`. An unknown address ('') is never refused: whoever mounts the handler knows it. */
  check(address: string): void
  failed(address: string, token: string): void
}

export function createAttempts(now: () => number): Attempts {
  const failures = new Map<string, { readonly tokens: Set<string>; readonly until: number }>()
  const current = (origin: string) => {
    const entry = failures.get(origin)
    return entry === undefined || entry.until <= now() ? undefined : entry
  }
  return {
    check(address) {
      const entry = current(originOf(address))
      if (entry === undefined || entry.tokens.size < MAX_FAILURES) return
      const seconds = Math.max(1, Math.ceil((entry.until - now()) / 1_000))
      throw new ServerError('too_many_attempts', `Too many wrong tokens came from here; try again in ${seconds} s.`, {
        headers: { 'retry-after': String(seconds) },
      })
    },
    failed(address, token) {
      if (address === '') return
      const origin = originOf(address)
      const entry = current(origin)
      if (entry !== undefined) {
        entry.tokens.add(hash('sha256', token))
        return
      }
      if (failures.size >= MAX_ADDRESSES) failures.clear()
      failures.set(origin, { tokens: new Set([hash('sha256', token)]), until: now() + WINDOW_MS })
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
