/** The connectors as flows use them: compiled, run and repeated by the real runtime. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { compileFlow, planHash, type JsonObject, type Plan } from '@plugwork/core'
import {
  createEgress,
  createMemoryBlobStore,
  createMemoryStore,
  createRuntime,
  describeConnector,
  type RunSummary,
  type Runtime,
} from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { builtinConnectors } from './index.ts'
import { sqlite } from './sqlite/sqlite.ts'

const catalog = { connectors: builtinConnectors.map(describeConnector) }
let directory = ''
const closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-flows-')))
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  rmSync(directory, { recursive: true, force: true })
})

function planOf(source: string): Plan {
  const { plan, problems } = compileFlow(source, catalog)
  if (plan === null) throw new Error(problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  return plan
}

async function open(...sources: string[]): Promise<Runtime> {
  const plans = new Map(sources.map(planOf).map((plan) => [plan.flow, { plan, hash: planHash(plan) }]))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const store = createMemoryStore()
  const runtime = createRuntime({
    store,
    blobs: createMemoryBlobStore(),
    egress,
    connectors: builtinConnectors,
    definitions: {
      plan: (_tenant, flow) => plans.get(flow) ?? null,
      task: () => null,
      directory: () => directory,
      secret: (_tenant, name) => (name === 'TOKEN' ? 'very-secret-token' : null),
      env: () => null,
    },
    key: new Uint8Array(32),
    baseUrl: 'http://plugwork.test',
    version: 'test',
    log: () => undefined,
  })
  await runtime.open()
  closing.push(
    () => store.close(),
    () => egress.close(),
    () => runtime.stop(0),
  )
  return runtime
}

async function run(runtime: Runtime, flow: string, inputs: JsonObject = {}): Promise<RunSummary> {
  const started = await runtime.start({ tenant: 'default', flow, inputs, trigger: { kind: 'test' } })
  if (started.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(started)}`)
  return runtime.finished(started.rid)
}

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

async function service(handler: Handler): Promise<{ readonly origin: string; readonly seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    handler(request, response, seen.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

test('the example flow of sqlite runs as it is, and each run changes the stock once', async () => {
  const runtime = await open(sqlite.example({ name: 'main' }).source)
  expect(await run(runtime, 'SqliteExample')).toMatchObject({ status: 'succeeded', outputs: { quantity: 5 } })
  expect(await run(runtime, 'SqliteExample', { quantity: 2 })).toMatchObject({ outputs: { quantity: 7 } })
  const file = new DatabaseSync(join(directory, 'data/example.db'), { readOnly: true })
  expect(file.prepare('select count(*) as n from _plugwork_applied').get()).toEqual({ n: 4 })
  file.close()
})

test('every sqlite action in a flow: expressions are bound, lists expand, outputs feed later steps', async () => {
  const runtime = await open(`
flow: Shop
connections:
  db: { type: sqlite, database: ':memory:' }
inputs:
  - { name: names, type: array }
  - { name: evil, type: string }
steps:
  - sqlite_execute:
      connection: db
      query: create table users (id integer primary key, name text unique, age integer)
  - sqlite_batch_insert:
      id: imported
      connection: db
      table: users
      records: '\${inputs.names.map(n => ({ name: n, age: 20 }))}'
      batch_size: 2
      outputs: [inserted_count, batches]
  - sqlite_transaction:
      id: both
      connection: db
      queries:
        - insert into users (name, age) values (\${inputs.evil}, 1)
        - { query: "update users set age = age + ? where name in (\${inputs.names})", params: [5] }
      outputs: [rows_affected, last_insert_id]
  - sqlite_batch_update:
      id: rename
      connection: db
      table: users
      updates: [{ id: 1, name: first }]
      outputs: [updated_count]
  - sqlite.query:
      id: found
      connection: db
      query: select name, age from users where name = \${inputs.evil} or (age = \${20 + 5} and id > ?) order by id
      params: [1]
      outputs: [rows, row_count]
outputs:
  - { name: imported, value: "\${imported}" }
  - { name: both, value: "\${both}" }
  - { name: renamed, value: "\${rename.updated_count}" }
  - { name: rows, value: "\${found.rows}" }
  - { name: count, value: "\${found.row_count}" }
`)
  const evil = "x'); drop table users; --"
  const { status, error, outputs } = await run(runtime, 'Shop', { names: ['ann', 'bob', 'cid'], evil })
  expect({ status, error, outputs }).toEqual({
    status: 'succeeded',
    error: null,
    outputs: {
      imported: { inserted_count: 3, batches: 2 },
      both: { rows_affected: 4, last_insert_id: 4 },
      renamed: 1,
      rows: [
        { name: 'bob', age: 25 },
        { name: 'cid', age: 25 },
        { name: evil, age: 1 },
      ],
      count: 3,
    },
  })
})

test('an error of the database can be caught by its code', async () => {
  const runtime = await open(`
flow: Twice
connections: { db: { type: sqlite, database: ':memory:' } }
steps:
  - sqlite_execute: { connection: db, query: create table t (a text unique) }
  - sqlite_execute: { connection: db, query: insert into t values ('x') }
  - try:
      - sqlite_execute: { connection: db, query: insert into t values ('x') }
    catch:
      - set: { code: "\${error.code}", kind: "\${error.data.constraint}" }
        id: caught
outputs: [{ name: caught, value: "\${caught}" }]
`)
  expect((await run(runtime, 'Twice')).outputs).toEqual({ caught: { code: 'sqlite_constraint', kind: 'unique' } })
})

test('http in a flow: encoded path, query, credentials from a secret, status as an error', async () => {
  const { origin, seen } = await service((request, response) => {
    if (request.url!.startsWith('/v1/missing')) return void response.writeHead(404).end('{"message":"gone"}')
    response.setHeader('content-type', 'application/json').end('{"rate":1.19,"echo":"very-secret-token"}')
  })
  const runtime = await open(`
flow: Rates
connections:
  api: { type: http, base_url: "${origin}/v1", auth: { type: bearer, token: "\${secrets.TOKEN}" } }
inputs: [{ name: id, type: string }]
steps:
  - http.get:
      id: rate
      connection: api
      path: /rates/\${inputs.id}/now
      query: { day: "2026-01-01" }
      outputs: [status, body]
  - try:
      - http_get: { connection: api, path: /missing }
    catch:
      - set: { code: "\${error.code}", status: "\${error.data.status}" }
        id: caught
outputs:
  - { name: rate, value: "\${rate.body.rate}" }
  - { name: echo, value: "\${rate.body.echo}" }
  - { name: caught, value: "\${caught}" }
`)
  const { outputs, error } = await run(runtime, 'Rates', { id: '../a/b?c#d' })
  expect({ outputs, error }).toEqual({
    outputs: { rate: 1.19, echo: '***', caught: { code: 'http_404', status: 404 } },
    error: null,
  })
  expect(seen[0]!.url).toBe('/v1/rates/..%2Fa%2Fb%3Fc%23d/now?day=2026-01-01')
  expect(seen[0]!.headers.authorization).toBe('Bearer very-secret-token')
})

test('a busy service is asked again after the pause it asks for, with the same idempotency key', async () => {
  const at: number[] = []
  const { origin, seen } = await service((_request, response, count) => {
    at.push(performance.now())
    if (count === 1) response.writeHead(503, { 'retry-after': '1' }).end()
    else response.setHeader('content-type', 'application/json').end('{"id":7}')
  })
  const runtime = await open(`
flow: Order
inputs: [{ name: url, type: string }]
steps:
  - http.post:
      id: order
      url: \${inputs.url}
      json: { sku: apple }
      outputs: [body]
      retry: { max_attempts: 3, delay: 10ms, jitter: false }
outputs: [{ name: id, value: "\${order.body.id}" }]
`)
  expect(await run(runtime, 'Order', { url: `${origin}/orders` })).toMatchObject({
    status: 'succeeded',
    outputs: { id: 7 },
  })
  const keys = seen.map(({ headers }) => headers['idempotency-key'])
  expect(keys).toHaveLength(2)
  expect(keys[0]).toMatch(/\w{10,}/)
  expect(keys[1]).toBe(keys[0])
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(990)
})
