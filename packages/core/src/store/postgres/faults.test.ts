/** What goes wrong between a process and its server: answers that are lost, connections that end, processes that are killed or stopped. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import pg from 'pg'
import { afterAll, expect, onTestFinished, test } from 'vitest'

import { accept, newRun, record, T0 } from '../contract/context.ts'
import type { Store } from '../store.ts'
import { createDroppingProxy } from './fixtures/dropping-proxy.ts'
import { abandon, createTestDatabase, emptyDatabase, openTestStore } from './fixtures/test-database.ts'
import { openPostgresStore } from './postgres-store.ts'

const database = await createTestDatabase()
afterAll(() => database.drop())

const TIMES = { renewMs: 200, expireMs: 1_000 }

/** Journals with holes, and rows that do not say what their journal says. */
async function disorder(): Promise<readonly Record<string, unknown>[]> {
  return database.query(`SELECT r.rid, r.next_seq, count(j.seq), max(j.seq) FROM runs r LEFT JOIN journal j ON j.rid = r.rid
    GROUP BY r.rid HAVING count(j.seq) <> coalesce(max(j.seq), 0) OR r.next_seq <> count(j.seq) + 1`)
}

async function appendMany(store: Store, rid: number, count: number): Promise<readonly string[]> {
  const kinds: string[] = []
  for (let seq = 2; seq < 2 + count; seq++) {
    const outcome = await store.append({ rid, epoch: store.epoch, nonce: `n${rid}-${seq}`, records: [record(seq)] })
    kinds.push(outcome.kind)
  }
  return kinds
}

class Child {
  readonly lines: string[] = []
  readonly #child
  readonly #closed
  #wake = (): void => undefined

  constructor(...args: readonly string[]) {
    const script = join(import.meta.dirname, 'fixtures/store-process.ts')
    this.#child = spawn(process.execPath, [script, database.url, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#closed = once(this.#child, 'close')
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.lines.push(line)
      this.#wake()
    })
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  async said(prefix: string, times = 1): Promise<void> {
    while (this.lines.filter((line) => line.startsWith(prefix)).length < times) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async ended(): Promise<void> {
    await this.#closed
  }

  acked(): readonly (readonly [rid: number, seq: number])[] {
    return this.lines.flatMap((line) => {
      const [word, rid, seq] = line.split(' ')
      return word === 'acked' ? [[Number(rid), Number(seq)] as const] : []
    })
  }
}

/** Acknowledged records that are not stored. */
async function lossesOf(child: Child): Promise<readonly string[]> {
  const rows = await database.query('SELECT rid::int, seq::int FROM journal')
  const stored = new Set(rows.map((row) => `${String(row['rid'])}:${String(row['seq'])}`))
  return child.acked().flatMap(([rid, seq]) => (stored.has(`${rid}:${seq}`) ? [] : [`${rid}:${seq}`]))
}

test('an answer that is lost after the commit is found out: nothing lands twice, and nobody is told that it failed', async () => {
  await emptyDatabase(database)
  const proxy = await createDroppingProxy(database.url)
  const { store } = await openPostgresStore({ url: proxy.url, version: 'test', times: TIMES })
  const runs = await Promise.all(Array.from({ length: 10 }, (_, i) => accept(store, newRun(`run-${i}`))))
  // Group commits, by the name of their statement; then new runs.
  proxy.loseAnswersTo('commit-', 6)
  const kinds = (await Promise.all(runs.map(({ rid }) => appendMany(store, rid, 40)))).flat()
  expect(new Set(kinds)).toEqual(new Set(['committed']))
  expect(proxy.lost()).toBeGreaterThan(4)
  proxy.loseAnswersTo('commit-', 2)
  const more = await Promise.all(
    Array.from({ length: 10 }, (_, i) => store.accept(newRun(`more-${i}`), { records: [record(1)], nonce: `a${i}` })),
  )
  expect(more.every(({ kind }) => kind === 'created')).toBe(true)
  expect(await store.countRuns(null, ['running'])).toBe(20)
  expect(await disorder()).toEqual([])
  await store.close()
  await proxy.close()
})

test('a message without a key is stored once although the answer to its COMMIT was lost', async () => {
  await emptyDatabase(database)
  const proxy = await createDroppingProxy(database.url)
  const { store } = await openPostgresStore({ url: proxy.url, version: 'test', times: TIMES })
  const { rid } = await accept(store, newRun('a'))
  proxy.loseAnswersTo('COMMIT', 3)
  const sent = await Promise.all(
    Array.from({ length: 5 }, (_, n) => store.deliver({ rid, kind: 'signal', payload: { n }, at: T0 })),
  )
  expect(proxy.lost()).toBe(3)
  const stored = (await store.load(rid))?.messages ?? []
  expect(stored.map(({ id }) => id)).toEqual(sent.map(({ id }) => id))
  expect(stored.map(({ payload }) => payload)).toEqual([0, 1, 2, 3, 4].map((n) => ({ n })))
  await store.close()
  await proxy.close()
})

test('connections that the server ends in the middle of everything cost nothing', async () => {
  const { store, close } = await openTestStore(database, { times: TIMES })
  const runs = await Promise.all(Array.from({ length: 20 }, (_, i) => accept(store, newRun(`run-${i}`))))
  const state = { going: true }
  const terminate = async (): Promise<number> => {
    let ended = 0
    while (state.going) {
      const rows = await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'plugwork' AND random() < 0.3`)
      ended += rows.length
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    return ended
  }
  const terminating = terminate()
  const kinds = (await Promise.all(runs.map(({ rid }) => appendMany(store, rid, 150)))).flat()
  state.going = false
  expect(await terminating).toBeGreaterThan(3)
  expect(new Set(kinds)).toEqual(new Set(['committed']))
  expect(await disorder()).toEqual([])
  await close()
})

test('while the server cannot be reached writes are refused as retryable; when it is back they land', async () => {
  await emptyDatabase(database)
  const proxy = await createDroppingProxy(database.url)
  const { store } = await openPostgresStore({ url: proxy.url, version: 'test' })
  const { rid } = await accept(store, newRun('a'))
  proxy.cut(true)
  const write = { rid, epoch: store.epoch, nonce: 'n', records: [record(2)] }
  await expect(store.append(write)).rejects.toMatchObject({ code: 'store_unreachable', retryable: true })
  proxy.cut(false)
  expect(await store.append(write)).toMatchObject({ kind: 'committed' })
  await store.close()
  await proxy.close()
}, 30_000)

test('after SIGKILL every acknowledged write is there, and another process has the runs at once', async () => {
  const { store, close } = await openTestStore(database, { times: TIMES })
  const child = new Child('5000', '15000')
  await child.said('acked', 1_000)
  const news = new Promise<void>((resolve) => {
    store.onNews?.(({ kind }) => kind === 'interrupted' && resolve())
  })
  child.signal('SIGKILL')
  await child.ended()
  // Long before its time is up: its pid is free.
  await news
  expect(await lossesOf(child)).toEqual([])
  expect(await disorder()).toEqual([])
  const left = await store.interrupted(0, 100)
  expect(left).toHaveLength(20)
  for (const { rid, nextSeq } of left) {
    const takeover = record(nextSeq, { kind: 'takeover', path: '', completes: false })
    expect(await store.append({ rid, epoch: store.epoch, records: [takeover] })).toMatchObject({ kind: 'committed' })
  }
  expect(await store.interrupted(0, 100)).toEqual([])
  await close()
})

test('a process that was stopped for longer than its time is fenced when it wakes up', async () => {
  const { store, close } = await openTestStore(database, { times: TIMES })
  const child = new Child('200', '1000')
  await child.said('acked', 500)
  const news = new Promise<void>((resolve) => {
    store.onNews?.(({ kind }) => kind === 'interrupted' && resolve())
  })
  child.signal('SIGSTOP')
  await news
  const taken = await store.interrupted(0, 100)
  expect(taken.length).toBeGreaterThan(15)
  for (const { rid, nextSeq } of taken) {
    const takeover = record(nextSeq, { kind: 'takeover', path: '', completes: false })
    expect(await store.append({ rid, epoch: store.epoch, records: [takeover] })).toMatchObject({ kind: 'committed' })
  }
  child.signal('SIGCONT')
  await child.said('lost')
  await child.ended()
  expect(await lossesOf(child)).toEqual([])
  expect(await disorder()).toEqual([])
  // Nothing of the former owner stands behind what the next one wrote.
  const late = await database.query(
    `SELECT a.rid FROM journal a JOIN journal b ON b.rid = a.rid AND b.seq > a.seq WHERE a.kind = 'takeover' AND b.epoch <> a.epoch`,
  )
  expect(late).toEqual([])
  await close()
}, 30_000)

test('a process that was stopped in the middle of a transaction keeps nobody from renewing, and is ended when the server lets go', async () => {
  const { store: stuck, open, close } = await openTestStore(database)
  const held = new pg.Client({ connectionString: database.url, options: '-c search_path=plugwork' })
  await held.connect()
  await held.query('BEGIN')
  await held.query('SELECT 1 FROM sessions WHERE epoch = $1 FOR KEY SHARE', [stuck.epoch])
  await abandon(database)
  const { store } = await open({ times: TIMES })
  expect(await accept(store, newRun('a'))).toMatchObject({ status: 'running' })
  expect(await database.query('SELECT 1 FROM sessions WHERE epoch = $1', [stuck.epoch])).toHaveLength(1)
  await abandon(database)
  await held.query('ROLLBACK')
  await held.end()
  const isGone = async () => (await database.query('SELECT 1 FROM sessions WHERE epoch = $1', [stuck.epoch])).length
  await expect.poll(isGone, { timeout: 10_000 }).toBe(0)
  await close()
})

test('an event with an unusually long name is stored', async () => {
  const { store, close } = await openTestStore(database)
  const event = { tenant: 'default', name: 'e'.repeat(2_500), data: 1, at: T0 }
  expect(await store.publish(event)).toEqual({ id: 1, waiting: [] })
  await close()
})

test('two processes that go for the same interrupted run: one has it, the other is fenced', async () => {
  const { store: first, open, close } = await openTestStore(database)
  const { rid } = await accept(first, newRun('a'))
  const [second, third] = [(await open()).store, (await open()).store]
  await first.close()
  const takeover = record(2, { kind: 'takeover', path: '', completes: false })
  const found = await Promise.all([second, third].map((store) => store.interrupted(0, 10)))
  expect(found.map((rows) => rows.length)).toEqual([1, 1])
  const outcomes = await Promise.all(
    [second, third].map((store) =>
      store.append({ rid, epoch: store.epoch, nonce: `t${store.epoch}`, records: [takeover] }),
    ),
  )
  expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(['committed', 'fenced'])
  await close()
})

test('a run that another live process has cannot be written to; one that waits can, by whoever looked last', async () => {
  const { store: a, open, close } = await openTestStore(database)
  const { store: b } = await open()
  const { rid } = await accept(a, newRun('a'))
  await b.load(rid)
  expect(await b.append({ rid, epoch: b.epoch, nonce: 'x', records: [record(2)] })).toEqual({ kind: 'fenced' })
  await a.append({ rid, epoch: a.epoch, nonce: 'p', records: [record(2)], run: { status: 'waiting', reason: 'timer' } })
  await b.load(rid)
  const resumed = { status: 'running', reason: null } as const
  expect(await b.append({ rid, epoch: b.epoch, nonce: 'y', records: [record(3)], run: resumed })).toMatchObject({
    kind: 'committed',
  })
  expect(await a.append({ rid, epoch: a.epoch, nonce: 'z', records: [record(3)] })).toEqual({ kind: 'fenced' })
  // Without records too: what this process knows of the run is out of date.
  await b.append({ rid, epoch: b.epoch, nonce: 'q', records: [], run: { status: 'waiting', reason: 'timer' } })
  const stale = { rid, epoch: a.epoch, nonce: 'w', nextSeq: 3, records: [], run: { status: 'running' } as const }
  expect(await a.append(stale)).toEqual({ kind: 'fenced' })
  expect(await b.getRun(rid)).toMatchObject({ status: 'waiting', epoch: b.epoch, nextSeq: 4 })
  await close()
})

test('a password is in no error', async () => {
  const refused = openPostgresStore({
    url: 'postgres://nobody:geheim@127.0.0.1:5432/no_such_database_here',
    version: 'test',
  })
  await expect(refused).rejects.toSatisfy((error) => !JSON.stringify([String(error), error]).includes('geheim'))
  for (const url of [
    'geheim',
    'mysql://u:geheim@h/d',
    'postgres://u:geheim@h/d?schema=Bad-Name',
    'postgres://u:geheim@h:port/d',
  ]) {
    const wrong = openPostgresStore({ url, version: 'test' })
    await expect(wrong).rejects.toMatchObject({ code: 'store_url_invalid' })
    await expect(wrong).rejects.toSatisfy((error) => !String(error).includes('geheim'))
  }
})
