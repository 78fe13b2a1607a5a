/**
 * The connectors of database servers on a real server: a batch of 10,000 rows against single inserts by the bare driver, one
 * after the other, each committed by itself; and what it costs to take a session out of a warm pool.
 */
import { createEgress, type Connector } from '@plugwork/core/node'
import { mysql } from '@plugwork/connectors/mysql'
import { postgres } from '@plugwork/connectors/postgres'
import { mysql as mysqlService, postgres as postgresService, type DatabaseServer } from '@plugwork/test-services'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { median, type Row } from './harness.ts'

const ROWS = 10_000
/** Single inserts are timed over fewer rows, and counted up. */
const SINGLES = 1_000
const ACQUIRES = 20_000

interface Client {
  run(operation: object, options: { readonly signal: AbortSignal }): Promise<unknown>
  readonly pool: {
    acquire(signal: AbortSignal): Promise<never>
    release(session: never): void
  }
}

const TABLE = 'create table items (id integer primary key, name varchar(50), price decimal(10, 2), at timestamp null)'

interface Bare {
  insert(values: readonly unknown[]): Promise<unknown>
  close(): Promise<void>
}

async function barePostgres(url: string): Promise<Bare> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const text = 'insert into items (id, name, price, at) values ($1, $2, $3, $4)'
  return { insert: (values) => client.query({ name: 'insert', text, values: [...values] }), close: () => client.end() }
}

async function bareMysql(url: string): Promise<Bare> {
  const connection = await createConnection(url)
  const text = 'insert into items (id, name, price, at) values (?, ?, ?, ?)'
  return { insert: (values) => connection.execute(text, values as string[]), close: () => connection.end() }
}

async function bench(
  connector: Connector,
  server: DatabaseServer,
  openBare: (url: string) => Promise<Bare>,
): Promise<Row[]> {
  const database = await server.createDatabase()
  const egress = createEgress({ allow: [server.host] })
  const { signal } = new AbortController()
  const client = (await connector.connect(connector.config.parse({ url: database.url }), {
    name: 'bench',
    tenant: 'default',
    egress,
    directory: '/',
    signal,
    log: () => undefined,
  })) as Client
  const driver = await openBare(database.url)
  try {
    const execute = (text: string, params: readonly unknown[] = []): Promise<unknown> =>
      client.run({ kind: 'execute', statement: { text, params } }, { signal })
    await execute(TABLE)
    const record = (id: number): Record<string, unknown> => ({
      id,
      name: `item ${id}`,
      price: 9.95,
      at: '2026-01-02 03:04:05',
    })
    const records = Array.from({ length: ROWS }, (_, id) => record(id))
    const batches: number[] = []
    const singles: number[] = []
    for (let round = 0; round < 3; round += 1) {
      await execute('delete from items')
      let began = performance.now()
      await client.run(
        { kind: 'batch_insert', table: 'items', records, batchSize: 1_000, onConflict: 'error' },
        { signal },
      )
      batches.push(performance.now() - began)
      await execute('delete from items')
      began = performance.now()
      for (let id = 0; id < SINGLES; id += 1) {
        const { name, price, at } = record(id)
        await driver.insert([id, name, price, at])
      }
      singles.push(((performance.now() - began) / SINGLES) * ROWS)
    }
    const rounds: number[] = []
    const bare: number[] = []
    for (let round = 0; round < 5; round += 1) {
      let began = performance.now()
      for (let count = 0; count < ACQUIRES; count += 1) client.pool.release(await client.pool.acquire(signal))
      rounds.push(((performance.now() - began) / ACQUIRES) * 1_000)
      began = performance.now()
      for (let count = 0; count < ACQUIRES; count += 1) await Promise.resolve(signal)
      bare.push(((performance.now() - began) / ACQUIRES) * 1_000)
    }
    const [batch, single, acquire, promise] = [median(batches), median(singles), median(rounds), median(bare)]
    return [
      {
        name: `${connector.name}: batch_insert of ${ROWS.toLocaleString('en')} rows`,
        value: `${batch.toFixed(0)} ms, ${Math.round((ROWS / batch) * 1_000).toLocaleString('en')} rows/s`,
        baseline: `bare driver, one by one: ${single.toFixed(0)} ms`,
        ratio: single / batch,
        target: '>= 20x',
        ok: single / batch >= 20,
      },
      {
        name: `${connector.name}: acquire from a warm pool`,
        value: `${acquire.toFixed(2)} µs`,
        baseline: `awaiting a promise: ${promise.toFixed(2)} µs`,
        ratio: acquire / promise,
        target: '< 20 µs',
        ok: acquire < 20,
      },
    ]
  } finally {
    await driver.close()
    await connector.disconnect?.(client)
    await egress.close()
    await database.drop()
  }
}

export async function benchDatabases(): Promise<Row[]> {
  return [
    ...(await bench(postgres, await postgresService(), barePostgres)),
    ...(await bench(mysql, await mysqlService(), bareMysql)),
  ]
}
