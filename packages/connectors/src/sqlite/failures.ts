/** SQLite's result codes as errors of this connector. */
import type { SqliteErrorCode } from './errors.ts'
import { Failure } from './protocol.ts'

/** https://sqlite.org/rescode.html */
const CODES: { readonly [primary: number]: SqliteErrorCode } = {
  1: 'sqlite_sql',
  5: 'sqlite_busy',
  6: 'sqlite_busy',
  8: 'sqlite_read_only',
  11: 'sqlite_corrupt',
  13: 'sqlite_full',
  14: 'sqlite_open',
  18: 'sqlite_too_large',
  19: 'sqlite_constraint',
  20: 'sqlite_params',
  23: 'sqlite_denied',
  25: 'sqlite_params',
  26: 'sqlite_open',
}

const CONSTRAINTS: { readonly [extended: number]: string } = {
  275: 'check',
  787: 'foreign_key',
  1299: 'not_null',
  1555: 'primary_key',
  1811: 'trigger',
  2067: 'unique',
  2579: 'rowid',
  3091: 'datatype',
}

const HINTS: { readonly [code in SqliteErrorCode]?: string } = {
  sqlite_busy: 'Another process holds the lock; raise `timeout` or keep its transactions short.',
  sqlite_denied:
    'ATTACH, PRAGMA with a value and transactions of your own are not allowed; see the settings of the connection.',
  sqlite_full: 'Make room on the disk; nothing was written.',
  sqlite_open: 'Check that the file exists, is a database and may be read and written.',
  sqlite_too_large: 'A text or blob may have 96 MiB, a whole result 32 MiB. Read or write it in parts (substr).',
  sqlite_read_only: '`sqlite.query` only reads: use `sqlite.execute`, and check `read_only` of the connection.',
}

/** What was thrown, as a `Failure`. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown
  const { message, errcode, code } = thrown as { message?: unknown; errcode?: unknown; code?: unknown }
  const text = typeof message === 'string' ? message : String(thrown)
  if (typeof errcode !== 'number') {
    // Node's own checks of bound values.
    const kind = code === 'ERR_INVALID_STATE' || code === 'ERR_INVALID_ARG_TYPE' ? 'sqlite_params' : 'sqlite_failed'
    return new Failure(kind, `SQLite: ${text}.`)
  }
  const kind = CODES[errcode & 0xff] ?? 'sqlite_failed'
  const hint = HINTS[kind]
  const constraint = CONSTRAINTS[errcode]
  return new Failure(kind, `SQLite: ${text}.${hint === undefined ? '' : ` ${hint}`}`, {
    result_code: errcode,
    ...(constraint === undefined ? null : { constraint }),
  })
}
