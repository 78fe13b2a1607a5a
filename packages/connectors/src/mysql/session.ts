/** One connection to MySQL or MariaDB through the egress. */
import type { Socket } from 'node:net'
import type { Json } from '@plugwork/core'
import type { Egress } from '@plugwork/core/node'
import type mysql from 'mysql2'
import type { ResultRows } from '../sql/result-rows.ts'
import type { ServerSettings } from '../sql/server-config.ts'
import { RowsExceeded, type ServerSession, type StatementOutcome } from '../sql/session.ts'
import { readerOf, type Binding, type ColumnDefinition } from './values.ts'

export type Driver = typeof mysql

export interface OpenOptions {
  readonly driver: Driver
  readonly egress: Egress
  readonly settings: ServerSettings
  readonly signal: AbortSignal
  /** Called when the connection ends by itself. */
  readonly gone: () => void
}

const CONNECT_TIMEOUT_MS = 10_000
/** The server keeps this many prepared statements for a connection. */
const MAX_PREPARED = 100

/** Opens a session. Throws `egress_…`, or what the driver or the server said. */
export async function openSession(options: OpenOptions): Promise<MysqlSession> {
  const { driver, egress, settings, signal, gone } = options
  const { host, port, database, user, password, tls, statementMs, applicationName } = settings
  const socket = await egress.connect({ host, port, timeoutMs: CONNECT_TIMEOUT_MS, signal })
  const connection = driver.createConnection({
    // Open already, to a checked address.
    stream: socket,
    // Only for TLS: the name in the certificate.
    host: tls?.name ?? host,
    port,
    database,
    user,
    password,
    connectTimeout: CONNECT_TIMEOUT_MS,
    connectAttributes: { program_name: applicationName },
    charset: 'utf8mb4',
    // Nothing is rounded, and no text becomes a date of this machine's zone.
    supportBigNumbers: true,
    bigNumberStrings: false,
    dateStrings: true,
    jsonStrings: true,
    multipleStatements: false,
    maxPreparedStatements: MAX_PREPARED,
    // Affected rows are those changed; those found are in the message of an update.
    flags: ['-FOUND_ROWS'],
    ...(tls === null
      ? {}
      : {
          ssl: {
            rejectUnauthorized: tls.verify !== 'none',
            verifyIdentity: tls.verify === 'full',
            ...(tls.ca === undefined ? {} : { ca: tls.ca as string }),
            ...(tls.cert === undefined ? {} : { cert: tls.cert as string, key: tls.key as string }),
          },
        }),
  })
  const session = new MysqlSession(driver, connection, socket, () => openSession({ ...options, gone: () => undefined }))
  const onAbort = (): void => void socket.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('connect', () => resolve())
      connection.once('error', reject)
      socket.once('close', () => reject(new Error('the server closed the connection')))
    })
    await session.run("SET time_zone = '+00:00'", [], null)
    if (statementMs > 0) await session.limitStatements(statementMs)
    socket.once('close', gone)
    return session
  } catch (error) {
    session.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export class MysqlSession implements ServerSession {
  readonly #driver: Driver
  readonly #connection: mysql.Connection
  readonly #socket: Socket
  readonly #another: () => Promise<MysqlSession>
  #broken = false
  /** Ends the statement under way. */
  #fail: ((error: Error) => void) | null = null

  constructor(driver: Driver, connection: mysql.Connection, socket: Socket, another: () => Promise<MysqlSession>) {
    this.#driver = driver
    this.#connection = connection
    this.#socket = socket
    this.#another = another
    // The driver tells a command of a broken connection only where it has a callback; an idle one has none.
    connection.on('error', (error) => this.#lost(error))
    socket.once('close', () => this.#lost(new Error('the server closed the connection')))
  }

  get usable(): boolean {
    return !this.#broken && !this.#socket.destroyed && this.#socket.writable
  }

  run(text: string, values: readonly unknown[], rows: ResultRows | null): Promise<StatementOutcome> {
    return new Promise<StatementOutcome>((resolve, reject) => {
      this.#fail = reject
      const command = this.#command(text, values)
      let readers: readonly ((value: unknown) => Json)[] | null = null
      let sets = 0
      let over = false
      let outcome: StatementOutcome = { affected: 0, lastInsertId: null }
      command.on('fields', (fields) => {
        if (fields === undefined) return
        sets += 1
        // A procedure can answer several results: the first one counts.
        if (sets > 1) return
        readers = fields.map(readerOf)
        rows?.columns(fields.map(({ name }) => name))
      })
      command.on('result', (result) => {
        if (over) return
        if (!Array.isArray(result)) {
          outcome = outcomeOf(result as Header, outcome)
          return
        }
        if (rows === null || readers === null || sets > 1) return
        const read = readers
        const excess = rows.add((result as readonly unknown[]).map((value, index) => read[index]!(value)))
        if (excess === null) return
        over = true
        // The server has more to send, which nobody wants: it stops when the connection is gone.
        this.destroy()
        reject(new RowsExceeded(excess))
      })
      command.on('error', reject)
      command.on('end', () => resolve(outcome))
    }).finally(() => (this.#fail = null))
  }

  #lost(error: Error): void {
    this.#broken = true
    this.#fail?.(error)
  }

  /** With values a prepared statement; the values never are part of its text. */
  #command(text: string, values: readonly unknown[]): Command {
    const options = { sql: text, rowsAsArray: true }
    if (values.length === 0) return this.#connection.query(options) as unknown as Command
    const { BIGINT } = this.#driver.TypedParameter
    // Numbers would go as doubles otherwise, which `limit ?` does not take.
    const bound = (values as readonly Binding[]).map((value) => (Number.isSafeInteger(value) ? BIGINT(value) : value))
    return this.#connection.execute({ ...options, values: bound as never[] }) as unknown as Command
  }

  /** MariaDB has seconds for all statements, MySQL milliseconds for reading ones. */
  async limitStatements(ms: number): Promise<void> {
    try {
      await this.run(`SET SESSION max_statement_time = ${ms / 1000}`, [], null)
    } catch {
      await this.run(`SET SESSION max_execution_time = ${Math.ceil(ms)}`, [], null)
    }
  }

  async cancel(): Promise<void> {
    const id = this.#connection.threadId
    if (id === null || id === undefined) return
    const other = await this.#another()
    try {
      await other.run(`KILL QUERY ${Number(id)}`, [], null)
    } finally {
      await other.close()
    }
  }

  close(): Promise<void> {
    this.#broken = true
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve())
      this.#connection.end(() => this.#socket.destroy())
      if (this.#socket.destroyed) resolve()
    })
  }

  destroy(): void {
    this.#broken = true
    this.#connection.destroy()
    this.#socket.destroy()
  }
}

interface Header {
  readonly affectedRows: number
  readonly insertId: number | string
  readonly info?: string
}

/** `Rows matched: 3  Changed: 2  Warnings: 0`: those found are what is answered, changed or not. */
function outcomeOf({ affectedRows, insertId, info = '' }: Header, earlier: StatementOutcome): StatementOutcome {
  const matched = /^Rows matched: (\d+)/.exec(info)?.[1]
  return {
    affected: matched === undefined ? earlier.affected + affectedRows : Number(matched),
    lastInsertId: insertId === 0 ? earlier.lastInsertId : insertId,
  }
}

/** The driver's command, which its types call differently for each kind. */
interface Command {
  on(event: 'fields', listener: (fields: readonly ColumnDefinition[] | undefined) => void): void
  on(event: 'result', listener: (result: unknown) => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'end', listener: () => void): void
}
