/**
 * What a signature scheme is, and the parts that schemes are made of. A scheme says what a request claims; whether the claim
 * is true is for `verify-signature.ts`.
 */
import type { Json } from '@plugwork/core'

/** A request as a signature sees it. */
export interface SignedRequest {
  readonly method: string
  /** Public address as the service was given it, with the query of this request; never made of the Host header. */
  readonly url: string
  /** The exact bytes received. */
  readonly body: Buffer
  /** Value of a header by its lower-case name. */
  header(name: string): string | undefined
  /** The body as JSON; null where it is none. */
  readonly json: () => Json
}

/** When the request says it was signed: digits of seconds or milliseconds, or ISO 8601. */
export interface SignedTime {
  readonly text: string
  readonly unit: 's' | 'ms' | 'iso'
}

/** What a request claims; null from `claim` when a part is missing or malformed. */
export interface Claim {
  /** Any of them may be the right one. */
  readonly signatures: readonly Signature[]
  readonly time?: SignedTime
}

export type Signature =
  | { readonly kind: 'hmac'; readonly algorithm: 'sha1' | 'sha256'; readonly value: Buffer; readonly signed: Bytes }
  | { readonly kind: 'ed25519' | 'ecdsa'; readonly value: Buffer; readonly signed: Bytes }
  /** SHA-256 of the secret and what follows it. */
  | { readonly kind: 'hash'; readonly value: Buffer; readonly signed: Bytes }
  /** By the key of a certificate that the request names; the secret is among what is signed. */
  | { readonly kind: 'rsa'; readonly value: Buffer; readonly signed: (secret: Buffer) => Bytes }
  /** The secret itself. */
  | { readonly kind: 'token'; readonly value: Buffer }

export type Bytes = readonly (string | Buffer)[]

/** How a service asks whether an address is ours, without a signature. */
export type Challenge =
  /** Wants to hear the text; proves nothing, and nothing follows from it. */
  | { readonly kind: 'echo'; readonly text: string }
  /** Wants to hear the text from who knows the token, which was entered at the service. */
  | { readonly kind: 'verify'; readonly token: string; readonly text: string }
  /** Names the secret that it will sign with; a person says whether it is the right one. */
  | { readonly kind: 'secret'; readonly secret: string }

/** A row of the reference page. */
export interface SchemeNotes {
  readonly title: string
  /** Headers or fields that carry the signature. */
  readonly carriedBy: string
  readonly algorithm: string
  /** What is signed. */
  readonly signed: string
  /** What is stored as the secret. */
  readonly secret: string
}

export interface SignatureScheme {
  readonly notes: SchemeNotes
  /** Headers that carry credentials, and never reach the run. */
  readonly secretHeaders: readonly string[]
  claim(request: SignedRequest): Claim | null
  /** How far the signed time may be from now where nobody says otherwise; milliseconds, 0 where no time is signed. */
  readonly toleranceMs: number
  /** Bytes of the key that a secret's text stands for. Default: its UTF-8. */
  readonly key?: (secret: string) => Buffer
  /** Names this delivery, the same for each attempt of it. */
  readonly delivery?: (request: SignedRequest) => Json | undefined
  /** What a signed request that only tests the address wants to hear; undefined for all others. */
  readonly handshake?: (request: SignedRequest) => Json | undefined
  /** A request that tests the address and is not signed; undefined for all others. */
  readonly challenge?: (request: SignedRequest) => Challenge | undefined
  /** Where the certificate is that signed the request; null when that is no place to trust. */
  readonly certificateUrl?: (request: SignedRequest) => string | null
  /** The body without the secret that it carries. */
  readonly redact?: (body: Json) => Json
}

/** A signature of the body alone, or of what `signed` makes, in one header. */
export function hmacHeader(options: {
  readonly header: string
  readonly algorithm?: 'sha1' | 'sha256'
  readonly encoding: 'hex' | 'base64'
  readonly prefix?: string
  readonly time?: { readonly header: string; readonly unit: SignedTime['unit'] }
  readonly signed?: (request: SignedRequest, time: string) => Bytes
}): SignatureScheme['claim'] {
  const { header, algorithm = 'sha256', encoding, prefix = '', time, signed } = options
  return (request) => {
    const value = signatureBytes(request.header(header), encoding, prefix)
    const sentAt = time === undefined ? '' : request.header(time.header)
    if (value === null || sentAt === undefined) return null
    const bytes = signed === undefined ? [request.body] : signed(request, sentAt)
    return {
      signatures: [{ kind: 'hmac', algorithm, value, signed: bytes }],
      ...(time === undefined ? null : { time: { text: sentAt, unit: time.unit } }),
    }
  }
}

/** The bytes of a signature's text; null when it is missing or malformed. */
export function signatureBytes(text: string | undefined, encoding: 'hex' | 'base64', prefix = ''): Buffer | null {
  if (text === undefined || !text.startsWith(prefix)) return null
  const rest = text.slice(prefix.length).trim()
  const wellFormed = encoding === 'hex' ? /^(?:[0-9a-f]{2})+$/i : /^[A-Za-z0-9+/]+={0,2}$/
  return wellFormed.test(rest) ? Buffer.from(rest, encoding) : null
}

/** The header holds the secret itself. */
export function token(header: string): SignatureScheme['claim'] {
  return (request) => {
    const value = request.header(header)
    return value === undefined ? null : { signatures: [{ kind: 'token', value: Buffer.from(value) }] }
  }
}

/** Named by a header. */
export const byHeader =
  (name: string): NonNullable<SignatureScheme['delivery']> =>
  (request) =>
    request.header(name)

/** Named by a field of the body. */
export const byField =
  (name: string): NonNullable<SignatureScheme['delivery']> =>
  (request) =>
    field(request.json(), name)

/** A field of an object; undefined where there is none. */
export function field(value: Json, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? value[name] : undefined
}

/** A parameter of the request's query; undefined where there is none. */
export function queryOf(request: SignedRequest, name: string): string | undefined {
  const start = request.url.indexOf('?')
  if (start === -1) return undefined
  return new URLSearchParams(request.url.slice(start + 1)).get(name) ?? undefined
}
