import { actionError } from './errors.ts'
import type { LimitAnswer, LimitStore, TakeRequest } from './limit-store.ts'
import { createTable, TABLE_NAME, type PostgresQueries } from './postgres.ts'

export interface PostgresLimitStoreOptions {
  readonly postgres: PostgresQueries
  /** Default `plugwork_limit`. */
  readonly table?: string
  /** Replaces the server's clock (tests); epoch ms. */
  readonly now?: () => number
}

/**
 * Buckets shared by all processes on one PostgreSQL. A call is one statement: the row is locked by `on conflict do
 * update`, which computes from what is stored then, so two processes never take the same token. The table is unlogged:
 * a server that crashes starts with full buckets, and no call pays for a flush.
 */
export function createPostgresLimitStore(options: PostgresLimitStoreOptions): LimitStore {
  const { postgres, table = 'plugwork_limit' } = options
  if (!TABLE_NAME.test(table)) {
    throw actionError('action_option_invalid', `The table "${table}" is no plain name such as plugwork_limit.`)
  }
  const clock = 'coalesce($2::float8, extract(epoch from clock_timestamp())::float8 * 1000)'
  // `asked_at` carries this statement's now to its conflict clause; `taken` and `wait` carry what it decided to RETURNING.
  const create = `create unlogged table if not exists ${table} (
    key text primary key, full_at float8 not null, paused_until float8 not null,
    asked_at float8 not null, taken boolean not null, wait float8 not null)`
  const sweep = `delete from ${table} where full_at < $1::float8 and paused_until < $1::float8`
  const cost = '$3::float8 * $4::float8'
  const burst = '$5::float8 * $4::float8'
  const longest = '$6::float8'
  const first = `greatest(0, ${cost} - ${burst})`
  const full = `(greatest(b.full_at, b.paused_until, excluded.asked_at) + ${cost})`
  const wait = `greatest(0, b.paused_until - excluded.asked_at, ${full} - ${burst} - excluded.asked_at)`
  const take = `insert into ${table} as b (key, full_at, paused_until, asked_at, taken, wait)
    select $1, now + case when ${first} <= ${longest} then ${cost} else 0 end, 0, now, ${first} <= ${longest}, ${first}
      from (select ${clock} as now) as clock
    on conflict (key) do update set
      full_at = case when ${wait} <= ${longest} then ${full} else b.full_at end,
      asked_at = excluded.asked_at, taken = ${wait} <= ${longest}, wait = ${wait}
    returning taken, wait`
  const pause = `insert into ${table} as b (key, full_at, paused_until, asked_at, taken, wait)
    values ($1, 0, ${clock} + $3::float8, 0, true, 0)
    on conflict (key) do update set paused_until = greatest(b.paused_until, excluded.paused_until)`

  const prepared = createTable(postgres, create)
  let calls = 0
  const at = (): number | null => options.now?.() ?? null

  return {
    async take({ key, rule, cost: tokens, maxWaitMs }: TakeRequest): Promise<LimitAnswer> {
      await prepared()
      const interval = rule.perMs / rule.requests
      const { rows } = await postgres.query(take, [key, at(), tokens, interval, rule.burst, maxWaitMs])
      // Full buckets are as good as none; an hour leaves room for clocks that differ.
      if (++calls % 10_000 === 0) await postgres.query(sweep, [(at() ?? Date.now()) - 3_600_000])
      const [taken, wait] = Object.values(rows[0]!) as [boolean, number]
      return { taken, waitMs: wait }
    },
    async pause(key, ms) {
      await prepared()
      await postgres.query(pause, [key, at(), ms])
    },
  }
}
