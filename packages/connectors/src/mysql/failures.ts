/** What MySQL, MariaDB and the driver report, as errors of this connector. */
import { PlugworkError, type Json } from '@plugwork/core'
import { sqlError, type SqlErrorKind } from '../sql/error-table.ts'

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const KINDS: { readonly [errno: number]: SqlErrorKind } = {
  1021: 'full',
  1037: 'full',
  1040: 'too_many_connections',
  1041: 'full',
  1044: 'database',
  1045: 'login',
  1048: 'constraint',
  1049: 'database',
  1053: 'connection_lost',
  1054: 'sql',
  1062: 'constraint',
  1064: 'sql',
  1065: 'sql',
  1114: 'full',
  1136: 'params',
  1142: 'denied',
  1143: 'denied',
  1146: 'sql',
  1153: 'too_large',
  1169: 'constraint',
  1203: 'too_many_connections',
  1205: 'conflict',
  1210: 'params',
  1213: 'conflict',
  1227: 'denied',
  1264: 'params',
  1265: 'params',
  1290: 'read_only',
  1292: 'params',
  1305: 'sql',
  1317: 'aborted',
  1364: 'constraint',
  1365: 'params',
  1366: 'params',
  1370: 'denied',
  1406: 'params',
  1451: 'constraint',
  1452: 'constraint',
  1690: 'params',
  1698: 'login',
  1792: 'read_only',
  1836: 'read_only',
  1927: 'connection_lost',
  1969: 'timeout',
  3024: 'timeout',
  3140: 'params',
  3159: 'tls',
  3819: 'constraint',
  3988: 'params',
  4025: 'constraint',
}

const CONSTRAINTS: { readonly [errno: number]: string } = {
  1048: 'not_null',
  1062: 'unique',
  1169: 'unique',
  1364: 'not_null',
  1451: 'foreign_key',
  1452: 'foreign_key',
  3819: 'check',
  4025: 'check',
}

const HINTS: { readonly [kind in SqlErrorKind]?: string } = {
  conflict: 'Repeat it: give the step a `retry`.',
  denied: 'Grant it to the user, or leave it out.',
  full: 'Make room on the server.',
  login: 'Check `user` and `password`, and that this user may come from here.',
  database: 'Check `database`; CREATE DATABASE makes it, and the user needs rights to it.',
  read_only: '`mysql.query` only reads: use `mysql.execute`.',
  timeout: 'Raise `statement_timeout` of the connection, or make it faster.',
  tls: 'Set `ssl: true` (or `ssl: { ca: … }`).',
  too_large: "It is larger than the server's max_allowed_packet: lower batch_size.",
  too_many_connections: "Lower pool.size, or raise the server's max_connections.",
}

interface ServerError {
  readonly code?: unknown
  readonly errno?: unknown
  readonly message?: unknown
}

export function mysqlFailure(thrown: unknown): PlugworkError {
  if (thrown instanceof PlugworkError) return thrown
  const { code, errno, message } = thrown as ServerError
  const text = typeof message === 'string' ? message : String(thrown)
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return sqlError('mysql', 'tls', 'The server speaks no TLS. Set `ssl: false` on a network that you trust.')
  }
  // Errors of sockets have negative numbers.
  if (typeof errno !== 'number' || errno < 1000) {
    return sqlError('mysql', 'connection_lost', `The connection to MySQL broke: ${text}.`, { cause: thrown })
  }
  const kind = KINDS[errno] ?? 'failed'
  const hint =
    errno === 1292
      ? 'DATETIME and TIMESTAMP take no zone in a statement: write 2026-01-02 03:04:05, in UTC.'
      : HINTS[kind]
  const data: { [name: string]: Json } = { server_code: errno }
  if (kind === 'constraint') data['constraint'] = CONSTRAINTS[errno] ?? 'other'
  return sqlError('mysql', kind, `MySQL: ${withoutValues(text, errno)}.${hint === undefined ? '' : ` ${hint}`}`, {
    data,
  })
}

/** `Duplicate entry 'ann@example.com' for key 'email'` without the row's value. */
const withoutValues = (text: string, errno: number): string =>
  errno === 1062 ? text.replace(/entry '[\s\S]*' for key/, 'entry for key') : text
