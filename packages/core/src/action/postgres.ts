/**
 * What limits and cache need of a PostgreSQL client; a `pg` pool is one, and so is the database of the PostgreSQL store. Rows are
 * objects, or lists of columns.
 */
export interface PostgresQueries {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly object[] }>
}

/** Name of a table that may go into a statement as it is. */
export const TABLE_NAME = /^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$/

/**
 * Runs a `create table if not exists` before the first use. It fails where another process creates the table at that
 * moment (with one of three codes, which a client may have wrapped), and then succeeds when it is asked again.
 */
export function createTable(postgres: PostgresQueries, statement: string): () => Promise<unknown> {
  let ready: Promise<unknown> | null = null
  const create = async (): Promise<unknown> => postgres.query(statement).catch(() => postgres.query(statement))
  return () => {
    ready ??= create().catch((error: unknown) => {
      ready = null
      throw error
    })
    return ready
  }
}
