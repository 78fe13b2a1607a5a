import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { PlugworkError, type Json } from '@plugwork/core'
import { createEgress, type ActionContext } from '@plugwork/core/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SqliteConnection } from './connection.ts'
import { sqlite } from './sqlite.ts'

let directory = ''
const open: SqliteConnection[] = []
const egress = createEgress()
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-sqlite-')))
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
  rmSync(directory, { recursive: true, force: true })
})

const never = new AbortController().signal
const log = (): void => undefined

async function connect(config: Json = { database: 'app.db' }): Promise<SqliteConnection> {
  const context = { name: 'db', tenant: 'default', egress, directory, signal: never, log }
  const connection = await sqlite.connect(sqlite.config.parse(config), context)
  open.push(connection)
  return connection
}

type Name = keyof typeof sqlite.actions
interface Options {
  readonly key?: string
  readonly signal?: AbortSignal
}
let keys = 0

function contextOf(client: SqliteConnection, { key, signal }: Options): ActionContext<SqliteConnection> {
  keys += 1
  return {
    client,
    connection: 'db',
    egress,
    signal: signal ?? never,
    idempotencyKey: key ?? `key-${keys}`,
    attempt: 1,
    tenant: 'default',
    log,
  }
}

/** Calls an action as the runtime does: through its schemas. */
async function call(client: SqliteConnection, name: Name, input: object, options: Options = {}): Promise<Json> {
  const action = sqlite.actions[name]
  const run = action.run.bind(action) as (context: unknown, input: unknown) => Promise<unknown>
  return action.output.parse(await run(contextOf(client, options), action.input.parse(input))) as Json
}

async function lookup(
  client: SqliteConnection,
  name: Exclude<Name, 'query'>,
  input: object,
  key: string,
): Promise<unknown> {
  const action = sqlite.actions[name]
  const find = action.lookup!.bind(action) as (context: unknown, input: unknown) => Promise<unknown>
  return find(contextOf(client, { key }), action.input.parse(input))
}

const failure = async (promise: Promise<unknown>): Promise<PlugworkError> => {
  const error: unknown = await promise.then(
    () => new Error('it was expected to fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}

const USERS = 'create table users (id integer primary key, name text not null unique, age integer default 18)'

async function users(config?: Json): Promise<SqliteConnection> {
  const client = await connect(config)
  await call(client, 'execute', { query: USERS })
  await call(client, 'batch_insert', { table: 'users', records: [{ name: 'ann', age: 30 }, { name: 'bob' }] })
  return client
}

const all = async (client: SqliteConnection, query = 'select * from users order by id'): Promise<Json> =>
  ((await call(client, 'query', { query })) as { rows: Json }).rows

describe('queries', () => {
  test('rows, row_count, and parameters in every form', async () => {
    const client = await users()
    expect(await call(client, 'query', { query: 'select name, age from users order by id' })).toEqual({
      rows: [
        { name: 'ann', age: 30 },
        { name: 'bob', age: 18 },
      ],
      row_count: 2,
    })
    for (const input of [
      { query: 'select id from users where name = ? and age > ?', params: ['ann', 20] },
      { query: 'select id from users where name = ?2 and age > ?1', params: [20, 'ann'] },
      { query: 'select id from users where name = :name and age > $age', params: { name: 'ann', age: 20 } },
      { query: { text: 'select id from users where name = ?', params: ['ann'] } },
      { query: "select id from users where name = 'ann' /* ? */ -- :no\n" },
    ]) {
      expect([input, await call(client, 'query', input)]).toEqual([input, { rows: [{ id: 1 }], row_count: 1 }])
    }
  })

  test('a value is never part of the statement', async () => {
    const client = await users()
    const evil = "x'; drop table users; --"
    expect(await call(client, 'query', { query: 'select * from users where name = ?', params: [evil] })).toMatchObject({
      row_count: 0,
    })
    await call(client, 'batch_insert', { table: 'users', records: [{ name: evil }] })
    const column = '"; drop table users; --'
    expect((await failure(call(client, 'batch_insert', { table: 'users', records: [{ [column]: 1 }] }))).code).toBe(
      'sqlite_sql',
    )
    expect((await failure(call(client, 'batch_insert', { table: column, records: [{ a: 1 }] }))).code).toBe(
      'sqlite_sql',
    )
    expect((await all(client)) as unknown[]).toHaveLength(3)
  })

  test('values keep their meaning both ways', async () => {
    const client = await connect()
    await call(client, 'execute', { query: 'create table v (a, i integer, b blob)' })
    const big = '9223372036854775807'
    await call(client, 'execute', {
      query: 'insert into v values (?, ?, ?)',
      params: [true, big, { base64: '//79' }],
    })
    await call(client, 'execute', { query: 'insert into v values (?, ?, ?)', params: [5, 9007199254740991, null] })
    await call(client, 'execute', { query: 'insert into v values (1.5, -9007199254740993, 9e999)' })
    expect(await all(client, 'select a, typeof(a) t, i, b from v')).toEqual([
      { a: 1, t: 'integer', i: big, b: { base64: '//79' } },
      { a: 5, t: 'integer', i: 9007199254740991, b: null },
      { a: 1.5, t: 'real', i: '-9007199254740993', b: 'Infinity' },
    ])
    expect(await all(client, 'select 7 / 2 as a, 1 as id, 2 as id')).toEqual([{ a: 3, id: 1, id_2: 2 }])
    expect(await call(client, 'query', { query: 'select ? / 2 as half', params: [7] })).toMatchObject({
      rows: [{ half: 3 }],
    })
  })

  test.each([
    [{ query: 'select ?' }, 'has 1 parameters, and 0 values'],
    [{ query: 'select ?', params: [1, 2] }, 'has 1 parameters, and 2 values'],
    [{ query: 'select :a', params: { b: 1 } }, 'parameter :a'],
    [{ query: 'select ?', params: { a: 1 } }, 'give a list'],
    [{ query: 'select ?', params: [[1]] }, 'Parameter 1 is a list'],
    [{ query: 'select :x', params: { x: { a: 1 } } }, 'JSON.stringify'],
  ])('parameters that do not fit are refused: %j', async (input, message) => {
    const error = await failure(call(await connect(), 'query', input))
    expect([error.code, error.message]).toEqual(['sqlite_params', expect.stringContaining(message)])
  })

  test('a query reads only, whatever its text begins with', async () => {
    const client = await users()
    for (const query of [
      'delete from users',
      'delete from users returning id',
      "with x as (select 1) insert into users (name) select 'c' from x returning id",
      'create table t (a)',
      'drop table users',
    ]) {
      const error = await failure(call(client, 'query', { query }))
      expect([query, error.code]).toEqual([query, 'sqlite_read_only'])
      expect(error.message).toContain('sqlite.execute')
    }
    expect((await all(client)) as unknown[]).toHaveLength(2)
  })

  test('more rows than max_rows are an error that says what to do', async () => {
    const client = await connect()
    const query = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < 10001) select i from n'
    const error = await failure(call(client, 'query', { query }))
    expect(error).toMatchObject({ code: 'sqlite_too_many_rows', retryable: false })
    expect(error.message).toMatch(/10000 rows.*LIMIT.*max_rows/)
    expect(await call(client, 'query', { query, max_rows: 10_001 })).toMatchObject({ row_count: 10_001 })
    const large = 'select zeroblob(20000000) as a union all select zeroblob(20000000)'
    expect((await failure(call(client, 'query', { query: large }))).code).toBe('sqlite_too_large')
  })
})

describe('what would not fit into memory', () => {
  const COUNT = 'with recursive c(n) as (select 1 union all select n + 1 from c where n < 100001)'

  test('a cell is never read whole', async () => {
    const client = await connect()
    const error = await failure(call(client, 'query', { query: 'select zeroblob(200000000) as cell' }))
    expect(error).toMatchObject({ code: 'sqlite_too_large', retryable: false })
    expect(error.message).toContain('substr')
    expect(await all(client, 'select length(zeroblob(1000)) n')).toEqual([{ n: 1000 }])
  })

  test('rows of all statements of a write count together, and it is rolled back', async () => {
    const client = await connect()
    await call(client, 'execute', { query: 'create table t (n integer, text text)' })
    const rows = `insert into t ${COUNT} select n, 'x' from c`
    const many = await failure(call(client, 'execute', { query: `${rows} returning n` }))
    expect(many).toMatchObject({ code: 'sqlite_too_many_rows' })
    expect(many.message).toContain('nothing was written')
    const half = `insert into t (text) values (replace(hex(zeroblob(9000000)), '00', 'yy')) returning text`
    const large = await failure(call(client, 'transaction', { queries: [half, half] }))
    expect(large).toMatchObject({ code: 'sqlite_too_large' })
    expect(await all(client, 'select count(*) n from t')).toEqual([{ n: 0 }])
    expect(await call(client, 'execute', { query: rows })).toMatchObject({ rows_affected: 100_001 })
  })
})

describe('writes', () => {
  test('execute answers rows_affected, last_insert_id and what RETURNING returned', async () => {
    const client = await users()
    const run = (query: string): Promise<Json> => call(client, 'execute', { query })
    expect(await run("insert into users (name) values ('cid'), ('dan')")).toEqual({
      rows_affected: 2,
      last_insert_id: 4,
      rows: [],
      row_count: 0,
    })
    expect(await run('update users set age = age + 1 where id > 2 returning id, age')).toEqual({
      rows_affected: 2,
      last_insert_id: null,
      rows: [
        { id: 3, age: 19 },
        { id: 4, age: 19 },
      ],
      row_count: 2,
    })
    expect(await run('create table empty (a)')).toMatchObject({ rows_affected: 0, last_insert_id: null })
    expect(await run('delete from users where id = 99')).toMatchObject({ rows_affected: 0 })
    expect(await run("with x(n) as (select 'eve') insert into users (name) select n from x")).toMatchObject({
      rows_affected: 1,
      last_insert_id: 5,
    })
    expect(await run("with x(n) as (select replace('a', 'a', 'b')) select n from x")).toMatchObject({
      rows_affected: 0,
      rows: [{ n: 'b' }],
    })
    expect(await run('vacuum')).toMatchObject({ rows_affected: 0 })
  })

  test('a transaction happens as a whole or not at all', async () => {
    const client = await users()
    const output = await call(client, 'transaction', {
      queries: [
        { query: 'update users set age = age - ? where name = ?', params: [1, 'ann'] },
        "insert into users (name) values ('cid')",
        { text: 'select count(*) as n from users where age > ?', params: [0] },
      ],
    })
    expect(output).toMatchObject({ rows_affected: 2, last_insert_id: 3 })
    expect((output as { results: Json[] }).results[2]).toMatchObject({ rows: [{ n: 3 }], row_count: 1 })
    const error = await failure(
      call(client, 'transaction', {
        queries: ['update users set age = 0', "insert into users (name) values ('ann')"],
      }),
    )
    expect(error).toMatchObject({ code: 'sqlite_constraint', data: { constraint: 'unique' }, retryable: false })
    expect(error.message).toContain('users.name')
    expect(await all(client, 'select sum(age) as s from users')).toEqual([{ s: 65 }])
  })

  test('batch_insert: defaults for what a record leaves out, conflicts as asked for, all or nothing', async () => {
    const client = await users()
    const records = Array.from({ length: 2_500 }, (_, index) =>
      index % 2 ? { name: `n${index}`, age: index } : { name: `n${index}` },
    )
    expect(await call(client, 'batch_insert', { table: 'users', records, batch_size: 1_000 })).toEqual({
      inserted_count: 2_500,
      batches: 3,
    })
    expect(await all(client, 'select count(*) n, sum(age = 18) defaults from users')).toEqual([
      { n: 2_502, defaults: 1_251 },
    ])
    const more = [{ name: 'new' }, { name: 'ann', age: 99 }]
    expect((await failure(call(client, 'batch_insert', { table: 'users', records: more }))).code).toBe(
      'sqlite_constraint',
    )
    expect(await all(client, "select count(*) n from users where name = 'new'")).toEqual([{ n: 0 }])
    expect(await call(client, 'batch_insert', { table: 'users', records: more, on_conflict: 'ignore' })).toMatchObject({
      inserted_count: 1,
    })
    expect(await call(client, 'batch_insert', { table: 'users', records: more, on_conflict: 'replace' })).toMatchObject(
      { inserted_count: 2 },
    )
    expect(await all(client, "select age from users where name = 'ann'")).toEqual([{ age: 99 }])
    expect(await call(client, 'batch_insert', { table: 'users', records: [] })).toEqual({
      inserted_count: 0,
      batches: 0,
    })
    expect(
      (await failure(call(client, 'batch_insert', { table: 'users', records: [{ name: ['x'] }] }))).message,
    ).toContain('records[0].name')
  })

  test('batch_update finds rows by key', async () => {
    const client = await users()
    const updates = [
      { id: 1, age: 31 },
      { id: 2, name: 'rob', age: 1 },
      { id: 99, age: 1 },
    ]
    expect(await call(client, 'batch_update', { table: 'users', updates, batch_size: 2 })).toEqual({
      updated_count: 2,
      batches: 2,
    })
    const byName = { table: 'users', key_field: 'name', updates: [{ name: 'rob', age: 2 }] }
    expect(await call(client, 'batch_update', byName)).toMatchObject({ updated_count: 1 })
    expect(await all(client, 'select name, age from users order by id')).toEqual([
      { name: 'ann', age: 31 },
      { name: 'rob', age: 2 },
    ])
    for (const [update, message] of [
      [{ age: 1 }, 'updates[0] has no `id`'],
      [{ id: 1 }, 'no column to change'],
    ] as const) {
      expect((await failure(call(client, 'batch_update', { table: 'users', updates: [update] }))).message).toContain(
        message,
      )
    }
  })

  test('statements that open files, change settings or begin transactions are refused', async () => {
    const client = await users()
    const other = join(directory, 'other.db')
    for (const query of [
      `attach '${other}' as other`,
      `vacuum into '${other}'`,
      'pragma journal_mode = off',
      'pragma writable_schema = 1',
      'pragma user_version = 7',
      'begin',
      'commit',
      'savepoint s',
      'detach main',
    ]) {
      const error = await failure(call(client, 'execute', { query }))
      expect([query, ['sqlite_denied', 'sqlite_sql'].includes(error.code), error.code]).toEqual([
        query,
        true,
        error.code,
      ])
    }
    expect(existsSync(other)).toBe(false)
    expect(await call(client, 'query', { query: 'pragma table_info(users)' })).toMatchObject({ row_count: 3 })
    expect((await failure(call(client, 'execute', { query: "select load_extension('x')" }))).code).toBe('sqlite_sql')
    for (const query of ['select 1; drop table users', ' ; ', '-- nothing', 'selec 1']) {
      expect([query, (await failure(call(client, 'execute', { query }))).code]).toEqual([query, 'sqlite_sql'])
    }
    expect(await call(client, 'query', { query: 'select 1 as one; -- end' })).toMatchObject({ rows: [{ one: 1 }] })
  })
})

describe('exactly once', () => {
  const insert = { query: "insert into users (name) values ('cid')" }

  test('a repeated key changes nothing and answers what the first attempt did, also after the process died', async () => {
    const client = await users()
    const first = await call(client, 'execute', insert, { key: 'step-1' })
    expect(await call(client, 'execute', insert, { key: 'step-1' })).toEqual(first)
    await client.close()
    const again = await connect()
    expect(await call(again, 'execute', insert, { key: 'step-1' })).toEqual(first)
    expect(await lookup(again, 'execute', insert, 'step-1')).toEqual(first)
    expect((await all(again)) as unknown[]).toHaveLength(3)
  })

  test('every write has it', async () => {
    const client = await users()
    for (const [name, input] of [
      ['transaction', { queries: ['update users set age = age + 1', 'update users set age = age + 1'] }],
      ['batch_insert', { table: 'users', records: [{ name: 'x' }, { name: 'y' }] }],
      ['batch_update', { table: 'users', updates: [{ id: 1, age: 50 }] }],
    ] as const) {
      expect([name, await lookup(client, name, input, `k-${name}`)]).toEqual([name, null])
      const first = await call(client, name, input, { key: `k-${name}` })
      const before = await all(client)
      expect(await call(client, name, input, { key: `k-${name}` })).toEqual(first)
      expect([name, await lookup(client, name, input, `k-${name}`)]).toEqual([name, first])
      expect(await all(client)).toEqual(before)
    }
  })

  test('another key, or another statement under the same key, is another effect', async () => {
    const client = await users()
    const grow = { query: 'update users set age = age + 1 where id = 1' }
    await call(client, 'execute', grow, { key: 'a' })
    await call(client, 'execute', grow, { key: 'b' })
    await call(client, 'execute', { query: 'update users set age = age + 10 where id = 1' }, { key: 'a' })
    expect(await all(client, 'select age from users where id = 1')).toEqual([{ age: 42 }])
  })

  test('an attempt that failed left no key', async () => {
    const client = await users()
    const duplicate = { query: "insert into users (name) values ('ann')" }
    expect((await failure(call(client, 'execute', duplicate, { key: 'k' }))).code).toBe('sqlite_constraint')
    expect(await lookup(client, 'execute', duplicate, 'k')).toBeNull()
    await call(client, 'execute', { query: "delete from users where name = 'ann'" })
    expect(await call(client, 'execute', duplicate, { key: 'k' })).toMatchObject({ rows_affected: 1 })
  })

  test('killed at any moment and repeated, every step happens exactly once', async () => {
    const setUp = await connect({ database: 'count.db' })
    await call(setUp, 'execute', { query: 'create table counter (n integer not null)' })
    await call(setUp, 'execute', { query: 'insert into counter values (0)' })
    await setUp.close()
    let answered = -1
    for (const until of [0, 3, 10]) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/count.ts'), directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(child, 'exit')
      let last = -1
      for await (const line of createInterface(child.stdout)) {
        last = Number(line)
        if (last === until) child.kill('SIGKILL')
      }
      expect((await ended)[1]).toBe('SIGKILL')
      answered = Math.max(answered, last)
    }
    // One more than was answered may have happened; repeating all of them must end at that number.
    const client = await connect({ database: 'count.db' })
    const count = async (): Promise<unknown> => ((await all(client, 'select n from counter')) as { n: number }[])[0]!.n
    expect([answered + 1, answered + 2]).toContain(await count())
    for (let step = 0; step <= answered + 1; step += 1) {
      await call(client, 'execute', { query: 'update counter set n = n + 1' }, { key: `step-${step}` })
    }
    expect(await count()).toBe(answered + 2)
  })

  test('without the option there is no table, and a repeated key does it again', async () => {
    const client = await users({ database: 'plain.db', exactly_once: false })
    const grow = { query: 'update users set age = age + 1 where id = 1' }
    await call(client, 'execute', grow, { key: 'a' })
    await call(client, 'execute', grow, { key: 'a' })
    expect(await lookup(client, 'execute', grow, 'a')).toBeNull()
    expect(await all(client, 'select age from users where id = 1')).toEqual([{ age: 32 }])
    expect(await all(client, "select name from sqlite_schema where name like '%plugwork%'")).toEqual([])
  })
})

describe('connections', () => {
  test('a database stays inside the project folder', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'plugwork-outside-'))
    try {
      mkdirSync(join(directory, 'data'))
      symlinkSync(outside, join(directory, 'link'))
      writeFileSync(join(outside, 'x.db'), '')
      symlinkSync(join(outside, 'x.db'), join(directory, 'x.db'))
      for (const database of [
        '../x.db',
        '/etc/passwd',
        join(outside, 'x.db'),
        'link/x.db',
        'link/new/x.db',
        'x.db',
        'file:x.db',
        'data/../../x.db',
        ' ',
        'a\0b',
      ]) {
        const error = await failure(connect({ database }))
        expect([database, error.code]).toEqual([database, 'sqlite_config'])
        expect(error.message).toContain('"db"')
      }
    } finally {
      rmSync(outside, { recursive: true })
    }
    await connect({ database: './deep/er/app.db' })
    await connect({ database: join(directory, 'absolute.db') })
    expect(existsSync(join(directory, 'deep/er/app.db'))).toBe(true)
  })

  test('settings take effect; unknown ones are refused', async () => {
    const client = await connect({
      database: 'a.db',
      journal_mode: 'wal',
      pragmas: { synchronous: 'extra', foreign_keys: false },
    })
    const file = new DatabaseSync(join(directory, 'a.db'))
    expect(file.prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' })
    file.close()
    await call(client, 'execute', { query: 'create table p (id integer primary key)' })
    await call(client, 'execute', { query: 'create table c (p references p)' })
    expect(await call(client, 'execute', { query: 'insert into c values (7)' })).toMatchObject({ rows_affected: 1 })
    const strict = await connect({ database: 'a.db' })
    expect(await failure(call(strict, 'execute', { query: 'insert into c values (8)' }))).toMatchObject({
      code: 'sqlite_constraint',
      data: { constraint: 'foreign_key' },
    })
    for (const wrong of [
      { database: 'a', pragmas: { writable_schema: true } },
      { database: 'a', journal_mode: 'off' },
      { database: 'a', extra: 1 },
      {},
      { database: '' },
      { database: 'a', timeout: '1h' },
    ]) {
      expect([wrong, sqlite.config.safeParse(wrong).success]).toEqual([wrong, false])
    }
  })

  test('a read-only connection needs the file, reads, and refuses writes', async () => {
    expect((await failure(connect({ database: 'none.db', read_only: true }))).code).toBe('sqlite_open')
    await users()
    const reader = await connect({ database: 'app.db', read_only: true })
    expect((await all(reader)) as unknown[]).toHaveLength(2)
    expect((await failure(call(reader, 'execute', { query: 'delete from users' }))).code).toBe('sqlite_read_only')
    writeFileSync(join(directory, 'text.db'), 'this is no database, but long enough to look like one might be here')
    expect((await failure(connect({ database: 'text.db' }))).code).toBe('sqlite_open')
  })

  test('a lock of another process is waited for, then reported as busy', async () => {
    const client = await users({ database: 'app.db', timeout: '50ms' })
    const other = new DatabaseSync(join(directory, 'app.db'))
    other.exec('begin immediate')
    const error = await failure(call(client, 'execute', { query: 'delete from users' }))
    expect(error).toMatchObject({ code: 'sqlite_busy', retryable: true })
    other.exec('rollback')
    other.close()
    expect(await call(client, 'execute', { query: 'delete from users' })).toMatchObject({ rows_affected: 2 })
  })

  test('an aborted query is interrupted, the queue behind it goes on, a write is rolled back', async () => {
    const client = await users()
    const controller = new AbortController()
    const endless = 'with recursive n(i) as (select 1 union all select i + 1 from n) select i from n'
    const running = call(client, 'query', { query: endless, max_rows: 100_000 }, { signal: controller.signal })
    const silent = call(client, 'query', { query: `select count(*) from (${endless})` }, { signal: controller.signal })
    const behind = all(client)
    controller.abort(new Error('enough'))
    await expect(running).rejects.toThrow(/enough/)
    await expect(silent).rejects.toThrow(/enough/)
    expect((await behind) as unknown[]).toHaveLength(2)
    expect(client.healthy).toBe(true)
  })

  test('a statement that cannot be interrupted loses its worker and its transaction, not the connection', async () => {
    const client = await users({ database: 'app.db', timeout: '20s' })
    const controller = new AbortController()
    const slow =
      'update users set age = (with recursive n(i) as (select 1 union all select i + 1 from n limit 3000000) select count(*) from n)'
    const running = call(client, 'execute', { query: slow }, { key: 'slow', signal: controller.signal })
    const other = new DatabaseSync(join(directory, 'app.db'))
    const locked = (): boolean => {
      try {
        other.exec('begin immediate')
        other.exec('rollback')
        return false
      } catch {
        return true
      }
    }
    await expect.poll(locked).toBe(true)
    other.close()
    controller.abort(new Error('stopped'))
    await expect(running).rejects.toThrow('stopped')
    expect(await all(client, 'select age from users order by id')).toEqual([{ age: 30 }, { age: 18 }])
    expect(await call(client, 'execute', { query: 'update users set age = 1' })).toMatchObject({ rows_affected: 2 })
    expect(await lookup(client, 'execute', { query: slow }, 'slow')).toBeNull()
  })

  test('an in-memory database lives as long as its connection', async () => {
    const client = await users({ database: ':memory:' })
    const controller = new AbortController()
    const slow = call(
      client,
      'query',
      {
        query:
          'select count(*) as n from (with recursive n(i) as (select 1 union all select i + 1 from n limit 3000000) select i from n)',
      },
      { signal: controller.signal },
    )
    controller.abort(new Error('enough'))
    await expect(slow).rejects.toThrow('enough')
    expect((await all(client)) as unknown[]).toHaveLength(2)
    await client.close()
    expect(client.healthy).toBe(false)
    expect((await failure(all(client))).code).toBe('connection_closed')
  })

  test('closing ends what is under way, and leaves no thread', async () => {
    const workers = (): number =>
      process.getActiveResourcesInfo().filter((name) => /worker|MessagePort/i.test(name)).length
    const before = workers()
    const client = await users()
    const running = failure(
      call(client, 'query', {
        query:
          'select count(*) from (with recursive n(i) as (select 1 union all select i + 1 from n limit 2000000) select i from n)',
      }),
    )
    const waiting = failure(all(client))
    await client.close()
    expect((await running).code).toBe('connection_closed')
    expect((await waiting).code).toBe('connection_closed')
    await expect.poll(workers).toBeLessThanOrEqual(before)
  })

  test('test() names the version and the file', async () => {
    const client = await connect()
    const context = { name: 'db', tenant: 'default', egress, directory, signal: never, log }
    expect((await sqlite.test!(client, context)).message).toMatch(/^SQLite \d+\.\d+\.\d+ opened .*app\.db$/)
  })
})
