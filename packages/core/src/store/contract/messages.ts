import type { ContractContext } from './context.ts'
import { accept, finish, newRun, park, record, T0 } from './context.ts'

/** The inbox of a run. */
export function messages({ test, expect }: ContractContext): void {
  test('messages stay in order until a record consumes them', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const ids = []
    for (let n = 0; n < 3; n++) ids.push((await store.deliver({ rid, kind: 'signal', payload: { n }, at: T0 + n })).id)
    const expected = ids.map((id, n) => ({ id, rid, kind: 'signal', payload: { n }, at: T0 + n }))
    expect((await store.load(rid))?.messages).toEqual(expected)
    await store.append({ rid, epoch: store.epoch, records: [record(2)], consumes: [ids[1] ?? 0] })
    expect((await store.load(rid))?.messages).toEqual([expected[0], expected[2]])
  })

  test('a message with a known `dedupe` is not stored again, also when it was consumed', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const other = await accept(store, newRun('b'))
    const message = { rid, kind: 'signal', dedupe: 'd', payload: {}, at: T0 }
    const first = await store.deliver(message)
    expect(first.kind).toBe('stored')
    expect(await store.deliver({ ...message, payload: { other: 1 } })).toEqual({ kind: 'duplicate', id: first.id })
    await store.append({ rid, epoch: store.epoch, records: [record(2)], consumes: [first.id] })
    expect(await store.deliver(message)).toEqual({ kind: 'duplicate', id: first.id })
    expect((await store.load(rid))?.messages).toEqual([])
    expect((await store.deliver({ ...message, rid: other.rid })).kind).toBe('stored')
  })

  test('of many deliveries with one `dedupe` at the same time, one is stored', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const message = { rid, kind: 'signal', dedupe: 'd', payload: {}, at: T0 }
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => store.deliver(message)))
    expect(outcomes.filter(({ kind }) => kind === 'stored')).toHaveLength(1)
    expect(new Set(outcomes.map(({ id }) => id)).size).toBe(1)
  })

  test('a message for a run that is not stored is refused; within a write it is dropped', async (store) => {
    const lost = { rid: 4_711, kind: 'signal', payload: {}, at: T0 }
    await expect(store.deliver(lost)).rejects.toMatchObject({ code: 'store_run_missing' })
    const { rid } = await accept(store, newRun('a'))
    const outcome = await store.append({ rid, epoch: store.epoch, records: [record(2)], messages: [lost] })
    expect(outcome).toEqual({ kind: 'committed', children: [] })
  })

  test('messages of a write tell their ids; duplicates among them are left out', async (store) => {
    const parent = await accept(store, newRun('parent'))
    const child = await accept(
      store,
      newRun('child', { parent: { rid: parent.rid, path: 'sub', rootRid: parent.rid } }),
    )
    const message = { rid: parent.rid, kind: 'child_ended', dedupe: 'child', payload: { path: 'sub' }, at: T0 }
    const write = { rid: child.rid, epoch: store.epoch, run: { status: 'succeeded', finishedAt: T0 } as const }
    const outcome = await store.append({ ...write, records: [record(2)], messages: [message, message] })
    const stored = (await store.load(parent.rid))?.messages
    expect(stored?.length).toBe(1)
    expect(outcome).toEqual({ kind: 'committed', children: [], messages: stored })
  })

  test('a child is reached by the path of its step; the latest one, if there were several', async (store) => {
    const parent = await accept(store, newRun('parent'))
    const at = { rid: parent.rid, path: 'sub', rootRid: parent.rid }
    await accept(store, newRun('first', { parent: at }))
    const second = await accept(store, newRun('second', { parent: at }))
    const message = { kind: 'cancel', payload: { force: true }, at: T0 }
    const outcome = await store.append({
      rid: parent.rid,
      epoch: store.epoch,
      records: [],
      childMessages: [
        { parentPath: 'sub', message },
        { parentPath: 'nobody', message },
      ],
    })
    expect(outcome).toMatchObject({ messages: [{ rid: second.rid, kind: 'cancel', payload: { force: true } }] })
  })

  test('a message that comes between parking and the next look is not lost', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const parked = park(store, rid)
    const delivered = store.deliver({ rid, kind: 'signal', payload: {}, at: T0 })
    await Promise.all([parked, delivered])
    expect(await store.due(T0, 10)).toEqual([rid])
  })

  test('messages for an ended run are kept and make nothing due', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await finish(store, rid)
    expect((await store.deliver({ rid, kind: 'signal', payload: {}, at: T0 })).kind).toBe('stored')
    expect(await store.due(T0, 10)).toEqual([])
    expect((await store.load(rid))?.messages.length).toBe(1)
  })
}
