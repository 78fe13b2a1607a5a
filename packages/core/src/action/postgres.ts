/** What limits and cache need of a PostgreSQL client; a `pg` pool is one. The core brings none of its own. */
export interface PostgresQueries {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: Record<string, unknown>[] }>
}

/** Name of a table that may go into a statement as it is. */
export const TABLE_NAME = /^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$/

/** Codes with which a `create table if not exists` fails when another process creates the table at that moment. */
const RACED: ReadonlySet<unknown> = new Set(['23505', '42710', '42P07'])

/** Runs a `create table if not exists` before the first use. */
export function createTable(postgres: PostgresQueries, statement: string): () => Promise<unknown> {
  let ready: Promise<unknown> | null = null
  const create = async (): Promise<unknown> => {
    try {
      return await postgres.query(statement)
    } catch (error) {
      if (RACED.has((error as { code?: unknown }).code)) return postgres.query(statement)
      throw error
    }
  }
  return () => {
    ready ??= create().catch((error: unknown) => {
      ready = null
      throw error
    })
    return ready
  }
}
