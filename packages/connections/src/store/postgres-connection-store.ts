/**
 * Connections in PostgreSQL, in a schema of their own: the database of the run store, or the application's. `pg` is an
 * optional package and is loaded here.
 */
import { PlugworkError } from '@plugwork/core'
import type { ConnectionStore } from './connection-store.ts'
import { storeClosed, storeError } from './errors.ts'
import { POSTGRES_MIGRATIONS } from './migrations.ts'
import {
  fromSql,
  getRow,
  insertRow,
  listRows,
  removeRow,
  replaceRow,
  type SqlDialect,
  type SqlRow,
  type SqlText,
} from './sql-query.ts'

/** What is used of a pool of `pg`. */
export interface PostgresPool {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>
  connect(): Promise<PostgresPoolClient>
}

export interface PostgresPoolClient {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>
  release(destroy?: boolean): void
}

export type PostgresConnectionStoreOptions = {
  /** Schema that the tables are in; made when it is not there. Default `plugwork_connections`. */
  readonly schema?: string
} & ({ readonly url: string } | { readonly pool: PostgresPool })

const DEFAULT_SCHEMA = 'plugwork_connections'
const POOL_SIZE = 5
/** A statement of the store takes a millisecond; a server that does not answer is an error, not a hang. */
const TIMEOUT_MS = 10_000
/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNIQUE_VIOLATION = '23505'
/** Key of the advisory lock under which a schema is migrated ("PlgC"). */
const MIGRATION_LOCK = 0x506c6743

/** Opens the store, migrating its schema. A pool that was given stays open when the store is closed. */
export async function openPostgresConnectionStore(options: PostgresConnectionStoreOptions): Promise<ConnectionStore> {
  const { schema = DEFAULT_SCHEMA } = options
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw storeError('connection_store_failed', `"${schema}" is no schema name: use a-z, 0-9 and "_".`)
  }
  const own = 'url' in options ? await openPool(options.url) : null
  const pool: PostgresPool = 'url' in options ? own! : options.pool
  try {
    await migrate(pool, schema)
  } catch (error) {
    await own?.end()
    throw error instanceof PlugworkError ? error : failed(error)
  }
  return storeOn(pool, schema, async () => own?.end())
}

async function openPool(url: string): Promise<PostgresPool & { end(): Promise<void> }> {
  const { default: pg } = await import('pg').catch((cause: unknown) => {
    throw storeError(
      'package_missing',
      'Connections in PostgreSQL need the package pg (^8.23.0). Install it: npm install pg',
      cause,
    )
  })
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    application_name: 'plugwork connections',
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined)
  return {
    query: async (text, values) => pool.query(text, values === undefined ? undefined : [...values]),
    connect: async () => {
      const client = await pool.connect()
      return {
        query: async (text, values) => client.query(text, values === undefined ? undefined : [...values]),
        release: (destroy) => client.release(destroy),
      }
    },
    end: async () => pool.end(),
  }
}

function storeOn(pool: PostgresPool, schema: string, end: () => Promise<void>): ConnectionStore {
  let closed = false
  const dialect: SqlDialect = {
    parameter: (n) => `$${n}`,
    table: (name) => `"${schema}".${name}`,
    ignore: 'ON CONFLICT DO NOTHING',
    bytes: ' COLLATE "C"',
  }
  const ask = async ({ sql, values }: SqlText): ReturnType<PostgresPool['query']> => {
    if (closed) throw storeClosed()
    try {
      return await pool.query(sql, values)
    } catch (error) {
      throw failed(error)
    }
  }
  const change = async (text: SqlText): Promise<boolean> => (await ask(text)).rowCount === 1
  // Rows have the columns of the migration.
  const rows = async (text: SqlText): Promise<SqlRow[]> => (await ask(text)).rows as SqlRow[]
  return {
    async get(table, id) {
      const [row] = await rows(getRow(dialect, table, id))
      return row === undefined ? null : fromSql(row)
    },
    insert: async (table, row) => change(insertRow(dialect, table, row)),
    async replace(table, row, version) {
      try {
        return (await change(replaceRow(dialect, table, row, version))) ? 'done' : 'stale'
      } catch (error) {
        if (((error as Error).cause as { code?: unknown } | undefined)?.code === UNIQUE_VIOLATION) return 'taken'
        throw error
      }
    },
    remove: async (table, id, version) => change(removeRow(dialect, table, id, version)),
    list: async (table, query) => (await rows(listRows(dialect, table, query))).map(fromSql),
    async close() {
      if (closed) return
      closed = true
      await end()
    },
  }
}

async function migrate(pool: PostgresPool, schema: string): Promise<void> {
  const client = await pool.connect()
  let broken = false
  try {
    await client.query('BEGIN')
    // Processes that start at once migrate one after the other.
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`)
    await client.query(`CREATE TABLE IF NOT EXISTS "${schema}".schema_version (version integer NOT NULL)`)
    const { rows } = await client.query(`SELECT version FROM "${schema}".schema_version`)
    const version = (rows as { version: number }[])[0]?.version ?? 0
    if (version > POSTGRES_MIGRATIONS.length) {
      throw storeError(
        'connection_store_newer',
        `The schema ${schema} has version ${version}; this Plugwork knows versions up to ${POSTGRES_MIGRATIONS.length}. Use the newer program.`,
      )
    }
    for (const sql of POSTGRES_MIGRATIONS.slice(version)) await client.query(sql((name) => `"${schema}".${name}`))
    if (version < POSTGRES_MIGRATIONS.length) {
      await client.query(`DELETE FROM "${schema}".schema_version`)
      await client.query(`INSERT INTO "${schema}".schema_version VALUES ($1)`, [POSTGRES_MIGRATIONS.length])
    }
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => (broken = true))
    throw error
  } finally {
    client.release(broken)
  }
}

function failed(error: unknown): PlugworkError {
  const message = error instanceof Error ? error.message : String(error)
  return storeError('connection_store_failed', `PostgreSQL, store of connections: ${message}`, error)
}
