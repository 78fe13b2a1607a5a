import type { Store } from '../store.ts'
import type { ContractContext } from './context.ts'
import { accept, newRun, record, START, T0 } from './context.ts'

/** Appending records, and what is written with them. */
export function journal({ test, expect }: ContractContext): void {
  const append = (store: Store, rid: number, seqs: readonly number[], nonce?: string) =>
    store.append({
      rid,
      epoch: store.epoch,
      records: seqs.map((seq) => record(seq)),
      ...(nonce === undefined ? {} : { nonce }),
    })

  test('records are read back as they were written, in order and in pages', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const unusual = record(2, { path: 'loop[3]/ü', data: '{"text":"\\u0000 ü 🙂"}', completes: false })
    await store.append({ rid, epoch: store.epoch, records: [unusual, record(3)] })
    await append(store, rid, [4])
    expect(await store.readJournal(rid, 1, 100)).toEqual([START, unusual, record(3), record(4)])
    expect(await store.readJournal(rid, 2, 2)).toEqual([unusual, record(3)])
    expect(await store.readJournal(rid, 5, 10)).toEqual([])
    expect((await store.getRun(rid))?.nextSeq).toBe(5)
  })

  test('writes of one run are stored in the order of the calls, also when none is awaited', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const outcomes = await Promise.all(Array.from({ length: 300 }, (_, i) => append(store, rid, [i + 2])))
    expect(outcomes.every((outcome) => outcome.kind === 'committed')).toBe(true)
    const stored = await store.readJournal(rid, 1, 1_000)
    expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: 301 }, (_, i) => i + 1))
  })

  test('a number that is taken, or that leaves a hole, is refused and stores nothing', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await append(store, rid, [2])
    await expect(append(store, rid, [2])).rejects.toMatchObject({ code: 'store_sequence', retryable: false })
    await expect(append(store, rid, [4])).rejects.toMatchObject({ code: 'store_out_of_order', retryable: true })
    await expect(append(store, rid, [3, 5])).rejects.toMatchObject({ code: 'store_sequence' })
    expect((await store.readJournal(rid, 1, 10)).map(({ seq }) => seq)).toEqual([1, 2])
    expect(await append(store, rid, [3])).toMatchObject({ kind: 'committed' })
  })

  test('a step is completed once', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await store.append({ rid, epoch: store.epoch, records: [record(2, { path: 'pay' })] })
    const again = { rid, epoch: store.epoch, records: [record(3, { path: 'pay' })], run: { crashCount: 9 } }
    await expect(store.append(again)).rejects.toMatchObject({ code: 'store_duplicate_completion' })
    expect(await store.getRun(rid)).toMatchObject({ crashCount: 0, nextSeq: 3 })
    const retried = record(3, { path: 'pay', kind: 'failed', completes: false })
    expect(await store.append({ rid, epoch: store.epoch, records: [retried] })).toMatchObject({ kind: 'committed' })
  })

  test('paths are completed once per run, not once for all runs', async (store) => {
    const a = await accept(store, newRun('a'))
    const b = await accept(store, newRun('b'))
    for (const { rid } of [a, b]) {
      const outcome = await store.append({ rid, epoch: store.epoch, records: [record(2, { path: 'pay' })] })
      expect(outcome.kind).toBe('committed')
    }
  })

  test('a write that cannot be stored does not harm those that are stored with it', async (store) => {
    const runs = await Promise.all(Array.from({ length: 40 }, (_, i) => accept(store, newRun(`run-${i}`))))
    const outcomes = await Promise.allSettled(
      runs.map(({ rid }, i) =>
        i % 9 === 4
          ? store.append({ rid, epoch: store.epoch, records: [record(2), record(3, { path: 'step2' })] })
          : append(store, rid, [2]),
      ),
    )
    for (const [i, { rid }] of runs.entries()) {
      const poisoned = i % 9 === 4
      expect(outcomes[i]?.status, `write ${i}`).toBe(poisoned ? 'rejected' : 'fulfilled')
      expect((await store.readJournal(rid, 2, 10)).map(({ seq }) => seq)).toEqual(poisoned ? [] : [2])
    }
  })

  test('all that a write says is stored together', async (store) => {
    const a = await accept(store, newRun('a'))
    const outcome = await store.append({
      rid: a.rid,
      epoch: store.epoch,
      records: [record(2), record(3)],
      run: { status: 'waiting', reason: 'child', wakeAt: T0 + 9, crashCount: 2 },
      snapshot: { seq: 3, state: '{}' },
      children: [newRun('child', { parent: { rid: a.rid, path: 'sub', rootRid: a.rid } })],
      events: [{ tenant: 'default', name: 'paid', data: { n: 1 }, at: T0 }],
      subscribe: [{ path: 'wait', event: 'paid' }],
      messages: [{ rid: a.rid, kind: 'note', payload: { x: 1 }, at: T0 }],
      childMessages: [{ parentPath: 'sub', message: { kind: 'cancel', payload: { force: false }, at: T0 } }],
      blobs: [{ hash: 'f'.repeat(64), size: 10 }],
    })
    const child = await store.findRun('default', 'child')
    expect(outcome).toMatchObject({
      kind: 'committed',
      children: [{ rid: child?.rid, id: 'child' }],
      messages: [
        { rid: a.rid, kind: 'note', payload: { x: 1 } },
        { rid: child?.rid, kind: 'cancel', payload: { force: false } },
      ],
    })
    const loaded = await store.load(a.rid)
    expect(loaded?.row).toMatchObject({ status: 'waiting', reason: 'child', wakeAt: T0 + 9, crashCount: 2 })
    expect(loaded).toMatchObject({ snapshot: { seq: 3 }, records: [], messages: [{ kind: 'note' }] })
    // Subscribed without a cursor: from after this write, so the event of the same write is behind it.
    expect(loaded?.subscriptions).toEqual([{ path: 'wait', event: 'paid', after: await store.lastEventId() }])
    expect(await store.eventsAfter('default', 'paid', 0, 10)).toMatchObject([{ data: { n: 1 } }])
    expect(await store.knownBlobs(['f'.repeat(64), 'e'.repeat(64)])).toEqual(['f'.repeat(64)])
  })

  test('nothing of a write that fails is stored', async (store) => {
    const a = await accept(store, newRun('a'))
    await accept(store, newRun('taken'))
    const write = {
      rid: a.rid,
      epoch: store.epoch,
      records: [record(2)],
      run: { status: 'waiting', reason: 'child' } as const,
      snapshot: { seq: 2, state: '{}' },
      events: [{ tenant: 'default', name: 'paid', data: 1, at: T0 }],
      messages: [{ rid: a.rid, kind: 'note', payload: {}, at: T0 }],
      subscribe: [{ path: 'wait', event: 'paid' }],
      children: [newRun('fresh'), newRun('fresh')],
    }
    // What the id of another run does to an accept (the same write, sent again) it must not do to a child.
    await expect(store.append(write)).rejects.toMatchObject({ code: 'store_constraint' })
    const loaded = await store.load(a.rid)
    expect(loaded).toMatchObject({
      row: { status: 'running', nextSeq: 2 },
      snapshot: null,
      messages: [],
      subscriptions: [],
    })
    expect(await store.findRun('default', 'fresh')).toBe(null)
    expect(await store.lastEventId()).toBe(0)
    expect((await store.append({ ...write, children: [] })).kind).toBe('committed')
  })

  test('a write whose outcome was unknown and that is sent again lands once, with the same answer', async (store) => {
    const a = await accept(store, newRun('a'))
    const write = {
      rid: a.rid,
      epoch: store.epoch,
      nonce: 'n-1',
      records: [record(2), record(3)],
      children: [newRun('child', { parent: { rid: a.rid, path: 'sub', rootRid: a.rid } })],
      messages: [{ rid: a.rid, kind: 'note', dedupe: 'd', payload: {}, at: T0 }],
      events: [{ tenant: 'default', name: 'paid', data: 1, at: T0 }],
    }
    const first = await store.append(write)
    await append(store, a.rid, [4])
    expect(await store.append(write)).toEqual(first)
    expect((await store.readJournal(a.rid, 1, 10)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
    expect(await store.lastEventId()).toBe(1)
    expect(await store.countRuns('default', ['queued'])).toBe(1)
    const other = { ...write, nonce: 'n-2' }
    await expect(store.append(other)).rejects.toMatchObject({ code: 'store_sequence' })
  })

  test('a write without records lands once too', async (store) => {
    const a = await accept(store, newRun('a'))
    const events = [{ tenant: 'default', name: 'paid', data: 1, at: T0 }]
    for (let i = 0; i < 3; i++) await store.append({ rid: a.rid, epoch: store.epoch, nonce: 'n', records: [], events })
    expect(await store.lastEventId()).toBe(1)
  })

  test('a write to a run that is not stored is refused', async (store) => {
    await expect(append(store, 4_711, [1])).rejects.toMatchObject({ code: 'store_run_missing' })
    expect(await store.load(4_711)).toBe(null)
    expect(await store.getRun(4_711)).toBe(null)
  })

  test('a snapshot replaces the one before, and loading begins after it', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    await store.append({ rid, epoch: store.epoch, records: [record(2)], snapshot: { seq: 2, state: 'two' } })
    await store.append({
      rid,
      epoch: store.epoch,
      records: [record(3), record(4)],
      snapshot: { seq: 3, state: 'three' },
    })
    expect(await store.load(rid)).toMatchObject({ snapshot: { seq: 3, state: 'three' }, records: [{ seq: 4 }] })
  })

  test('a long journal is loaded whole', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    for (let from = 2; from < 5_002; from += 500) {
      await append(
        store,
        rid,
        Array.from({ length: 500 }, (_, i) => from + i),
      )
    }
    const loaded = await store.load(rid)
    expect(loaded?.records.map(({ seq }) => seq)).toEqual(Array.from({ length: 5_001 }, (_, i) => i + 1))
    expect(await store.readJournal(rid, 1_500, 2_600)).toHaveLength(2_600)
  })

  test('a patch changes what it names and nothing else; null clears', async (store) => {
    const { rid } = await accept(store, newRun('a'))
    const error = { code: 'task_failed', message: 'no', step: 'pay', cause: { code: 'x', message: 'y' } }
    const failed = { status: 'failed', error, outputs: null, finishedAt: T0 + 7 } as const
    await store.append({ rid, epoch: store.epoch, records: [], run: failed })
    expect(await store.getRun(rid)).toMatchObject({ ...failed, startedAt: T0 })
    const retried = { status: 'running', error: null, finishedAt: null } as const
    await store.append({ rid, epoch: store.epoch, records: [], run: retried })
    expect(await store.getRun(rid)).toMatchObject({ ...retried, startedAt: T0, crashCount: 0 })
  })
}
