import { PlugworkError } from '@plugwork/core'
import type { ErrorSpec, Json } from '@plugwork/core'

/** Every error that the server itself raises. `docs/errors.md` lists them; a test compares. */
export const ERRORS = {
  request_invalid: { status: 400, retryable: false, summary: 'The request does not match what the route accepts.' },
  body_invalid: { status: 400, retryable: false, summary: 'The body cannot be read as its content type says.' },
  request_malformed: { status: 400, retryable: false, summary: 'What was sent is not an HTTP/1.1 request.' },
  unauthenticated: { status: 401, retryable: false, summary: 'No valid credentials were sent.' },
  forbidden: { status: 403, retryable: false, summary: 'The token lacks the permission that the route needs.' },
  tenant_mismatch: { status: 403, retryable: false, summary: 'The request names another tenant than its token.' },
  host_not_allowed: { status: 403, retryable: false, summary: 'The Host header names a host this server is not.' },
  cross_site_refused: {
    status: 403,
    retryable: false,
    summary: 'A web page of another site called a webhook without auth on a local server.',
  },
  webhook_auth_undecided: {
    status: 403,
    retryable: false,
    summary: 'A webhook without `auth` is not served beyond loopback; `auth: none` makes it public on purpose.',
  },
  not_found: { status: 404, retryable: false, summary: 'There is nothing at this address.' },
  flow_not_found: { status: 404, retryable: false, summary: 'There is no flow of this name.' },
  run_not_found: { status: 404, retryable: false, summary: 'There is no run with this id.' },
  webhook_not_found: { status: 404, retryable: false, summary: 'No webhook trigger has this path.' },
  wait_not_found: { status: 404, retryable: false, summary: 'The run has no such wait.' },
  method_not_allowed: { status: 405, retryable: false, summary: 'The address exists, but not for this method.' },
  request_timeout: { status: 408, retryable: true, summary: 'The headers or the body of a request came too slowly.' },
  flow_is_file: { status: 409, retryable: false, summary: 'The flow comes from a project file; edit the file.' },
  flow_disabled: { status: 409, retryable: false, summary: 'The flow is disabled.' },
  flow_broken: { status: 409, retryable: false, summary: 'The flow has errors and was never served.' },
  oauth_app_missing: {
    status: 409,
    retryable: false,
    summary: 'The application has no OAuth registration with the service.',
  },
  concurrency_full: { status: 409, retryable: true, summary: 'The concurrency key of the run is held by others.' },
  wait_used: { status: 410, retryable: false, summary: 'The one-time link was used before.' },
  wait_expired: { status: 410, retryable: false, summary: 'The one-time link has expired.' },
  body_too_large: { status: 413, retryable: false, summary: 'The body is larger than the route accepts.' },
  media_type_unsupported: { status: 415, retryable: false, summary: 'The content type of the body is not accepted.' },
  inputs_invalid: { status: 422, retryable: false, summary: 'The inputs do not match what the flow declares.' },
  flow_invalid: { status: 422, retryable: false, summary: 'The flow has errors; `problems` lists them.' },
  flow_name_mismatch: { status: 422, retryable: false, summary: 'The document names another flow than the address.' },
  headers_too_large: { status: 431, retryable: false, summary: 'Address and headers are together too long.' },
  too_many_attempts: {
    status: 429,
    retryable: true,
    summary: 'Too many wrong tokens came from this address; `Retry-After` says when to try again.',
  },
  full: { status: 429, retryable: true, summary: 'The system is full; `Retry-After` says when to try again.' },
  internal: { status: 500, retryable: true, summary: 'Something unexpected went wrong; the log has the request id.' },
  run_failed: { status: 500, retryable: false, summary: 'The run behind the request failed or was cancelled.' },
  shutting_down: { status: 503, retryable: true, summary: 'The server is stopping and takes no new work.' },
  webhook_secret_missing: {
    status: 503,
    retryable: true,
    summary: 'The secret that guards the webhook is not set on the server.',
  },
  store_unavailable: { status: 503, retryable: true, summary: 'The store cannot be written.' },
  auth_not_set_up: {
    status: 500,
    retryable: false,
    summary: 'The server was to listen beyond loopback before any token was set up.',
  },
  control_unreachable: { status: 503, retryable: true, summary: 'The local socket of the running server is silent.' },
} as const satisfies Record<string, ErrorSpec>

export type ServerErrorCode = keyof typeof ERRORS

export interface ServerErrorOptions {
  readonly cause?: unknown
  readonly data?: Json
  /** Members added to the problem document. */
  readonly extensions?: { readonly [name: string]: unknown }
  readonly headers?: Readonly<Record<string, string>>
}

/** An error with an answer: a code of `ERRORS`, and what the problem document says beside it. */
export class ServerError extends PlugworkError {
  readonly extensions: { readonly [name: string]: unknown }
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ServerErrorCode, message: string, options: ServerErrorOptions = {}) {
    super(code, message, {
      retryable: ERRORS[code].retryable,
      ...(options.cause === undefined ? {} : { cause: options.cause }),
      ...(options.data === undefined ? {} : { data: options.data }),
    })
    this.name = 'ServerError'
    this.extensions = options.extensions ?? {}
    this.headers = options.headers ?? {}
  }
}

/** Tables of codes by which a thrown error finds its HTTP status. */
export type ErrorTables = readonly Readonly<Record<string, ErrorSpec>>[]

/** The row of a code, or undefined for a code of no table. */
export function errorSpec(tables: ErrorTables, code: string): ErrorSpec | undefined {
  for (const table of tables) if (Object.hasOwn(table, code)) return table[code]
  return undefined
}
