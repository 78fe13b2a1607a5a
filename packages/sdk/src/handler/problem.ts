/** Errors as problem documents (RFC 9457). What was not raised on purpose says nothing of itself; the log has it. */
import { PlugworkError, type ErrorSpec } from '@plugwork/core/error'
import {
  CONNECTION_ERRORS,
  CONNECTION_STORE_ERRORS,
  JWT_ERRORS,
  OAUTH_ERRORS,
  VAULT_ERRORS,
  WEBHOOK_ERRORS,
} from '@plugwork/connections'
import {
  ACTION_ERRORS,
  API_ERRORS,
  CONNECTOR_ERRORS,
  EGRESS_ERRORS,
  PROJECT_ERRORS,
  RUNTIME_ERRORS,
  STORE_ERRORS,
} from '@plugwork/core/node'
import { ERRORS as ADAPTER_ERRORS } from '../adapters/errors.ts'
import { ERRORS, sdkError } from '../errors.ts'
import { ERRORS as WORKFLOW_ERRORS } from '../workflows/errors.ts'
import type { Settings } from '../options.ts'

const TABLE: Readonly<Record<string, ErrorSpec>> = {
  ...CONNECTION_ERRORS,
  ...CONNECTION_STORE_ERRORS,
  ...JWT_ERRORS,
  ...OAUTH_ERRORS,
  ...VAULT_ERRORS,
  ...WEBHOOK_ERRORS,
  ...ACTION_ERRORS,
  ...API_ERRORS,
  ...CONNECTOR_ERRORS,
  ...EGRESS_ERRORS,
  ...PROJECT_ERRORS,
  ...RUNTIME_ERRORS,
  ...STORE_ERRORS,
  // A body that is read here may turn out to be larger than its adapter lets through.
  ...ADAPTER_ERRORS,
  ...WORKFLOW_ERRORS,
  ...ERRORS,
}

/** What a service answered through its connector (`github_not_found`): not an error of this application. */
const FROM_SERVICE: ErrorSpec = { status: 502, retryable: false, summary: 'The service refused the call.' }

export async function problem(thrown: unknown, requestId: string, log: Settings['log']): Promise<Response> {
  const error = thrown instanceof PlugworkError ? thrown : unexpected(thrown, requestId, log)
  const spec = (Object.hasOwn(TABLE, error.code) ? TABLE[error.code] : undefined) ?? FROM_SERVICE
  // Broken settings of the application are no business of who asks.
  const own = spec.status === 500 && error.code !== 'sdk_internal' ? unexpected(error, requestId, log) : error
  const document = {
    type: `urn:plugwork:error:${own.code}`,
    title: own === error ? spec.summary : ERRORS.sdk_internal.summary,
    status: spec.status,
    detail: own.message,
    code: own.code,
    request_id: requestId,
    retryable: own.retryable,
    ...(own.data === undefined ? {} : { data: own.data }),
  }
  const headers: Record<string, string> = { 'content-type': 'application/problem+json; charset=utf-8' }
  const { allow, retryAfterMs } = asRecord(own.data)
  if (own.code === 'sdk_method_not_allowed' && typeof allow === 'string') headers['allow'] = allow
  if (typeof retryAfterMs === 'number') headers['retry-after'] = String(Math.ceil(retryAfterMs / 1_000))
  return new Response(JSON.stringify(document), { status: spec.status, headers })
}

function unexpected(thrown: unknown, requestId: string, log: Settings['log']): PlugworkError {
  const code = thrown instanceof PlugworkError ? `${thrown.code}: ` : ''
  log('error', `${requestId} failed: ${code}${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown)
  return sdkError('sdk_internal', `Something unexpected went wrong. The application's log has it under ${requestId}.`)
}

function asRecord(data: unknown): Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>) : {}
}
