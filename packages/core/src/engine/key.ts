/** Idempotency keys of effects, and tokens of waits. */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { StartFacts } from './event.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/**
 * The key of a step's effect: base32 of SHA-256 over root run, run, and the step's static path with its iterations. Every
 * attempt, a resume after a crash and a retry in place give the same key; another run (a fork too) gives another.
 */
export function idempotencyKey(run: Pick<StartFacts, 'rootRunId' | 'runId'>, path: string): string {
  return base32(sha256(utf8ToBytes(`${run.rootRunId}\n${run.runId}\n${path}`)))
}

/** The token in a wait's link: HMAC-SHA-256 of the wait's path or id under the run's own token, in hex. */
export function waitToken(token: string, path: string): string {
  return bytesToHex(hmac(sha256, utf8ToBytes(token), utf8ToBytes(path)))
}

/** The link that resumes a wait: `<baseUrl>/resume/<runId>/<wait>?token=…`. */
export function waitUrl(run: Pick<StartFacts, 'baseUrl' | 'runId' | 'token'>, path: string): string {
  const base = run.baseUrl.replace(/\/+$/, '')
  return `${base}/resume/${encodeURIComponent(run.runId)}/${encodeURIComponent(path)}?token=${waitToken(run.token, path)}`
}

/** RFC 4648 base32 in lower case without padding. */
function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let buffer = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(buffer >>> bits) & 31]
    }
    buffer &= (1 << bits) - 1
  }
  return bits === 0 ? text : text + ALPHABET[(buffer << (5 - bits)) & 31]
}
