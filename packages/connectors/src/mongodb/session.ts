/**
 * One MongoDB client with its pools, as the actions use it. The driver heals by itself: it watches its servers, replaces
 * broken sockets, and repeats a read, or a write that the server knows how to recognise, once.
 */
import type * as Mongo from 'mongodb'
import type { Collection, Document, MongoClient } from 'mongodb'
import type { ConnectContext } from '@plugwork/core/node'
import type { Json, JsonObject } from '@plugwork/core'
import { loadPackage } from '../optional-package.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { MongodbSettings } from './config.ts'
import { mongodbError } from './errors.ts'
import { asFailure } from './failures.ts'
import { MongoNetwork, seedOfAddress } from './network.ts'
import { toBson, toDocument, toJson } from './values.ts'

type Driver = typeof Mongo

/** Tested range of the driver. */
export const PACKAGE = { name: 'mongodb', range: '^7.0.0' } as const

/** What an action may answer at most. */
const MAX_BYTES = 32 * 1024 * 1024

/** Options of operations that the driver can stop. */
export interface Bounds {
  readonly signal: AbortSignal
  readonly maxTimeMS: number
}

interface Call<Result> {
  /** For messages: `find in orders`. */
  readonly what: string
  readonly collection: string
  readonly signal: AbortSignal
  /** `options` bound the operation: what the server is told, and when the driver is to stop. */
  work(collection: Collection, options: Bounds): Promise<Result>
}

export class MongodbSession {
  readonly settings: MongodbSettings
  readonly #driver: Driver
  readonly #client: MongoClient
  readonly #network: MongoNetwork
  #closed = false

  private constructor(settings: MongodbSettings, driver: Driver, network: MongoNetwork) {
    this.settings = settings
    this.#driver = driver
    this.#network = network
    this.#client = new driver.MongoClient(settings.url, { ...settings.options, lookup: network.lookup })
    this.#client.on('serverOpening', ({ address }) => {
      // Members that a server announces, beside those of the config.
      network.check(seedOfAddress(address)).catch(() => {
        if (network.denied !== null) void this.close()
      })
    })
  }

  /** Connects. Throws `mongodb_package`, `mongodb_connect`, `mongodb_auth`, or what the egress denies. */
  static async open(
    settings: MongodbSettings,
    { egress, directory, signal }: Pick<ConnectContext, 'egress' | 'directory' | 'signal'>,
  ): Promise<MongodbSession> {
    const driver = await loadPackage('mongodb', PACKAGE, directory, () => import('mongodb'))
    const network = new MongoNetwork(egress, settings.connectMs)
    // A seed that does not answer may be one of several; one that is denied is a mistake in the config.
    const seeds = await Promise.allSettled(settings.seeds.map((seed) => network.check(seed, signal)))
    signal.throwIfAborted()
    if (network.denied !== null) throw network.denied as Error
    const [first] = seeds
    if (first?.status === 'rejected' && seeds.every(({ status }) => status === 'rejected'))
      throw unreachable(settings, first.reason)
    const session = openClient(() => new MongodbSession(settings, driver, network), settings)
    try {
      await unlessAborted(session.#client.connect(), signal)
      return session
    } catch (error) {
      await session.close()
      signal.throwIfAborted()
      throw session.#failure(error, 'connecting')
    }
  }

  get healthy(): boolean {
    return !this.#closed
  }

  /** Asks the server for its version. */
  async version(signal: AbortSignal): Promise<string> {
    const info = await this.#bounded('buildInfo', signal, () =>
      this.#client.db(this.settings.database).command({ buildInfo: 1 }),
    )
    return String(info['version'])
  }

  /** Does one operation. Throws the codes of this connector, or the signal's reason. */
  async call<Result>({ what, collection, signal, work }: Call<Result>): Promise<Result> {
    signal.throwIfAborted()
    if (this.#closed) throw this.#closedError()
    if (collection.includes('\0') || collection.startsWith('system.') || collection.includes('$'))
      throw mongodbError(
        'mongodb_input',
        `\`collection\` is ${JSON.stringify(collection.slice(0, 60))}, which is no collection for data: no $, no system.`,
      )
    const target = this.#client.db(this.settings.database).collection(collection)
    return this.#bounded(`${what} ${collection}`, signal, (limit) =>
      work(target, { signal: limit, maxTimeMS: this.settings.timeoutMs }),
    )
  }

  /** The driver has no limit of its own for a whole operation: batches, waiting for a socket and repeating included. */
  async #bounded<Result>(
    what: string,
    signal: AbortSignal,
    work: (limit: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { name, timeoutMs } = this.settings
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    const limit = AbortSignal.any([signal, late.signal])
    try {
      return await unlessAborted(work(limit), limit)
    } catch (error) {
      signal.throwIfAborted()
      if (!late.signal.aborted) throw this.#failure(error, what)
      throw mongodbError(
        'mongodb_timeout',
        `${what} of the mongodb connection "${name}" was not done within ${timeoutMs} ms; the server may have done it. Raise \`timeout\` of the connection, or make the operation cheaper with an index or a \`limit\`.`,
      )
    } finally {
      clearTimeout(timer)
    }
  }

  document(value: JsonObject, where: string): Document {
    return toDocument(this.#driver.BSON, value, where)
  }

  bson(value: Json, where: string): unknown {
    return toBson(this.#driver.BSON, value, where)
  }

  json(value: unknown): Json {
    return toJson(this.#driver.BSON, value, this.settings.canonical)
  }

  /** How documents are read: canonical answers need the type of every number. */
  get reading(): { readonly promoteValues: boolean } {
    return { promoteValues: !this.settings.canonical }
  }

  /** The documents of a cursor, up to `limit` and 32 MiB, read in batches and never held beyond that. */
  async collect(
    cursor: AsyncIterable<Document>,
    { limit, what }: { readonly limit: number; readonly what: string },
  ): Promise<{ documents: JsonObject[]; more: boolean }> {
    const documents: JsonObject[] = []
    let bytes = 0
    // Leaving the loop, by an error too, closes the cursor on the server.
    for await (const document of cursor) {
      if (documents.length === limit) return { documents, more: true }
      const json = this.json(document) as JsonObject
      bytes += JSON.stringify(json).length
      if (bytes > MAX_BYTES)
        throw mongodbError(
          'mongodb_too_large',
          `The documents of ${what} have together more than 32 MiB. Ask for fewer (\`limit\`), or for fewer fields (\`projection\`).`,
        )
      documents.push(json)
    }
    return { documents, more: false }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#client.close()
  }

  #failure(thrown: unknown, what: string): unknown {
    if (this.#network.denied !== null) return this.#network.denied
    if (this.#closed && thrown instanceof this.#driver.MongoError && what !== 'connecting') return this.#closedError()
    const { name, where } = this.settings
    return asFailure(thrown, { driver: this.#driver, name, where, what })
  }

  #closedError(): Error {
    return mongodbError(
      'mongodb_closed',
      `The mongodb connection "${this.settings.name}" was closed; the next use opens it again.`,
    )
  }
}

/** The driver reads the URL when the client is made; what it says of it could repeat a password. */
function openClient(make: () => MongodbSession, { name }: MongodbSettings): MongodbSession {
  try {
    return make()
  } catch (error) {
    const kind = error instanceof Error ? error.name : 'error'
    throw mongodbError(
      'mongodb_config',
      `\`url\` of the mongodb connection "${name}" is not accepted by the driver (${kind}). Write mongodb://user:password@host:27017/database; escape @ : / % in a password.`,
    )
  }
}

function unreachable({ name, where, connectMs }: MongodbSettings, cause: unknown): Error {
  const { message, code } = cause as { message: string; code?: unknown }
  const why = code === 'egress_timeout' ? `no answer within ${connectMs} ms` : message.replace(/\.$/, '')
  return mongodbError(
    'mongodb_connect',
    `The mongodb connection "${name}" could not be opened: ${where} (${why}). Check \`host\`, \`port\` and \`tls\`, and that the server runs.`,
    { cause },
  )
}
