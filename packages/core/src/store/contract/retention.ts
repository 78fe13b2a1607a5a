import type { NewRun, Store } from '../store.ts'
import type { ContractContext } from './context.ts'
import { accept, finish, newRun, record, START, T0 } from './context.ts'

/** Deleting what has ended, and nothing else. */
export function retention({ test, expect }: ContractContext): void {
  const blob = (letter: string) => ({ hash: letter.repeat(64), size: 1 })
  const ended = async (store: Store, id: string, finishedAt: number, fields: Partial<NewRun> = {}) => {
    const { rid } = await accept(store, newRun(id, fields))
    await finish(store, rid, finishedAt)
    return rid
  }

  test('root runs that ended before a time go, with all that belongs to them', async (store) => {
    const old = await ended(store, 'old', T0 + 10, { blobs: [blob('a')], idempotencyKey: 'key' })
    await store.deliver({ rid: old, kind: 'signal', payload: {}, at: T0 })
    const recent = await ended(store, 'recent', T0 + 20)
    const running = await accept(store, newRun('running'))
    expect(await store.prune({ before: T0 + 20, limit: 100 })).toEqual({ runs: 1, blobs: [blob('a').hash] })
    expect(await store.load(old)).toBe(null)
    expect(await store.readJournal(old, 1, 10)).toEqual([])
    expect(await store.findRun('default', 'old')).toBe(null)
    for (const rid of [recent, running.rid]) expect((await store.load(rid))?.records).toEqual([START])
    // The key is free again.
    expect((await store.accept(newRun('again', { idempotencyKey: 'key' }))).kind).toBe('created')
  })

  test('rids and message ids of deleted runs are not used again', async (store, { takeOver }) => {
    const first = await ended(store, 'a', T0)
    const { id } = await store.deliver({ rid: first, kind: 'signal', payload: {}, at: T0 })
    await store.prune({ before: T0 * 2, limit: 10 })
    const next = await takeOver()
    const { rid } = await accept(next, newRun('b'))
    expect(rid).toBeGreaterThan(first)
    expect((await next.deliver({ rid, kind: 'signal', payload: {}, at: T0 })).id).toBeGreaterThan(id)
  })

  test('a tree goes as a whole, and only when all of it has ended', async (store) => {
    const root = await ended(store, 'root', T0 + 1)
    const parent = { rid: root, path: 'sub', rootRid: root }
    const child = await accept(store, newRun('child', { parent }))
    const grandchild = await ended(store, 'grandchild', T0 + 1, { parent: { ...parent, rid: child.rid } })
    expect((await store.prune({ before: T0 + 100, limit: 100 })).runs).toBe(0)
    expect((await store.load(root))?.records).toHaveLength(1)
    await finish(store, child.rid, T0 + 90)
    expect((await store.prune({ before: T0 + 100, limit: 100 })).runs).toBe(1)
    for (const rid of [root, child.rid, grandchild]) expect(await store.getRun(rid)).toBe(null)
  })

  test('an ended child of a run that goes on stays', async (store) => {
    const root = await accept(store, newRun('root'))
    const child = await ended(store, 'child', T0, { parent: { rid: root.rid, path: 'sub', rootRid: root.rid } })
    expect((await store.prune({ before: T0 + 100, limit: 100 })).runs).toBe(0)
    expect(await store.getRun(child)).toMatchObject({ id: 'child' })
  })

  test('a run that an open run was forked from stays', async (store) => {
    const original = await ended(store, 'original', T0)
    const fork = await accept(store, newRun('fork', { fork: { from: 'original', at: 'pay' } }))
    expect((await store.prune({ before: T0 + 100, limit: 100 })).runs).toBe(0)
    expect(await store.getRun(fork.rid)).toMatchObject({ forkedFrom: 'original', forkedAt: 'pay' })
    await finish(store, fork.rid, T0 + 200)
    expect((await store.prune({ before: T0 + 100, limit: 100 })).runs).toBe(1)
    expect(await store.getRun(original)).toBe(null)
  })

  test('a blob that another run refers to is not reported', async (store) => {
    await ended(store, 'old', T0, { blobs: [blob('a'), blob('b')] })
    const live = await accept(store, newRun('live'))
    await store.append({ rid: live.rid, epoch: store.epoch, records: [record(2)], blobs: [blob('a'), blob('c')] })
    expect(await store.prune({ before: T0 + 100, limit: 100 })).toEqual({ runs: 1, blobs: [blob('b').hash] })
    const known = await store.knownBlobs(['a', 'b', 'c'].map((letter) => blob(letter).hash))
    expect(known.toSorted()).toEqual([blob('a').hash, blob('c').hash])
  })

  test('only the flow and the tenant that are named are pruned, and no more than the limit', async (store) => {
    for (let i = 0; i < 6; i++) await ended(store, `greet-${i}`, T0 + i)
    await ended(store, 'report', T0, { flow: 'report' })
    await ended(store, 'acme', T0, { tenant: 'acme' })
    expect((await store.prune({ flow: 'greet', tenant: 'default', before: T0 + 100, limit: 4 })).runs).toBe(4)
    expect((await store.listRuns({ tenant: 'default', limit: 10 })).map(({ id }) => id)).toEqual([
      'report',
      'greet-5',
      'greet-4',
    ])
    expect((await store.prune({ tenant: 'default', before: T0 + 100, limit: 100 })).runs).toBe(3)
    expect(await store.findRun('acme', 'acme')).toMatchObject({ tenant: 'acme' })
  })

  test('flows that have ended root runs are known, per tenant', async (store) => {
    expect(await store.endedFlows()).toEqual([])
    const root = await ended(store, 'a', T0)
    await ended(store, 'b', T0, { flow: 'report' })
    await ended(store, 'c', T0)
    await ended(store, 'd', T0, { tenant: 'acme' })
    await accept(store, newRun('open', { flow: 'other' }))
    await ended(store, 'child', T0, { flow: 'part', parent: { rid: root, path: 'sub', rootRid: root } })
    const flows = (await store.endedFlows()).map(({ tenant, flow }) => `${tenant}/${flow}`)
    expect(flows.toSorted()).toEqual(['acme/greet', 'default/greet', 'default/report'])
  })

  test('many runs with long journals go', async (store) => {
    for (let i = 0; i < 60; i++) {
      const { rid } = await accept(store, newRun(`run-${i}`))
      const records = Array.from({ length: 100 }, (_, n) => record(n + 2))
      await store.append({ rid, epoch: store.epoch, records, run: { status: 'failed', finishedAt: T0 } })
    }
    expect((await store.prune({ before: T0 + 1, limit: 1_000 })).runs).toBe(60)
    expect(await store.listRuns({ tenant: 'default', limit: 10 })).toEqual([])
    expect(await store.readJournal(30, 1, 10)).toEqual([])
  })

  test('old events go, but not those that a subscription has yet to see; with a flow named, none', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const publish = (name: string, at: number) => store.publish({ tenant: 'default', name, data: 1, at })
    await publish('seen', T0)
    await publish('awaited', T0)
    await publish('seen', T0 + 50)
    const subscribe = [{ path: 'wait', event: 'awaited', after: 0 }]
    await store.append({ rid, epoch: store.epoch, records: [], subscribe })
    const left = async () => (await store.eventsAfter('default', null, 0, 10)).map(({ id }) => id)
    await store.prune({ flow: 'greet', before: T0 + 10, limit: 10 })
    expect(await left()).toEqual([1, 2, 3])
    await store.prune({ before: T0 + 10, limit: 10 })
    expect(await left()).toEqual([2, 3])
    await store.prune({ before: T0 * 2, limit: 10 })
    expect((await publish('seen', T0)).id).toBe(4)
  })

  test('compacting says what it gave back', async (store) => {
    const { bytesBefore, bytesAfter } = await store.compact()
    expect(bytesAfter <= bytesBefore).toBe(true)
  })
}
