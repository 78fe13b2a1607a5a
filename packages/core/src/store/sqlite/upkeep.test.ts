/** What only a store with a file has: space given back, backups, damaged and foreign files. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'

import { accept, finish, newRun, record, T0 } from '../contract/context.ts'
import { checkIntegrity, openTestStore } from './fixtures/test-store.ts'
import { SCHEMA_VERSION } from './migrations.ts'
import { migrate } from './open-database.ts'
import { openSqliteStore } from './sqlite-store.ts'

async function opened() {
  const found = await openTestStore()
  onTestFinished(found.close)
  return found
}

async function freshFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-upkeep-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return join(folder, 'plugwork.db')
}

test('after pruning, compacting really returns disk space', async () => {
  const { store, file } = await opened()
  for (let i = 0; i < 40; i++) {
    const { rid } = await accept(store, newRun(`run-${i}`))
    const data = JSON.stringify('x'.repeat(20_000))
    await store.append({ rid, epoch: store.epoch, records: [record(2, { data }), record(3, { data })] })
    if (i > 1) await finish(store, rid, T0)
  }
  await store.compact()
  const before = (await stat(file)).size
  expect(before).toBeGreaterThan(40 * 40_000)
  expect((await store.prune({ before: T0 + 1, limit: 100 })).runs).toBe(38)
  const { bytesBefore, bytesAfter } = await store.compact()
  expect(bytesBefore).toBeGreaterThan(before)
  const after = (await stat(file)).size
  expect(bytesAfter).toBe(after)
  expect(after).toBeLessThan(before / 5)
  expect(await store.countRuns(null, ['running'])).toBe(2)
})

test('runs are written while pruning and compacting go on', async () => {
  const { store } = await opened()
  for (let i = 0; i < 100; i++) {
    const { rid } = await accept(store, newRun(`old-${i}`))
    const records = Array.from({ length: 60 }, (_, n) => record(n + 2))
    await store.append({ rid, epoch: store.epoch, records, run: { status: 'succeeded', finishedAt: T0 } })
  }
  const upkeepIs = { done: false }
  const upkeep = store
    .prune({ before: T0 + 1, limit: 1_000 })
    .then(() => store.compact())
    .then(() => (upkeepIs.done = true))
  const { rid } = await accept(store, newRun('live'))
  let seq = 1
  let written = 0
  while (!upkeepIs.done) {
    await store.append({ rid, epoch: store.epoch, records: [record(++seq)] })
    if (!upkeepIs.done) written++
  }
  await upkeep
  // Each step of the upkeep lets at least one write through.
  expect(written).toBeGreaterThan(5)
  expect((await store.load(rid))?.records).toHaveLength(seq)
})

test('a backup is a consistent copy, made while work goes on, that anybody can open', async () => {
  const { store, file } = await opened()
  const { rid } = await accept(store, newRun('a'))
  let seq = 1
  const copyIs = { done: false }
  const target = join(dirname(file), 'copy.db')
  const copying = store.backup(target).finally(() => (copyIs.done = true))
  while (!copyIs.done) await store.append({ rid, epoch: store.epoch, records: [record(++seq)] })
  await copying
  expect(existsSync(`${target}.partial`)).toBe(false)
  expect(checkIntegrity(target)).toBe('ok')

  const copy = await openSqliteStore({ file: target, socket: '', version: '1' })
  onTestFinished(() => copy.close())
  const copied = (await copy.load(rid))?.records ?? []
  expect(copied.map((entry) => entry.seq)).toEqual(copied.map((_, i) => i + 1))
  expect(copied.length).toBeLessThan(seq + 1)
  expect(copy.epoch).toBe(store.epoch + 1)
  // The original is still ours.
  expect((await store.append({ rid, epoch: store.epoch, records: [record(++seq)] })).kind).toBe('committed')
})

test('a backup replaces an earlier one; one that cannot be written is an error', async () => {
  const { store, file } = await opened()
  const target = join(dirname(file), 'copy.db')
  await store.backup(target)
  await accept(store, newRun('a'))
  await store.backup(target)
  const copy = new DatabaseSync(target, { readOnly: true })
  expect(copy.prepare('SELECT count(*) AS n FROM runs').get()).toMatchObject({ n: 1 })
  copy.close()
  await expect(store.backup(join(dirname(file), 'no', 'such', 'folder', 'copy.db'))).rejects.toMatchObject({
    code: 'store_full',
  })
})

test('figures tell sizes of commits', async () => {
  const { store } = await opened()
  const runs = await Promise.all(Array.from({ length: 50 }, (_, i) => accept(store, newRun(`run-${i}`))))
  await Promise.all(runs.map(({ rid }) => store.append({ rid, epoch: store.epoch, records: [record(2), record(3)] })))
  const { batchSizes, records, bytes, commits, lastCommitMs, pending } = store.stats()
  expect(records).toBe(150)
  expect(batchSizes.reduce((sum, size) => sum + size, 0)).toBe(150)
  // Group commit: far fewer commits than writes.
  expect(commits).toBeLessThan(60)
  expect(bytes).toBeGreaterThan(150 * 5)
  expect(lastCommitMs).toBeGreaterThan(0)
  expect(pending).toBe(0)
})

test('a file of a newer program is refused and left alone', async () => {
  const { store, file } = await opened()
  await store.close()
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`)
  db.close()
  const refused = { code: 'store_newer', retryable: false }
  await expect(openSqliteStore({ file, socket: '', version: '1' })).rejects.toMatchObject(refused)
  expect(() => migrate(file)).toThrow(`schema version ${SCHEMA_VERSION + 1}`)
})

test('a database of another program is refused and left alone', async () => {
  const file = await freshFile()
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)')
  db.close()
  await expect(openSqliteStore({ file, socket: '', version: '1' })).rejects.toMatchObject({
    code: 'store_foreign_file',
  })
  const after = new DatabaseSync(file, { readOnly: true })
  expect(after.prepare('SELECT name FROM sqlite_master').all()).toEqual([{ name: 'theirs' }])
  after.close()
})

test('a file that is no database, and a folder in its place, are refused with a message', async () => {
  const file = await freshFile()
  await writeFile(file, 'not a database, but long enough to look like one '.repeat(100))
  await expect(openSqliteStore({ file, socket: '', version: '1' })).rejects.toMatchObject({ code: 'store_corrupt' })
  await mkdir(`${file}.d`)
  await expect(openSqliteStore({ file: `${file}.d`, socket: '', version: '1' })).rejects.toMatchObject({
    code: 'store_full',
  })
})

test('migrate makes a new file, does nothing to one that is up to date, and refuses one that is in use', async () => {
  const file = await freshFile()
  expect(migrate(file)).toEqual({ from: 0, to: SCHEMA_VERSION })
  expect(migrate(file)).toEqual({ from: SCHEMA_VERSION, to: SCHEMA_VERSION })
  const store = await openSqliteStore({ file, socket: '/tmp/s', version: '1' })
  expect(() => migrate(file)).toThrow('is in use by process')
  await store.close()
})
