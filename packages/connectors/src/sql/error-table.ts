/** Errors of the connectors of database servers: the same kinds for each, under its own name. */
import { PlugworkError, type ErrorSpec, type Json } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

const KINDS = {
  config: { status: 422, retryable: false, summary: 'A setting of the connection cannot be used.' },
  unreachable: {
    status: 502,
    retryable: true,
    summary: 'No connection to the server could be opened; nothing was sent.',
  },
  login: { status: 401, retryable: false, summary: 'The server refused the user or the password.' },
  database: { status: 404, retryable: false, summary: 'The server has no database of this name.' },
  tls: {
    status: 502,
    retryable: false,
    summary: 'The server speaks no TLS, demands it, or its certificate was not accepted; see `ssl`.',
  },
  pool_exhausted: {
    status: 503,
    retryable: true,
    summary: 'No connection of the pool became free within `acquire_timeout`.',
  },
  closed: { status: 503, retryable: true, summary: 'The connection is closed; the next use opens it again.' },
  connection_lost: {
    status: 502,
    retryable: true,
    summary: 'The server ended the connection while a statement ran; whether that had an effect is unknown.',
  },
  too_many_connections: { status: 503, retryable: true, summary: 'The server takes no more connections.' },
  sql: {
    status: 422,
    retryable: false,
    summary: 'The server does not accept a statement: syntax, or an unknown name.',
  },
  params: {
    status: 422,
    retryable: false,
    summary: "A statement's values do not fit it: their number, type, length or range.",
  },
  denied: {
    status: 403,
    retryable: false,
    summary: 'The user may not do that, or the statement is not allowed here (transactions and settings of your own).',
  },
  read_only: { status: 403, retryable: false, summary: 'A write through `query`, or on a read-only server.' },
  constraint: {
    status: 409,
    retryable: false,
    summary: 'A constraint of the schema refused a write; `data.constraint` says which kind.',
  },
  conflict: {
    status: 409,
    retryable: true,
    summary: 'The transaction lost against another one (deadlock, serialization, lock timeout) and was rolled back.',
  },
  timeout: { status: 504, retryable: false, summary: 'A statement took longer than `statement_timeout`.' },
  aborted: { status: 499, retryable: true, summary: 'A statement was cancelled on the server and rolled back.' },
  too_many_rows: {
    status: 413,
    retryable: false,
    summary: 'A query has more rows than `max_rows`, or a write returns more than 100,000.',
  },
  too_large: { status: 413, retryable: false, summary: 'The rows of a result are together larger than 32 MiB.' },
  full: { status: 507, retryable: true, summary: 'The server is out of disk or memory; nothing was written.' },
  failed: {
    status: 500,
    retryable: true,
    summary: 'The server reported another error; `data.server_code` is its own.',
  },
} as const satisfies Record<string, ErrorSpec>

export type SqlErrorKind = keyof typeof KINDS

/** The table of one connector. */
export function sqlErrorTable<Name extends string>(
  name: Name,
  packageName: string,
): Readonly<Record<`${Name}_${SqlErrorKind | 'package'}`, ErrorSpec>> {
  const rows = Object.entries<ErrorSpec>(KINDS).map(([kind, spec]) => [`${name}_${kind}`, spec])
  return Object.fromEntries([...rows, [`${name}_package`, packageMissing(packageName)]]) as Record<
    `${Name}_${SqlErrorKind | 'package'}`,
    ErrorSpec
  >
}

export interface SqlErrorOptions {
  readonly cause?: unknown
  readonly data?: Json
}

/** An error of a connector, retryable as its table row says. */
export function sqlError(
  name: string,
  kind: SqlErrorKind,
  message: string,
  options: SqlErrorOptions = {},
): PlugworkError {
  return new PlugworkError(`${name}_${kind}`, message, { retryable: KINDS[kind].retryable, ...options })
}
