/**
 * The client of a database server: sessions from a pool, writes in transactions of their own, done exactly once where a
 * key says so, and cancelled on the server when the step is aborted.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Json } from '@plugwork/core'
import { sqlError } from './error-table.ts'
import { appliedKey, type Operation, type Row, type RunOptions, type SqlClient, type Statement } from './operation.ts'
import { Pool, type PoolOptions } from './pool.ts'
import { MAX_RETURNED_ROWS, ResultRows } from './result-rows.ts'
import type { ServerSettings } from './server-config.ts'
import { RowsExceeded, type BatchContext, type Dialect, type ServerSession } from './session.ts'
import { COUNTED, inspectStatement } from './statement-text.ts'

/** How long a cancelled statement may take to end before its session is dropped. */
const CANCEL_GRACE_MS = 5_000
const CANCEL_AGAIN_MS = 500

interface StatementResult {
  readonly rows: Row[]
  readonly row_count: number
  readonly rows_affected: number
  readonly last_insert_id: Json
}

export interface ServerClientOptions {
  /** Name of the connection, for messages. */
  readonly connection: string
  readonly dialect: Dialect
  readonly settings: ServerSettings
  readonly open: PoolOptions<ServerSession>['open']
}

export class ServerClient implements SqlClient {
  readonly exactlyOnce: boolean
  readonly pool: Pool<ServerSession>
  readonly #dialect: Dialect
  readonly #connection: string
  /** Set once the table of keys is known to be there. */
  #keys: Promise<void> | null = null
  #closed = false

  constructor({ connection, dialect, settings, open }: ServerClientOptions) {
    this.#dialect = dialect
    this.#connection = connection
    this.exactlyOnce = settings.exactlyOnce
    this.pool = new Pool({
      size: settings.poolSize,
      idleMs: settings.idleMs,
      acquireMs: settings.acquireMs,
      open,
      exhausted: (busy) =>
        sqlError(
          dialect.name,
          'pool_exhausted',
          `Connection "${connection}" had none of its ${settings.poolSize} pooled connections free within ${settings.acquireMs} ms (${busy} in use). Raise pool.size or pool.acquire_timeout, or let fewer steps run at a time.`,
          { data: { connection, size: settings.poolSize, busy } },
        ),
      closed: () => this.#error('closed', 'is closed; the next use opens it again.'),
    })
  }

  get healthy(): boolean {
    return !this.#closed
  }

  close(): Promise<void> {
    this.#closed = true
    return this.pool.close()
  }

  /** Does one operation. Throws `<connector>_…`; rejects with the signal's reason when it is aborted. */
  async run(operation: Operation, { signal, key, lookup = false }: RunOptions): Promise<Json> {
    const session = await this.pool.acquire(signal)
    const work = this.#work(session, operation, { signal, key: key ?? null, lookup })
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(signal.reason as Error)
        void this.#cancel(session, work)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const end = (): void => {
        signal.removeEventListener('abort', onAbort)
        this.pool.release(session)
      }
      work.then(
        (result) => {
          end()
          resolve(result)
        },
        (error: unknown) => {
          end()
          reject(signal.aborted ? (signal.reason as Error) : this.#failure(error))
        },
      )
    })
  }

  /** Cancels until the work has ended; one that does not end loses its session. */
  async #cancel(session: ServerSession, work: Promise<unknown>): Promise<void> {
    const state = { running: true }
    const end = (): void => void (state.running = false)
    const ended = work.then(end, end)
    const until = performance.now() + CANCEL_GRACE_MS
    while (state.running && session.usable && performance.now() < until) {
      await Promise.race([session.cancel().catch(() => session.destroy()), ended])
      // A cancel that arrives between two statements has no effect: then there is another one.
      await Promise.race([ended, pause(CANCEL_AGAIN_MS, undefined, { ref: false })])
    }
    if (state.running) session.destroy()
  }

  #work(
    session: ServerSession,
    operation: Operation,
    { signal, key, lookup }: { readonly signal: AbortSignal; readonly key: string | null; readonly lookup: boolean },
  ): Promise<Json> {
    const check = (): void => signal.throwIfAborted()
    if (lookup && key !== null) return this.#find(session, appliedKey(key, operation))
    switch (operation.kind) {
      case 'query':
        return this.#query(session, operation.statement, operation.maxRows, check)
      case 'execute':
        return this.#execute(session, operation, key, check)
      case 'transaction':
        return this.#write(session, operation, key, check, async () => {
          const results: StatementResult[] = []
          const rows = new ResultRows(MAX_RETURNED_ROWS)
          for (const statement of operation.statements) {
            check()
            results.push(await this.#statement(session, this.#checked(statement, false), rows))
          }
          return {
            results: results.map((result) => ({ ...result })),
            rows_affected: results.reduce((sum, { rows_affected }) => sum + rows_affected, 0),
            last_insert_id: results.findLast(({ last_insert_id }) => last_insert_id !== null)?.last_insert_id ?? null,
          }
        })
      case 'batch_insert':
        return this.#write(session, operation, key, check, async () => ({
          inserted_count: await this.#dialect.batchInsert(operation, batchContext(session, check)),
          batches: Math.ceil(operation.records.length / operation.batchSize),
        }))
      case 'batch_update':
        return this.#write(session, operation, key, check, async () => ({
          updated_count: await this.#dialect.batchUpdate(operation, batchContext(session, check)),
          batches: Math.ceil(operation.updates.length / operation.batchSize),
        }))
    }
  }

  async #query(session: ServerSession, statement: Statement, maxRows: number, check: () => void): Promise<Json> {
    const checked = this.#checked(statement, false)
    const rows = new ResultRows(maxRows)
    return this.#transaction(session, this.#dialect.beginRead, check, async () => {
      await session.run(checked.text, checked.values, rows)
      if (!rows.hasColumns) {
        throw sqlError(
          this.#dialect.name,
          'read_only',
          `\`${this.#dialect.name}.query\` only reads, and this statement has no rows: use \`${this.#dialect.name}.execute\`.`,
        )
      }
      const taken = rows.take()
      return { rows: taken, row_count: taken.length }
    })
  }

  async #execute(
    session: ServerSession,
    operation: Extract<Operation, { kind: 'execute' }>,
    key: string | null,
    check: () => void,
  ): Promise<Json> {
    const checked = this.#checked(operation.statement, true)
    const rows = new ResultRows(MAX_RETURNED_ROWS)
    const run = async (): Promise<Json> => ({ ...(await this.#statement(session, checked, rows)) })
    return checked.alone ? run() : this.#write(session, operation, key, check, run)
  }

  async #statement(session: ServerSession, statement: Checked, rows: ResultRows): Promise<StatementResult> {
    const { affected, lastInsertId } = await session.run(statement.text, statement.values, rows)
    const counted = COUNTED.has(statement.verb)
    const columns = rows.hasColumns
    const taken = rows.take()
    const inserted = statement.verb === 'INSERT' || statement.verb === 'REPLACE'
    const last = taken.at(-1)
    // What RETURNING returned first says it where the driver does not.
    const returned = columns && last !== undefined ? Object.values(last)[0] : null
    const id = lastInsertId ?? (typeof returned === 'number' || typeof returned === 'string' ? returned : null)
    return {
      rows: taken,
      row_count: taken.length,
      rows_affected: counted ? affected : 0,
      last_insert_id: inserted && affected > 0 ? id : null,
    }
  }

  async #write(
    session: ServerSession,
    operation: Operation,
    key: string | null,
    check: () => void,
    effect: () => Promise<Json>,
  ): Promise<Json> {
    const stored = key === null ? null : appliedKey(key, operation)
    if (stored !== null) await this.#openKeys(session)
    const { keys, begin } = this.#dialect
    return this.#transaction(session, begin, check, async () => {
      // Claimed before the effect: an attempt beside this one waits here until this one has committed or gone.
      if (stored !== null && (await session.run(keys.claim, [stored], null)).affected === 0) {
        return this.#stored(session, stored)
      }
      const result = await effect()
      if (stored !== null) await session.run(keys.store, [JSON.stringify(result), stored], null)
      return result
    })
  }

  async #transaction(
    session: ServerSession,
    begin: string,
    check: () => void,
    work: () => Promise<Json>,
  ): Promise<Json> {
    check()
    await session.run(begin, [], null)
    try {
      const result = await work()
      check()
      await session.run('COMMIT', [], null)
      return result
    } catch (error) {
      await this.#rollBack(session)
      throw error
    }
  }

  async #rollBack(session: ServerSession): Promise<void> {
    if (!session.usable) return
    try {
      await session.run('ROLLBACK', [], null)
    } catch {
      // A late cancel hit the rollback itself: the server rolls back with the connection.
      session.destroy()
    }
  }

  async #find(session: ServerSession, stored: string): Promise<Json> {
    const there = await this.#single(session, this.#dialect.keys.exists, [])
    return there === null ? null : this.#stored(session, stored)
  }

  async #stored(session: ServerSession, stored: string): Promise<Json> {
    const text = await this.#single(session, this.#dialect.keys.find, [stored])
    return text === null ? null : (JSON.parse(String(text)) as Json)
  }

  /** The first value of the first row; null without rows. */
  async #single(session: ServerSession, text: string, values: readonly unknown[]): Promise<Json> {
    const rows = new ResultRows(1)
    await session.run(text, values, rows)
    const [row] = rows.take()
    return row === undefined ? null : (Object.values(row)[0] ?? null)
  }

  /** Makes the table of keys where it is missing: once per client, before the first write. */
  #openKeys(session: ServerSession): Promise<void> {
    this.#keys ??= this.#makeKeys(session).catch((error: unknown) => {
      this.#keys = null
      throw error
    })
    return this.#keys
  }

  async #makeKeys(session: ServerSession): Promise<void> {
    const { keys, name } = this.#dialect
    const isThere = async (): Promise<boolean> => (await this.#single(session, keys.exists, [])) !== null
    try {
      if (!(await isThere())) {
        await session.run(keys.create, [], null).catch(async (error: unknown) => {
          // Somebody else may have made it at the same moment.
          if (!(await isThere())) throw error
        })
      }
      await session.run(keys.clean, [], null)
    } catch (error) {
      const failure = this.#dialect.failure(error)
      if (failure.code !== `${name}_denied`) throw failure
      throw sqlError(
        name,
        'denied',
        `Connection "${this.#connection}" could not make or use its table _plugwork_applied (${failure.message}) Give the user rights to it (${keys.create}), or set exactly_once: false.`,
        { cause: error },
      )
    }
  }

  #checked({ text, params }: Statement, mayStandAlone: boolean): Checked {
    const { name, title } = this.#dialect
    const inspected = inspectStatement(text, name)
    if (inspected.bare.replaceAll(/[\s;]/g, '') === '') throw sqlError(name, 'sql', 'The statement is empty.')
    const refused = this.#dialect.refuses(inspected)
    if (refused !== null) throw sqlError(name, 'denied', refused)
    const alone = this.#dialect.standsAlone(inspected)
    if (alone && !mayStandAlone) {
      throw sqlError(
        name,
        'denied',
        `${title} runs ${inspected.bare.split(' ').slice(0, 2).join(' ')} outside of transactions: use \`${name}.execute\` for it.`,
      )
    }
    if (!Array.isArray(params)) {
      throw sqlError(name, 'params', `${title} has no parameters by name: give \`params\` as a list.`)
    }
    if (name === 'mysql' && inspected.marks !== params.length) {
      throw sqlError(
        name,
        'params',
        `The statement has ${inspected.marks} parameters, and ${params.length} values were given.`,
      )
    }
    return {
      text,
      verb: inspected.verb,
      alone,
      values: params.map((value: Json, index) => this.#dialect.bind(value, `Parameter ${index + 1}`)),
    }
  }

  #failure(error: unknown): unknown {
    const { name } = this.#dialect
    if (!(error instanceof RowsExceeded)) return this.#dialect.failure(error)
    return error.excess === 'too_large'
      ? sqlError(name, 'too_large', 'The rows are together larger than 32 MiB. Read fewer columns, or in pages.')
      : sqlError(
          name,
          'too_many_rows',
          'There are more rows than max_rows (100,000 for what a write returns). Add LIMIT and read in pages by key, or raise max_rows; nothing was written.',
        )
  }

  #error(kind: 'closed', what: string): Error {
    return sqlError(this.#dialect.name, kind, `The ${this.#dialect.name} connection "${this.#connection}" ${what}`)
  }
}

interface Checked {
  readonly text: string
  readonly verb: string
  readonly values: readonly unknown[]
  /** Runs outside of a transaction. */
  readonly alone: boolean
}

function batchContext(session: ServerSession, check: () => void): BatchContext {
  return {
    check,
    run: (text, values) => {
      check()
      return session.run(text, values, null)
    },
    async rows(text, values) {
      const rows = new ResultRows(MAX_RETURNED_ROWS)
      await session.run(text, values, rows)
      return rows.take()
    },
  }
}
