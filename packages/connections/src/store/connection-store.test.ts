import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { postgres, type TemporaryDatabase } from '@plugwork/test-services'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describeConnectionStore } from './connection-store-contract.ts'
import { createMemoryConnectionStore } from './memory-connection-store.ts'
import { POSTGRES_MIGRATIONS } from './migrations.ts'
import { openPostgresConnectionStore } from './postgres-connection-store.ts'
import { openSqliteConnectionStore } from './sqlite-connection-store.ts'

describeConnectionStore('memory', { describe, test, expect }, async () => ({ store: createMemoryConnectionStore() }))

describe('sqlite', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'plugwork-connections-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  describeConnectionStore('sqlite', { describe, test, expect }, async () => {
    const file = join(directory, 'data', 'connections.db')
    return { store: await openSqliteConnectionStore({ file }), again: async () => openSqliteConnectionStore({ file }) }
  })

  test('the file is readable by its owner only', async () => {
    const file = join(directory, 'connections.db')
    const store = await openSqliteConnectionStore({ file })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await store.close()
  })

  test('many may open a new file at once', async () => {
    const file = join(directory, 'connections.db')
    const stores = await Promise.all(Array.from({ length: 8 }, async () => openSqliteConnectionStore({ file })))
    const rows = await Promise.all(stores.map(async (store) => store.list('connections', { limit: 1 })))
    expect(rows.flat()).toEqual([])
    await Promise.all(stores.map(async (store) => store.close()))
  })

  test('a writer waits for another one without holding up its own process', async () => {
    const file = join(directory, 'connections.db')
    const store = await openSqliteConnectionStore({ file })
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const counting = setInterval(() => (turns += 1), 1)
    const row = { id: 'a', tenant: 't', owner: null, kind: null, name: null, slot: null, due: null, data: {} }
    const inserted = store.insert('connections', row)
    await expect.poll(() => turns).toBeGreaterThan(5)
    other.exec('COMMIT')
    expect(await inserted).toBe(true)
    clearInterval(counting)
    other.close()
    await store.close()
  })

  test('a file of something else, of a later version, or that is none is refused', async () => {
    const foreign = join(directory, 'foreign.db')
    const db = new DatabaseSync(foreign)
    db.exec('CREATE TABLE mine (x)')
    db.close()
    await expect(openSqliteConnectionStore({ file: foreign })).rejects.toMatchObject({
      code: 'connection_store_foreign',
    })
    const newer = join(directory, 'newer.db')
    await (await openSqliteConnectionStore({ file: newer })).close()
    const later = new DatabaseSync(newer)
    later.exec('PRAGMA user_version = 99')
    later.close()
    await expect(openSqliteConnectionStore({ file: newer })).rejects.toMatchObject({ code: 'connection_store_newer' })
    const text = join(directory, 'text.db')
    writeFileSync(text, 'this is no database at all, but long enough to look like one'.repeat(20))
    await expect(openSqliteConnectionStore({ file: text })).rejects.toMatchObject({ code: 'connection_store_failed' })
  })
})

describe('postgres', () => {
  let database: TemporaryDatabase
  let number = 0
  beforeAll(async () => {
    database = await (await postgres()).createDatabase()
  })
  afterAll(async () => database.drop())

  describeConnectionStore('postgres', { describe, test, expect }, async () => {
    const schema = `contract_${++number}`
    const open = async () => openPostgresConnectionStore({ url: database.url, schema })
    return { store: await open(), again: open }
  })

  test('processes that start at once migrate one after the other; a later schema is refused', async () => {
    const options = { url: database.url, schema: 'at_once' }
    const stores = await Promise.all(Array.from({ length: 4 }, async () => openPostgresConnectionStore(options)))
    await Promise.all(stores.map(async (store) => store.close()))
    const { default: pg } = await import('pg')
    const pool = new pg.Pool({ connectionString: database.url })
    await pool.query('UPDATE at_once.schema_version SET version = 99')
    await expect(openPostgresConnectionStore(options)).rejects.toMatchObject({ code: 'connection_store_newer' })
    await pool.query(`UPDATE at_once.schema_version SET version = ${POSTGRES_MIGRATIONS.length}`)
    const store = await openPostgresConnectionStore({ pool, schema: 'at_once' })
    expect(await store.list('connections', { limit: 1 })).toEqual([])
    await store.close()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })

  test('a connection that the server drops is replaced', async () => {
    const store = await openPostgresConnectionStore({ url: database.url, schema: 'dropped' })
    expect(await store.get('connections', 'x')).toBeNull()
    const { default: pg } = await import('pg')
    const admin = new pg.Client({ connectionString: database.url })
    await admin.connect()
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'plugwork connections' AND datname = current_database()`,
    )
    await admin.end()
    await expect.poll(async () => store.get('connections', 'x').catch(() => 'not yet')).toBeNull()
    await store.close()
  })

  test('a server that is not there is a retryable error that names it', async () => {
    await expect(openPostgresConnectionStore({ url: 'postgres://u:secret-word@127.0.0.1:1/x' })).rejects.toMatchObject({
      code: 'connection_store_failed',
      retryable: true,
      message: expect.not.stringContaining('secret-word'),
    })
  })
})
