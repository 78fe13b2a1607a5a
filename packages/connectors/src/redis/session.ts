/**
 * One connection to a Redis server, as the actions use it. Commands of all steps share one socket: Redis answers in order,
 * so they are pipelined and a pool would gain nothing. Commands that block have a socket of their own for as long as
 * they wait. A broken socket is not repaired behind a step's back and nothing is queued or sent twice: what was under way
 * fails, and the next command opens the connection again.
 */
import type { Redis, RedisOptions } from 'ioredis'
import type { ConnectContext, Egress } from '@plugwork/core/node'
import { loadPackage } from '../optional-package.ts'
import { openSocket } from '../socket.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { RedisSettings } from './config.ts'
import { redisError } from './errors.ts'
import { failureOf } from './failures.ts'

/** What the server answers: bulk strings as bytes, integers as digits, so that neither is damaged on the way. */
export type Reply = null | string | Buffer | readonly Reply[]
export type Argument = string | number | Buffer

/** Tested range of the client. */
export const PACKAGE = { name: 'ioredis', range: '^6.0.0' } as const

interface Options {
  readonly signal: AbortSignal
}

export class RedisSession {
  readonly settings: RedisSettings
  readonly #egress: Egress
  readonly #directory: string
  #client: Redis | null = null
  #opening: Promise<Redis> | null = null
  readonly #blocked = new Set<Redis>()
  #closed = false

  constructor(settings: RedisSettings, { egress, directory }: Pick<ConnectContext, 'egress' | 'directory'>) {
    this.#directory = directory
    this.settings = settings
    this.#egress = egress
  }

  /** False once it was closed; a lost socket is opened again. */
  get healthy(): boolean {
    return !this.#closed
  }

  /** A key as the server knows it. */
  key(name: string): string {
    return this.settings.keyPrefix + name
  }

  /** Opens the connection. Throws `redis_connect` and `redis_auth`. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#ready(signal)
  }

  /** Runs a command. Throws the codes of this connector; rejects with the signal's reason when it is aborted. */
  async command(name: string, args: readonly Argument[], { signal }: Options): Promise<Reply> {
    signal.throwIfAborted()
    const client = await this.#ready(signal)
    return this.#run({ client, name, args, signal, ms: this.settings.commandMs })
  }

  /** Runs a command that waits for up to `blockMs` on a socket of its own, which is closed when the step is aborted. */
  async blocking(
    name: string,
    args: readonly Argument[],
    { signal, blockMs }: Options & { readonly blockMs: number },
  ): Promise<Reply> {
    signal.throwIfAborted()
    if (this.#closed) throw this.#closedError()
    const client = await this.#connect(signal)
    this.#blocked.add(client)
    try {
      return await this.#run({ client, name, args, signal, ms: blockMs + this.settings.commandMs })
    } finally {
      this.#blocked.delete(client)
      client.disconnect()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const client of this.#blocked) client.disconnect()
    await this.#opening?.catch(() => undefined)
    const client = this.#client
    this.#client = null
    if (client === null || client.status === 'end') return
    await new Promise<void>((resolve) => {
      client.once('end', resolve)
      client.disconnect()
    })
  }

  async #ready(signal: AbortSignal): Promise<Redis> {
    if (this.#closed) throw this.#closedError()
    if (this.#client?.status === 'ready') return this.#client
    // One opening serves everybody who waits; a step that gives up must not end it for the others.
    this.#opening ??= this.#connect(new AbortController().signal)
      .then((client) => {
        this.#client = client
        return client
      })
      .finally(() => {
        this.#opening = null
      })
    return unlessAborted(this.#opening, signal)
  }

  async #connect(signal: AbortSignal): Promise<Redis> {
    const { Redis: Client, AbstractConnector } = await loadPackage(
      'redis',
      PACKAGE,
      this.#directory,
      () => import('ioredis'),
    )
    const { settings } = this
    const open = (): ReturnType<typeof openSocket> =>
      openSocket(this.#egress, {
        host: settings.host,
        port: settings.port,
        tls: settings.tls,
        timeoutMs: settings.connectMs,
        signal,
      })
    let failure: unknown = null
    /** The one place where a socket is opened: through the guard. */
    class Guarded extends AbstractConnector {
      constructor() {
        super(1_000)
      }
      override async connect(): Promise<Awaited<ReturnType<typeof openSocket>>> {
        this.connecting = true
        const socket = await open()
        this.stream = socket
        if (!this.connecting) socket.destroy()
        return socket
      }
    }
    const client = new Client({ ...this.#options(), Connector: Guarded })
    client.on('error', (error) => {
      failure ??= error
    })
    const limit = AbortSignal.any([signal, AbortSignal.timeout(settings.connectMs)])
    try {
      await unlessAborted(client.connect(), limit)
      return client
    } catch (error) {
      client.disconnect()
      signal.throwIfAborted()
      throw this.#connectError(limit.aborted ? limit.reason : (failure ?? error))
    }
  }

  #options(): RedisOptions {
    const { username, password, db, connectMs } = this.settings
    return {
      db,
      ...(username === null ? {} : { username }),
      ...(password === null ? {} : { password }),
      connectTimeout: connectMs,
      lazyConnect: true,
      // RESP 2 is what every server speaks; the actions need nothing of RESP 3.
      protocol: 2,
      stringNumbers: true,
      // No second life for a client: see the head of this file.
      retryStrategy: () => null,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      maxLoadingRetryTime: connectMs,
      connectionName: 'plugwork',
    }
  }

  async #run(call: {
    readonly client: Redis
    readonly name: string
    readonly args: readonly Argument[]
    readonly signal: AbortSignal
    readonly ms: number
  }): Promise<Reply> {
    const { client, name, args, signal, ms } = call
    const what = name.toUpperCase()
    let timer: NodeJS.Timeout | undefined
    let late = false
    try {
      // In capitals, which ioredis sends as they are: for the names it knows it would reshape arguments and replies.
      const answer = client.callBuffer(what, [...args]) as Promise<Reply>
      timer = setTimeout(() => {
        late = true
        // A server that is silent that long may be gone for good: the socket is given up, with all that waits on it.
        client.disconnect()
        client.stream.destroy()
      }, ms)
      return await unlessAborted(answer, signal)
    } catch (error) {
      if (signal.aborted) throw error
      const { message, name: kind } = error as Error
      if (kind === 'ReplyError') throw failureOf(message, this.settings.name, what)
      throw late ? this.#lateError(what, ms) : this.#lostError(what, error)
    } finally {
      clearTimeout(timer)
    }
  }

  #connectError(cause: unknown): Error {
    const { name, host, port, connectMs } = this.settings
    const { message, name: kind, code } = cause as { message: string; name: string; code?: unknown }
    if (kind === 'ReplyError') return failureOf(message, name, 'the login')
    // The guard says itself what it denies, and how to allow it.
    if (code === 'egress_denied' || code === 'egress_url' || code === 'egress_closed') return cause as Error
    const late = kind === 'TimeoutError' || code === 'egress_timeout'
    const why = late ? `no answer within ${connectMs} ms` : message.replace(/\.$/, '')
    return redisError(
      'redis_connect',
      `The redis connection "${name}" could not be opened: ${host}:${port} (${why}). Check \`host\`, \`port\` and \`tls\`, and that the server runs.`,
      { cause, data: { host, port } },
    )
  }

  #lostError(what: string, cause: unknown): Error {
    const { name, host, port } = this.settings
    if (this.#closed) return this.#closedError()
    return redisError(
      'redis_lost',
      `The redis connection "${name}" to ${host}:${port} broke before ${what} was answered; the server may have done it. The next command opens it again.`,
      { cause, data: { host, port, command: what } },
    )
  }

  #lateError(what: string, ms: number): Error {
    const { name, host, port } = this.settings
    return redisError(
      'redis_timeout',
      `${what} of the redis connection "${name}" was not answered by ${host}:${port} within ${ms} ms; the server may have done it. Raise \`command_timeout\` if it needs longer.`,
      { data: { host, port, command: what } },
    )
  }

  #closedError(): Error {
    return redisError(
      'redis_closed',
      `The redis connection "${this.settings.name}" was closed; the next use opens it again.`,
    )
  }
}
