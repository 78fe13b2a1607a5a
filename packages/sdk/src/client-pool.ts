/**
 * Open clients of stored connections, for calls from code: opened at the first call, shared by the calls that follow, replaced
 * when they break or the connection changes, closed when nobody has used them for a while.
 */
import { Redactor, type Cancellation, type Credential, type CredentialSource, type Egress } from '@plugwork/core/node'
import { PlugworkError, type Json } from '@plugwork/core'
import type { OpenConnection } from '@plugwork/connections'
import type { LogLevel } from './options.ts'

/** A client that nobody uses is closed after this long. */
const IDLE_MS = 5 * 60_000
/** How long a connector may take to open a client or to give a handle, and how long closing waits for one. */
const OPEN_MS = 30_000
const CLOSE_MS = 5_000

export interface ClientPoolOptions {
  readonly egress: Egress
  readonly directory: string
  readonly log: (level: LogLevel, message: string, data?: unknown) => void
}

/** One use of a client; `release` ends it. */
export interface ClientLease {
  readonly handle: unknown
  /** Takes the secrets of the connection out of a text. */
  readonly redact: (text: string) => string
  release(error?: unknown): Promise<void>
}

interface Client {
  readonly key: string
  readonly open: OpenConnection
  readonly client: unknown
  readonly secrets: Secrets
  users: number
  usedAt: number
  /** No longer handed out; closed by its last user. */
  retired: boolean
}

export class ClientPool {
  readonly #options: ClientPoolOptions
  readonly #clients = new Map<string, Client>()
  readonly #opening = new Map<string, Promise<Client>>()
  readonly #closing = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #sweep: NodeJS.Timeout | null = null

  constructor(options: ClientPoolOptions) {
    this.#options = options
  }

  /** Clients that are open, for tests. */
  get size(): number {
    return this.#clients.size
  }

  async take(open: OpenConnection, cancellation: Cancellation): Promise<ClientLease> {
    const { connector } = open
    const client = this.#healthy(keyOf(open)) ?? (await within(this.#open(open), OPEN_MS, cancellation.signal, open))
    client.users++
    try {
      const handle =
        connector.acquire === undefined
          ? client.client
          : await within(connector.acquire(client.client, cancellation.signal), OPEN_MS, cancellation.signal, open)
      return this.#lease(client, handle)
    } catch (error) {
      this.#leave(client, error)
      throw error
    }
  }

  /** The connection was changed or removed: its client is closed when its users have gone. */
  forget(id: string): void {
    for (const client of this.#clients.values()) if (client.open.connection.id === id) this.#retire(client)
  }

  async close(): Promise<void> {
    this.#stop.abort(new PlugworkError('connection_closed', 'The SDK was closed.'))
    if (this.#sweep !== null) clearTimeout(this.#sweep)
    await Promise.allSettled(this.#opening.values())
    for (const client of this.#clients.values()) {
      client.retired = true
      this.#disconnect(client)
    }
    this.#clients.clear()
    await Promise.all(this.#closing)
  }

  #healthy(key: string): Client | null {
    const client = this.#clients.get(key)
    if (client === undefined) return null
    if (client.open.connector.healthy?.(client.client) ?? true) return client
    this.#retire(client)
    return null
  }

  /** Openings of one connection are one. */
  #open(open: OpenConnection): Promise<Client> {
    const key = keyOf(open)
    const known = this.#opening.get(key)
    if (known !== undefined) return known
    const opening = this.#connect(key, open).finally(() => this.#opening.delete(key))
    this.#opening.set(key, opening)
    return opening
  }

  async #connect(key: string, open: OpenConnection): Promise<Client> {
    const { connection, connector, config } = open
    this.#stop.signal.throwIfAborted()
    const secrets = new Secrets(open)
    const { egress, directory, log } = this.#options
    const client = await connector.connect(connector.config.parse(config), {
      name: connection.name,
      tenant: connection.tenant,
      egress,
      directory,
      signal: this.#stop.signal,
      ...(open.credentials === undefined ? {} : { credentials: secrets.watch(open.credentials) }),
      log: (level, message) => log(level, secrets.redact(`connection ${connection.name}: ${message}`)),
    })
    const opened = { key, open, client, secrets, users: 0, usedAt: Date.now(), retired: false }
    // Another account or other settings of the same connection: what was open for it is of no use any more.
    this.forget(connection.id)
    this.#clients.set(key, opened)
    this.#sweepLater()
    return opened
  }

  #lease(client: Client, handle: unknown): ClientLease {
    let released = false
    return {
      handle,
      redact: client.secrets.redact,
      release: async (error) => {
        if (released) return
        released = true
        try {
          if (client.open.connector.acquire !== undefined) await client.open.connector.release?.(client.client, handle)
        } catch (failure) {
          this.#options.log('warn', `connection ${client.open.connection.name}: a handle was lost (${codeOf(failure)})`)
          this.#retire(client)
        }
        this.#leave(client, error)
      },
    }
  }

  #leave(client: Client, error: unknown): void {
    client.users--
    client.usedAt = Date.now()
    if (error instanceof PlugworkError && error.code === 'connection_lost') this.#retire(client)
    else if (client.retired && client.users === 0) this.#disconnect(client)
  }

  #retire(client: Client): void {
    if (client.retired) return
    client.retired = true
    if (this.#clients.get(client.key) === client) this.#clients.delete(client.key)
    if (client.users === 0) this.#disconnect(client)
  }

  #disconnect({ open, client }: Client): void {
    const { connector, connection } = open
    const signal = AbortSignal.timeout(CLOSE_MS)
    const closing = within(Promise.resolve(connector.disconnect?.(client)), CLOSE_MS, signal, open)
      .catch((error: unknown) =>
        this.#options.log('warn', `connection ${connection.name} did not close (${codeOf(error)})`),
      )
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  #sweepLater(): void {
    if (this.#sweep !== null || this.#stop.signal.aborted) return
    this.#sweep = setTimeout(() => {
      this.#sweep = null
      const idleSince = Date.now() - IDLE_MS
      for (const client of this.#clients.values()) {
        if (client.users === 0 && client.usedAt <= idleSince) this.#retire(client)
      }
      if (this.#clients.size > 0) this.#sweepLater()
    }, IDLE_MS)
    // Open clients do not keep a process from ending.
    this.#sweep.unref()
  }
}

/** Names a connection with its settings: another account under the same id has another key. */
export function keyOf({ connection }: OpenConnection): string {
  return `${connection.id}@${connection.updatedAt}`
}

/** What must not be seen of a connection: its secret fields, and the tokens that were given to its client. */
class Secrets {
  readonly #fields: readonly string[]
  #tokens: readonly string[] = []
  #redactor: Redactor

  constructor({ connection, config }: OpenConnection) {
    this.#fields = connection.secrets.flatMap((name) => textsIn(config[name] ?? null))
    this.#redactor = new Redactor(this.#fields)
  }

  readonly redact = (text: string): string => this.#redactor.text(text)

  watch(source: CredentialSource): CredentialSource {
    const seen = (credential: Credential): Credential => {
      if (!this.#tokens.includes(credential.token)) {
        // The one before may still be in answers that are on their way.
        this.#tokens = [credential.token, ...this.#tokens].slice(0, 2)
        this.#redactor = new Redactor([...this.#fields, ...this.#tokens])
      }
      return credential
    }
    return {
      current: async (signal) => seen(await source.current(signal)),
      rejected: async (credential, signal) => {
        const next = await source.rejected(credential, signal)
        return next === null ? null : seen(next)
      },
    }
  }
}

function textsIn(value: Json): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}

/** Waits until time is up or the signal fires; what comes later is left to itself. */
async function within<T>(
  work: Promise<T>,
  ms: number,
  signal: AbortSignal,
  { connection }: OpenConnection,
): Promise<T> {
  signal.throwIfAborted()
  const over = Promise.withResolvers<never>()
  const onAbort = (): void => over.reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => {
    const message = `The connection "${connection.name}" to ${connection.connector} did not answer within ${ms / 1_000} s.`
    over.reject(new PlugworkError('connection_timeout', message, { retryable: true }))
  }, ms)
  try {
    return await Promise.race([work, over.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function codeOf(error: unknown): string {
  return error instanceof PlugworkError ? error.code : 'an error without a code'
}
