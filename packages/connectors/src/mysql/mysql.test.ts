import type { JsonObject } from '@plugwork/core'
import { mysql as service, type TemporaryDatabase } from '@plugwork/test-services'
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createHarness, failure, rowsOf, type Harness } from '../sql/testing/server-harness.ts'
import type { ServerClient } from '../sql/server-client.ts'
import { mysql } from './mysql.ts'

let database: TemporaryDatabase
let harness: Harness
let client: ServerClient
/** Looks from the side. */
let admin: Connection
beforeAll(async () => {
  database = await (await service()).createDatabase()
  harness = createHarness(mysql)
  client = await harness.open({ url: database.url })
  admin = await createConnection(database.url)
})
afterAll(async () => {
  await admin.end()
  await harness.close()
  await database.drop()
})
beforeEach(async () => {
  await admin.query('drop table if exists t')
  await admin.query(
    'create table t (id integer primary key auto_increment, a varchar(200) unique, n integer, check (n > 0))',
  )
})

const act = (action: string, input: JsonObject, options = {}): Promise<JsonObject> =>
  harness.act(client, action, input, options)
async function number(query: string): Promise<number> {
  const [[row]] = await admin.query<RowDataPacket[]>(query)
  return Number(Object.values(row!)[0])
}
const count = (): Promise<number> => number('select count(*) from t')

test('values go in and out without loss, prepared and not', async () => {
  await admin.query(`create table if not exists kinds (
    id integer primary key auto_increment, i8 bigint, u8 bigint unsigned, n decimal(40, 20), p decimal(10, 2), f double, r float, s text, c char(3), d date, dt datetime(6),
    ts timestamp(6) null, ti time, y year, j json, b blob, bi varbinary(10), bt bit(4), e enum('x', 'y'), flag boolean)`)
  const row = {
    i8: '-9223372036854775808',
    u8: '18446744073709551615',
    n: '12345678901234567890.12345678901234567890',
    p: 19.9,
    f: 0.1,
    r: 0.1,
    s: 'ein "Wört" \\ 🙂 \0',
    c: 'ab',
    d: '2026-03-29',
    dt: '2026-03-29T02:30:00.123456',
    ts: '2026-03-29T00:30:00.123456Z',
    ti: '12:30:00',
    y: 2026,
    j: { a: [1, 'x', null], big: '12345678901234567890' },
    b: { base64: 'AP8Q' },
    bi: { base64: 'AQI=' },
    bt: 5,
    e: 'x',
    flag: 1,
  }
  await act('batch_insert', { table: 'kinds', records: [row] })
  expect((await act('query', { query: 'select * from kinds' }))['rows']).toEqual([{ id: 1, ...row }])
  expect((await act('query', { query: 'select * from kinds where id = ?', params: [1] }))['rows']).toEqual([
    { id: 1, ...row },
  ])
  await act('batch_update', {
    table: 'kinds',
    updates: [{ id: 1, dt: '2026-06-01T12:00:00+02:00', b: null, flag: false }],
  })
  expect(await rowsOf(client, 'select dt, b, flag from kinds')).toEqual([
    { dt: '2026-06-01T10:00:00.000000', b: null, flag: 0 },
  ])
})

test.each([
  ['cast(1.50 as decimal(10, 2))', 1.5],
  ['9007199254740991', 9_007_199_254_740_991],
  ['9007199254740993', '9007199254740993'],
  ['true', 1],
  ['null', null],
  ["cast('2026-01-02' as date)", '2026-01-02'],
  ["'2026-01-02T03:04:05Z'", '2026-01-02T03:04:05Z'],
])('%s is %j', async (expression, value) => {
  expect((await act('query', { query: `select ${expression} as v` }))['rows']).toEqual([{ v: value }])
  expect((await act('query', { query: `select ${expression} as v where 1 = ?`, params: [1] }))['rows']).toEqual([
    { v: value },
  ])
})

test('columns of one name, and none', async () => {
  expect(await rowsOf(client, 'select 1 as a, 2 as a')).toEqual([{ a: 1, a_2: 2 }])
  expect(await act('query', { query: 'select a from t' })).toEqual({ rows: [], row_count: 0 })
  expect(await act('query', { query: 'select a from t limit ?', params: [5] })).toEqual({ rows: [], row_count: 0 })
})

test('execute tells what it did', async () => {
  expect(await act('execute', { query: "insert into t (a) values (?), ('y')", params: ['x'] })).toEqual({
    rows_affected: 2,
    last_insert_id: 1,
    rows: [],
    row_count: 0,
  })
  expect(await act('execute', { query: 'update t set n = 5' })).toMatchObject({
    rows_affected: 2,
    last_insert_id: null,
  })
  // Found, although nothing changes.
  expect(await act('execute', { query: 'update t set n = ?', params: [5] })).toMatchObject({ rows_affected: 2 })
  expect(await act('execute', { query: 'delete from t where a = ?', params: ['x'] })).toMatchObject({
    rows_affected: 1,
  })
  expect(await act('execute', { query: 'create index t_n on t (n)' })).toMatchObject({ rows_affected: 0 })
})

test('a transaction happens as a whole or not at all', async () => {
  const done = await act('transaction', {
    queries: [
      "insert into t (a) values ('x')",
      { query: 'update t set n = ? where a = ?', params: [3, 'x'] },
      'select a from t',
    ],
  })
  expect(done).toMatchObject({ rows_affected: 2, last_insert_id: 1, results: [{}, {}, { rows: [{ a: 'x' }] }] })
  const broken = await failure(
    act('transaction', { queries: ["insert into t (a) values ('z')", 'insert into t (n) values (-1)'] }),
  )
  expect(broken).toMatchObject({ code: 'mysql_constraint', data: { constraint: 'check' } })
  expect(await count()).toBe(1)
  const schema = await failure(
    act('transaction', { queries: ["insert into t (a) values ('z')", 'create table u (a integer)'] }),
  )
  expect(schema).toMatchObject({ code: 'mysql_denied' })
  expect(await count()).toBe(1)
})

test('batches: columns that differ, defaults, conflicts, order', async () => {
  const records = Array.from({ length: 2_500 }, (_, at) => ({ a: `r${at}`, n: at + 1 }))
  expect(await act('batch_insert', { table: 't', records })).toEqual({ inserted_count: 2_500, batches: 3 })
  const mixed: JsonObject[] = [{ n: 1 }, {}, { n: 2, a: 'new' }, { a: 'newer', n: 3 }]
  expect(await act('batch_insert', { table: `${database.database}.t`, records: mixed })).toEqual({
    inserted_count: 4,
    batches: 1,
  })
  expect(await rowsOf(client, "select n from t where a = 'newer'")).toEqual([{ n: 3 }])
  for (const [ignored, inserted] of [
    [[{ a: 'r0' }, { a: 'fresh' }], 1],
    [[{ a: 'r0' }], 0],
    [[{ a: 'single' }], 1],
  ] as const) {
    expect(await act('batch_insert', { table: 't', records: [...ignored], on_conflict: 'ignore' })).toMatchObject({
      inserted_count: inserted,
    })
  }
  expect((await failure(act('batch_insert', { table: 't', records: [{ n: -1 }], on_conflict: 'ignore' }))).code).toBe(
    'mysql_constraint',
  )
  const replaced = [
    { id: 1, n: 10 },
    { id: 1, n: 11 },
  ]
  expect(await act('batch_insert', { table: 't', records: replaced, on_conflict: 'replace' })).toMatchObject({
    inserted_count: 2,
  })
  expect(await rowsOf(client, 'select a, n from t where id = 1')).toEqual([{ a: null, n: 11 }])
  const twice = await failure(act('batch_insert', { table: 't', records: [{ a: 'last' }, { a: 'r1' }] }))
  expect(twice).toMatchObject({ code: 'mysql_constraint', data: { constraint: 'unique' } })
  expect(twice.message).not.toContain('r1')
  expect(await rowsOf(client, "select 1 from t where a = 'last'")).toEqual([])
})

test('batch_update: by key, the later one wins, those not found are not counted', async () => {
  await act('batch_insert', { table: 't', records: [{ a: 'x' }, { a: 'y' }] })
  const updates: JsonObject[] = [
    { id: 1, n: 5 },
    { id: 1, n: 6 },
    { id: 2, a: 'why', n: null },
    { id: 99, n: 1 },
  ]
  expect(await act('batch_update', { table: 't', updates })).toEqual({ updated_count: 3, batches: 1 })
  expect(await rowsOf(client, 'select a, n from t order by id')).toEqual([
    { a: 'x', n: 6 },
    { a: 'why', n: null },
  ])
  expect(await act('batch_update', { table: 't', key_field: 'a', updates: [{ a: 'x', n: 9 }] })).toMatchObject({
    updated_count: 1,
  })
  const many = Array.from({ length: 1_000 }, (_, at) => ({ a: `m${at}`, n: 1 }))
  await act('batch_insert', { table: 't', records: many })
  const changed = many.map(({ a }, at) => ({ a, n: at + 1 }))
  expect(await act('batch_update', { table: 't', key_field: 'a', updates: changed })).toEqual({
    updated_count: 1_000,
    batches: 1,
  })
  expect(await rowsOf(client, "select n from t where a = 'm777'")).toEqual([{ n: 778 }])
  expect((await failure(act('batch_update', { table: 't', updates: [{ n: 1 }] }))).message).toContain(
    'updates[0] has no `id`',
  )
})

test('names are quoted, never spliced', async () => {
  await admin.query('create table if not exists `odd ``name` (`a;b` integer)')
  await act('batch_insert', { table: 'odd `name', records: [{ 'a;b': 1 }] })
  expect((await failure(act('batch_insert', { table: 't` ; drop table t', records: [{ a: 1 }] }))).code).toBe(
    'mysql_sql',
  )
  expect((await failure(act('batch_insert', { table: 't', records: [{ 'a`) values (1); -- ': 1 }] }))).code).toBe(
    'mysql_sql',
  )
  expect(await count()).toBe(0)
})

test('the same key again does nothing and answers the same; another operation under it is another', async () => {
  const input = { query: "insert into t (a) values ('once')" }
  const key = 'a key that is longer than any index takes '.repeat(50)
  const first = await act('execute', input, { key })
  expect(await act('execute', input, { key })).toEqual(first)
  expect(await act('execute', input, { key, lookup: true })).toEqual(first)
  expect(await act('execute', input, { key: `${key}!`, lookup: true })).toBeNull()
  await act('execute', { query: "insert into t (a) values ('twice')" }, { key })
  expect(await count()).toBe(2)
})

test('two attempts with one key at the same time: one effect, one answer', async () => {
  const input = { query: "insert into t (a) select concat('x', sleep(0.2))" }
  const [one, other] = await Promise.all([
    act('execute', input, { key: 'race' }),
    act('execute', input, { key: 'race' }),
  ])
  expect(other).toEqual(one)
  expect(await count()).toBe(1)
})

test('a failed write leaves no key', async () => {
  const input = { query: 'insert into t (n) values (-1)' }
  await failure(act('execute', input, { key: 'failed' }))
  expect(await act('execute', input, { key: 'failed', lookup: true })).toBeNull()
})

test.each([
  ['query', 'insert into t (a) values (1)', 'mysql_read_only'],
  ['query', 'create table other (a integer)', 'mysql_denied'],
  ['query', 'selec 1', 'mysql_sql'],
  ['query', 'select nothing from t', 'mysql_sql'],
  ['query', 'select 1; select 2', 'mysql_sql'],
  ['query', '# nothing', 'mysql_sql'],
  ['query', 'select ?', 'mysql_params'],
  ['execute', 'start transaction', 'mysql_denied'],
  ['execute', '/* x */ commit', 'mysql_denied'],
  ['execute', '/*!50000 commit */', 'mysql_denied'],
  ['execute', "set time_zone = '+02:00'", 'mysql_denied'],
  ['execute', "load data local infile '/etc/passwd' into table t", 'mysql_denied'],
  ['execute', 'insert into t (id) values (1), (1)', 'mysql_constraint'],
  ['execute', 'insert into t (n) values (99999999999)', 'mysql_params'],
])('%s %s: %s', async (action, query, code) => {
  expect((await failure(act(action, { query }))).code).toBe(code)
  expect(await count()).toBe(0)
})

test('rows past max_rows and past 32 MiB are refused, and not held', async () => {
  const many = await failure(act('query', { query: 'select seq from seq_1_to_50000000', max_rows: 10 }))
  expect(many).toMatchObject({ code: 'mysql_too_many_rows' })
  const large = await failure(
    act('query', { query: "select repeat('x', 1000000) from seq_1_to_5000 where 1 = ?", params: [1] }),
  )
  expect(large).toMatchObject({ code: 'mysql_too_large' })
  expect((await act('query', { query: 'select seq from seq_1_to_100000', max_rows: 100_000 }))['row_count']).toBe(
    100_000,
  )
})

const sleeping = (): Promise<number> =>
  number("select count(*) from information_schema.processlist where info like '%sleep(60)%' and id <> connection_id()")

test('an aborted step ends at once, its statement is killed on the server and rolled back', async () => {
  const controller = new AbortController()
  const queries = ["insert into t (a) values ('gone')", 'select sleep(60)', "insert into t (a) values ('never')"]
  const running = failure(act('transaction', { queries }, { signal: controller.signal }))
  await expect.poll(sleeping).toBe(1)
  controller.abort(new Error('the step was cancelled'))
  expect((await running).message).toBe('the step was cancelled')
  await expect.poll(sleeping).toBe(0)
  await expect.poll(() => client.pool.counts.busy).toBe(0)
  expect(await count()).toBe(0)
  expect(await rowsOf(client, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a connection that the server ended is replaced; the statement on it is told', async () => {
  const one = await harness.open({ url: database.url, pool: { size: 1 } })
  const before = await rowsOf(one, 'select connection_id() as id')
  await admin.query(`kill ${Number(before[0]!['id'])}`)
  await expect.poll(() => one.pool.counts.open).toBe(0)
  expect(one.healthy).toBe(true)
  const [after] = await rowsOf(one, 'select connection_id() as id')
  expect(after!['id']).not.toBe(before[0]!['id'])
  const running = failure(rowsOf(one, 'select sleep(60)'))
  await expect.poll(sleeping).toBe(1)
  await admin.query(`kill ${Number(after!['id'])}`)
  expect(await running).toMatchObject({ code: 'mysql_connection_lost', retryable: true })
  expect(await rowsOf(one, 'select 1 as one')).toEqual([{ one: 1 }])
})

test("a pool that is used up says so after acquire_timeout, and recovers; statement_timeout is the server's", async () => {
  const small = await harness.open({
    url: database.url,
    pool: { size: 1, acquire_timeout: '100ms' },
    statement_timeout: '2s',
  })
  const busy = rowsOf(small, 'select sleep(0.5)')
  expect(await failure(rowsOf(small, 'select 1'))).toMatchObject({ code: 'mysql_pool_exhausted', retryable: true })
  await busy
  expect(await failure(rowsOf(small, 'select sleep(30), seq from seq_1_to_10'))).toMatchObject({
    code: 'mysql_timeout',
  })
  expect(await rowsOf(small, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a deadlock is a conflict that can be repeated', async () => {
  await act('batch_insert', { table: 't', records: [{ a: 'x' }, { a: 'y' }] })
  const swap = (first: string, second: string): Promise<unknown> =>
    act('transaction', {
      queries: [`update t set n = 1 where a = '${first}'`, 'do sleep(0.3)', `update t set n = 1 where a = '${second}'`],
    }).catch((error: unknown) => error)
  const results = await Promise.all([swap('x', 'y'), swap('y', 'x')])
  expect(results).toContainEqual(expect.objectContaining({ code: 'mysql_conflict', retryable: true }))
})

test('the test of a connection says what it reached', async () => {
  const context = {
    name: 'main',
    tenant: 'default',
    egress: harness.egress,
    directory: '',
    signal: new AbortController().signal,
  }
  const { message } = await mysql.test!(client, { ...context, log: () => undefined })
  expect(message).toMatch(/^\d+\..* opened database t_\w+ as root@/)
})
