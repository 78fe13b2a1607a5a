/** The suite runs on the server of `PLUGWORK_TEST_MONGODB_URL` where it is set, else on the wire server of `testing/`. */
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import type { Json, JsonObject } from '@plugwork/core'
import { createEgress } from '@plugwork/core/node'
import { describeConnectorContract, type ConnectorEnvironment } from '@plugwork/core/testing'
import { BSON, MongoClient } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { failureOf, openCaller, type Caller, type CallerOptions } from '../testing/call-actions.ts'
import { runExample } from '../testing/run-example.ts'
import { mongodb } from './mongodb.ts'
import type { MongodbSession } from './session.ts'
import { WireServer } from './testing/wire-server.ts'
import { toBson, toJson } from './values.ts'

const database = `plugwork_test_${randomBytes(6).toString('hex')}`
let url = process.env['PLUGWORK_TEST_MONGODB_URL'] ?? ''
let shared: WireServer | null = null
beforeAll(async () => {
  if (url !== '') return
  shared = await WireServer.start()
  url = shared.url
})

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
afterAll(async () => {
  const client = new MongoClient(url)
  await client.db(database).dropDatabase()
  await client.close()
  await shared?.stop()
})

async function connect(config: object = {}, options?: CallerOptions): Promise<Caller<MongodbSession>> {
  const target = 'url' in config || 'host' in config ? config : { url, ...config }
  const caller = await openCaller<MongodbSession>(mongodb, { database, ...target }, options)
  open.push(caller.close)
  return caller
}

async function ownServer(options?: Parameters<typeof WireServer.start>[0]): Promise<WireServer> {
  const server = await WireServer.start(options)
  open.push(() => server.stop())
  return server
}

let collections = 0
const fresh = (): string => `c${(collections += 1)}`

describeConnectorContract(mongodb, { describe, test }, async (): Promise<ConnectorEnvironment> => {
  const egress = createEgress({ allow: ['127.0.0.1', 'localhost'] })
  const collection = fresh()
  const before = [{ action: 'insert', input: { collection, document: { a: 1 } } }]
  return {
    config: { url, database },
    egress,
    directory: tmpdir(),
    calls: [
      { action: 'insert', input: { collection, documents: [{ a: 1 }, { a: 2 }] } },
      { action: 'find', input: { collection, match: { a: 1 } }, before },
      { action: 'find_one', input: { collection }, before },
      { action: 'count', input: { collection } },
      { action: 'aggregate', input: { collection, pipeline: [{ $match: { a: { $gt: 1 } } }] } },
      { action: 'update', input: { collection, match: { a: 1 }, update: { $set: { b: 1 } } }, before },
      { action: 'delete', input: { collection, match: { a: 1 } }, before },
    ],
    close: () => egress.close(),
  }
})

describe('values', () => {
  const documents: readonly JsonObject[] = [
    { a: null, b: true, c: 'text', d: [1, [2]], e: { f: {} } },
    { int: 1, long: 5_000_000_000, double: 1.5, negative: -7 },
    { big: { $numberLong: '9007199254740993' }, small: { $numberLong: '-9223372036854775808' } },
    { price: { $numberDecimal: '19.90' }, nan: { $numberDouble: 'NaN' }, zero: { $numberDouble: '-0.0' } },
    { at: { $date: '2026-01-01T12:34:56.789Z' }, old: { $date: { $numberLong: '-1' } } },
    { id: { $oid: '65f000000000000000000001' } },
    { bytes: { $binary: { base64: 'AP8=', subType: '00' } }, typed: { $binary: { base64: 'AP8=', subType: '80' } } },
    { pattern: { $regularExpression: { pattern: '^a', options: 'i' } }, stamp: { $timestamp: { t: 1, i: 2 } } },
    { least: { $minKey: 1 }, most: { $maxKey: 1 } },
    { __proto_like: { $nearly: 1 }, _bsontype_: 'x' },
  ]

  test.each(documents)('%j comes back as it was', async (given) => {
    const { call } = await connect()
    const collection = fresh()
    const { inserted_id: id } = await call('insert', { collection, document: given })
    const { document } = await call('find_one', { collection, match: { _id: id } })
    expect(document).toEqual({ _id: id, ...given })
  })

  test('canonical answers name the type of each number, and restore a document bit by bit', async () => {
    const canonical = await connect({ extended_json: 'canonical' })
    const collection = fresh()
    const document = {
      _id: { $numberLong: '1' },
      int: { $numberInt: '1' },
      double: { $numberDouble: '1.0' },
      long: { $numberLong: '1' },
    }
    await canonical.call('insert', { collection, document })
    expect((await canonical.call('find_one', { collection }))['document']).toEqual(document)
    const relaxed = await connect()
    expect((await relaxed.call('find_one', { collection }))['document']).toEqual({ _id: 1, int: 1, double: 1, long: 1 })
  })

  test('what is no value of Extended JSON is named', async () => {
    const { call } = await connect()
    for (const wrong of [{ $oid: 'short' }, { $date: 'yesterday' }, { $numberDecimal: 'x' }, { $uuid: 1 }] as Json[]) {
      const error = await failureOf(call('insert', { collection: 'c', document: { list: [{ wrong }] } }))
      expect([error.code, error.message]).toEqual([
        'mongodb_value',
        expect.stringContaining('`document.list[0].wrong`') as string,
      ])
    }
    let deep: Json = 1
    for (let n = 0; n < 300; n += 1) deep = { a: deep }
    expect((await failureOf(call('insert', { collection: 'c', document: { deep } }))).code).toBe('mongodb_value')
    const forged = { _bsontype: 'ObjectId', id: 'x' }
    expect((await failureOf(call('insert', { collection: 'c', document: { forged } }))).code).toBe('mongodb_value')
  })

  test('only an object with exactly the keys of a form is one', () => {
    expect(toBson(BSON, { $regex: '^a', $ne: 'ab' }, 'filter')).toEqual({ $regex: '^a', $ne: 'ab' })
    expect(toBson(BSON, { $oid: '65f000000000000000000001' }, 'filter')).toBeInstanceOf(BSON.ObjectId)
    expect(toBson(BSON, 2 ** 31, 'x')).toBeInstanceOf(BSON.Long)
    expect(toBson(BSON, 2 ** 60, 'x')).toBeInstanceOf(BSON.Double)
    expect(toJson(BSON, { _bsontype: 'Long', high: 1 }, false)).toEqual({ _bsontype: 'Long', high: 1 })
  })
})

describe('actions', () => {
  const people = [
    { _id: 1, name: 'ann', age: 30 },
    { _id: 2, name: 'bob', age: 20 },
    { _id: 3, name: 'cid', age: 40 },
  ]

  async function seeded(): Promise<Caller<MongodbSession> & { readonly collection: string }> {
    const caller = await connect()
    const collection = fresh()
    await caller.call('insert', { collection, documents: people })
    return { ...caller, collection }
  }

  test('find: filter, match, projection, sort, pages', async () => {
    const { call, collection } = await seeded()
    expect(await call('find', { collection, sort: { age: 1 }, limit: 2 })).toEqual({
      documents: [people[1], people[0]],
      count: 2,
      has_more: true,
    })
    const { pages, input } = mongodb.actions.find
    const first = input.parse({ collection, sort: { age: 1 }, limit: 2 })
    const next = pages!.next(first, { documents: [{}, {}], count: 2, has_more: true })
    expect(await call('find', next!)).toEqual({ documents: [people[2]], count: 1, has_more: false })
    expect(pages!.next(first, { documents: [{}], count: 1, has_more: false })).toBeNull()
    expect(
      await call('find', {
        collection,
        filter: { age: { $gte: 30 } },
        match: { name: 'ann' },
        projection: { name: 1, _id: 0 },
      }),
    ).toEqual({ documents: [{ name: 'ann' }], count: 1, has_more: false })
    expect(await call('find_one', { collection, match: { name: 'dan' } })).toEqual({ document: null, found: false })
    expect(await call('count', { collection, filter: { age: { $lt: 40 } } })).toEqual({ count: 2 })
    expect(await call('count', { collection, limit: 1 })).toEqual({ count: 1 })
  })

  test('insert: ids are answered, a second document with the same id is refused', async () => {
    const { call, collection } = await seeded()
    const one = await call('insert', { collection, document: { name: 'dan' } })
    expect(one).toMatchObject({
      inserted_count: 1,
      inserted_id: { $oid: expect.stringMatching(/^[\da-f]{24}$/) as string },
    })
    const error = await failureOf(call('insert', { collection, documents: [{ _id: 9 }, { _id: 1, secret: 'hidden' }] }))
    expect([error.code, error.retryable, error.data]).toEqual([
      'mongodb_duplicate',
      false,
      { server_code: 11_000, index: '_id_', fields: ['_id'], inserted_count: 1 },
    ])
    expect(JSON.stringify([error.message, error.data])).not.toContain('hidden')
    const unordered = { collection, documents: [{ _id: 1 }, { _id: 10 }], ordered: false }
    expect((await failureOf(call('insert', unordered))).data).toMatchObject({ inserted_count: 1 })
    expect(await call('count', { collection, match: { _id: 10 } })).toEqual({ count: 1 })
    expect((await failureOf(call('insert', { collection }))).code).toBe('mongodb_input')
    expect((await failureOf(call('insert', { collection, document: {}, documents: [{}] }))).code).toBe('mongodb_input')
  })

  test('update: one, many, upsert, replace', async () => {
    const { call, collection } = await seeded()
    expect(await call('update', { collection, match: { name: 'ann' }, update: { $inc: { age: 1 } } })).toEqual({
      matched_count: 1,
      modified_count: 1,
      upserted_id: null,
    })
    expect(
      await call('update', { collection, filter: { age: { $gt: 20 } }, update: { $set: { old: true } }, many: true }),
    ).toMatchObject({ matched_count: 2, modified_count: 2 })
    expect(await call('update', { collection, all: true, update: { $unset: { old: '' } }, many: true })).toMatchObject({
      matched_count: 3,
      modified_count: 2,
    })
    const upsert = { collection, match: { _id: 7 }, update: { $set: { name: 'gus' } }, upsert: true }
    expect(await call('update', upsert)).toEqual({ matched_count: 0, modified_count: 0, upserted_id: 7 })
    expect(await call('update', upsert)).toMatchObject({ matched_count: 1, upserted_id: null })
    const replaced = { collection, match: { _id: 7 }, update: { name: 'new' }, replace: true }
    expect(await call('update', replaced)).toMatchObject({ modified_count: 1 })
    expect((await call('find_one', { collection, match: { _id: 7 } }))['document']).toEqual({ _id: 7, name: 'new' })
    for (const wrong of [
      { match: { _id: 1 }, update: { name: 'x' } },
      { match: { _id: 1 }, update: { name: 'x', $set: { a: 1 } } },
      { match: { _id: 1 }, update: { $set: { a: 1 } }, replace: true },
      { match: { _id: 1 }, update: { a: 1 }, replace: true, many: true },
      { update: { $set: { a: 1 } } },
      { filter: {}, match: {}, update: { $set: { a: 1 } }, many: true },
    ]) {
      expect((await failureOf(call('update', { collection, ...wrong }))).code).toBe('mongodb_input')
    }
  })

  test('delete: one, many, and all only when it is said', async () => {
    const { call, collection } = await seeded()
    expect(await call('delete', { collection, filter: { age: { $gt: 10 } } })).toEqual({ deleted_count: 1 })
    expect((await failureOf(call('delete', { collection, many: true }))).message).toContain('`all: true`')
    expect(await call('delete', { collection, many: true, all: true })).toEqual({ deleted_count: 2 })
  })

  test('aggregate', async () => {
    const { call, collection } = await seeded()
    const pipeline = [
      { $match: { age: { $gte: 30 } } },
      { $group: { _id: null, total: { $sum: '$age' }, n: { $sum: 1 } } },
      { $project: { _id: 0 } },
    ]
    expect(await call('aggregate', { collection, pipeline })).toEqual({ documents: [{ total: 70, n: 2 }], count: 1 })
    expect(await call('aggregate', { collection, pipeline: [{ $sort: { _id: 1 } }], limit: 2 })).toMatchObject({
      count: 2,
    })
    expect((await failureOf(call('aggregate', { collection, pipeline: [{ a: 1 }] }))).code).toBe('mongodb_input')
  })

  test('what the server does not accept says so', async () => {
    const { call, collection } = await seeded()
    const error = await failureOf(call('find', { collection, filter: { age: { $nonsense: 1 } } }))
    expect([error.code, error.retryable]).toEqual(['mongodb_query', false])
    expect(error.message).toContain('find in')
    for (const name of ['system.users', 'a$b']) {
      expect((await failureOf(call('find', { collection: name }))).code).toBe('mongodb_input')
    }
  })
})

describe('values of strangers', () => {
  test('match compares; an object with operators selects nothing else', async () => {
    const { call } = await connect()
    const collection = fresh()
    await call('insert', {
      collection,
      documents: [
        { user: 'ann', token: 'a' },
        { user: 'bob', token: 'b' },
      ],
    })
    const injected: Json[] = [{ $ne: null }, { $gt: '' }, { $regex: '.*' }, { $in: ['a', 'b'] }, { $exists: true }]
    for (const token of injected) {
      expect([token, await call('count', { collection, match: { user: 'ann', token } })]).toEqual([token, { count: 0 }])
      expect(await call('delete', { collection, match: { token }, many: true })).toEqual({ deleted_count: 0 })
    }
    expect(await call('count', { collection, match: { user: 'ann', token: 'a' } })).toEqual({ count: 1 })
    // In a filter the same object is an operator: that is what filters are for.
    expect(await call('count', { collection, filter: { token: { $ne: null } } })).toEqual({ count: 2 })
    expect((await failureOf(call('count', { collection, match: { $or: [{}] } }))).code).toBe('mongodb_input')
  })

  test.each([
    ['find', { filter: { $where: 'sleep(1e9)' } }],
    ['find', { filter: { $and: [{ a: { $not: { $where: '1' } } }] } }],
    ['find', { filter: { $expr: { $function: { body: 'f', args: [], lang: 'js' } } } }],
    ['find', { filter: { a: { $code: 'f' } } }],
    ['find', { projection: { a: { $function: {} } } }],
    ['count', { filter: { $where: '1' } }],
    ['delete', { filter: { $where: '1' } }],
    ['update', { filter: { a: 1 }, update: { $set: { a: 1 } }, array_filters: [{ $where: '1' }] }],
    ['aggregate', { pipeline: [{ $out: 'other' }] }],
    ['aggregate', { pipeline: [{ $lookup: { from: 'a', pipeline: [{ $merge: { into: 'b' } }], as: 'c' } }] }],
    ['aggregate', { pipeline: [{ $group: { _id: 1, x: { $accumulator: {} } } }] }],
    ['aggregate', { pipeline: [{ $changeStream: {} }] }],
  ])('%s %j is refused before it is sent', async (action, input) => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url })
    const { code, message, data } = await failureOf(call(action, { collection: 'c', ...input }))
    expect([code, data]).toEqual(['mongodb_operator', { operator: expect.stringMatching(/^\$/) as string }])
    expect(message).toMatch(/^`(filter|projection|array_filters|pipeline)/)
    expect(own.commands.filter((name) => name !== 'ping' && name !== 'endSessions')).toEqual([])
  })

  test('JavaScript is allowed where the connection says so; writing from a read never is', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url, allow_javascript: true })
    own.failNext = { ok: 0, code: 2, errmsg: 'it was sent' }
    expect((await failureOf(call('find', { collection: 'c', filter: { $where: 'true' } }))).message).toContain(
      'it was sent',
    )
    expect((await failureOf(call('aggregate', { collection: 'c', pipeline: [{ $out: 'x' }] }))).code).toBe(
      'mongodb_operator',
    )
  })
})

describe('limits', () => {
  test('documents are read in batches; more than asked for are not read, and the cursor is closed', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url })
    const documents = Array.from({ length: 10_500 }, (_, index) => ({ _id: index }))
    await call('insert', { collection: 'c', documents })
    const some = await call('find', { collection: 'c', limit: 2_500, sort: { _id: 1 } })
    expect([some['count'], some['has_more']]).toEqual([2_500, true])
    expect((some['documents'] as JsonObject[])[2_499]).toEqual({ _id: 2_499 })
    expect(own.commands.filter((name) => name === 'getMore')).toHaveLength(2)
    const { code, message } = await failureOf(call('find', { collection: 'c' }))
    expect([code, message]).toEqual(['mongodb_too_many', expect.stringContaining('`limit`') as string])
    expect((await failureOf(call('aggregate', { collection: 'c', pipeline: [] }))).code).toBe('mongodb_too_many')
    expect(await call('find', { collection: 'c', limit: 100_000 })).toMatchObject({ count: 10_500, has_more: false })
    expect(own.openCursors).toBe(0)
  })

  test('more than 32 MiB are refused without being held, and the cursor is closed', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url })
    const text = 'x'.repeat(4_000_000)
    for (let n = 0; n < 10; n += 1) await call('insert', { collection: 'c', document: { n, text } })
    const error = await failureOf(call('find', { collection: 'c' }))
    expect([error.code, error.message]).toEqual([
      'mongodb_too_large',
      expect.stringContaining('`projection`') as string,
    ])
    expect(await call('find', { collection: 'c', projection: { n: 1 } })).toMatchObject({ count: 10 })
    await expect.poll(() => own.openCursors).toBe(0)
  })
})

describe('the connection', () => {
  test('says which server answers', async () => {
    const { test: prove } = await connect()
    expect(await prove()).toMatch(/^MongoDB \d+\.\d+\.\d+\S* answers at \S+, database plugwork_test_/)
  })

  test('heals after its sockets were dropped and after the server was restarted', async () => {
    const own = await ownServer()
    const { call, client } = await connect({ url: own.url, connect_timeout: '3s' })
    await call('insert', { collection: 'c', document: { _id: 1 } })
    own.dropConnections()
    await expect
      .poll(() => call('count', { collection: 'c' }).catch(() => null), { timeout: 10_000 })
      .toEqual({ count: 1 })
    const { port } = own
    await own.stop()
    const down = await failureOf(call('insert', { collection: 'c', document: { _id: 2 } }))
    expect(down).toMatchObject({ code: expect.stringMatching(/^mongodb_(connect|lost)$/) as string, retryable: true })
    expect(client.healthy).toBe(true)
    await ownServer({ port })
    await expect
      .poll(() => call('count', { collection: 'c' }).catch(() => null), { timeout: 10_000 })
      .toEqual({ count: 0 })
  })

  test('a server that stops answering costs a step its timeout; cancelling ends it at once', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url, timeout: '300ms' })
    own.silent = true
    const error = await failureOf(call('insert', { collection: 'c', document: { a: 1 } }))
    expect([error.code, error.retryable]).toEqual(['mongodb_timeout', true])
    expect(error.message).toContain('within 300 ms')
    const stop = new AbortController()
    const patient = await connect({ url: own.url })
    const waiting = patient.call('find', { collection: 'c' }, { signal: stop.signal })
    await expect.poll(() => own.commands.at(-1)).toBe('find')
    stop.abort(new Error('cancelled'))
    await expect(waiting).rejects.toThrow('cancelled')
  })

  test('the pool has the size that the connection says', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url, max_pool_size: 2, timeout: '1s' })
    const before = own.connections
    await Promise.all(Array.from({ length: 50 }, (_, n) => call('insert', { collection: 'c', document: { _id: n } })))
    expect(own.connections - before).toBeLessThanOrEqual(2)
    expect(await call('count', { collection: 'c' })).toEqual({ count: 50 })
  })

  test('the login is checked, and no password is in any error', async () => {
    const own = await ownServer()
    for (const config of [
      { host: '127.0.0.1', port: own.port, username: 'ann', password: 'wrong-password' },
      { url: `mongodb://ann:wrong-password@127.0.0.1:${own.port}/?directConnection=true` },
    ]) {
      const error = await failureOf(connect(config))
      expect(error.code).toBe('mongodb_auth')
      expect(JSON.stringify([error.message, error.data, String(error.cause)])).not.toContain('wrong-password')
    }
  })

  test.each([
    [{ code: 13, errmsg: 'not authorized on db to execute command' }, 'mongodb_denied', false],
    [{ code: 121, errmsg: 'Document failed validation' }, 'mongodb_validation', false],
    [{ code: 50, errmsg: 'operation exceeded time limit' }, 'mongodb_timeout', true],
    [{ code: 112, errmsg: 'WriteConflict' }, 'mongodb_unavailable', true],
    [{ code: 10_107, errmsg: 'not primary' }, 'mongodb_unavailable', true],
    [{ code: 10_334, errmsg: 'BSONObj size is invalid' }, 'mongodb_too_large', false],
    [{ code: 40_324, errmsg: 'Unrecognized pipeline stage name' }, 'mongodb_query', false],
    [{ code: 999, errmsg: 'something about "a secret value"' }, 'mongodb_failed', false],
  ])('the server error %j is %s', async (answer, code, retryable) => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url })
    own.failNext = { ok: 0, codeName: 'X', ...answer }
    const error = await failureOf(call('insert', { collection: 'c', document: { a: 1 } }))
    expect([error.code, error.retryable]).toEqual([code, retryable])
    expect(error.data).toMatchObject({ server_code: answer.code })
    expect(error.message).not.toContain('a secret value')
  })

  test('private addresses are denied unless they are allowed, announced ones included', async () => {
    const denied = await failureOf(connect({}, { allow: [] }))
    expect([denied.code, denied.message]).toEqual([
      'egress_denied',
      expect.stringContaining('PLUGWORK_EGRESS_ALLOW=') as string,
    ])
    // A server that says that the set has a member in the network of the machine.
    const hello = { setName: 'rs', hosts: ['127.0.0.1:1', '10.1.2.3:27017'], me: '127.0.0.1:1', secondary: true }
    const own = await ownServer({ hello: { ...hello, isWritablePrimary: false, ismaster: false } })
    const seed = `mongodb://127.0.0.1:${own.port}/?replicaSet=rs`
    const announced = await failureOf(
      connect({ url: seed, connect_timeout: '2s' }, { allow: [`127.0.0.1:${own.port}`] }),
    )
    expect(announced.code).toBe('egress_denied')
  })

  test('a name is looked up through the guard, and the driver gets the address that was checked', async () => {
    const own = await ownServer()
    const allow = [`localhost:${own.port}`, `127.0.0.1:${own.port}`]
    const { call } = await connect({ host: 'localhost', port: own.port }, { allow })
    expect(await call('count', { collection: 'c' })).toEqual({ count: 0 })
    expect((await failureOf(connect({ host: 'localhost', port: own.port }, { allow: [] }))).code).toBe('egress_denied')
  })

  test('opening is bounded, ends with its step, and says what is wrong', async () => {
    const own = await ownServer()
    const { port } = own
    await own.stop()
    const { code, message } = await failureOf(connect({ host: '127.0.0.1', port }))
    expect([code, message]).toEqual(['mongodb_connect', expect.stringContaining(`127.0.0.1:${port}`) as string])
    const signal = AbortSignal.abort(new Error('cancelled'))
    await expect(connect({ host: '127.0.0.1', port }, { signal })).rejects.toThrow('cancelled')
  })
})

describe('the config', () => {
  test.each([
    [{ url: 'http://x', database: 'd' }, 'is not a MongoDB URL'],
    [{ url: 'mongodb://h' }, '`database` of the mongodb connection "main" is missing'],
    [{ url: 'mongodb://u:p@secret@h/d' }, 'is not a MongoDB URL'],
    [{ url: 'mongodb://h/d?proxyHost=evil' }, 'has the option proxyHost, which is not allowed'],
    [{ url: 'mongodb://h/d?tlsCAFile=/etc/passwd' }, 'has the option tlsCAFile'],
    [{ url: 'mongodb://h/d?tlsAllowInvalidCertificates=true' }, 'has the option tlsAllowInvalidCertificates'],
    [{ url: 'mongodb://h/d?authMechanism=MONGODB-AWS' }, 'has the authMechanism MONGODB-AWS'],
    [{ url: 'mongodb://%2Ftmp%2Fmongo.sock/d' }, 'Sockets of this machine'],
    [{ url: 'mongodb://h:99999/d' }, 'a port that is none'],
    [{ url: 'mongodb://h/d', host: 'x' }, '`host` of the mongodb connection "main" is given beside `url`'],
    [{ host: 'h', database: 'd', username: 'u' }, '`username` of the mongodb connection "main" is given alone'],
    [{ host: 'h', database: 'd', min_pool_size: 20 }, '`min_pool_size`'],
  ])('%j', async (config, message) => {
    const error = await failureOf(openCaller(mongodb, config))
    expect([error.code, error.message]).toEqual(['mongodb_config', expect.stringContaining(message) as string])
    expect(error.message).not.toContain('secret')
  })

  test('limits of the schema', () => {
    for (const wrong of [
      { database: 'a/b' },
      { database: 'a$b' },
      { timeout: '2h' },
      { max_pool_size: 0 },
      { hots: 'x' },
    ])
      expect(mongodb.config.safeParse(wrong).success).toBe(false)
  })
})

test('the example flow runs, each run adds', async () => {
  const { source } = mongodb.example({ name: 'main' })
  const flow = source.replace('plugwork_example', database)
  const options = { connectors: [mongodb], directory: tmpdir(), secrets: { MONGODB_URL: url } }
  const allow = ['127.0.0.1', 'localhost']
  expect(await runExample(flow, { ...options, allow })).toMatchObject({ status: 'succeeded', outputs: { quantity: 5 } })
  expect(await runExample(flow, { ...options, allow, inputs: { quantity: 2 } })).toMatchObject({
    outputs: { quantity: 7 },
  })
})
