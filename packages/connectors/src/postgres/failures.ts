/** What PostgreSQL and its driver report, as errors of this connector. */
import { PlugworkError, type Json } from '@plugwork/core'
import { sqlError, type SqlErrorKind } from '../sql/error-table.ts'

/** Codes before classes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const KINDS: { readonly [sqlState: string]: SqlErrorKind } = {
  '25006': 'read_only',
  '25P03': 'connection_lost',
  '28000': 'login',
  '28P01': 'login',
  '3D000': 'database',
  '40001': 'conflict',
  '40P01': 'conflict',
  '42501': 'denied',
  '42601': 'sql',
  '42804': 'params',
  '53300': 'too_many_connections',
  '55P03': 'conflict',
  '57014': 'aborted',
  '57P01': 'connection_lost',
  '57P02': 'connection_lost',
  '57P03': 'unreachable',
  '57P05': 'connection_lost',
  '08P01': 'params',
  '08': 'connection_lost',
  '22': 'params',
  '23': 'constraint',
  '25': 'denied',
  '42': 'sql',
  '53': 'full',
}

const CONSTRAINTS: { readonly [sqlState: string]: string } = {
  '23502': 'not_null',
  '23503': 'foreign_key',
  '23505': 'unique',
  '23514': 'check',
  '23P01': 'exclusion',
}

const HINTS: { readonly [kind in SqlErrorKind]?: string } = {
  conflict: 'Repeat it: give the step a `retry`.',
  denied: 'Grant it to the user, or leave it out.',
  full: 'Make room on the server.',
  login: 'Check `user` and `password`, and that pg_hba.conf lets this user in from here.',
  database: 'Check `database`; CREATE DATABASE makes it.',
  read_only: '`postgres.query` only reads: use `postgres.execute`.',
  too_many_connections: "Lower pool.size, or raise the server's max_connections.",
}

interface ServerError {
  readonly code?: unknown
  readonly message?: unknown
  readonly detail?: unknown
  readonly constraint?: unknown
  readonly position?: unknown
}

export function postgresFailure(thrown: unknown): PlugworkError {
  if (thrown instanceof PlugworkError) return thrown
  const { code, message, constraint, position } = thrown as ServerError
  const text = typeof message === 'string' ? message : String(thrown)
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) {
    return sqlError('postgres', 'connection_lost', `The connection to PostgreSQL broke: ${text}.`, { cause: thrown })
  }
  const timedOut = code === '57014' && /statement timeout/.test(text)
  const kind = timedOut ? 'timeout' : (KINDS[code] ?? KINDS[code.slice(0, 2)] ?? 'failed')
  const hint = timedOut ? 'Raise `statement_timeout` of the connection, or make it faster.' : HINTS[kind]
  const data: { [name: string]: Json } = { server_code: code }
  if (kind === 'constraint') data['constraint'] = CONSTRAINTS[code] ?? 'other'
  // The name of the constraint; the detail would hold the row's values.
  if (typeof constraint === 'string') data['constraint_name'] = constraint
  if (typeof position === 'string') data['position'] = Number(position)
  return sqlError('postgres', kind, `PostgreSQL: ${text}.${hint === undefined ? '' : ` ${hint}`}`, { data })
}
