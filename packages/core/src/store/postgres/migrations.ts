/** Numbered schema changes. The table `schema_version` says how far a schema has come; a new entry goes to the end of the list. */
import { storeError } from '../errors.ts'
import type { Database, Queryable } from './database.ts'
import { initial } from './migrations/0001-initial.ts'

const MIGRATIONS: readonly string[] = [initial]

/** Version of the schema that this program writes. */
export const POSTGRES_SCHEMA_VERSION = MIGRATIONS.length

/**
 * Brings a schema to this program's version, one process at a time (an advisory lock). Throws `store_newer` for a schema of a
 * later program and `store_foreign_file` for one with tables that are not Plugwork's.
 */
export async function migrateTables(database: Database): Promise<{ readonly from: number; readonly to: number }> {
  const { schema } = database.address
  const found = await readVersion(database)
  if (found === POSTGRES_SCHEMA_VERSION) return { from: found, to: found }
  return database.transaction(
    `SELECT pg_advisory_xact_lock(hashtextextended('plugwork.migrate.${schema}', 0))`,
    async (tx) => {
      const from = await readVersion(tx)
      checkVersion(from, database)
      if (from === 0) {
        await refuseForeign(tx, database)
        await tx.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`)
        await tx.query('CREATE TABLE schema_version (version integer NOT NULL)')
        await tx.query('INSERT INTO schema_version VALUES (0)')
      }
      for (const sql of MIGRATIONS.slice(from)) await tx.query(sql)
      if (from < POSTGRES_SCHEMA_VERSION)
        await tx.query('UPDATE schema_version SET version = $1', [POSTGRES_SCHEMA_VERSION])
      return { from, to: POSTGRES_SCHEMA_VERSION }
    },
  )
}

/** Version of the schema, 0 where there is none; throws `store_newer`. */
export async function schemaVersion(database: Database): Promise<number> {
  const version = await readVersion(database)
  checkVersion(version, database)
  return version
}

function checkVersion(version: number, { address }: Database): void {
  if (version <= POSTGRES_SCHEMA_VERSION) return
  throw storeError(
    'store_newer',
    `${address.shown} has schema version ${version}; this Plugwork knows versions up to ${POSTGRES_SCHEMA_VERSION}. Use the newer program.`,
  )
}

async function readVersion(queryable: Queryable): Promise<number> {
  const { rows } = await queryable.query(`SELECT to_regclass('schema_version') IS NOT NULL`)
  if (rows[0]?.[0] !== true) return 0
  const found = await queryable.query('SELECT version FROM schema_version')
  return (found.rows[0]?.[0] ?? 0) as number
}

async function refuseForeign(tx: Queryable, { address }: Database): Promise<void> {
  const { rows } = await tx.query('SELECT 1 FROM pg_tables WHERE schemaname = $1 LIMIT 1', [address.schema])
  if (rows.length === 0) return
  throw storeError(
    'store_foreign_file',
    `${address.shown}: the schema ${address.schema} has tables that are not Plugwork's. Name another one with ?schema= in the address.`,
  )
}
