/** One connection to PostgreSQL through the egress. */
import type { Socket } from 'node:net'
import type { Egress } from '@plugwork/core/node'
import type pg from 'pg'
import type { Json } from '@plugwork/core'
import type { ResultRows } from '../sql/result-rows.ts'
import type { ServerSettings } from '../sql/server-config.ts'
import { RowsExceeded, type ServerSession, type StatementOutcome } from '../sql/session.ts'
import { typeReader } from './values.ts'

export type Driver = typeof pg

export interface OpenOptions {
  readonly driver: Driver
  readonly egress: Egress
  readonly settings: ServerSettings
  readonly signal: AbortSignal
  /** Called when the connection ends by itself. */
  readonly gone: () => void
}

const CONNECT_TIMEOUT_MS = 10_000
/** What the reading of values relies on. */
const SESSION =
  "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'hex'; SET standard_conforming_strings = on"

/** Opens a session. Throws `egress_…`, or what the driver or the server said. */
export async function openSession(options: OpenOptions): Promise<PostgresSession> {
  const { driver, egress, settings, signal, gone } = options
  const { host, port, database, user, password, tls, statementMs, applicationName } = settings
  const socket = await egress.connect({ host, port, timeoutMs: CONNECT_TIMEOUT_MS, signal })
  const client = new driver.Client({
    host,
    port,
    database,
    user,
    // A text, even an empty one: the driver would look for one in the environment and in files.
    password: () => password,
    ssl: tls ?? false,
    stream: () => opened(socket),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: applicationName,
    ...(statementMs === 0 ? {} : { statement_timeout: statementMs }),
    types: typeReader(driver.types),
  })
  const session = new PostgresSession(client, socket, () => openSession({ ...options, gone: () => undefined }))
  const onAbort = (): void => void socket.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await client.connect()
    await client.query(SESSION)
    // The end of a session is told by its statement, or to the pool.
    client.once('end', gone)
    return session
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The driver opens its stream itself; this one is open already, to a checked address. */
function opened(socket: Socket): Socket {
  socket.connect = () => {
    process.nextTick(() => socket.emit('connect'))
    return socket
  }
  return socket
}

export class PostgresSession implements ServerSession {
  readonly #client: pg.Client
  readonly #socket: Socket
  readonly #another: () => Promise<PostgresSession>
  #broken: Error | null = null

  constructor(client: pg.Client, socket: Socket, another: () => Promise<PostgresSession>) {
    this.#client = client
    this.#socket = socket
    this.#another = another
    // Without a listener an error of an idle connection would end the process.
    client.on('error', (error) => (this.#broken ??= error))
  }

  get usable(): boolean {
    return this.#broken === null && !this.#socket.destroyed && this.#socket.writable
  }

  /** The server's process of this connection; `pg_stat_activity.pid`. */
  get processId(): number {
    // The driver has it since the login; its types leave it out.
    return (this.#client as unknown as { readonly processID: number }).processID
  }

  run(text: string, values: readonly unknown[], rows: ResultRows | null): Promise<StatementOutcome> {
    if (rows === null) return this.#runPlain(text, values)
    return new Promise((resolve, reject) => {
      // The driver's own class, which its types call a query of rows as objects.
      const Query = (this.#client.constructor as unknown as { Query: QueryClass }).Query
      const query = new Query({
        text,
        values: [...values],
        rowMode: 'array',
        queryMode: 'extended',
        types: this.#types,
      })
      let begun = false
      let over = false
      query.on('row', (row: readonly Json[], result) => {
        if (over) return
        if (!begun) rows.columns(result.fields.map(({ name }) => name))
        begun = true
        const excess = rows.add(row)
        if (excess === null) return
        over = true
        // The server has more to send, which nobody wants: it stops when the connection is gone.
        this.destroy()
        reject(new RowsExceeded(excess))
      })
      query.on('end', (result) => {
        if (!begun && result.fields.length > 0) rows.columns(result.fields.map(({ name }) => name))
        resolve({ affected: result.rowCount ?? 0, lastInsertId: null })
      })
      query.on('error', reject)
      this.#client.query(query as unknown as pg.Submittable)
    })
  }

  async #runPlain(text: string, values: readonly unknown[]): Promise<StatementOutcome> {
    const { rowCount } = await this.#client.query({ text, values: [...values] })
    return { affected: rowCount ?? 0, lastInsertId: null }
  }

  /** The readers of values that the client was made with. */
  get #types(): pg.CustomTypesConfig {
    return (this.#client as unknown as { readonly _types: pg.CustomTypesConfig })._types
  }

  async cancel(): Promise<void> {
    const other = await this.#another()
    try {
      await other.#runPlain('SELECT pg_cancel_backend($1)', [this.processId])
    } finally {
      await other.close()
    }
  }

  async close(): Promise<void> {
    try {
      await this.#client.end()
    } catch {
      this.destroy()
    }
  }

  destroy(): void {
    this.#broken ??= new Error('the connection was closed')
    this.#socket.destroy()
  }
}

interface QueryEvents {
  on(event: 'row', listener: (row: readonly Json[], result: QueryOutcome) => void): void
  on(event: 'end', listener: (result: QueryOutcome) => void): void
  on(event: 'error', listener: (error: Error) => void): void
}

interface QueryOutcome {
  readonly fields: readonly { readonly name: string }[]
  readonly rowCount: number | null
}

type QueryClass = new (config: object) => QueryEvents
