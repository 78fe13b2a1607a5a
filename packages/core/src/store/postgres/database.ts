/**
 * The connection to a PostgreSQL database: the driver, loaded when a store is opened; a pool; transactions that know
 * whether they were committed; and what the server's errors mean.
 */
import type pg from 'pg'
import type { Client, ClientConfig, Pool, PoolClient } from 'pg'

import { PlugworkError } from '../../error.ts'
import { storeError } from '../errors.ts'
import { parseAddress, type Address } from './address.ts'

/** What PostgreSQL gives back for a column, with the parsers below. */
export type Column = string | number | boolean | null | Uint8Array

export interface Result {
  readonly rows: readonly (readonly Column[])[]
  /** Rows that a statement has changed. */
  readonly count: number
}

/** Something that runs statements: the pool, or a transaction. */
export interface Queryable {
  query(text: string, values?: readonly unknown[], name?: string): Promise<Result>
}

/** Longest that a statement may take on the server; then it is given up there, in ms. */
const STATEMENT_MS = 30_000
/** Longest that a transaction may wait for its next statement, in ms. */
const IDLE_MS = 10_000
/** How long an unreachable server is tried again before a call is refused, in ms. */
const PATIENCE_MS = 8_000
const CONNECT_MS = 5_000
const CONNECTIONS = 8
const INT8 = 20

type Driver = typeof pg

async function loadDriver(): Promise<Driver> {
  try {
    const module = await import('pg')
    return module.default
  } catch (error) {
    throw storeError(
      'store_driver_missing',
      'The PostgreSQL store needs the package pg (^8.23.0), which is not installed. Run: npm install pg@^8.23.0',
      error,
    )
  }
}

/** How far a transaction has come: null before its COMMIT was sent. */
interface Progress<T> {
  sent: { readonly xid: string; readonly answer: T } | null
}

export class Database implements Queryable {
  readonly address: Address
  readonly #driver: Driver
  readonly #pool: Pool
  readonly #config: ClientConfig
  #closed = false
  /** Statements sent, transaction control included. */
  statements = 0

  private constructor(driver: Driver, address: Address) {
    this.#driver = driver
    this.address = address
    const parsers = driver.types
    this.#config = {
      connectionString: address.url,
      application_name: 'plugwork',
      options:
        `${address.options} -c search_path=${address.schema} -c jit=off -c default_transaction_isolation=read\\ committed`.trim(),
      statement_timeout: STATEMENT_MS,
      // What a process that was stopped in the middle of a transaction holds is let go of.
      idle_in_transaction_session_timeout: IDLE_MS,
      // A server that no longer answers at all is given up a little later than it would give up itself.
      query_timeout: STATEMENT_MS + 5_000,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      types: {
        getTypeParser: (oid: number, format?: 'text' | 'binary') =>
          oid === INT8 ? Number : (parsers.getTypeParser(oid, format) as (value: string) => unknown),
      } as ClientConfig['types'] & object,
    }
    this.#pool = new driver.Pool({
      ...this.#config,
      max: CONNECTIONS,
      allowExitOnIdle: true,
      idleTimeoutMillis: 60_000,
    })
    // An idle connection that breaks has nobody to tell; whoever needs one gets another.
    this.#pool.on('error', () => undefined)
  }

  /** Loads the driver and connects once, so that a wrong address is told at once. */
  static async open(url: string): Promise<Database> {
    const address = parseAddress(url)
    const database = new Database(await loadDriver(), address)
    try {
      await database.query('SELECT 1')
      return database
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** A statement that may be repeated when the connection breaks: reading, or a change that is the same twice. */
  async query(text: string, values: readonly unknown[] = [], name?: string): Promise<Result> {
    return this.#patiently((client) => this.#run(client, text, values, name))
  }

  /** A statement that is sent once; whether it landed is not known when the connection breaks (see `isLost`). */
  async once(text: string, values: readonly unknown[], name?: string): Promise<Result> {
    const client = await this.#connect()
    return this.#release(client, () => this.#run(client, text, values, name))
  }

  /**
   * Runs `work` in a transaction, again from its beginning after a deadlock or a broken connection. When the answer to COMMIT is
   * lost, the server is asked what became of the transaction, so that it is never done twice. `head` is run first, and its first
   * row handed to `work`.
   */
  async transaction<T>(
    head: string,
    work: (transaction: Queryable, head: readonly Column[]) => Promise<T>,
  ): Promise<T> {
    let conflicts = 0
    return this.#patiently(async (client) => {
      for (;;) {
        const state: Progress<T> = { sent: null }
        try {
          return await this.#attempt(client, head, work, state)
        } catch (error) {
          if (isLost(error)) {
            if (state.sent === null || !(await this.#wasCommitted(state.sent.xid))) throw error
            return state.sent.answer
          }
          await this.#run(client, 'ROLLBACK', [])
          if (!isConflict(error) || ++conflicts > 8) throw error
          await pause(Math.random() * 2 ** conflicts)
        }
      }
    })
  }

  /** Reads several things as of one moment. */
  async snapshot<T>(work: (transaction: Queryable) => Promise<T>): Promise<T> {
    return this.#patiently(async (client) => {
      await this.#run(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', [])
      try {
        return await work({ query: (text, values = [], name) => this.#run(client, text, values, name) })
      } finally {
        await this.#run(client, 'COMMIT', [])
      }
    })
  }

  /** A statement that may take as long as it needs. */
  async maintain(text: string): Promise<void> {
    const { statement_timeout: _, query_timeout: __, ...config } = this.#config
    const client: Client = new this.#driver.Client(config)
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query(text)
    } catch (error) {
      throw fromPostgres(error, this.address)
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** A connection of its own that listens on a channel. `onEnd` is called once when it breaks. */
  async listen(channel: string, onNotice: (payload: string) => void, onEnd: () => void): Promise<() => Promise<void>> {
    const { statement_timeout: _, query_timeout: __, ...config } = this.#config
    const client: Client = new this.#driver.Client(config)
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      onEnd()
    }
    client.on('error', end)
    client.on('end', end)
    client.on('notification', ({ payload }) => onNotice(payload ?? ''))
    try {
      await client.connect()
      await client.query(`LISTEN ${channel}`)
    } catch (error) {
      ended = true
      await client.end().catch(() => undefined)
      throw fromPostgres(error, this.address)
    }
    // An idle store keeps no process alive; its end does. Newer than the driver's published types.
    const held = client as Client & { ref(): void; unref(): void }
    held.unref()
    return async () => {
      ended = true
      held.ref()
      await client.end().catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pool.end()
  }

  async #attempt<T>(
    client: PoolClient,
    head: string,
    work: (transaction: Queryable, head: readonly Column[]) => Promise<T>,
    state: Progress<T>,
  ): Promise<T> {
    this.statements++
    // One message, no parameters: the number of the transaction comes with its beginning.
    const begun = (await client.query({
      text: `BEGIN; SELECT pg_current_xact_id()::text; ${head}`,
      rowMode: 'array',
    })) as unknown as { rows: Column[][] }[]
    const answer = await work(
      { query: (text, values = [], name) => this.#run(client, text, values, name) },
      begun[2]?.rows[0] ?? [],
    )
    state.sent = { xid: String(begun[1]?.rows[0]?.[0]), answer }
    await this.#run(client, 'COMMIT', [])
    return answer
  }

  /** What became of a transaction whose COMMIT got no answer. */
  async #wasCommitted(xid: string): Promise<boolean> {
    for (;;) {
      const { rows } = await this.query('SELECT pg_xact_status($1::text::xid8)', [xid])
      const status = rows[0]?.[0]
      if (status === 'committed') return true
      if (status === 'aborted') return false
      if (status === null || status === undefined) {
        throw storeError('store_failed', `The server no longer knows what became of transaction ${xid}.`)
      }
      await pause(20)
    }
  }

  async #patiently<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const until = performance.now() + PATIENCE_MS
    for (let tries = 0; ; tries++) {
      try {
        const client = await this.#connect()
        return await this.#release(client, () => work(client))
      } catch (error) {
        if (!isLost(error) || this.#closed || performance.now() > until || isRefused(error)) {
          throw fromPostgres(error, this.address)
        }
        await pause(Math.min(1_000, 20 * 2 ** tries))
      }
    }
  }

  async #connect(): Promise<PoolClient> {
    if (this.#closed) throw storeError('store_closed', 'The store is closed.')
    return this.#pool.connect()
  }

  /** Gives the connection back; one that broke is thrown away. */
  async #release<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
    let broken = false
    const onError = (): void => {
      broken = true
    }
    client.on('error', onError)
    try {
      return await work()
    } catch (error) {
      if (isLost(error)) broken = true
      throw error
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  async #run(client: PoolClient, text: string, values: readonly unknown[], name?: string): Promise<Result> {
    this.statements++
    const { rows, rowCount } = await client.query({
      text,
      values: values as unknown[],
      rowMode: 'array',
      ...(name === undefined ? {} : { name }),
    })
    return { rows: rows as Column[][], count: rowCount ?? 0 }
  }
}

/** True when the connection broke, so that it is not known what became of the statement. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof PlugworkError) return false
  const { code } = error as { code?: string }
  if (code === undefined) return /terminated|timeout|not queryable|closed the connection|socket/i.test(error.message)
  return /^(08|57P0[1-4]|53300|E(CONN|PIPE|TIMEDOUT|HOST|NET|NOTFOUND|AI_AGAIN))/.test(code)
}

/** The server is there and does not let us in, or there is none of this name: trying again is of no use. */
function isRefused(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === 'ENOTFOUND'
}

/** Deadlocks and serialisation failures: the transaction was rolled back, and is simply done again. */
export function isConflict(error: unknown): boolean {
  const { code, constraint } = error as { code?: string; constraint?: string }
  if (code === '40P01' || code === '40001' || code === '55P03') return true
  // Another process has stored the same key in the same moment: the next look finds it.
  return (
    code === '23505' && (constraint === 'runs_idempotency' || constraint === 'runs_id' || constraint === 'events_key')
  )
}

/** The store's error for one of the server's or the driver's. Has the server's words, and never the address's password. */
export function fromPostgres(error: unknown, { shown }: Pick<Address, 'shown'>): Error {
  if (error instanceof PlugworkError) return error
  const { code = '', constraint, message } = error as { code?: string; constraint?: string; message?: string }
  if (code === '23505' && (constraint === 'journal_completion' || constraint === 'journal_seq')) {
    return constraint === 'journal_completion'
      ? storeError(
          'store_duplicate_completion',
          'A step was to be completed a second time; the first completion stands.',
        )
      : storeError('store_sequence', 'A record of this number is stored already. Load the run again.')
  }
  if (/^(22|23)/.test(code))
    return storeError('store_constraint', `${shown}: ${message}. Nothing of the write was stored.`)
  if (code === '53100' || code === '53200')
    return storeError('store_full', `${shown}: ${message}. Free space, then try again.`)
  if (code === '28P01' || code === '28000' || code === '3D000' || code === '42501') {
    return storeError(
      'store_refused',
      `${shown}: ${message}. Check user, password, database name and rights in the address.`,
    )
  }
  if (isLost(error)) {
    return storeError(
      'store_unreachable',
      `${shown} cannot be reached (${code || message}). It is tried again; nothing is lost.`,
    )
  }
  return storeError('store_failed', `${shown}: ${message ?? String(error)}`)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
