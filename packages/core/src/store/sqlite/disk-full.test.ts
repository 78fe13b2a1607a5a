/** A store whose disk is full: refuses clearly, loses nothing that it acknowledged, and goes on when there is room again. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

import { accept, finish, newRun, record } from '../contract/context.ts'
import type { JournalRecord, Store } from '../store.ts'
import { checkIntegrity, openTestStore } from './fixtures/test-store.ts'
import { openSqliteStore } from './sqlite-store.ts'

const big = (seq: number): JournalRecord => record(seq, { data: JSON.stringify('x'.repeat(3_000)) })

interface Acknowledged {
  readonly rid: number
  readonly id: string
  next: number
}

/** Accepts runs until one is refused; answers those that were acknowledged, and why the last was not. */
async function fill(store: Store, runs: Acknowledged[]): Promise<unknown> {
  for (;;) {
    const id = `run-${runs.length}`
    try {
      const { rid } = await accept(store, newRun(id), { records: [big(1)] })
      runs.push({ rid, id, next: 2 })
    } catch (error) {
      return error
    }
  }
}

/** Appends to runs until one write is refused. */
async function appendUntilFull(store: Store, runs: readonly Acknowledged[]): Promise<unknown> {
  for (let i = 0; ; i++) {
    const run = runs[i % runs.length]
    if (run === undefined) throw new Error('no runs')
    try {
      await store.append({ rid: run.rid, epoch: store.epoch, records: [big(run.next)] })
      run.next++
    } catch (error) {
      return error
    }
  }
}

const full = { code: 'store_full', retryable: true }

test('new runs are refused while there is room for those that run, then every write, and nothing acknowledged is lost', async () => {
  const opened = await openTestStore({ maxPages: 400 })
  onTestFinished(opened.close)
  const { store } = opened
  const runs: Acknowledged[] = []
  expect(await fill(store, runs)).toMatchObject(full)
  const acceptedOnly = runs.length
  expect(acceptedOnly).toBeGreaterThan(50)

  // What is left is for running work.
  expect(await appendUntilFull(store, runs)).toMatchObject(full)
  expect(runs.reduce((sum, run) => sum + run.next - 2, 0)).toBeGreaterThan(5)

  const large = { text: 'x'.repeat(20_000) }
  await expect(store.accept(newRun('late'))).rejects.toMatchObject(full)
  await expect(store.publish({ tenant: 'default', name: 'e', data: large, at: 1 })).rejects.toMatchObject(full)
  const [first] = runs
  await expect(store.deliver({ rid: first?.rid ?? 0, kind: 's', payload: large, at: 1 })).rejects.toMatchObject(full)

  for (const { rid, next } of runs) expect((await store.getRun(rid))?.nextSeq).toBe(next)
  expect(await store.findRun('default', 'late')).toBe(null)
})

test('a failed write has no effect and can be sent again when there is room', async () => {
  const opened = await openTestStore({ maxPages: 300 })
  onTestFinished(opened.close)
  const { store } = opened
  const runs: Acknowledged[] = []
  await fill(store, runs)
  const ended = runs.slice(0, 20)
  for (const { rid } of ended) await finish(store, rid, 1)
  await appendUntilFull(store, runs.slice(20))

  const [, target] = runs.slice(20)
  if (target === undefined) throw new Error('too few runs')
  const write = {
    rid: target.rid,
    epoch: store.epoch,
    nonce: 'n',
    records: [big(target.next), big(target.next + 1), big(target.next + 2)],
    run: { crashCount: 3 },
    children: [newRun('child', { parent: { rid: target.rid, path: 'sub', rootRid: target.rid } })],
  }
  await expect(store.append(write)).rejects.toMatchObject(full)
  expect(await store.getRun(target.rid)).toMatchObject({ nextSeq: target.next, crashCount: 0 })
  expect(await store.findRun('default', 'child')).toBe(null)

  expect((await store.prune({ before: 2, limit: 100 })).runs).toBe(20)
  expect(await store.append(write)).toMatchObject({ kind: 'committed', children: [{ id: 'child' }] })
  expect(await store.getRun(target.rid)).toMatchObject({ nextSeq: target.next + 3, crashCount: 3 })
  // Free space is looked at a few times a second.
  await expect
    .poll(() => store.accept(newRun('again')).catch((error: unknown) => error))
    .toMatchObject({ kind: 'created' })
})

test('of many writes at once as many as fit are stored, and each tells truly whether it was', async () => {
  const opened = await openTestStore({ maxPages: 300 })
  onTestFinished(opened.close)
  const { store } = opened
  const runs: Acknowledged[] = []
  await fill(store, runs)
  const outcomes = await Promise.allSettled(
    runs.map(({ rid }) => store.append({ rid, epoch: store.epoch, records: [big(2)] })),
  )
  const stored = outcomes.map(({ status }) => status === 'fulfilled')
  expect(stored).toContain(true)
  expect(stored).toContain(false)
  for (const [i, { rid }] of runs.entries()) expect((await store.getRun(rid))?.nextSeq).toBe(stored[i] ? 3 : 2)
})

test('when an earlier write of a run finds no room, later ones that were on their way do not take its place', async () => {
  const opened = await openTestStore({ maxPages: 300 })
  onTestFinished(opened.close)
  const { store } = opened
  const runs: Acknowledged[] = []
  await fill(store, runs)
  await appendUntilFull(store, runs)
  const [run] = runs
  if (run === undefined) throw new Error('no runs')
  const huge = record(run.next, { data: JSON.stringify('x'.repeat(200_000)) })
  const small = record(run.next + 1, { data: '{}' })
  const outcomes = await Promise.allSettled(
    [huge, small].map((one) => store.append({ rid: run.rid, epoch: store.epoch, records: [one] })),
  )
  expect(outcomes).toMatchObject([
    { status: 'rejected', reason: full },
    { status: 'rejected', reason: { code: 'store_out_of_order', retryable: true } },
  ])
})

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'a file system without room is no different',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plugwork-full-'))
    const mounted = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=4m', 'plugwork-full', folder])
    onTestFinished(() => {
      if (mounted.status === 0) spawnSync('/bin/umount', [folder])
      rmSync(folder, { recursive: true })
    })
    // Root in a container may still not mount.
    if (mounted.status !== 0) return
    const file = join(folder, 'data', 'plugwork.db')
    mkdirSync(join(folder, 'data'))
    const ballast = join(folder, 'ballast')
    writeFileSync(ballast, new Uint8Array(1_000_000))

    const store = await openSqliteStore({ file, socket: '', version: '1' })
    onTestFinished(() => store.close())
    const runs: Acknowledged[] = []
    expect(await fill(store, runs)).toMatchObject(full)
    expect(await appendUntilFull(store, runs)).toMatchObject(full)
    for (const { rid, next } of runs) expect((await store.getRun(rid))?.nextSeq).toBe(next)

    rmSync(ballast)
    await expect
      .poll(() => store.accept(newRun('again')).catch((error: unknown) => error))
      .toMatchObject({ kind: 'created' })
    expect(await appendUntilFull(store, runs)).toMatchObject(full)
    await store.close()
    expect(checkIntegrity(file)).toBe('ok')
  },
)
