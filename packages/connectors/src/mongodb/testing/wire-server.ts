/**
 * A small MongoDB server for tests, where no real one can be installed: it speaks the real wire protocol (OP_MSG, and OP_QUERY
 * for the first handshake) with the driver's own BSON, keeps documents as the bytes that it was sent, and lets mingo judge
 * filters, updates and pipelines. What it is not: durable, indexed (but for `_id`), concurrent, complete. Numbers that an update
 * touches lose the difference between int, long and double. `PLUGWORK_TEST_MONGODB_URL` runs the suite on a real server.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Aggregator, Query, update } from 'mingo'
import { BSON, type Document } from 'mongodb'

const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013
const HEADER = 16
const MORE_TO_COME = 2
const MAX_REPLY = 15_000_000

interface Message {
  readonly requestId: number
  readonly opcode: number
  readonly silent: boolean
  readonly command: Document
}

/** An error with the code that a MongoDB server gives it. */
class CommandError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface WireServerOptions {
  /** What `hello` says beside the usual. */
  readonly hello?: Document
  readonly port?: number
}

export class WireServer {
  readonly #server: Server
  readonly #options: WireServerOptions
  readonly #sockets = new Set<Socket>()
  /** Documents as bytes, by namespace and `_id`. */
  readonly #collections = new Map<string, Map<string, Buffer>>()
  readonly #cursors = new Map<number, { readonly ns: string; documents: Document[] }>()
  /** Names of the commands that came, handshakes left out. */
  readonly commands: string[] = []
  /** Set: answers nothing but handshakes. */
  silent = false
  /** Set: the next command that is no handshake is answered so. */
  failNext: Document | null = null
  #nextCursor = 1

  private constructor(options: WireServerOptions) {
    this.#options = options
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async start(options: WireServerOptions = {}): Promise<WireServer> {
    const server = new WireServer(options)
    server.#server.listen(options.port ?? 0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `mongodb://127.0.0.1:${this.port}/?directConnection=true`
  }

  get openCursors(): number {
    return this.#cursors.size
  }

  get connections(): number {
    return this.#sockets.size
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.dropConnections()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    let received = Buffer.alloc(0)
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= HEADER && received.length >= received.readInt32LE(0)) {
        const length = received.readInt32LE(0)
        const message = readMessage(received.subarray(0, length))
        received = received.subarray(length)
        const answer = this.#answer(message)
        if (answer !== null && !message.silent) socket.write(writeMessage(message, answer))
      }
    })
  }

  #answer({ command }: Message): Document | null {
    const name = Object.keys(command)[0] ?? ''
    if (name === 'hello' || name.toLowerCase() === 'ismaster') return this.#hello(command)
    this.commands.push(name)
    if (this.silent) return null
    const planned = this.failNext
    this.failNext = null
    if (planned !== null) return planned
    try {
      return { ...this.#run(name, command), ok: 1 }
    } catch (error) {
      // What mingo throws says that it does not know an operator or its arguments.
      const code = error instanceof CommandError ? error.code : 2
      return { ok: 0, errmsg: (error as Error).message, code, codeName: 'Error' }
    }
  }

  #hello(command: Document): Document {
    return {
      helloOk: true,
      isWritablePrimary: true,
      ismaster: true,
      maxBsonObjectSize: 16 * 1024 * 1024,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      localTime: new Date(),
      logicalSessionTimeoutMinutes: 30,
      connectionId: 1,
      minWireVersion: 0,
      maxWireVersion: 21,
      readOnly: false,
      ...('saslSupportedMechs' in command ? { saslSupportedMechs: ['SCRAM-SHA-256'] } : {}),
      ...this.#options.hello,
      ok: 1,
    }
  }

  #run(name: string, command: Document): Document {
    const ns = `${String(command['$db'])}.${String(command[name])}`
    switch (name) {
      case 'ping':
      case 'endSessions':
        return {}
      case 'buildInfo':
        return { version: '0.0.0-test' }
      case 'saslStart':
        throw new CommandError(18, 'Authentication failed.')
      case 'insert':
        return this.#insert(ns, command)
      case 'find':
        return this.#cursor(ns, command, this.#find(ns, command))
      case 'aggregate':
        return this.#cursor(ns, command['cursor'] as Document, this.#aggregate(ns, command))
      case 'getMore':
        return this.#getMore(command)
      case 'killCursors':
        for (const id of command['cursors'] as number[]) this.#cursors.delete(Number(id))
        return { cursorsKilled: command['cursors'] }
      case 'update':
        return this.#update(ns, command)
      case 'delete':
        return this.#delete(ns, command)
      case 'drop':
        this.#collections.delete(ns)
        return {}
      case 'dropDatabase':
        for (const each of this.#collections.keys())
          if (each.startsWith(`${String(command['$db'])}.`)) this.#collections.delete(each)
        return {}
      default:
        throw new CommandError(59, `no such command: '${name}'`)
    }
  }

  #stored(ns: string): Map<string, Buffer> {
    const stored = this.#collections.get(ns) ?? new Map<string, Buffer>()
    this.#collections.set(ns, stored)
    return stored
  }

  #insert(ns: string, command: Document): Document {
    const stored = this.#stored(ns)
    const writeErrors: Document[] = []
    const documents = command['documents'] as Document[]
    let n = 0
    for (const [index, each] of documents.entries()) {
      try {
        store(stored, ns, each)
        n += 1
      } catch (error) {
        writeErrors.push({ index, code: (error as CommandError).code, errmsg: (error as Error).message })
        if (command['ordered'] !== false) break
      }
    }
    return { n, ...(writeErrors.length === 0 ? {} : { writeErrors }) }
  }

  #find(ns: string, command: Document): Document[] {
    const { filter = {}, projection, sort, skip = 0, limit = 0 } = command
    const originals = new Map([...this.#stored(ns).values()].map((bytes) => [BSON.deserialize(bytes), bytes]))
    const cursor = new Query(filter as Document).find([...originals.keys()], projection as Document)
    if (sort !== undefined) cursor.sort(sort as Record<string, 1 | -1>)
    if (skip > 0) cursor.skip(skip as number)
    if (limit > 0) cursor.limit(limit as number)
    return (cursor.all() as Document[]).map((each) => {
      const bytes = originals.get(each)
      // As it was stored, types included, where no projection has made another document of it.
      return bytes === undefined ? each : BSON.deserialize(bytes, { promoteValues: false, bsonRegExp: true })
    })
  }

  #aggregate(ns: string, command: Document): Document[] {
    const collectionResolver = (name: string): Document[] => mirrors(this.#stored(`${String(command['$db'])}.${name}`))
    const stages = command['pipeline'] as Document[]
    return new Aggregator(stages, { collectionResolver }).run(mirrors(this.#stored(ns))) as Document[]
  }

  #cursor(ns: string, { batchSize = 101, singleBatch = false }: Document, documents: Document[]): Document {
    const rest = [...documents]
    const firstBatch = takeBatch(rest, batchSize as number)
    return { cursor: { firstBatch, id: BSON.Long.fromNumber(singleBatch ? 0 : this.#keep(ns, rest)), ns } }
  }

  #getMore(command: Document): Document {
    const id = Number(command['getMore'])
    const cursor = this.#cursors.get(id)
    if (cursor === undefined) throw new CommandError(43, `cursor id ${id} not found`)
    const size = (command['batchSize'] as number | undefined) ?? cursor.documents.length
    const nextBatch = takeBatch(cursor.documents, size)
    if (cursor.documents.length === 0) this.#cursors.delete(id)
    const left = BSON.Long.fromNumber(cursor.documents.length === 0 ? 0 : id)
    return { cursor: { nextBatch, id: left, ns: cursor.ns } }
  }

  #keep(ns: string, documents: Document[]): number {
    if (documents.length === 0) return 0
    this.#cursors.set(this.#nextCursor, { ns, documents })
    return this.#nextCursor++
  }

  #update(ns: string, command: Document): Document {
    const stored = this.#stored(ns)
    let [n, nModified] = [0, 0]
    const upserted: Document[] = []
    for (const [index, { q, u, multi, upsert, arrayFilters }] of (command['updates'] as Document[]).entries()) {
      const query = new Query(q as Document)
      const replaces = !Object.keys(u as Document).some((name) => name.startsWith('$'))
      let matched = 0
      for (const [key, bytes] of stored) {
        const document = BSON.deserialize(bytes)
        if (!query.test(document)) continue
        matched += 1
        const next = replaces ? { _id: document['_id'] as unknown, ...(u as Document) } : document
        if (!replaces) update(document, u as Document, arrayFilters as Document[] | undefined)
        const changed = Buffer.from(BSON.serialize(next))
        if (!changed.equals(bytes)) nModified += 1
        stored.set(key, changed)
        if (multi !== true) break
      }
      n += matched
      if (matched > 0 || upsert !== true) continue
      const fresh: Document = replaces ? { ...(u as Document) } : equalities(q as Document)
      if (!replaces) update(fresh, insertable(u as Document))
      fresh['_id'] ??= new BSON.ObjectId()
      store(stored, ns, fresh)
      n += 1
      upserted.push({ index, _id: fresh['_id'] as unknown })
    }
    return { n, nModified, ...(upserted.length === 0 ? {} : { upserted }) }
  }

  #delete(ns: string, command: Document): Document {
    const stored = this.#stored(ns)
    let n = 0
    for (const { q, limit } of command['deletes'] as Document[]) {
      const query = new Query(q as Document)
      for (const [key, bytes] of stored) {
        if (!query.test(BSON.deserialize(bytes))) continue
        stored.delete(key)
        n += 1
        if (limit === 1) break
      }
    }
    return { n }
  }
}

/** Takes up to `size` documents off the front, and no more than a reply of 16 MB holds. */
function takeBatch(documents: Document[], size: number): Document[] {
  let [n, bytes] = [0, 0]
  while (n < size && n < documents.length) {
    bytes += BSON.calculateObjectSize(documents[n]!)
    if (n > 0 && bytes > MAX_REPLY) break
    n += 1
  }
  return documents.splice(0, n)
}

const mirrors = (stored: ReadonlyMap<string, Buffer>): Document[] =>
  [...stored.values()].map((bytes) => BSON.deserialize(bytes))

function store(stored: Map<string, Buffer>, ns: string, document: Document): void {
  const bytes = Buffer.from(BSON.serialize(document))
  const key = BSON.EJSON.stringify({ _id: BSON.deserialize(bytes)['_id'] as unknown })
  if (stored.has(key))
    throw new CommandError(11_000, `E11000 duplicate key error collection: ${ns} index: _id_ dup key: { _id: ${key} }`)
  stored.set(key, bytes)
}

/** Fields that a filter fixes, for an upsert. */
function equalities(filter: Document): Document {
  const fields = Object.entries(filter).flatMap(([name, value]): [string, unknown][] => {
    if (name === '$and') return (value as Document[]).flatMap((each) => Object.entries(equalities(each)))
    if (name.startsWith('$')) return []
    const isObject = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    if (!isObject) return [[name, value]]
    return '$eq' in (value as Document) ? [[name, (value as Document)['$eq']]] : []
  })
  return Object.fromEntries(fields)
}

/** `$setOnInsert` as `$set`, which mingo has no word for. */
function insertable({ $setOnInsert, $set, ...rest }: Document): Document {
  const both = { ...($set as Document | undefined), ...($setOnInsert as Document | undefined) }
  return Object.keys(both).length === 0 ? rest : { ...rest, $set: both }
}

function readMessage(bytes: Buffer): Message {
  const requestId = bytes.readInt32LE(4)
  const opcode = bytes.readInt32LE(12)
  if (opcode === OP_QUERY) {
    const name = bytes.indexOf(0, HEADER + 4)
    return { requestId, opcode, silent: false, command: BSON.deserialize(bytes.subarray(name + 9)) }
  }
  if (opcode !== OP_MSG) throw new Error(`the driver sent the opcode ${opcode}`)
  const command: Document = {}
  for (let at = HEADER + 4; at < bytes.length;) {
    const kind = bytes[at]!
    const size = bytes.readInt32LE(at + 1)
    const section = bytes.subarray(at + 1, at + 1 + size)
    if (kind === 0) Object.assign(command, BSON.deserialize(section, { promoteValues: true }))
    else {
      const end = section.indexOf(0, 4)
      const documents: Document[] = []
      for (let next = end + 1; next < section.length; next += section.readInt32LE(next)) {
        const each = section.subarray(next, next + section.readInt32LE(next))
        // What is stored keeps its types; what is executed is what mingo understands.
        const types = section.toString('utf8', 4, end) === 'documents' ? { promoteValues: false, bsonRegExp: true } : {}
        documents.push(BSON.deserialize(each, types))
      }
      command[section.toString('utf8', 4, end)] = documents
    }
    at += 1 + size
  }
  return { requestId, opcode, silent: (bytes.readInt32LE(HEADER) & MORE_TO_COME) !== 0, command }
}

function writeMessage({ requestId, opcode }: Message, answer: Document): Buffer {
  const body = BSON.serialize(answer)
  // OP_REPLY: flags, cursor, position and number of documents; OP_MSG: flags and the kind of its only section.
  const head = Buffer.alloc(HEADER + (opcode === OP_QUERY ? 20 : 5))
  head.writeInt32LE(head.length + body.length, 0)
  head.writeInt32LE(requestId, 8)
  head.writeInt32LE(opcode === OP_QUERY ? OP_REPLY : OP_MSG, 12)
  if (opcode === OP_QUERY) head.writeInt32LE(1, HEADER + 16)
  return Buffer.concat([head, body])
}
