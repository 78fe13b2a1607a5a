/** A server that crashes and comes back, under load: its own, never the one that the other tests share. */
import { execFile } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { findUser, freePort, requireBinary } from '@plugwork/test-services'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'

import { accept, newRun, record } from '../contract/context.ts'
import type { Store } from '../store.ts'
import { openPostgresStore } from './postgres-store.ts'

const run = promisify(execFile)

interface OwnServer {
  readonly url: string
  start(): Promise<void>
  /** As a power cut ends it: no checkpoint, no farewell. */
  crash(): Promise<void>
}

async function ownServer(): Promise<OwnServer> {
  const folders = ['/usr/lib/postgresql/*/bin']
  const pgCtl = await requireBinary({ names: ['pg_ctl'], packageName: 'postgresql', folders })
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-restart-'))
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? findUser(['postgres', 'nobody']) : null
  if (user !== null) chownSync(directory, user.uid, user.gid)
  const as = { cwd: directory, ...(user === null ? {} : { uid: user.uid, gid: user.gid }) }
  const data = join(directory, 'data')
  const port = await freePort()
  await run(join(pgCtl, '../initdb'), ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8'], as)
  const control = (...args: string[]) => run(pgCtl, ['-D', data, '-w', ...args], as)
  const crash = async (): Promise<void> => void (await control('stop', '-m', 'immediate'))
  onTestFinished(async () => {
    await crash().catch(() => undefined)
    rmSync(directory, { recursive: true, force: true })
  })
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start: async () =>
      void (await control('start', '-l', join(directory, 'log'), '-o', `-p ${port} -h 127.0.0.1 -k ${directory}`)),
    crash,
  }
}

/** Appends as the runtime does: what is refused for now is sent again, under its nonce. */
async function appendThrough(store: Store, rid: number, isOver: () => boolean): Promise<number> {
  for (let seq = 2; ; seq++) {
    const write = { rid, epoch: store.epoch, nonce: `n${rid}-${seq}`, records: [record(seq)] }
    for (;;) {
      try {
        const { kind } = await store.append(write)
        expect(kind).toBe('committed')
        break
      } catch (error) {
        expect(error).toMatchObject({ retryable: true })
      }
    }
    if (isOver()) return seq
  }
}

test('a server that crashes under load and comes back has everything that was acknowledged, once', async () => {
  const server = await ownServer()
  await server.start()
  const { store } = await openPostgresStore({ url: server.url, version: 'test', times: { expireMs: 60_000 } })
  const runs = await Promise.all(Array.from({ length: 20 }, (_, i) => accept(store, newRun(`run-${i}`))))
  let isOver = false
  const appending = Promise.all(runs.map(({ rid }) => appendThrough(store, rid, () => isOver)))
  for (let i = 0; i < 3; i++) {
    const before = store.stats().commits
    await server.crash()
    await server.start()
    // It works again: some commits after the restart.
    await expect.poll(() => store.stats().commits, { timeout: 30_000 }).toBeGreaterThan(before + 20)
  }
  isOver = true
  const last = await appending
  const client = new pg.Client({ connectionString: server.url, options: '-c search_path=plugwork' })
  await client.connect()
  const { rows } = await client.query(
    'SELECT rid::int, count(*)::int AS n, max(seq)::int AS last FROM journal GROUP BY rid',
  )
  await client.end()
  expect(rows).toHaveLength(20)
  for (const { rid, n, last: highest } of rows as { rid: number; n: number; last: number }[]) {
    expect([rid, n, highest]).toEqual([rid, highest, last[runs.findIndex((one) => one.rid === rid)]])
  }
  await store.close()
}, 120_000)
