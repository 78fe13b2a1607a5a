import { PlugworkError, type ErrorSpec } from '@plugwork/core'

/** Error codes of the store of connections. */
export const ERRORS = {
  connection_store_failed: {
    status: 503,
    retryable: true,
    summary: 'The database that holds connections did not do what it was asked.',
  },
  connection_store_busy: {
    status: 503,
    retryable: true,
    summary: 'Another process holds the write lock of the connections file for more than ten seconds.',
  },
  connection_store_newer: {
    status: 500,
    retryable: false,
    summary: 'The tables that hold connections were written by a later version of Plugwork.',
  },
  connection_store_foreign: {
    status: 500,
    retryable: false,
    summary: 'The file that should hold connections is a database of something else.',
  },
  connection_store_closed: { status: 503, retryable: false, summary: 'The store of connections is closed.' },
  package_missing: {
    status: 424,
    retryable: false,
    summary: 'An optional package that was asked for is not installed.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ConnectionStoreErrorCode = keyof typeof ERRORS

export function storeError(code: ConnectionStoreErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

export function storeClosed(): PlugworkError {
  return storeError('connection_store_closed', 'The store of connections is closed; open another one.')
}
