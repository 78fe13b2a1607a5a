import type { ActionCache } from './cache.ts'
import { actionError } from './errors.ts'
import { createTable, TABLE_NAME, type PostgresQueries } from './postgres.ts'

export interface PostgresCacheOptions {
  readonly postgres: PostgresQueries
  /** Default `plugwork_cache`. */
  readonly table?: string
}

/** So many answers are kept between two sweeps of those whose time is over. */
const SWEEP_EVERY = 1_000

/** A cache shared by all processes on one PostgreSQL. Its table is unlogged: losing it costs nothing but calls. */
export function createPostgresCache({ postgres, table = 'plugwork_cache' }: PostgresCacheOptions): ActionCache {
  if (!TABLE_NAME.test(table)) {
    throw actionError('action_option_invalid', `The table "${table}" is no plain name such as plugwork_cache.`)
  }
  const prepared = createTable(
    postgres,
    `create unlogged table if not exists ${table} (key text primary key, value text not null, expires_at timestamptz not null)`,
  )
  const select = `select value from ${table} where key = $1 and expires_at > clock_timestamp()`
  const upsert = `insert into ${table} (key, value, expires_at)
    values ($1, $2, clock_timestamp() + $3::float8 * interval '1 millisecond')
    on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at`
  const sweep = `delete from ${table} where expires_at <= clock_timestamp()`
  let kept = 0
  return {
    async get(key) {
      await prepared()
      const { rows } = await postgres.query(select, [key])
      return rows.length === 0 ? null : String(Object.values(rows[0]!)[0])
    },
    async set(key, text, ttlMs) {
      await prepared()
      await postgres.query(upsert, [key, text, ttlMs])
      if (++kept % SWEEP_EVERY === 0) await postgres.query(sweep)
    },
  }
}
