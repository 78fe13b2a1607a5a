/** Whether a request was signed by who holds the secret, by one of the published schemes. */
import { createHash, createHmac, createPublicKey, timingSafeEqual, verify, type KeyObject } from 'node:crypto'
import type { Json } from '@plugwork/core'
import type { Claim, Signature, SignatureScheme, SignedRequest, SignedTime } from './signature-scheme.ts'

export type Verdict =
  /** `delivery` names it for deduplication; `handshake` is what a mere test of the address is answered. */
  | {
      readonly kind: 'valid'
      readonly delivery?: string
      readonly handshake?: Json
      /** The signed time as it was sent. */
      readonly signedAt?: string
    }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'mismatch' }
  /** The signature is right, but signed too long ago, or for a time to come. */
  | { readonly kind: 'stale'; readonly toleranceMs: number }

/** Judges a request. `secrets` are all that are accepted at the moment (rotation). Throws for a key that is none. */
export function verifySignature(options: {
  readonly scheme: SignatureScheme
  readonly request: SignedRequest
  readonly secrets: readonly string[]
  readonly now: number
  /** Default: the scheme's own. */
  readonly toleranceMs?: number
  /** Of the certificate that the request names, where the scheme has such. */
  readonly certificate?: KeyObject
}): Verdict {
  const { scheme, request, secrets, now, toleranceMs = scheme.toleranceMs, certificate } = options
  const claim = scheme.claim(request)
  if (claim === null || claim.signatures.length === 0) return { kind: 'malformed' }
  const keys = secrets.map((secret) => scheme.key?.(secret) ?? Buffer.from(secret))
  // Every key and signature is tried: which of them fits does not show in the time it takes.
  const fits = keys
    .flatMap((key) => claim.signatures.map((signature) => isRight(signature, key, certificate)))
    .includes(true)
  if (!fits) return { kind: 'mismatch' }
  const time = judgeTime(claim, now, toleranceMs)
  if (time !== 'fresh') return time === 'stale' ? { kind: 'stale', toleranceMs } : { kind: 'malformed' }
  const delivery = scheme.delivery?.(request)
  const handshake = scheme.handshake?.(request)
  return {
    kind: 'valid',
    ...(typeof delivery === 'string' || typeof delivery === 'number' ? { delivery: String(delivery) } : null),
    ...(handshake === undefined ? null : { handshake }),
    ...(claim.time === undefined ? null : { signedAt: claim.time.text }),
  }
}

function isRight(signature: Signature, key: Buffer, certificate: KeyObject | undefined): boolean {
  switch (signature.kind) {
    case 'token':
      return sameBytes(signature.value, key)
    case 'hmac': {
      const mac = createHmac(signature.algorithm, key)
      for (const part of signature.signed) mac.update(part)
      return sameBytes(signature.value, mac.digest())
    }
    case 'hash': {
      const sum = createHash('sha256').update(key)
      for (const part of signature.signed) sum.update(part)
      return sameBytes(signature.value, sum.digest())
    }
    case 'rsa':
      return certificate !== undefined && verify('sha256', joined(signature.signed(key)), certificate, signature.value)
    case 'ed25519':
      return verify(null, joined(signature.signed), ed25519Key(key), signature.value)
    case 'ecdsa':
      return verify('sha256', joined(signature.signed), spkiKey(key), signature.value)
  }
}

/** Takes the same time wherever two texts differ. That they differ in length may show. */
export function sameBytes(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}

function joined(parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
}

function ed25519Key(raw: Buffer): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' })
}

function spkiKey(der: Buffer): KeyObject {
  return createPublicKey({ key: der, format: 'der', type: 'spki' })
}

function judgeTime({ time }: Claim, now: number, toleranceMs: number): 'fresh' | 'stale' | 'malformed' {
  return time === undefined ? 'fresh' : judgeSignedTime(time, now, toleranceMs)
}

/** Whether a signed time is near enough to now, before or after it. */
export function judgeSignedTime(time: SignedTime, now: number, toleranceMs: number): 'fresh' | 'stale' | 'malformed' {
  const at = epochMs(time)
  if (at === null) return 'malformed'
  return Math.abs(now - at) <= toleranceMs ? 'fresh' : 'stale'
}

/** Digits only: signs, spaces and exponents are no time that a service sends. */
function epochMs({ text, unit }: SignedTime): number | null {
  if (unit === 'iso') {
    const at = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
    return Number.isFinite(at) ? at : null
  }
  if (!/^\d{1,15}$/.test(text)) return null
  return unit === 's' ? Number(text) * 1_000 : Number(text)
}
