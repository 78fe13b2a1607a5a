import type { NewRun, Store } from '../store.ts'
import type { ContractContext } from './context.ts'
import { accept, finish, newRun, park, START, T0 } from './context.ts'

/** Concurrency keys: how many runs of a key are between start and end, and what becomes of those that find it full. */
export function concurrency({ test, expect }: ContractContext): void {
  type Policy = NonNullable<NewRun['concurrency']>
  const keyed = (id: string, policy: Partial<Policy> = {}, fields: Partial<NewRun> = {}) =>
    newRun(id, { concurrency: { key: 'k', limit: 1, whenFull: 'queue', ...policy }, ...fields })
  const claimIds = async (store: Store, limit = 10) => (await store.claim(limit, T0)).map(({ id }) => id)

  test('up to the limit runs start at once, further ones queue', async (store) => {
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await accept(store, keyed(`run-${i}`, { limit: 2 }))).status)
    expect(statuses).toEqual(['running', 'running', 'queued', 'queued'])
    expect(await claimIds(store)).toEqual([])
    expect(await store.findRun('default', 'run-2')).toMatchObject({
      concurrencyKey: 'k',
      concurrencyLimit: 2,
      nextSeq: 1,
    })
  })

  test('keys, and tenants with the same key, do not stand in each other’s way', async (store) => {
    expect((await accept(store, keyed('a'))).status).toBe('running')
    expect((await accept(store, keyed('b', { key: 'other' }))).status).toBe('running')
    expect((await accept(store, keyed('c', {}, { tenant: 'acme' }))).status).toBe('running')
    expect((await accept(store, newRun('d'))).status).toBe('running')
  })

  test('an ended run frees its slot for the oldest that queues', async (store) => {
    const a = await accept(store, keyed('a'))
    await accept(store, keyed('b'))
    await accept(store, keyed('c'))
    expect(await claimIds(store)).toEqual([])
    await finish(store, a.rid)
    expect(await claimIds(store)).toEqual(['b'])
    expect(await claimIds(store)).toEqual([])
    const b = await store.findRun('default', 'b')
    await store.append({
      rid: b?.rid ?? 0,
      epoch: store.epoch,
      records: [],
      run: { status: 'cancelled', finishedAt: T0 },
    })
    expect(await claimIds(store)).toEqual(['c'])
  })

  test('a newcomer does not overtake those that queue', async (store) => {
    const a = await accept(store, keyed('a'))
    await accept(store, keyed('b'))
    await finish(store, a.rid)
    expect((await accept(store, keyed('c'))).status).toBe('queued')
    expect(await claimIds(store)).toEqual(['b'])
  })

  test('runs whose key is full do not hold up those behind them', async (store) => {
    await accept(store, keyed('holder'))
    for (let i = 0; i < 50; i++) await accept(store, keyed(`blocked-${i}`), null)
    await accept(store, newRun('free'), null)
    await accept(store, keyed('other', { key: 'other' }), null)
    expect(await claimIds(store, 2)).toEqual(['free', 'other'])
    expect(await claimIds(store)).toEqual([])
  })

  test('queued runs hold no slot: of many, as many as the limit are claimed', async (store) => {
    for (let i = 0; i < 6; i++) await accept(store, keyed(`run-${i}`, { limit: 2 }), null)
    expect(await claimIds(store)).toEqual(['run-0', 'run-1'])
    await finish(store, (await store.findRun('default', 'run-1'))?.rid ?? 0)
    expect(await claimIds(store)).toEqual(['run-2'])
  })

  test('with a higher limit, those that were set aside under the lower one go on', async (store) => {
    await accept(store, keyed('a'))
    for (const id of ['b', 'c']) await accept(store, keyed(id, { limit: 3 }), null)
    expect((await claimIds(store)).toSorted()).toEqual(['b', 'c'])
  })

  test('the first of two set aside does not hide a slot from the second when its own end comes first', async (store) => {
    const a = await accept(store, keyed('a'))
    const b = await accept(store, keyed('b'), null)
    await accept(store, keyed('c'), null)
    expect(await claimIds(store)).toEqual([])
    const cancelled = { status: 'cancelled', finishedAt: T0 } as const
    await store.append({ rid: b.rid, epoch: store.epoch, records: [], run: cancelled })
    await finish(store, a.rid)
    expect(await claimIds(store)).toEqual(['c'])
  })

  test('a waiting run keeps its slot', async (store) => {
    const a = await accept(store, keyed('a'))
    await park(store, a.rid)
    expect((await accept(store, keyed('b'))).status).toBe('queued')
    expect(await claimIds(store)).toEqual([])
  })

  test('without `holdWhileWaiting` a waiting run gives its slot up, and queues for it again', async (store) => {
    const a = await accept(store, keyed('a', { holdWhileWaiting: false }))
    const b = await accept(store, keyed('b'))
    expect(b.status).toBe('queued')
    expect(await claimIds(store)).toEqual([])
    await park(store, a.rid, T0 + 1)
    expect(await claimIds(store)).toEqual(['b'])
    await store.append({ rid: a.rid, epoch: store.epoch, records: [], run: { status: 'queued', wakeAt: null } })
    expect(await claimIds(store)).toEqual([])
    await finish(store, b.rid)
    expect(await claimIds(store)).toEqual(['a'])
  })

  test('skip: a full key stores nothing and names the holders', async (store) => {
    await accept(store, keyed('a', { whenFull: 'skip', limit: 2 }))
    await accept(store, keyed('b', { whenFull: 'skip', limit: 2 }))
    const outcome = await store.accept(keyed('c', { whenFull: 'skip', limit: 2 }), { records: [START] })
    expect(outcome).toEqual({ kind: 'concurrency_full', holders: ['a', 'b'] })
    expect(await store.findRun('default', 'c')).toBe(null)
  })

  test('cancel_running: the holders are told, and the new run waits for their end', async (store) => {
    const a = await accept(store, keyed('a', { whenFull: 'cancel_running' }))
    expect(a).toMatchObject({ status: 'running', cancelled: [] })
    const b = await accept(store, keyed('b', { whenFull: 'cancel_running' }))
    expect(b).toMatchObject({ status: 'queued', cancelled: [a.rid] })
    const [message] = (await store.load(a.rid))?.messages ?? []
    expect(message).toMatchObject({ kind: 'cancel', payload: { force: false, reason: 'replaced by run b' } })
    expect(await claimIds(store)).toEqual([])
    const cancelled = { status: 'cancelled', finishedAt: T0 } as const
    await store.append({ rid: a.rid, epoch: store.epoch, records: [], run: cancelled, consumes: [message?.id ?? 0] })
    expect(await claimIds(store)).toEqual(['b'])
  })

  test('cancel_running: a holder that outlived one such cancel is told of each further run', async (store) => {
    const a = await accept(store, keyed('a'))
    await accept(store, keyed('b', { whenFull: 'cancel_running' }))
    const [first] = (await store.load(a.rid))?.messages ?? []
    await store.append({ rid: a.rid, epoch: store.epoch, records: [], consumes: [first?.id ?? 0] })
    await accept(store, keyed('c', { whenFull: 'cancel_running' }))
    expect((await store.load(a.rid))?.messages).toMatchObject([
      { kind: 'cancel', dedupe: 'concurrency:c', payload: { force: false, reason: 'replaced by run c' } },
    ])
  })

  test('a child shares the slot of the tree that it belongs to', async (store) => {
    const root = await accept(store, keyed('root'))
    const parent = { rid: root.rid, path: 'sub', rootRid: root.rid }
    await accept(store, keyed('stranger'))
    await store.append({ rid: root.rid, epoch: store.epoch, records: [], children: [keyed('child', {}, { parent })] })
    expect(await claimIds(store)).toEqual(['child'])
    expect((await accept(store, keyed('child-2', {}, { parent }))).status).toBe('running')
    await finish(store, root.rid)
    expect(await claimIds(store)).toEqual([])
    for (const id of ['child', 'child-2']) await finish(store, (await store.findRun('default', id))?.rid ?? 0)
    expect(await claimIds(store)).toEqual(['stranger'])
  })

  test('a child that must be skipped is stored as failed, and the write says so', async (store) => {
    await accept(store, keyed('holder'))
    const root = await accept(store, newRun('root'))
    const parent = { rid: root.rid, path: 'sub', rootRid: root.rid }
    const outcome = await store.append({
      rid: root.rid,
      epoch: store.epoch,
      records: [],
      children: [keyed('child', { whenFull: 'skip' }, { parent }), newRun('sibling', { parent })],
    })
    expect(outcome).toMatchObject({ kind: 'committed', children: [{ id: 'child', full: true }, { id: 'sibling' }] })
    expect(await store.findRun('default', 'child')).toMatchObject({
      status: 'failed',
      error: { code: 'concurrency_full' },
      startedAt: null,
      finishedAt: T0,
    })
    expect(await claimIds(store)).toEqual(['sibling'])
  })

  /** What tells run `rid` that its child was skipped, but for its number. */
  const endOf = (child: string, rid: number, attempt = 1) => ({
    rid,
    kind: 'child_ended',
    dedupe: `end:${child}`,
    at: T0,
    payload: {
      path: 'loop[2]/sub',
      attempt,
      runId: child,
      status: 'failed',
      error: {
        code: 'concurrency_full',
        message: 'Concurrency key k is held by holder, and the policy is to skip.',
      },
    },
  })

  test('the parent of a skipped child is told by the same write, and once when that is sent again', async (store) => {
    await accept(store, keyed('holder'))
    const root = await accept(store, newRun('root'))
    const parent = { rid: root.rid, path: 'loop[2]/sub#3', rootRid: root.rid }
    const write = {
      rid: root.rid,
      epoch: store.epoch,
      nonce: 'n',
      records: [],
      run: { status: 'waiting', reason: 'child' } as const,
      children: [keyed('child', { whenFull: 'skip' }, { parent }), newRun('sibling', { parent })],
    }
    const outcome = await store.append(write)
    expect(outcome).toMatchObject({ kind: 'committed', messages: [endOf('child', root.rid, 3)] })
    expect(await store.append(write)).toEqual(outcome)
    expect((await store.load(root.rid))?.messages).toEqual(outcome.kind === 'committed' ? outcome.messages : [])
    expect(await store.due(T0, 10)).toEqual([root.rid])
  })

  test('the parent of a child that its first write starts in vain is told by that write', async (store) => {
    await accept(store, keyed('holder'))
    const parent = { rid: 0, path: 'loop[2]/sub', rootRid: 0 }
    const root = newRun('root')
    const children = [keyed('child', { whenFull: 'skip' }, { parent })]
    const outcome = await accept(store, root, {
      records: [START],
      run: { status: 'waiting', reason: 'child' },
      children,
    })
    expect(outcome.messages).toMatchObject([endOf('child', outcome.rid)])
    expect((await store.load(outcome.rid))?.messages).toEqual(outcome.messages)
    expect(await store.due(T0, 10)).toEqual([outcome.rid])
    const again = await accept(store, root, { records: [START], children })
    expect([again.rid, again.messages]).toEqual([outcome.rid, outcome.messages])
    const [message] = outcome.messages ?? []
    await store.append({ rid: outcome.rid, epoch: store.epoch, records: [], consumes: [message?.id ?? 0] })
    expect((await store.load(outcome.rid))?.messages).toEqual([])
  })
}
