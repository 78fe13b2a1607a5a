import type { Store } from '../store.ts'
import type { ContractContext } from './context.ts'
import { accept, finish, newRun, park, T0 } from './context.ts'

/** The event bus and the subscriptions of runs. */
export function events({ test, expect }: ContractContext): void {
  const publish = (store: Store, name: string, data: number, fields: { tenant?: string; key?: string } = {}) =>
    store.publish({ tenant: 'default', name, data, at: T0 + data, ...fields })
  const subscribe = (store: Store, rid: number, path: string, event: string, after?: number) =>
    store.append({
      rid,
      epoch: store.epoch,
      records: [],
      subscribe: [{ path, event, ...(after === undefined ? {} : { after }) }],
    })

  test('events are read back in order, by name or all, per tenant, in pages', async (store) => {
    for (let n = 1; n <= 3; n++) await publish(store, 'paid', n)
    await publish(store, 'sent', 4)
    await publish(store, 'paid', 5, { tenant: 'acme', key: 'k' })
    expect(await store.eventsAfter('default', 'paid', 1, 10)).toEqual([
      { id: 2, tenant: 'default', name: 'paid', data: 2, at: T0 + 2 },
      { id: 3, tenant: 'default', name: 'paid', data: 3, at: T0 + 3 },
    ])
    expect((await store.eventsAfter('default', null, 0, 10)).map(({ id }) => id)).toEqual([1, 2, 3, 4])
    expect((await store.eventsAfter('default', null, 0, 2)).map(({ id }) => id)).toEqual([1, 2])
    expect(await store.eventsAfter('acme', null, 0, 10)).toMatchObject([{ id: 5, key: 'k' }])
    expect(await store.lastEventId()).toBe(5)
  })

  test('an event with a known key is not stored again', async (store) => {
    const first = await publish(store, 'paid', 1, { key: 'order-1' })
    expect((await publish(store, 'paid', 2, { key: 'order-1' })).id).toBe(first.id)
    expect((await publish(store, 'sent', 3, { key: 'order-1' })).id).toBeGreaterThan(first.id)
    expect((await publish(store, 'paid', 4, { key: 'order-1', tenant: 'acme' })).id).toBeGreaterThan(first.id)
    expect(await store.eventsAfter('default', 'paid', 0, 10)).toMatchObject([{ data: 1 }])
  })

  test('publishing answers who waits for the event', async (store) => {
    const a = await accept(store, newRun('a'))
    const b = await accept(store, newRun('b'))
    const c = await accept(store, newRun('c', { tenant: 'acme' }))
    await subscribe(store, b.rid, 'wait-2', 'paid')
    await subscribe(store, b.rid, 'wait-1', 'paid')
    await subscribe(store, a.rid, 'wait', 'paid')
    await subscribe(store, a.rid, 'other', 'sent')
    await subscribe(store, c.rid, 'wait', 'paid')
    const waiting = [
      { rid: a.rid, path: 'wait' },
      { rid: b.rid, path: 'wait-1' },
      { rid: b.rid, path: 'wait-2' },
    ]
    expect(await publish(store, 'paid', 1)).toEqual({ id: 1, waiting })
    expect(await store.subscribers('default', 'paid')).toEqual(waiting)
    await store.append({ rid: b.rid, epoch: store.epoch, records: [], unsubscribe: ['wait-1', 'unknown'] })
    expect((await publish(store, 'paid', 2)).waiting).toEqual([waiting[0], waiting[2]])
  })

  test('a subscription without a cursor begins after what is stored; with one, there; and can be moved', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await publish(store, 'paid', 1)
    await subscribe(store, rid, 'new', 'paid')
    await subscribe(store, rid, 'old', 'paid', 0)
    const cursors = async () => (await store.load(rid))?.subscriptions
    expect(await cursors()).toEqual([
      { path: 'new', event: 'paid', after: 1 },
      { path: 'old', event: 'paid', after: 0 },
    ])
    await subscribe(store, rid, 'old', 'paid', 1)
    expect((await cursors())?.[1]).toEqual({ path: 'old', event: 'paid', after: 1 })
  })

  test('a waiting run with events behind its cursor is found', async (store) => {
    const rids = []
    for (const id of ['a', 'b', 'c', 'd']) rids.push((await accept(store, newRun(id))).rid)
    const [a = 0, b = 0, c = 0, d = 0] = rids
    for (const rid of [a, b, d]) await subscribe(store, rid, 'wait', 'paid')
    await subscribe(store, c, 'wait', 'sent')
    for (const rid of [a, b, c]) await park(store, rid)
    expect(await store.unoffered(0, 10)).toEqual([])
    const { id } = await publish(store, 'paid', 1)
    // c waits for another event, d does not wait.
    expect(await store.unoffered(0, 10)).toEqual([a, b])
    expect(await store.unoffered(0, 1)).toEqual([a])
    expect(await store.unoffered(a, 10)).toEqual([b])
    await subscribe(store, a, 'wait', 'paid', id)
    expect(await store.unoffered(0, 10)).toEqual([b])
  })

  test('an ended run waits for nothing any more', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await subscribe(store, rid, 'wait', 'paid')
    await finish(store, rid)
    expect((await publish(store, 'paid', 1)).waiting).toEqual([])
    expect((await store.load(rid))?.subscriptions).toEqual([])
  })
}
