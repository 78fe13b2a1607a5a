import type { Store } from '../store.ts'
import type { ContractContext } from './context.ts'
import { accept, newRun, park, START, T0 } from './context.ts'

/** Claiming queued runs, and finding those whose time has come. */
export function queue({ test, expect }: ContractContext): void {
  const claimIds = async (store: Store, limit: number, only?: readonly number[]) =>
    (await store.claim(limit, T0 + 100, only)).map(({ id }) => id)
  const enqueue = (store: Store, id: string, priority = 5) => accept(store, newRun(id, { priority }), null)

  test('runs are claimed once, oldest first, and are running then', async (store) => {
    for (const id of ['a', 'b', 'c']) await enqueue(store, id)
    const [first] = await store.claim(1, T0 + 100)
    expect(first).toMatchObject({ id: 'a', status: 'running', startedAt: T0 + 100, epoch: store.epoch })
    expect(await store.getRun(first?.rid ?? 0)).toEqual(first)
    expect(await claimIds(store, 10)).toEqual(['b', 'c'])
    expect(await claimIds(store, 10)).toEqual([])
  })

  test('claims at the same time share no run', async (store) => {
    for (let i = 0; i < 30; i++) await enqueue(store, `run-${i}`)
    const claims = await Promise.all(Array.from({ length: 10 }, () => claimIds(store, 4)))
    expect(new Set(claims.flat()).size).toBe(30)
    expect(claims.flat()).toHaveLength(30)
  })

  test('higher priority goes first', async (store) => {
    await enqueue(store, 'low', 1)
    await enqueue(store, 'normal-1', 5)
    await enqueue(store, 'high', 10)
    await enqueue(store, 'normal-2', 5)
    expect(await claimIds(store, 10)).toEqual(['high', 'normal-1', 'normal-2', 'low'])
  })

  test('with `only`, none but these are claimed', async (store) => {
    const a = await enqueue(store, 'a')
    await enqueue(store, 'b')
    const c = await enqueue(store, 'c')
    expect(await claimIds(store, 10, [c.rid, a.rid, 99_999])).toEqual(['a', 'c'])
    expect(await claimIds(store, 10, [a.rid])).toEqual([])
    expect(await claimIds(store, 10)).toEqual(['b'])
  })

  test('a run that is set back to queued is claimed again, with its first start kept', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await enqueue(store, 'b')
    await store.append({ rid, epoch: store.epoch, records: [], run: { status: 'queued' } })
    const claimed = await store.claim(10, T0 + 100)
    expect(claimed.map(({ id, startedAt }) => [id, startedAt])).toEqual([
      ['a', T0],
      ['b', T0 + 100],
    ])
  })

  test('a waiting run is due when its time has come, not before', async (store) => {
    const runs = []
    for (const wakeAt of [T0 + 300, T0 + 100, T0 + 200, null]) {
      const { rid } = await accept(store, newRun(`at-${wakeAt}`))
      await park(store, rid, wakeAt)
      runs.push(rid)
    }
    expect(await store.due(T0 + 99, 10)).toEqual([])
    expect(await store.nextWake()).toBe(T0 + 100)
    expect(await store.due(T0 + 200, 10)).toEqual([runs[1], runs[2]])
    expect(await store.due(T0 + 900, 2)).toEqual([runs[1], runs[2]])
    expect(await store.due(T0 + 900, 10)).toEqual([runs[1], runs[2], runs[0]])
  })

  test('a run that does not wait is not due, whatever its time', async (store) => {
    const { rid } = await accept(store, newRun('a'), { records: [START], run: { wakeAt: T0 } })
    await accept(store, newRun('b'), { records: [START], run: { status: 'succeeded', finishedAt: T0, wakeAt: T0 } })
    expect(await store.due(T0 + 1, 10)).toEqual([])
    expect(await store.nextWake()).toBe(null)
    await park(store, rid, T0)
    expect(await store.due(T0 + 1, 10)).toEqual([rid])
    await store.append({ rid, epoch: store.epoch, records: [], run: { status: 'running' } })
    expect(await store.due(T0 + 1, 10)).toEqual([])
  })

  test('a waiting run with an unconsumed message is due', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const { id } = await store.deliver({ rid, kind: 'signal', payload: {}, at: T0 })
    expect(await store.due(T0, 10)).toEqual([])
    await park(store, rid)
    expect(await store.due(T0, 10)).toEqual([rid])
    await store.append({ rid, epoch: store.epoch, records: [], consumes: [id] })
    expect(await store.due(T0, 10)).toEqual([])
  })
}
