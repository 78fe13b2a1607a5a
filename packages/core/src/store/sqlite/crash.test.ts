/** Processes that are killed while they write: what they acknowledged is there, and the file is whole. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'

import { accept, finish, newRun, record, T0 } from '../contract/context.ts'
import { StoreProcess } from './fixtures/child.ts'
import { abandon, checkIntegrity } from './fixtures/test-store.ts'
import { openSqliteStore } from './sqlite-store.ts'

async function freshFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-crash-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return join(folder, 'plugwork.db')
}

/** Acknowledged writes that are not stored, and journals with holes. */
function lossesOf(file: string, acked: readonly (readonly [rid: number, seq: number])[]): string[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const stored = db.prepare('SELECT 1 FROM journal WHERE rid = ? AND seq = ?')
    const lost = acked.filter(([rid, seq]) => stored.get(rid, seq) === undefined)
    const holes = db.prepare('SELECT rid FROM journal GROUP BY rid HAVING count(*) <> max(seq)').all()
    return [...lost.map(([rid, seq]) => `lost ${rid}:${seq}`), ...holes.map((row) => `hole in ${row['rid']}`)]
  } finally {
    db.close()
  }
}

test('after SIGKILL at any moment every acknowledged write is there, and nothing half-written', async () => {
  const file = await freshFile()
  const acked: (readonly [number, number])[] = []
  for (let round = 0; round < 6; round++) {
    const child = new StoreProcess({ file, mode: 'write' })
    // Not a duration: the kill comes after so many acknowledgements, wherever the writer is then.
    await child.said('acked', 30 + round * 170)
    await child.kill()
    acked.push(...child.acked())
  }
  expect(acked.length).toBeGreaterThan(2_000)
  expect(lossesOf(file, acked)).toEqual([])
  expect(checkIntegrity(file)).toBe('ok')
  const store = await openSqliteStore({ file, socket: '', version: '1' })
  expect(store.epoch).toBe(7)
  expect((await store.interrupted(0, 1_000)).length).toBeGreaterThan(10)
  await store.close()
})

test.each(['store.begin', 'store.commit.before', 'store.commit.after', 'store.checkpoint'])(
  'a process that dies at %s loses nothing that it acknowledged',
  async (point) => {
    const file = await freshFile()
    const env = { PLUGWORK_CRASH_POINT: `${point}:${point === 'store.checkpoint' ? 1 : 40}` }
    const child = new StoreProcess({ file, mode: point === 'store.checkpoint' ? 'pause' : 'write' }, env)
    expect(await child.exited).toBe('SIGKILL')
    expect(child.acked().length).toBeGreaterThan(0)
    expect(lossesOf(file, child.acked())).toEqual([])
    expect(checkIntegrity(file)).toBe('ok')
  },
)

test('a process that dies while a batch is cut around a write that cannot be stored keeps what was acknowledged', async () => {
  const file = await freshFile()
  const child = new StoreProcess({ file, mode: 'poison' }, { PLUGWORK_CRASH_POINT: 'store.bisect:3' })
  expect(await child.exited).toBe('SIGKILL')
  expect(lossesOf(file, child.acked())).toEqual([])
  expect(checkIntegrity(file)).toBe('ok')
})

test('a crash in the middle of pruning deletes no more than was to be deleted, and the rest goes the next time', async () => {
  const file = await freshFile()
  const store = await openSqliteStore({ file, socket: '', version: '1' })
  for (let i = 0; i < 50; i++) {
    const { rid } = await accept(store, newRun(`old-${i}`))
    const records = Array.from({ length: 80 }, (_, n) => record(n + 2))
    await store.append({ rid, epoch: store.epoch, records })
    await finish(store, rid, T0)
  }
  const live = await accept(store, newRun('live'))
  await store.close()

  const child = new StoreProcess({ file, mode: 'prune' }, { PLUGWORK_CRASH_POINT: 'store.prune:5' })
  expect(await child.exited).toBe('SIGKILL')
  expect(checkIntegrity(file)).toBe('ok')

  const after = await openSqliteStore({ file, socket: '', version: '1' })
  await after.prune({ before: Date.now(), limit: 1_000 })
  expect(await after.listRuns({ tenant: 'default', limit: 10 })).toMatchObject([{ id: 'live' }])
  expect((await after.load(live.rid))?.records).toHaveLength(1)
  await after.close()
  expect(count(file, 'journal')).toBe(1)
  expect(count(file, 'doomed')).toBe(0)
})

test.each([
  [{}, 'refused store_duplicate_completion'],
  [{ PLUGWORK_MUTATE: 'no_unique' }, 'twice'],
])('the index alone forbids a second completion (%o)', async (env, said) => {
  const child = new StoreProcess({ file: await freshFile(), mode: 'twice' }, env)
  await child.exited
  expect(child.lines.at(-1)).toBe(said)
})

test.each([
  [{}, 'fenced'],
  [{ PLUGWORK_MUTATE: 'no_fence' }, 'written'],
])('the owner row alone keeps a former owner from writing (%o)', async (env, said) => {
  const file = await freshFile()
  const child = new StoreProcess({ file, mode: 'signal' }, env)
  await child.said('acked')
  abandon(file)
  const store = await openSqliteStore({ file, socket: '', version: '1' })
  child.signal('SIGUSR2')
  await child.exited
  expect(child.lines.at(-1)).toBe(said)
  await store.close()
})

test('without a protection the same test turns red: acknowledged before the commit', async () => {
  const file = await freshFile()
  const env = { PLUGWORK_MUTATE: 'ack_before_commit', PLUGWORK_CRASH_POINT: 'store.commit.before:40' }
  const child = new StoreProcess({ file, mode: 'write' }, env)
  expect(await child.exited).toBe('SIGKILL')
  expect(lossesOf(file, child.acked())).not.toEqual([])
})

function count(file: string, table: string): number {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
  } finally {
    db.close()
  }
}
