import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core'

/** Error codes of stored connections. */
export const ERRORS = {
  connection_not_found: {
    status: 404,
    retryable: false,
    summary: 'There is no such connection, or it belongs to somebody else.',
  },
  connection_forbidden: {
    status: 403,
    retryable: false,
    summary: 'A connection may be seen, but not used or changed, by whoever asked.',
  },
  connection_exists: {
    status: 409,
    retryable: false,
    summary: 'The owner has a connection of this name to this connector already.',
  },
  connection_invalid: {
    status: 422,
    retryable: false,
    summary: "Settings or credential of a connection do not fit the connector's schema or auth method.",
  },
  connection_needs_reauth: {
    status: 409,
    retryable: false,
    summary: 'The service no longer accepts the connection; its owner has to connect again.',
  },
  connection_revoked: { status: 410, retryable: false, summary: 'The connection was disconnected.' },
  connection_refresh_failed: {
    status: 503,
    retryable: true,
    summary: 'The token has expired, and the service did not give a new one; it is asked again after 30 s.',
  },
  connection_refresh_busy: {
    status: 503,
    retryable: true,
    summary: 'Another process is refreshing the token and has not finished in time.',
  },
  connection_check_failed: {
    status: 502,
    retryable: true,
    summary: 'The service was asked whether the connection works, and it does not.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ConnectionErrorCode = keyof typeof ERRORS

export function connectionError(
  code: ConnectionErrorCode,
  message: string,
  options: Omit<PlugworkErrorOptions, 'retryable'> = {},
): PlugworkError {
  return new PlugworkError(code, message, { ...options, retryable: ERRORS[code].retryable })
}

export function notFound(id: string): PlugworkError {
  return connectionError('connection_not_found', `There is no connection ${id} here.`, { data: { connection: id } })
}
