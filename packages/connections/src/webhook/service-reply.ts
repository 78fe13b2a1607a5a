/** What a service is answered. Refusals are RFC 9457 problem documents, as everywhere. */
import { PlugworkError, type Json } from '@plugwork/core'
import { ERRORS, type WebhookErrorCode } from './errors.ts'

/** An answer, independent of the framework that sends it. */
export interface ServiceReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** '' when there is none. */
  readonly body: string
}

/** A challenge is echoed: it must never be taken for a page. */
const NO_SNIFF = { 'x-content-type-options': 'nosniff' }

/** Taken: services look at the status alone. */
export function taken(): ServiceReply {
  return { status: 200, headers: {}, body: '' }
}

export function textReply(text: string): ServiceReply {
  return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8', ...NO_SNIFF }, body: text }
}

export function jsonReply(value: Json): ServiceReply {
  const headers = { 'content-type': 'application/json; charset=utf-8', ...NO_SNIFF }
  return { status: 200, headers, body: JSON.stringify(value) }
}

/** The answer for an error of this area; others are the caller's to answer. */
export function problemReply(error: PlugworkError, retryAfterSeconds?: number): ServiceReply {
  // `webhookError` made it.
  const { status, summary, retryable } = ERRORS[error.code as WebhookErrorCode]
  const headers = { 'content-type': 'application/problem+json; charset=utf-8' }
  return {
    status,
    headers:
      retryAfterSeconds === undefined ? headers : { ...headers, 'retry-after': String(Math.ceil(retryAfterSeconds)) },
    body: JSON.stringify({
      type: `urn:plugwork:error:${error.code}`,
      title: summary,
      status,
      detail: error.message,
      code: error.code,
      retryable,
    }),
  }
}

export function isWebhookError(error: unknown): error is PlugworkError {
  return error instanceof PlugworkError && Object.hasOwn(ERRORS, error.code)
}
