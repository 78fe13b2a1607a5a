/**
 * Connections of running flows. A connection is opened when a step first uses it, is shared by all runs whose flow and
 * rendered config are the same, and is closed when nobody has used it for a while or the process stops. What breaks is
 * replaced: a failed opening is tried again after a growing pause, a client that is no longer healthy, or whose use
 * ended in `connection_lost`, is closed once its last user has gone, and the next use opens a new one.
 *
 * A stored connection (`use:`) is shared by all flows that use it, for as long as it is the same: what was changed,
 * connected again or disconnected has another version, or none, and the old client is closed.
 */
import { createHash } from 'node:crypto'

import { PlugworkError } from '../error.ts'
import type { Connector } from '../connector/connector.ts'
import type { CredentialSource } from '../connector/credential.ts'
import type { Cancellation, Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import type { Value } from '../expression/value.ts'
import type { Json } from '../json.ts'
import type { Clock } from '../clock.ts'
import type { Definitions } from './runtime.ts'
import type { Secrets } from './secrets.ts'
import {
  ConnectionSecrets,
  withKnownTokens,
  type StoredConnection,
  type StoredConnections,
} from './stored-connections.ts'
import type { IsSet } from './templates.ts'

/** A connection that nobody uses is closed after this long. */
const IDLE_MS = 5 * 60_000
/** How long a rendered config is believed: a rotated secret reaches the connection within this time. */
const CONFIG_MS = 30_000
/** The same of a stored connection: a change or a disconnect, in whichever process, is heard within this time. */
const STORED_MS = 1_000
/** How long a connector may take to open a client, or to give a handle. */
const CONNECT_MS = 30_000
const ACQUIRE_MS = 30_000
/** How long closing waits for a client that does not close. */
const DISCONNECT_MS = 5_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000

const NEVER = new AbortController().signal

/** Which connection is meant, and how its config is rendered. */
export interface ConnectionRequest {
  readonly tenant: string
  readonly flow: string
  /** Of the flow's plan; the config is rendered anew for another one. */
  readonly hash: string
  readonly name: string
  /** Name of the connector. */
  readonly type: string
  readonly config: (isSet: IsSet) => Value
  /** The stored connection that is meant instead of a config, and the run's user. Default: null. */
  readonly stored?: { readonly name: string; readonly user: string | null } | null
  /** What it is used for, where that is known (`github.issues.create`). */
  readonly action?: string
}

/** One use of a connection; `release` ends it. */
export interface ConnectionLease {
  readonly connector: Connector
  /** Names the connection with its settings. */
  readonly key: string
  readonly name: string
  /** What the connector's `acquire` gave, or its client. */
  readonly handle: unknown
  /** Secrets in the config, and tokens so far, for the redactor of the step that uses it. A new list when one is added. */
  readonly secrets: readonly string[]
  /** Gives the handle back. With an error whose code is `connection_lost` the connection is replaced. */
  release(error?: unknown): Promise<void>
}

export interface ConnectionsOptions {
  readonly connectors: readonly Connector[]
  readonly definitions: Definitions
  readonly secrets: Secrets
  readonly egress: Egress
  readonly clock: Clock
  readonly stored?: StoredConnections | undefined
  log(level: LogLine['level'], message: string, data?: Json): void
}

interface Rendered {
  readonly config: Record<string, Json>
  readonly secrets: readonly string[]
  readonly credentials?: CredentialSource
  /** Where relative paths begin; absent: at the flow's folder. */
  readonly directory?: string
  readonly key: string
  readonly readAt: number
}

/** A connection whose settings are known; `key` names it with them. */
export interface PreparedConnection {
  readonly request: ConnectionRequest
  readonly connector: Connector
  readonly rendered: Rendered
  readonly key: string
}

interface Opened {
  readonly key: string
  readonly connector: Connector
  readonly client: unknown
  readonly secrets: ConnectionSecrets
  users: number
  usedAt: number
  /** No longer handed out; closed by its last user. */
  retired: boolean
}

interface Failure {
  readonly error: PlugworkError
  readonly pauseMs: number
  readonly until: number
}

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #connectors: ReadonlyMap<string, Connector>
  readonly #rendered = new Map<string, Rendered>()
  readonly #asking = new Map<string, Promise<Rendered>>()
  readonly #opened = new Map<string, Opened>()
  readonly #opening = new Map<string, Promise<Opened>>()
  readonly #failures = new Map<string, Failure>()
  readonly #retired = new Set<Opened>()
  readonly #stop = new AbortController()
  #cancelSweep: (() => void) | null = null

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#connectors = new Map(options.connectors.map((connector) => [connector.name, connector]))
  }

  connector(name: string): Connector | null {
    return this.#connectors.get(name) ?? this.#options.definitions.connector?.(name) ?? null
  }

  /** Opens the connection where that is needed and takes a handle. Throws `connection_…` and `connector_unknown`. */
  async use(request: ConnectionRequest, cancellation: Cancellation): Promise<ConnectionLease> {
    const prepared = this.prepare(request)
    return this.take(prepared instanceof Promise ? await prepared : prepared, cancellation)
  }

  /**
   * Finds out which connection is meant, settings included, without opening it. At once for one that was used lately.
   * Throws `connector_unknown`, `connection_config_invalid` and what its secrets fail with.
   */
  prepare(request: ConnectionRequest): PreparedConnection | Promise<PreparedConnection> {
    const connector = this.connector(request.type)
    if (connector === null) {
      throw new PlugworkError(
        'connector_unknown',
        `The connection "${request.name}" of flow ${request.flow} has type "${request.type}", and there is no such ` +
          'connector here. Install it, or correct the type.',
      )
    }
    const rendered = this.#render(request, connector)
    if (rendered instanceof Promise)
      return rendered.then((late) => ({ request, connector, rendered: late, key: late.key }))
    return { request, connector, rendered, key: rendered.key }
  }

  /** Opens it where that is needed and takes a handle. Throws `connection_…`. */
  async take(prepared: PreparedConnection, cancellation: Cancellation): Promise<ConnectionLease> {
    const { request, connector, rendered } = prepared
    const opened = this.#healthy(rendered.key) ?? (await this.#open(request, connector, rendered))
    opened.users++
    try {
      if (cancellation.aborted) throw cancellation.reason
      const handle =
        connector.acquire === undefined ? opened.client : await this.#acquire(opened, request, cancellation.signal)
      return this.#lease(opened, request.name, handle)
    } catch (error) {
      await this.#leave(opened, error)
      throw error
    }
  }

  /** Closes every connection. Those in use are closed as well: their users have been aborted. */
  async close(): Promise<void> {
    this.#stop.abort(new PlugworkError('connection_closed', 'Connections are closed because the process stops.'))
    this.#cancelSweep?.()
    this.#cancelSweep = null
    await Promise.allSettled(this.#opening.values())
    const all = [...this.#opened.values(), ...this.#retired]
    this.#opened.clear()
    this.#retired.clear()
    await Promise.all(all.map((opened) => this.#disconnect(opened)))
  }

  /** How many connections are open, for tests and statistics. */
  get size(): number {
    return this.#opened.size + this.#retired.size
  }

  #render(request: ConnectionRequest, connector: Connector): Rendered | Promise<Rendered> {
    const { stored } = request
    if (stored !== undefined && stored !== null) return this.#renderStored(request, connector, stored)
    const at = `${request.tenant}\0${request.flow}\0${request.hash}\0${request.name}`
    const now = this.#options.clock.now()
    const known = this.#rendered.get(at)
    if (known !== undefined && now - known.readAt < CONFIG_MS) return known
    return this.#renderAnew(request, connector, { at, now, known })
  }

  async #renderAnew(
    request: ConnectionRequest,
    connector: Connector,
    { at, now, known }: { readonly at: string; readonly now: number; readonly known: Rendered | undefined },
  ): Promise<Rendered> {
    const isSet: IsSet = (name) => this.#options.definitions.env(request.tenant, request.flow, name) !== null
    const resolved = await this.#options.secrets.resolve(request.config(isSet), request)
    const parsed = connector.config.safeParse(resolved.value)
    if (!parsed.success) throw invalidConfig(request, parsed.error.issues)
    const rendered: Rendered = {
      config: parsed.data as Record<string, Json>,
      secrets: resolved.secrets,
      key: `${request.tenant}\0${request.flow}\0${request.name}\0${digestOf(resolved.value)}`,
      readAt: now,
    }
    if (known !== undefined && known.key !== rendered.key) this.#retire(this.#opened.get(known.key))
    this.#rendered.set(at, rendered)
    return rendered
  }

  #renderStored(
    request: ConnectionRequest,
    connector: Connector,
    { name, user }: NonNullable<ConnectionRequest['stored']>,
  ): Rendered | Promise<Rendered> {
    const { tenant, flow, type, action } = request
    const at = JSON.stringify([tenant, user, type, name, flow, action ?? null])
    const known = this.#rendered.get(at)
    if (known !== undefined && this.#options.clock.now() - known.readAt < STORED_MS) return known
    const asking = this.#asking.get(at)
    if (asking !== undefined) return asking
    const asked = this.#askStored(request, connector, { at, name, user, known }).finally(() => this.#asking.delete(at))
    this.#asking.set(at, asked)
    return asked
  }

  async #askStored(
    request: ConnectionRequest,
    connector: Connector,
    ask: {
      readonly at: string
      readonly name: string
      readonly user: string | null
      readonly known: Rendered | undefined
    },
  ): Promise<Rendered> {
    const { at, name, user, known } = ask
    const { tenant, flow, type, action } = request
    if (this.#options.stored === undefined) throw noStoredConnections(request, name)
    const readAt = this.#options.clock.now()
    let stored: StoredConnection
    try {
      const of = { tenant, user, connector: type, name, flow }
      stored = await this.#options.stored.open(action === undefined ? of : { ...of, action })
    } catch (error) {
      // It was disconnected, removed or forbidden, or cannot be read: nobody goes on with the client that is open.
      this.#rendered.delete(at)
      if (known !== undefined) this.#retire(this.#opened.get(known.key))
      throw error
    }
    const parsed = connector.config.safeParse(stored.config)
    if (!parsed.success) throw invalidConfig(request, parsed.error.issues, name)
    const digest = digestOf([stored.config, stored.directory ?? null])
    const rendered: Rendered = {
      config: parsed.data as Record<string, Json>,
      secrets: stored.secrets,
      key: `${tenant}\0stored:${stored.id}\0${stored.version}\0${digest}`,
      readAt,
      ...(stored.credentials === undefined ? {} : { credentials: stored.credentials }),
      ...(stored.directory === undefined ? {} : { directory: stored.directory }),
    }
    if (known !== undefined && known.key !== rendered.key) this.#retire(this.#opened.get(known.key))
    this.#rendered.set(at, rendered)
    return rendered
  }

  #healthy(key: string): Opened | null {
    const opened = this.#opened.get(key)
    if (opened === undefined) return null
    if (opened.connector.healthy?.(opened.client) ?? true) return opened
    this.#retire(opened)
    return null
  }

  /** Openings of the same connection are one. */
  #open(request: ConnectionRequest, connector: Connector, rendered: Rendered): Promise<Opened> {
    const known = this.#opening.get(rendered.key)
    if (known !== undefined) return known
    const opening = this.#connect(request, connector, rendered).finally(() => this.#opening.delete(rendered.key))
    this.#opening.set(rendered.key, opening)
    return opening
  }

  async #connect(request: ConnectionRequest, connector: Connector, rendered: Rendered): Promise<Opened> {
    const { key } = rendered
    this.#stop.signal.throwIfAborted()
    const failure = this.#failures.get(key)
    if (failure !== undefined && this.#options.clock.now() < failure.until) throw failure.error
    const secrets = new ConnectionSecrets(rendered.secrets)
    const client = await this.#callConnect(request, connector, rendered, secrets)
    this.#failures.delete(key)
    const usedAt = this.#options.clock.now()
    const opened: Opened = { key, connector, client, secrets, users: 0, usedAt, retired: false }
    this.#opened.set(key, opened)
    this.#scheduleSweep()
    return opened
  }

  async #callConnect(
    request: ConnectionRequest,
    connector: Connector,
    rendered: Rendered,
    secrets: ConnectionSecrets,
  ): Promise<unknown> {
    const { tenant, flow, name } = request
    const { credentials, directory = this.#options.definitions.directory(tenant, flow) } = rendered
    try {
      return await this.#within({
        ms: CONNECT_MS,
        signal: this.#stop.signal,
        work: (signal) =>
          connector.connect(rendered.config, {
            name,
            tenant,
            egress: this.#options.egress,
            directory,
            signal,
            ...(credentials === undefined ? {} : { credentials: withKnownTokens(credentials, secrets) }),
            log: (level, message, data) => this.#options.log(level, `connection ${name} of ${flow}: ${message}`, data),
          }),
        late: (client) => connector.disconnect?.(client),
        message: `it did not open within ${CONNECT_MS / 1_000} s`,
      })
    } catch (cause) {
      throw this.#failed(request, rendered.key, cause)
    }
  }

  #failed(request: ConnectionRequest, key: string, cause: unknown): PlugworkError {
    const before = this.#failures.get(key)
    const pauseMs = before === undefined ? FIRST_PAUSE_MS : Math.min(before.pauseMs * 2, LONGEST_PAUSE_MS)
    const reason = cause instanceof Error ? cause.message : String(cause)
    const own = cause instanceof PlugworkError ? cause : null
    const error = new PlugworkError(
      own?.code ?? 'connection_failed',
      `The connection "${request.name}" of flow ${request.flow} (${request.type}) could not be opened: ${reason}`,
      { cause, retryable: own?.retryable ?? true, ...(own?.data === undefined ? {} : { data: own.data }) },
    )
    this.#failures.set(key, { error, pauseMs, until: this.#options.clock.now() + pauseMs })
    return error
  }

  /** Takes a handle within the time there is. One that comes too late is given back. */
  #acquire({ connector, client }: Opened, request: ConnectionRequest, signal: AbortSignal): Promise<unknown> {
    return this.#within({
      ms: ACQUIRE_MS,
      signal,
      work: (limited) => connector.acquire!(client, limited),
      late: (handle) => connector.release?.(client, handle),
      message: `The connection "${request.name}" of flow ${request.flow} gave no handle within ${ACQUIRE_MS / 1_000} s: all are in use, or the service is silent. Raise the limit of its pool, or lower the concurrency.`,
    })
  }

  /**
   * Runs `work` until it ends, time is up (`connection_timeout`) or the signal fires, whether it heeds its signal or not.
   * What it still gives afterwards goes to `late`.
   */
  #within<T>(options: {
    readonly ms: number
    readonly signal: AbortSignal
    readonly work: (signal: AbortSignal) => Promise<T>
    readonly late: (result: T) => Promise<void> | undefined
    readonly message: string
  }): Promise<T> {
    const { ms, signal, work, late, message } = options
    const { clock, log } = this.#options
    return new Promise<T>((resolve, reject) => {
      const limit = new AbortController()
      let over = false
      const end = (): void => {
        over = true
        cancel()
        signal.removeEventListener('abort', onAbort)
      }
      const give = (reason: unknown): void => {
        end()
        limit.abort(reason)
        reject(reason as Error)
      }
      const onAbort = (): void => give(signal.reason)
      const cancel = clock.at(clock.now() + ms, () =>
        give(new PlugworkError('connection_timeout', message, { retryable: true })),
      )
      signal.addEventListener('abort', onAbort, { once: true })
      const tooLate = async (result: T): Promise<void> => {
        try {
          await late(result)
        } catch (error) {
          log('warn', `what a connection gave too late could not be given back: ${messageOf(error)}`)
        }
      }
      // A connector in plain JavaScript may throw before it has a promise.
      Promise.resolve()
        .then(() => work(limit.signal))
        .then(
          (result) => {
            if (over) return void tooLate(result)
            end()
            resolve(result)
          },
          (error: unknown) => {
            if (over) return
            end()
            reject(error as Error)
          },
        )
    })
  }

  #lease(opened: Opened, name: string, handle: unknown): ConnectionLease {
    let released = false
    return {
      connector: opened.connector,
      key: opened.key,
      name,
      handle,
      get secrets() {
        return opened.secrets.list
      },
      release: async (error) => {
        if (released) return
        released = true
        try {
          if (opened.connector.acquire !== undefined) await opened.connector.release?.(opened.client, handle)
        } catch (failure) {
          // A handle that cannot be given back is a sign that the client is broken; the step's own result stands.
          this.#options.log('warn', `connection ${name}: a handle could not be released: ${messageOf(failure)}`)
          this.#retire(opened)
        }
        await this.#leave(opened, error)
      },
    }
  }

  async #leave(opened: Opened, error: unknown): Promise<void> {
    opened.users--
    opened.usedAt = this.#options.clock.now()
    if (error instanceof PlugworkError && error.code === 'connection_lost') this.#retire(opened)
    if (opened.retired && opened.users === 0) await this.#finish(opened)
  }

  #retire(opened: Opened | undefined): void {
    if (opened === undefined || opened.retired) return
    opened.retired = true
    if (this.#opened.get(opened.key) === opened) this.#opened.delete(opened.key)
    this.#retired.add(opened)
    if (opened.users === 0) void this.#finish(opened)
  }

  async #finish(opened: Opened): Promise<void> {
    if (this.#retired.delete(opened)) await this.#disconnect(opened)
  }

  async #disconnect(opened: Opened): Promise<void> {
    try {
      await this.#within({
        ms: DISCONNECT_MS,
        signal: NEVER,
        work: async () => opened.connector.disconnect?.(opened.client),
        late: () => undefined,
        message: `it did not close within ${DISCONNECT_MS / 1_000} s`,
      })
    } catch (error) {
      this.#options.log('warn', `a connection of type ${opened.connector.name} failed to close: ${messageOf(error)}`)
    }
  }

  #scheduleSweep(): void {
    if (this.#cancelSweep !== null || this.#stop.signal.aborted) return
    this.#cancelSweep = this.#options.clock.at(this.#options.clock.now() + IDLE_MS, () => {
      this.#cancelSweep = null
      this.#sweep()
    })
  }

  #sweep(): void {
    const now = this.#options.clock.now()
    const idleSince = now - IDLE_MS
    for (const opened of this.#opened.values()) {
      if (opened.users === 0 && opened.usedAt <= idleSince) this.#retire(opened)
    }
    for (const [at, rendered] of this.#rendered) if (rendered.readAt <= idleSince) this.#rendered.delete(at)
    for (const [key, failure] of this.#failures) if (failure.until <= idleSince) this.#failures.delete(key)
    if (this.#opened.size > 0) this.#scheduleSweep()
  }
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64')
}

function noStoredConnections(request: ConnectionRequest, name: string): PlugworkError {
  return new PlugworkError(
    'connection_config_invalid',
    `The connection "${request.name}" of flow ${request.flow} uses the stored connection "${name}", and this process keeps ` +
      'no stored connections. Run the flow with `plugwork run` or `plugwork start`, or hand `storedConnections` to the runtime.',
  )
}

function invalidConfig(request: ConnectionRequest, issues: readonly Issue[], stored?: string): PlugworkError {
  const problems = issues.map((issue) => `${issue.path.map(String).join('.') || 'config'}: ${issue.message}`)
  return new PlugworkError(
    'connection_config_invalid',
    `The connection "${request.name}" of flow ${request.flow} does not fit connector ${request.type}. ` +
      `${problems.join('; ')}. ${
        stored === undefined
          ? 'Correct it under `connections:` of the flow, or the variables and secrets it names.'
          : `Correct the stored connection "${stored}".`
      }`,
    { data: issues.map((issue) => ({ field: issue.path.map(String).join('.'), rule: issue.message })) },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
