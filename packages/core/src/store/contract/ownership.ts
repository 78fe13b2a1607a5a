import type { ContractContext } from './context.ts'
import { accept, finish, newRun, record, START, T0 } from './context.ts'

/** One owner at a time: what happens to the former one, and to the runs it had. */
export function ownership({ test, expect }: ContractContext): void {
  test('a write under an older epoch lands nowhere', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const outcome = await store.append({ rid, epoch: store.epoch - 1, records: [record(2)], run: { crashCount: 5 } })
    expect(outcome).toEqual({ kind: 'fenced' })
    expect(await store.getRun(rid)).toMatchObject({ nextSeq: 2, crashCount: 0 })
  })

  test('the former owner commits nothing once another has taken over, and is told', async (store, { takeOver }) => {
    const { rid } = await accept(store, newRun('a'))
    const reasons: string[] = []
    store.onLost((reason) => reasons.push(reason))
    const next = await takeOver()
    expect(next.epoch).toBeGreaterThan(store.epoch)
    const write = { rid, epoch: store.epoch, records: [record(2)] }
    expect(await store.append(write)).toEqual({ kind: 'fenced' })
    expect(await store.append(write)).toEqual({ kind: 'fenced' })
    const lost = { code: 'store_closed' }
    await expect(store.accept(newRun('b'))).rejects.toMatchObject(lost)
    await expect(store.claim(1, T0)).rejects.toMatchObject(lost)
    await expect(store.deliver({ rid, kind: 'cancel', payload: {}, at: T0 })).rejects.toMatchObject(lost)
    await expect(store.publish({ tenant: 'default', name: 'e', data: 1, at: T0 })).rejects.toMatchObject(lost)
    await expect(store.setMeta('k', 'v')).rejects.toMatchObject(lost)
    await expect(store.prune({ before: T0 * 2, limit: 10 })).rejects.toMatchObject(lost)
    expect(reasons).toHaveLength(1)
    const loaded = await next.load(rid)
    expect(loaded).toMatchObject({ records: [START], messages: [] })
    expect(await next.findRun('default', 'b')).toBe(null)
    expect(await next.getMeta('k')).toBe(null)
  })

  test('the next owner finds what was running, in pages, and takes each over by writing', async (store, {
    takeOver,
  }) => {
    const runs = []
    for (let i = 0; i < 7; i++) runs.push(await accept(store, newRun(`run-${i}`)))
    await finish(store, runs[0]?.rid ?? 0)
    await accept(store, newRun('queued'), null)
    expect(await store.interrupted(0, 10)).toEqual([])

    const next = await takeOver()
    const left = runs.slice(1).map(({ rid }) => rid)
    const first = await next.interrupted(0, 4)
    expect(first.map(({ rid }) => rid)).toEqual(left.slice(0, 4))
    expect(first.every(({ epoch }) => epoch === store.epoch)).toBe(true)
    expect((await next.interrupted(left[3] ?? 0, 4)).map(({ rid }) => rid)).toEqual(left.slice(4))

    const rid = left[0] ?? 0
    const takeover = record(2, { kind: 'takeover', path: '', completes: false })
    expect((await next.append({ rid, epoch: next.epoch, records: [takeover] })).kind).toBe('committed')
    expect(await next.getRun(rid)).toMatchObject({ epoch: next.epoch, nextSeq: 3 })
    expect((await next.interrupted(0, 10)).map((row) => row.rid)).toEqual(left.slice(1))
  })

  test('waiting and queued runs are whole under the next owner', async (store, { takeOver }) => {
    const { rid } = await accept(store, newRun('a'), {
      records: [START],
      run: { status: 'waiting', reason: 'timer', wakeAt: T0 + 5 },
    })
    const queued = await accept(store, newRun('b'), null)
    const next = await takeOver()
    expect(await next.due(T0 + 5, 10)).toEqual([rid])
    const [claimed] = await next.claim(10, T0)
    expect(claimed).toMatchObject({ rid: queued.rid, epoch: next.epoch, status: 'running' })
    expect(await accept(next, newRun('c'))).toMatchObject({ rid: queued.rid + 1, epoch: next.epoch })
  })

  test('a closed store takes no writes, and what was in flight is stored', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const inFlight = store.append({ rid, epoch: store.epoch, records: [record(2)] })
    await store.close()
    expect((await inFlight).kind).toBe('committed')
    await expect(store.accept(newRun('b'))).rejects.toMatchObject({ code: 'store_closed' })
    await store.close()
  })
}
