/** Files that earlier versions wrote, recorded by them, must be opened, read and written by this one. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'

import { accept, finish, newRun, record, T0 } from '../contract/context.ts'
import { keepVersion, recordVersion } from './fixtures/record-version.ts'
import { checkIntegrity } from './fixtures/test-store.ts'
import { SCHEMA_VERSION } from './migrations.ts'
import { migrate } from './open-database.ts'
import { openSqliteStore } from './sqlite-store.ts'

const recorded = globSync('v*.db.gz', { cwd: join(import.meta.dirname, 'fixtures') })

test('a file of every version so far is recorded', () => {
  const versions = recorded.map((file) => Number(basename(file).slice(1, -'.db.gz'.length)))
  expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, i) => i + 1))
})

test('what a version wrote is not written over', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-migrate-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'plugwork.db')
  writeFileSync(file, 'first')
  const fixture = keepVersion(file, folder)
  writeFileSync(file, 'second')
  expect(() => keepVersion(file, folder)).toThrow('what a version wrote is recorded once')
  expect(gunzipSync(readFileSync(fixture)).toString()).toBe('first')
})

test.each([...recorded, 'now'])(
  'a file of %s is brought to this version, and nothing in it is lost',
  async (fixture) => {
    const folder = await mkdtemp(join(tmpdir(), 'plugwork-migrate-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'plugwork.db')
    // What this version writes must be what the fixture of its number holds.
    if (fixture === 'now') await recordVersion(file)
    else writeFileSync(file, gunzipSync(readFileSync(join(import.meta.dirname, 'fixtures', fixture))))
    expect(migrate(file).to).toBe(SCHEMA_VERSION)

    const store = await openSqliteStore({ file, socket: '', version: '9.9.9' })
    onTestFinished(() => store.close())
    expect(store.epoch).toBe(2)
    const rows = await store.listRuns({ tenant: 'default', limit: 10 })
    expect(rows.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'queued queued',
      'running running',
      'child queued',
      'waiting waiting',
      'ended succeeded',
    ])
    const [queued, running, child, waiting, ended] = rows
    expect(ended).toMatchObject({ idempotencyKey: 'order-1', outputs: { greeting: 'hi' }, nextSeq: 4, epoch: 1 })
    expect(queued).toMatchObject({ forkedFrom: 'ended', forkedAt: 'step2', concurrencyKey: 'k', nextSeq: 1 })
    expect(child).toMatchObject({ parentRid: waiting?.rid, rootRid: waiting?.rid, parentPath: 'sub' })
    expect(await store.load(waiting?.rid ?? 0)).toMatchObject({
      row: { reason: 'timer', wakeAt: T0 + 60_000, priority: 9 },
      facts: { token: 't' },
      snapshot: { seq: 2, state: '{"at":2}' },
      records: [],
      messages: [{ kind: 'signal', dedupe: 's', payload: { n: 1 } }],
      subscriptions: [{ path: 'wait', event: 'paid', after: 0 }],
    })
    expect(await store.readJournal(ended?.rid ?? 0, 2, 10)).toEqual([record(2), record(3)])
    expect(await store.interrupted(0, 10)).toMatchObject([{ id: 'running' }])
    expect(await store.unoffered(0, 10)).toEqual([waiting?.rid])
    expect(await store.eventsAfter('default', 'paid', 0, 10)).toMatchObject([{ data: { amount: 3 }, key: 'e' }])
    expect(await store.getFlowVersion('hash-1')).toMatchObject({ plan: '{"version":1}' })
    expect(await store.listFlows('default')).toMatchObject([{ name: 'greet', enabled: true }])
    expect(await store.listSchedules()).toMatchObject([{ spec: '@daily' }])
    expect(await store.findToken('b'.repeat(64))).toMatchObject({ name: 'owner', permissions: ['*'] })
    expect(await store.getMeta('cursor')).toBe('7')
    expect(await store.knownBlobs(['a'.repeat(64)])).toHaveLength(1)

    // And it goes on: what was claimed, written and pruned before can be so now.
    await finish(store, running?.rid ?? 0)
    expect((await store.claim(10, T0)).map(({ id }) => id)).toEqual(['child', 'queued'])
    expect(await store.accept(newRun('again', { idempotencyKey: 'order-1' }))).toMatchObject({ kind: 'existing' })
    expect((await accept(store, newRun('new'))).rid).toBeGreaterThan(queued?.rid ?? 0)
    expect((await store.prune({ before: T0 + 10, limit: 10 })).runs).toBe(0)
    await finish(store, queued?.rid ?? 0)
    expect((await store.prune({ before: T0 + 10, limit: 10 })).blobs).toEqual(['a'.repeat(64)])
    await store.close()
    expect(checkIntegrity(file)).toBe('ok')
  },
)
