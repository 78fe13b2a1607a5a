/** PostgreSQL's SQL: transactions, the table of keys, batches. */
import type { Json, JsonObject } from '@plugwork/core'
import { checkUpdates, cutRuns, keyText } from '../sql/batches.ts'
import { sqlError } from '../sql/error-table.ts'
import type { Row } from '../sql/operation.ts'
import type { BatchContext, Dialect } from '../sql/session.ts'
import { isBlob } from '../sql/values.ts'
import { postgresFailure } from './failures.ts'
import { hex, toParameter } from './values.ts'

const OWN_TRANSACTION = /^(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE TRANSACTION)\b/
const OWN_SETTINGS = /^(?:SET(?! LOCAL\b)|RESET|DISCARD|LISTEN|UNLISTEN|PREPARE|DEALLOCATE|LOAD)\b/
const ALONE =
  /^(?:VACUUM|(?:CREATE|DROP) (?:DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER SYSTEM|REINDEX (?:DATABASE|SYSTEM)|CREATE (?:UNIQUE )?INDEX CONCURRENTLY|DROP INDEX CONCURRENTLY|REINDEX \w+ CONCURRENTLY)\b/

/** A name, or `schema.name`, as PostgreSQL takes it literally. */
const quoteTable = (name: string): string => name.split('.').map(quoteName).join('.')
const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

export const postgresDialect: Dialect = {
  name: 'postgres',
  title: 'PostgreSQL',
  beginRead: 'BEGIN READ ONLY',
  begin: 'BEGIN',
  keys: {
    exists: "SELECT to_regclass('_plugwork_applied')::text",
    create:
      'CREATE TABLE _plugwork_applied (key text PRIMARY KEY, result text NOT NULL, at timestamptz NOT NULL DEFAULT now())',
    clean: "DELETE FROM _plugwork_applied WHERE at < now() - interval '30 days'",
    claim: "INSERT INTO _plugwork_applied (key, result) VALUES ($1, '') ON CONFLICT DO NOTHING",
    store: 'UPDATE _plugwork_applied SET result = $1 WHERE key = $2',
    find: 'SELECT result FROM _plugwork_applied WHERE key = $1',
  },
  bind: toParameter,
  refuses({ bare, verb }) {
    if (OWN_TRANSACTION.test(bare)) return 'Transactions of your own are not allowed here: use `postgres.transaction`.'
    if (OWN_SETTINGS.test(bare)) {
      return `${verb} would change the connection for whoever uses it next; SET LOCAL changes it for this transaction.`
    }
    return verb === 'COPY' ? 'COPY streams outside of queries: use `postgres.batch_insert` and `postgres.query`.' : null
  },
  standsAlone: ({ bare }) => ALONE.test(bare),
  failure: postgresFailure,

  /** One parameter per statement: the rows as JSON, which the server reads with the types of the table. */
  async batchInsert({ table, records, batchSize, onConflict }, context) {
    const name = quoteTable(table)
    const key = onConflict === 'replace' ? await primaryKey(name, context) : []
    if (onConflict === 'replace' && key.length === 0) {
      throw sqlError('postgres', 'params', `on_conflict: replace needs a primary key, which ${table} does not have.`)
    }
    const keyOf = key.length === 0 ? undefined : (row: Row): string => keyText(key.map((column) => row[column] ?? null))
    let inserted = 0
    for (const { columns, rows, first } of cutRuns(records, { batchSize, ...(keyOf === undefined ? {} : { keyOf }) })) {
      const list = columns.map(quoteName).join(', ')
      const conflict = onConflict === 'ignore' ? ' ON CONFLICT DO NOTHING' : replaceClause(key, columns)
      if (columns.length === 0) {
        for (const _ of rows)
          inserted += (await context.run(`INSERT INTO ${name} DEFAULT VALUES${conflict}`, [])).affected
        continue
      }
      const text = `INSERT INTO ${name} (${list}) SELECT ${list} FROM json_populate_recordset(NULL::${name}, $1::json)${conflict}`
      inserted += (await context.run(text, [recordset(rows, 'records', first)])).affected
    }
    return inserted
  },

  async batchUpdate({ table, keyField, updates, batchSize }, context) {
    checkUpdates('postgres', updates, keyField)
    const name = quoteTable(table)
    const key = quoteName(keyField)
    let updated = 0
    for (const { columns, rows, first } of cutRuns(updates, { batchSize, keyOf: (row) => keyText(row[keyField]) })) {
      const set = columns
        .filter((column) => column !== keyField)
        .map((column) => `${quoteName(column)} = v.${quoteName(column)}`)
      const text = `UPDATE ${name} AS t SET ${set.join(', ')} FROM json_populate_recordset(NULL::${name}, $1::json) AS v WHERE t.${key} = v.${key}`
      updated += (await context.run(text, [recordset(rows, 'updates', first)])).affected
    }
    return updated
  },
}

function replaceClause(key: readonly string[], columns: readonly string[]): string {
  if (key.length === 0) return ''
  const others = columns.filter((column) => !key.includes(column))
  const set = others.map((column) => `${quoteName(column)} = excluded.${quoteName(column)}`).join(', ')
  return ` ON CONFLICT (${key.map(quoteName).join(', ')}) ${set === '' ? 'DO NOTHING' : `DO UPDATE SET ${set}`}`
}

async function primaryKey(table: string, { rows }: BatchContext): Promise<string[]> {
  const found = (await rows(
    `SELECT a.attname::text AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
     WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`,
    [table],
  )) as readonly JsonObject[]
  return found.map(({ name }) => String(name))
}

/** Rows as the JSON that `json_populate_recordset` reads; bytes in the text form of bytea. */
function recordset(rows: readonly Row[], field: string, first: number): string {
  const text = JSON.stringify(rows, (_name, value: Json) => (isBlob(value) ? hex(value.base64) : value))
  if (!text.includes(String.raw`\u0000`)) return text
  const at = rows.findIndex((row) => JSON.stringify(row).includes(String.raw`\u0000`))
  throw sqlError('postgres', 'params', `${field}[${first + at}] has a NUL character, which PostgreSQL has in no text.`)
}
