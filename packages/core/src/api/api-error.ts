/** What a service's refusal becomes: an error whose code says what kind it is, and whose data says what the service said. */
import { PlugworkError } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { ApiReply, RateLimit } from './rate-limit.ts'

export type ApiErrorKind =
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'invalid'
  | 'rate_limited'
  | 'unavailable'
  | 'redirected'
  | 'failed'

/** What a service says of an error. */
export interface Refusal {
  /** Its code, as it writes it. */
  readonly code?: string
  readonly message?: string
  /** What it belongs to where the status does not tell. Default: by status. */
  readonly kind?: ApiErrorKind
  /** The last part of the error's code instead of the kind, for services whose codes are stable names (`channel_not_found`). */
  readonly name?: string
  /** More of what the service says, without secrets (fields that are wrong, missing scopes). */
  readonly details?: JsonObject
}

const KINDS: Readonly<Record<number, ApiErrorKind>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'conflict',
  408: 'unavailable',
  409: 'conflict',
  410: 'not_found',
  412: 'conflict',
  413: 'invalid',
  415: 'invalid',
  422: 'invalid',
  423: 'conflict',
  425: 'unavailable',
  429: 'rate_limited',
}

const REMEDIES: Readonly<Partial<Record<ApiErrorKind, string>>> = {
  unauthorized: 'Reconnect, or set a valid token.',
  forbidden: 'Give the credential the permission for this.',
  rate_limited: 'Retry after the pause, or call less often.',
}

const MAX_MESSAGE = 500
/** Under these names services send what their support asks for. */
const REQUEST_IDS = ['x-github-request-id', 'x-slack-req-id', 'x-request-id', 'request-id', 'x-amzn-requestid']

/** Where services usually say what is wrong; null for a status below 400. */
export function commonRefusal({ status, body }: ApiReply): Refusal | null {
  if (status < 400) return null
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return typeof body === 'string' && !/^\s*</.test(body) ? { message: body } : {}
  }
  const error = body['error']
  const from = typeof error === 'object' && error !== null && !Array.isArray(error) ? error : body
  const message = firstText(from, ['message', 'error_description', 'description', 'detail', 'title', 'error'])
  const code = firstText(from, ['code', 'type', 'error_code'])
  return { ...(message === undefined ? {} : { message }), ...(code === undefined ? {} : { code }) }
}

export interface ApiErrorContext {
  /** Prefix of the code. */
  readonly service: string
  readonly title: string
  /** Method and address, without query and credential. */
  readonly where: string
  readonly rateLimit?: RateLimit
  readonly now: number
}

/** The error of a refusal. The caller takes the credential out of what the service said. */
export function apiError(reply: ApiReply, refusal: Refusal, context: ApiErrorContext): PlugworkError {
  const pause = context.rateLimit?.(reply, context.now) ?? null
  const byStatus = KINDS[reply.status] ?? (reply.status >= 500 ? 'unavailable' : 'failed')
  // A 403 that names a pause is a limit (GitHub); elsewhere a pause says only when to come back.
  const kind = refusal.kind ?? (byStatus === 'forbidden' && pause !== null ? 'rate_limited' : byStatus)
  const retryable = kind === 'rate_limited' || kind === 'unavailable'
  const retryAfterMs = retryable ? (pause ?? undefined) : undefined
  const message = oneLine(refusal.message ?? '')
  const said = [message, refusal.code === undefined || message.includes(refusal.code) ? '' : `(${refusal.code})`]
    .filter(Boolean)
    .join(' ')
  const data: { [key: string]: Json } = {
    status: reply.status,
    code: refusal.code ?? null,
    message,
    request_id: REQUEST_IDS.map((name) => reply.headers[name]).find((id) => id !== undefined) ?? null,
    ...(refusal.details === undefined ? {} : { details: refusal.details }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
  const remedy = REMEDIES[kind]
  return new PlugworkError(
    `${context.service}_${refusal.name ?? kind}`,
    `${context.title} refused ${context.where} with ${reply.status}${said === '' ? '.' : `: ${sentence(said)}`}${remedy === undefined ? '' : ` ${remedy}`}`,
    { data, retryable },
  )
}

function firstText(from: JsonObject, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = from[key]
    if (typeof value === 'string' && value !== '') return value
    if (typeof value === 'number') return String(value)
  }
  return undefined
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line
}

const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`)
