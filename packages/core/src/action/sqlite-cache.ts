import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../clock.ts'
import type { ActionCache } from './cache.ts'

export interface SqliteCacheOptions {
  /** A file of its own beside the store's: what is in it may be lost at any time. `:memory:` works too. */
  readonly file: string
  readonly clock: Clock
  /** Bytes of answers after which the oldest go. Default 256 MiB. */
  readonly maxBytes?: number
}

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024
/** So many answers are kept between two looks at what has to go. */
const SWEEP_EVERY = 500

/** A cache that outlives the process. Reads and writes are synchronous and unsynced: some 20 µs each. */
export class SqliteCache implements ActionCache {
  readonly #clock: Clock
  readonly #maxBytes: number
  readonly #database: DatabaseSync
  readonly #select
  readonly #upsert
  #kept = 0

  constructor({ file, clock, maxBytes = DEFAULT_MAX_BYTES }: SqliteCacheOptions) {
    this.#clock = clock
    this.#maxBytes = maxBytes
    this.#database = new DatabaseSync(file)
    this.#database.exec(`pragma journal_mode = wal; pragma synchronous = off; pragma busy_timeout = 1000;
      create table if not exists cache (key text primary key, value text not null, expires_at real not null) without rowid;
      create index if not exists cache_expiry on cache (expires_at)`)
    this.#select = this.#database.prepare('select value from cache where key = ? and expires_at > ?')
    this.#upsert = this.#database.prepare('insert or replace into cache (key, value, expires_at) values (?, ?, ?)')
    this.#sweep()
  }

  get(key: string): string | null {
    const row = this.#select.get(key, this.#clock.now())
    return row === undefined ? null : String(row['value'])
  }

  set(key: string, text: string, ttlMs: number): void {
    this.#upsert.run(key, text, this.#clock.now() + ttlMs)
    if (++this.#kept % SWEEP_EVERY === 0) this.#sweep()
  }

  close(): void {
    this.#database.close()
  }

  /** Removes what is over, and, of what is too much, what would be over first. */
  #sweep(): void {
    this.#database.prepare('delete from cache where expires_at <= ?').run(this.#clock.now())
    this.#database
      .prepare(
        `delete from cache where key in (
           select key from (select key, sum(length(value)) over (order by expires_at desc, key) as total from cache)
           where total > ?)`,
      )
      .run(this.#maxBytes)
  }
}
