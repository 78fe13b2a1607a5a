import type { ErrorSpec } from '@plugwork/core'

/** Error codes of the sqlite connector. */
export const ERRORS = {
  sqlite_config: { status: 422, retryable: false, summary: 'A setting of a sqlite connection cannot be used.' },
  sqlite_open: { status: 502, retryable: false, summary: 'A database file cannot be opened, or is none.' },
  sqlite_sql: {
    status: 422,
    retryable: false,
    summary: 'SQLite does not accept a statement: syntax, or an unknown name.',
  },
  sqlite_params: {
    status: 422,
    retryable: false,
    summary: "A statement's parameters do not fit it, or have no SQLite type.",
  },
  sqlite_denied: {
    status: 403,
    retryable: false,
    summary: 'A statement is not allowed here: it opens files, changes settings or begins transactions of its own.',
  },
  sqlite_read_only: {
    status: 403,
    retryable: false,
    summary: 'A write through `query`, or on a read-only connection.',
  },
  sqlite_constraint: {
    status: 409,
    retryable: false,
    summary: 'A constraint of the schema refused a write; `data.constraint` says which kind.',
  },
  sqlite_busy: { status: 503, retryable: true, summary: 'Another process held a lock for longer than `timeout`.' },
  sqlite_full: { status: 507, retryable: true, summary: 'The disk or the database is full; nothing was written.' },
  sqlite_corrupt: { status: 500, retryable: false, summary: 'The database file is damaged.' },
  sqlite_failed: { status: 500, retryable: true, summary: 'SQLite reported another error, such as a failing disk.' },
  sqlite_too_many_rows: {
    status: 413,
    retryable: false,
    summary: 'A query has more rows than `max_rows`, or a write returns more than 100,000.',
  },
  sqlite_too_large: {
    status: 413,
    retryable: false,
    summary: 'The rows of a result are together larger than 32 MiB, or one text or blob larger than 96 MiB.',
  },
  sqlite_aborted: { status: 499, retryable: true, summary: 'A statement was interrupted and rolled back.' },
} as const satisfies Record<string, ErrorSpec>

export type SqliteErrorCode = keyof typeof ERRORS
