/** Reading responses: bodies by content type, and statuses that are errors. */
import { STATUS_CODES } from 'node:http'
import { PlugworkError, type Json } from '@plugwork/core'
import type { EgressResponse } from '@plugwork/core/node'
import type { HttpResult } from './schemas.ts'

type Body = Pick<HttpResult, 'body' | 'body_encoding'>

const JSON_TYPE = /^(application|text)\/([\w.+-]+\+)?json\b/
const TEXT_TYPE = /^(text\/|application\/([\w.+-]+\+)?(xml|javascript|x-www-form-urlencoded|yaml|x-ndjson)\b)/
/** A run of digits that may be more than a double holds. */
const LONG_NUMBER = /\d{16}/
const MAX_ERROR_BODY = 4_000
const MAX_EXCERPT = 200
const MAX_PAUSE_MS = 24 * 3_600_000

/** The body as the content type says. Throws `http_body` for JSON that is none. */
export function decodeBody(url: URL, response: EgressResponse): Body {
  const type = (response.headers['content-type'] ?? '').toLowerCase()
  const { body } = response
  if (body.length === 0) return { body: TEXT_TYPE.test(type) ? '' : null, body_encoding: 'none' }
  if (JSON_TYPE.test(type)) {
    try {
      return { body: parseJson(decodeText(body, '')), body_encoding: 'json' }
    } catch (cause) {
      throw new PlugworkError(
        'http_body',
        `The response of ${url.origin}${url.pathname} says it is ${type}, but is not JSON: ${(cause as Error).message.slice(0, MAX_EXCERPT)}`,
      )
    }
  }
  if (TEXT_TYPE.test(type)) return { body: decodeText(body, type), body_encoding: 'text' }
  const text = type === '' ? utf8(body) : null
  return text === null
    ? { body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'), body_encoding: 'base64' }
    : { body: text, body_encoding: 'text' }
}

/** The error of a status of 400 or more. */
export function failWithStatus(method: string, url: URL, response: EgressResponse): PlugworkError {
  const { status, headers } = response
  const body = errorBody(url, response)
  const retryAfterMs = retryAfter(headers['retry-after'], Date.now())
  const reason = STATUS_CODES[status] ?? ''
  const said = excerpt(body)
  return new PlugworkError(
    `http_${status}`,
    `${method} ${url.origin}${url.pathname} answered ${status}${reason === '' ? '' : ` ${reason}`}${said === '' ? '' : `: ${said}`}`,
    {
      retryable: status === 408 || status === 425 || status === 429 || status >= 500,
      data: { status, headers: { ...headers }, body, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    },
  )
}

/** Milliseconds that a `Retry-After` asks for: seconds or a date; at most a day. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_PAUSE_MS)
}

function errorBody(url: URL, response: EgressResponse): Json {
  if (response.body.length > MAX_ERROR_BODY) {
    return `${decodeText(response.body.subarray(0, MAX_ERROR_BODY), '')}… (${response.body.length} bytes)`
  }
  try {
    return decodeBody(url, response).body as Json
  } catch {
    // The status is the error to report, whatever the body is.
    return decodeText(response.body, '')
  }
}

/** What a service says of its error, as far as services agree on where to say it. */
function excerpt(body: Json): string {
  if (typeof body === 'string') return clip(body)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return ''
  for (const key of ['message', 'error_description', 'detail', 'title', 'error']) {
    const value = body[key]
    if (typeof value === 'string') return clip(value)
    if (key === 'error' && typeof value === 'object') return excerpt(value)
  }
  return ''
}

function clip(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > MAX_EXCERPT ? `${line.slice(0, MAX_EXCERPT)}…` : line
}

/** Integers beyond 2^53 become strings, as everywhere in flows. */
function parseJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text)
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? context!.source
      : value
  return JSON.parse(text, exact)
}

function decodeText(bytes: Uint8Array, type: string): string {
  const charset = /charset="?([^\s;"]+)/.exec(type)?.[1] ?? 'utf-8'
  if (charset === 'utf-8' || charset === 'utf8') {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  }
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch (cause) {
    throw new PlugworkError('http_body', `The response has the charset "${charset}", which is not known here.`, {
      cause,
    })
  }
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // Not text: the caller sends it as base64.
    return null
  }
}
