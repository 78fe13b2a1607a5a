/** The SQL that both databases share: tables of one shape. */
import type { ConnectionTable, NewRow, RowQuery, StoredRow } from './connection-store.ts'

const COLUMNS = ['tenant', 'owner', 'kind', 'name', 'slot', 'due', 'data'] as const

export interface SqlDialect {
  /** How the n-th parameter is written, from 1. */
  parameter(n: number): string
  /** Name of a table, quoted and qualified. */
  table(name: ConnectionTable): string
  /** Appended to an insert that a unique index may refuse. */
  readonly ignore: string
  /** Appended to a text column so that it compares by bytes. */
  readonly bytes: string
}

export interface SqlText {
  readonly sql: string
  readonly values: readonly (string | number | null)[]
}

export function insertRow(dialect: SqlDialect, table: ConnectionTable, row: NewRow): SqlText {
  const names = ['id', 'version', ...COLUMNS]
  const values = [row.id, 1, ...valuesOf(row)]
  const places = values.map((_, index) => dialect.parameter(index + 1))
  return {
    sql: `INSERT INTO ${dialect.table(table)} (${names.join(', ')}) VALUES (${places.join(', ')}) ${dialect.ignore}`,
    values,
  }
}

export function replaceRow(dialect: SqlDialect, table: ConnectionTable, row: NewRow, version: number): SqlText {
  const sets = COLUMNS.map((name, index) => `${name} = ${dialect.parameter(index + 1)}`)
  const [id, old] = [dialect.parameter(COLUMNS.length + 1), dialect.parameter(COLUMNS.length + 2)]
  return {
    sql: `UPDATE ${dialect.table(table)} SET ${sets.join(', ')}, version = version + 1 WHERE id = ${id} AND version = ${old}`,
    values: [...valuesOf(row), row.id, version],
  }
}

export function removeRow(dialect: SqlDialect, table: ConnectionTable, id: string, version?: number): SqlText {
  const sql = `DELETE FROM ${dialect.table(table)} WHERE id = ${dialect.parameter(1)}`
  if (version === undefined) return { sql, values: [id] }
  return { sql: `${sql} AND version = ${dialect.parameter(2)}`, values: [id, version] }
}

export function getRow(dialect: SqlDialect, table: ConnectionTable, id: string): SqlText {
  return { sql: `SELECT * FROM ${dialect.table(table)} WHERE id = ${dialect.parameter(1)}`, values: [id] }
}

export function listRows(dialect: SqlDialect, table: ConnectionTable, query: RowQuery): SqlText {
  const values: (string | number | null)[] = []
  const conditions: string[] = []
  const where = (column: string, operator: string, value: string | number | null | undefined): void => {
    if (value === undefined) return
    if (value === null) return void conditions.push(`${column} IS NULL`)
    values.push(value)
    conditions.push(`${column} ${operator} ${dialect.parameter(values.length)}`)
  }
  where('tenant', '=', query.tenant)
  where('owner', '=', query.owner)
  where('kind', '=', query.kind)
  where('name', '=', query.name)
  where('due', '<=', query.dueBefore)
  where(`id${dialect.bytes}`, '>', query.after)
  values.push(query.limit)
  const filter = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return {
    sql: `SELECT * FROM ${dialect.table(table)}${filter} ORDER BY id${dialect.bytes} LIMIT ${dialect.parameter(values.length)}`,
    values,
  }
}

/** A row as the databases give it: PostgreSQL's bigint is text. */
export interface SqlRow {
  readonly id: string
  readonly tenant: string
  readonly owner: string | null
  readonly kind: string | null
  readonly name: string | null
  readonly slot: string | null
  readonly due: number | string | null
  readonly version: number | string
  readonly data: string
}

export function fromSql({ due, version, data, ...row }: SqlRow): StoredRow {
  return {
    ...row,
    due: due === null ? null : Number(due),
    version: Number(version),
    // What `valuesOf` wrote.
    data: JSON.parse(data) as StoredRow['data'],
  }
}

/** JSON as text: `jsonb` would refuse a NUL that JSON can say. */
function valuesOf(row: NewRow): (string | number | null)[] {
  return [row.tenant, row.owner, row.kind, row.name, row.slot, row.due, JSON.stringify(row.data)]
}
