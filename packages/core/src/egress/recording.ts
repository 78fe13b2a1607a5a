/**
 * Recorded HTTP traffic: JSON that a person can read and review, without secrets. What may be one is taken out before
 * anything is kept: unknown request headers, cookies, parameters and fields with telling names, what looks like a token,
 * and whatever `redact` knows. A request is compared in the same scrubbed form, so that recording and replaying may use
 * different credentials.
 */
import type { Json } from '../json.ts'
import { isHarmless } from './headers.ts'

export const RECORDING_FORMAT = 'plugwork-http/1'
export const MASK = '***'

export interface Recording {
  readonly format: typeof RECORDING_FORMAT
  readonly exchanges: readonly RecordedExchange[]
}

export interface RecordedExchange {
  readonly request: RecordedRequest
  readonly response?: RecordedResponse
  /** Instead of a response: the request failed with this code of `egress/errors.ts`. */
  readonly error?: { readonly code: string; readonly message: string }
}

export interface RecordedRequest {
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body?: RecordedBody
}

export interface RecordedResponse {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body?: RecordedBody
  /** Address after redirects, where it is another one. */
  readonly url?: string
}

/** JSON as JSON, so that it can be reviewed; other text as text; anything else as base64. */
export type RecordedBody = { readonly json: Json } | { readonly text: string } | { readonly base64: string }

export type Redact = (text: string) => string

/** Last words of a name that say: here is a secret. `next_page_token` is one too, which does no harm. */
const SECRET_NAME =
  /(?:^|_)(?:token|secret|password|passwd|passphrase|pwd|apikey|api_key|access_key|private_key|signing_key|authorization|auth|credentials?|signature|sig|cookie|session|session_id|sid|otp|jwt|assertion|code_verifier|client_secret)s?$/
/** In an address; as a field of data they mean something else (the key of an issue). */
const SECRET_PARAMETERS: ReadonlySet<string> = new Set(['code', 'key'])
/** Tokens by their looks, wherever they stand; in addresses too (Telegram, Slack). */
const TOKEN_LOOKS = [
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /\b(?:Bearer|Basic|Bot)\s+[\w.~+/=-]{8,}/gi,
  /\b(?:gh[opsru]|github_pat|xox[abeoprs]|glpat|sk_live|sk_test|rk_live|whsec|AKIA|ASIA)[-_]?[\w-]{12,}/g,
  /(?<=\/bot)\d+:[\w-]{20,}/g,
  /(?<=hooks\.slack\.com\/services\/)[\w/]+/g,
]
/** Tells how a body was sent and not what is in it; or changes with each run. */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
])
const JSON_TYPE = /\bjson\b/i
const FORM_TYPE = /x-www-form-urlencoded/i
/** A number that JavaScript would round. */
const LONG_NUMBER = /\d{16}/

export class Scrubber {
  readonly #redact: Redact

  constructor(redact: Redact = (text) => text) {
    this.#redact = redact
  }

  text(text: string): string {
    let scrubbed = this.#redact(text)
    for (const look of TOKEN_LOOKS) scrubbed = scrubbed.replace(look, MASK)
    return scrubbed
  }

  /** Parameters in order of their names, because services do not mind theirs. */
  url(address: string): string {
    const url = new URL(address)
    const parameters = [...url.searchParams]
      .map(
        ([name, value]) => [name, isSecretName(name) || SECRET_PARAMETERS.has(name) ? MASK : this.text(value)] as const,
      )
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    // Not through searchParams: that would write *** as it is anyway, and a fragment is never sent.
    const query = parameters
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
      .join('&')
    return `${this.text(url.origin + url.pathname)}${query === '' ? '' : `?${query}`}`
  }

  requestHeaders(headers: Iterable<readonly [string, string]>): { [name: string]: string } {
    return sorted(headers, (name, value) => (isHarmless(name) ? this.text(value) : MASK))
  }

  responseHeaders(headers: Iterable<readonly [string, string]>): { [name: string]: string } {
    return sorted(headers, (name, value) => (isSecretName(name) ? MASK : this.text(value)))
  }

  body(bytes: Uint8Array | string | null | undefined, type: string): RecordedBody | undefined {
    if (bytes === null || bytes === undefined || bytes.length === 0) return undefined
    const text = typeof bytes === 'string' ? bytes : utf8(bytes)
    if (text === null) return { base64: Buffer.from(bytes as Uint8Array).toString('base64') }
    if (FORM_TYPE.test(type)) return { text: this.#form(text) }
    if (JSON_TYPE.test(type) || /^\s*[[{]/.test(text)) {
      try {
        const json = this.json(JSON.parse(text) as Json)
        return LONG_NUMBER.test(text) ? { text: this.#longJson(text) } : { json }
      } catch {
        // Says that it is JSON and is none: kept as the text that it is.
      }
    }
    return { text: this.text(text) }
  }

  json(value: Json): Json {
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.json(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [
        key,
        isSecretName(key) && (typeof member === 'string' || typeof member === 'number') ? MASK : this.json(member),
      ]),
    )
  }

  /** What a request is found by. */
  key({ method, url, body }: RecordedRequest): string {
    return JSON.stringify([method, url, body === undefined ? null : canonical(body)])
  }

  #form(text: string): string {
    const fields = [...new URLSearchParams(text)]
    return new URLSearchParams(
      fields.map(([name, value]) => [name, isSecretName(name) ? MASK : this.text(value)]),
    ).toString()
  }

  /** JSON with numbers that parsing would change: scrubbed as it stands. */
  #longJson(text: string): string {
    const scrubbed = text.replace(
      /"((?:[^"\\]|\\.)*)"(\s*:\s*)"(?:[^"\\]|\\.)*"/g,
      (whole, name: string, colon: string) => (isSecretName(name) ? `"${name}"${colon}"${MASK}"` : whole),
    )
    return this.text(scrubbed)
  }
}

export function bodyBytes(body: RecordedBody | undefined): Uint8Array {
  if (body === undefined) return new Uint8Array(0)
  if ('json' in body) return Buffer.from(JSON.stringify(body.json))
  return 'text' in body ? Buffer.from(body.text) : Buffer.from(body.base64, 'base64')
}

/** `X-Api-Key`, `apiKey`, `access_token`; not `monkey`, `keyboard`, `tokens_used`. */
function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[^a-zA-Z0-9]+/g, '_')
    .toLowerCase()
  return SECRET_NAME.test(words)
}

function sorted(
  headers: Iterable<readonly [string, string]>,
  value: (name: string, value: string) => string,
): { [name: string]: string } {
  const kept = [...headers].map(([name, text]) => [name.toLowerCase(), text] as const)
  return Object.fromEntries(
    kept
      .filter(([name]) => !DROPPED.has(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, text]) => [name, value(name, text)]),
  )
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, canonical(member)])
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
