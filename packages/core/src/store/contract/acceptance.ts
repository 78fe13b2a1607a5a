import type { ContractContext } from './context.ts'
import { accept, newRun, record, START, T0 } from './context.ts'

/** Accepting runs. */
export function acceptance({ test, expect }: ContractContext): void {
  test('a run without a first record is stored as queued', async (store) => {
    const outcome = await store.accept(newRun('a', { priority: 7 }))
    expect(outcome).toMatchObject({ kind: 'created', status: 'queued', epoch: store.epoch, cancelled: [] })
    expect(await store.findRun('default', 'a')).toEqual({
      rid: (outcome as { rid: number }).rid,
      id: 'a',
      tenant: 'default',
      flow: 'greet',
      flowHash: 'hash-1',
      status: 'queued',
      reason: null,
      priority: 7,
      concurrencyKey: null,
      concurrencyLimit: null,
      parentRid: null,
      parentPath: null,
      rootRid: null,
      forkedFrom: null,
      forkedAt: null,
      idempotencyKey: null,
      trigger: { type: 'api' },
      inputs: { name: 'Ada' },
      outputs: null,
      error: null,
      epoch: store.epoch,
      nextSeq: 1,
      wakeAt: null,
      crashCount: 0,
      createdAt: T0,
      startedAt: null,
      finishedAt: null,
    })
  })

  test('a run with its first records is running at once, in one write', async (store) => {
    const { rid, status } = await accept(store, newRun('a'), {
      records: [START, record(2)],
      snapshot: { seq: 1, state: '{"s":1}' },
      subscribe: [{ path: 'wait', event: 'paid', after: 0 }],
    })
    expect(status).toBe('running')
    const loaded = await store.load(rid)
    expect(loaded?.row).toMatchObject({ status: 'running', startedAt: T0, nextSeq: 3 })
    expect(loaded?.facts).toEqual({ token: 't' })
    expect(loaded?.snapshot).toEqual({ seq: 1, state: '{"s":1}' })
    expect(loaded?.records).toEqual([record(2)])
    expect(loaded?.subscriptions).toEqual([{ path: 'wait', event: 'paid', after: 0 }])
  })

  test('a run can be accepted and ended by one write', async (store) => {
    const run = { status: 'succeeded', outputs: { greeting: 'hi' }, startedAt: T0, finishedAt: T0 + 5 } as const
    await accept(store, newRun('a'), { records: [START], run })
    expect(await store.findRun('default', 'a')).toMatchObject({ ...run, nextSeq: 2 })
    expect(await store.countRuns(null, ['queued', 'running', 'waiting'])).toBe(0)
    expect(await store.interrupted(0, 10)).toEqual([])
  })

  test('a run can be accepted and wait at once', async (store) => {
    const { rid } = await accept(store, newRun('a'), {
      records: [START],
      run: { status: 'waiting', reason: 'timer', wakeAt: T0 + 50 },
    })
    expect(await store.due(T0 + 50, 10)).toEqual([rid])
    expect(await store.getRun(rid)).toMatchObject({ status: 'waiting', reason: 'timer', wakeAt: T0 + 50 })
  })

  test('children of a first write belong to the new run', async (store) => {
    const parent = { rid: 0, rootRid: 0, path: 'sub' }
    const { rid } = await accept(store, newRun('a'), { records: [START], children: [newRun('a/sub', { parent })] })
    expect(await store.findRun('default', 'a/sub')).toMatchObject({ parentRid: rid, rootRid: rid, parentPath: 'sub' })
  })

  test('an idempotency key names one run of a flow and tenant', async (store) => {
    const idempotencyKey = 'order-1'
    const { rid } = await accept(store, newRun('a', { idempotencyKey }))
    const again = await store.accept(newRun('b', { idempotencyKey, inputs: { name: 'Bob' } }), { records: [START] })
    expect(again).toMatchObject({ kind: 'existing', row: { rid, id: 'a', idempotencyKey, inputs: { name: 'Ada' } } })
    expect(await store.findRun('default', 'b')).toBe(null)
    expect(await store.accept(newRun('c', { idempotencyKey, flow: 'other' }))).toMatchObject({ kind: 'created' })
    expect(await store.accept(newRun('d', { idempotencyKey, tenant: 'acme' }))).toMatchObject({ kind: 'created' })
  })

  test('of many requests with one idempotency key at the same time, one makes the run', async (store) => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => store.accept(newRun(`run-${i}`, { idempotencyKey: 'once' }))),
    )
    expect(outcomes.filter((outcome) => outcome.kind === 'created')).toHaveLength(1)
    expect(await store.countRuns('default', ['queued'])).toBe(1)
  })

  test('a run that is sent twice is stored once', async (store) => {
    const first = await accept(store, newRun('a'), { records: [START], nonce: 'n' })
    const again = await store.accept(newRun('a'), { records: [START], nonce: 'n' })
    expect(again).toMatchObject({ kind: 'created', rid: first.rid, status: 'running' })
    expect(await store.readJournal(first.rid, 1, 10)).toEqual([START])
  })

  test('rids grow in the order of acceptance', async (store) => {
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, i) => accept(store, newRun(`run-${i}`))))
    const rids = outcomes.map((outcome) => outcome.rid)
    expect(rids).toEqual(rids.toSorted((a, b) => a - b))
    expect(new Set(rids).size).toBe(40)
  })

  test('what is stored is a copy', async (store) => {
    const inputs = { list: [1, 2] }
    const { rid } = await accept(store, newRun('a', { inputs }))
    inputs.list.push(3)
    const row = await store.getRun(rid)
    const list = row?.inputs['list'] as number[]
    list.push(4)
    expect((await store.getRun(rid))?.inputs).toEqual({ list: [1, 2] })
  })
}
