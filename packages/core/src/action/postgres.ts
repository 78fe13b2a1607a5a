/** What limits and cache need of a PostgreSQL client; a `pg` pool is one. The core brings none of its own. */
export interface PostgresQueries {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: Record<string, unknown>[] }>
}

/** Name of a table that may go into a statement as it is. */
export const TABLE_NAME = /^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$/

/** Runs a `create table if not exists` before the first use. */
export function createTable(postgres: PostgresQueries, statement: string): () => Promise<unknown> {
  let ready: Promise<unknown> | null = null
  return () => {
    ready ??= postgres.query(statement).catch((error: unknown) => {
      ready = null
      const { code } = error as { code?: unknown }
      // Two processes may create it at once; the second one is told that it exists.
      if (code !== '23505' && code !== '42P07') throw error
    })
    return ready
  }
}
