import { describe, expect, it } from 'vitest'

import type { JsonObject } from '../json.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, STORES, TENANT, until, type Workshop } from './testing/workshop.ts'

const flow = (name: string, settings = '') => `
flow: ${name}
inputs: [{ name: n, type: any }]
${settings}
steps:
  - { id: work, task: Work, inputs: { n: "\${inputs.n}" } }
outputs: [{ name: n, value: "\${work.n}" }]
`
const keyed = (whenFull: string, more = '') =>
  flow('Keyed', `settings: { concurrency: { key: "k-\${inputs.n.key}", limit: 1, when_full: ${whenFull}${more} } }`)

/** A task whose calls end when the test says so, in the order in which they began. */
function work() {
  const begun: unknown[] = []
  const open: (() => void)[] = []
  const Work = ({ n }: JsonObject, { signal }: { signal: AbortSignal }) => {
    begun.push(n)
    return new Promise((resolve, reject) => {
      open.push(() => resolve({ n }))
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  }
  return { begun, Work, finishNext: () => open.shift()?.() }
}

async function drain(shop: Workshop, runs: readonly { rid: number }[], finishNext: () => void): Promise<void> {
  const timer = setInterval(finishNext, 1)
  await Promise.all(runs.map(({ rid }) => shop.runtime.finished(rid)))
  clearInterval(timer)
}

describe.each(STORES)('admission, on the %s store', (store) => {
  it('works on so many runs at once, the others wait, the more important ones first', async () => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [flow('F')], tasks: { Work }, runtime: { maxActive: 2 } })
    const runs = [await shop.start('F', { n: 'a' }), await shop.start('F', { n: 'b' })]
    await until(() => begun.length === 2, 'two are working')
    for (const [n, priority] of [
      ['low', 1],
      ['mid', 5],
      ['high', 9],
      ['mid2', 5],
    ] as const) {
      runs.push(await shop.start('F', { n }, { priority }))
    }
    expect(shop.runtime.stats()).toMatchObject({ active: 2, queued: 4, open: 6 })
    expect(await shop.status(runs[2]!.id)).toMatchObject({ status: 'queued', startedAt: null })
    for (let started = 3; started <= 6; started++) {
      finishNext()
      await until(() => begun.length === started, `run ${started} works`)
    }
    await drain(shop, runs, finishNext)
    expect(begun).toEqual(['a', 'b', 'high', 'mid', 'mid2', 'low'])
    expect(shop.runtime.stats()).toMatchObject({ active: 0, queued: 0, runsTotal: { succeeded: 6 } })
    for (const { id } of runs) expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('says that it is full, and takes what was queued over a crash', async () => {
    const { begun, Work, finishNext } = work()
    const limits = { maxActive: 1, maxOpen: 3 }
    const shop = await openWorkshop({ store, flows: [flow('F')], tasks: { Work }, runtime: limits })
    const runs = [await shop.start('F', { n: 1 }), await shop.start('F', { n: 2 }), await shop.start('F', { n: 3 })]
    const full = await shop.runtime.start({ tenant: TENANT, flow: 'F', inputs: {}, trigger: {} })
    expect(full).toEqual({ kind: 'full', retryAfterSeconds: expect.any(Number) })
    await shop.reopen()
    await until(() => begun.length === 2, 'the first run works again')
    await drain(shop, runs, finishNext)
    expect(begun).toEqual([1, 1, 2, 3])
    expect(await shop.runtime.start({ tenant: TENANT, flow: 'F', inputs: {}, trigger: {} })).toMatchObject({
      kind: 'accepted',
    })
  })

  it('cancels a queued run before it does anything', async () => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [flow('F')], tasks: { Work }, runtime: { maxActive: 2 } })
    const runs = [await shop.start('F', { n: 1 }), await shop.start('F', { n: 2 }), await shop.start('F', { n: 3 })]
    await shop.runtime.cancel(TENANT, runs[2]!.id, { force: false })
    finishNext()
    expect(await shop.runtime.finished(runs[2]!.rid)).toMatchObject({ status: 'cancelled' })
    await drain(shop, runs, finishNext)
    expect(begun).toEqual([1, 2])
    expect(shop.runtime.stats().queued).toBe(0)
  })

  it('lets a concurrency key queue', async () => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [keyed('queue')], tasks: { Work } })
    const start = (key: string, i: number) => shop.start('Keyed', { n: { key, i } })
    const runs = [await start('a', 1), await start('a', 2), await start('b', 3), await start('a', 4)]
    await until(() => begun.length === 2, 'one of each key works')
    expect(begun.map((n) => (n as { i: number }).i)).toEqual([1, 3])
    await drain(shop, runs, finishNext)
    expect(begun.map((n) => (n as { i: number }).i)).toEqual([1, 3, 2, 4])
  })

  it('lets a concurrency key skip', async () => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [keyed('skip')], tasks: { Work } })
    const first = await shop.start('Keyed', { n: { key: 'a' } })
    const start = () => shop.runtime.start({ tenant: TENANT, flow: 'Keyed', inputs: { n: { key: 'a' } }, trigger: {} })
    expect(await start()).toEqual({ kind: 'concurrency_full', holders: [first.id] })
    await drain(shop, [first], finishNext)
    expect(await start()).toMatchObject({ kind: 'accepted' })
    await until(() => begun.length === 2, 'the second works')
  })

  it('lets a concurrency key cancel what runs', async () => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [keyed('cancel_running')], tasks: { Work } })
    const first = await shop.start('Keyed', { n: { key: 'a', i: 1 } })
    await until(() => begun.length === 1, 'the first works')
    const second = await shop.start('Keyed', { n: { key: 'a', i: 2 } })
    expect(await shop.runtime.finished(first.rid)).toMatchObject({ status: 'cancelled' })
    await until(() => begun.length === 2, 'the second works')
    finishNext()
    await drain(shop, [second], finishNext)
    expect(await shop.status(second.id)).toMatchObject({ status: 'succeeded' })
  })

  it('holds a key while a run waits, unless the flow says otherwise', async () => {
    const napping = (name: string, hold: string) => `
flow: ${name}
inputs: [{ name: n, type: int }]
settings: { concurrency: { key: "${name}", limit: 1${hold} } }
steps:
  - { id: work, task: Log, inputs: { n: "\${inputs.n}" } }
  - { id: nap, wait: 1h }
  - { id: again, task: Log, inputs: { n: "\${inputs.n + 10}" } }
`
    const clock = new VirtualClock()
    const order: unknown[] = []
    const Log = ({ n }: JsonObject) => void order.push(n)
    const flows = [napping('Holds', ''), napping('Lets', ', hold_while_waiting: false')]
    const shop = await openWorkshop({ store, clock, flows, tasks: { Log } })
    const holds = [await shop.start('Holds', { n: 1 }), await shop.start('Holds', { n: 2 })]
    await shop.parked(holds[0]!.id, 'timer')
    expect(order).toEqual([1])
    const lets = [await shop.start('Lets', { n: 3 }), await shop.start('Lets', { n: 4 })]
    await shop.parked(lets[0]!.id, 'timer')
    await shop.parked(lets[1]!.id, 'timer')
    expect(order).toEqual([1, 3, 4])
    await clock.advance(3_600_000)
    for (const { rid } of [holds[0]!, ...lets])
      expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded' })
    await shop.parked(holds[1]!.id, 'timer')
    await clock.advance(3_600_000)
    expect(await shop.runtime.finished(holds[1]!.rid)).toMatchObject({ status: 'succeeded' })
    expect(order.slice(0, 3)).toEqual([1, 3, 4])
    expect(order.at(-1)).toBe(12)
    for (const { id } of [...holds, ...lets]) expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  const OUTER = [
    ['first', ''],
    ['later', '  - { id: before, task: Pass }\n'],
  ] as const
  const outer = (before: string) =>
    `flow: Outer\nsteps:\n${before}  - { id: sub, subflow: Keyed, inputs: { n: { key: a } } }\n`
  const Pass = () => 1
  const SKIPPED = { status: 'failed', error: { code: 'subflow_failed', cause: { code: 'concurrency_full' } } }

  it.each(OUTER)('tells a run whose sub-flow was skipped: %s', async (_when, before) => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [keyed('skip'), outer(before)], tasks: { Work, Pass } })
    const holder = await shop.start('Keyed', { n: { key: 'a' } })
    await until(() => begun.length === 1, 'the holder works')
    const run = await shop.run('Outer')
    expect(run).toMatchObject(SKIPPED)
    expect(shop.runtime.stats()).toMatchObject({ active: 1, queued: 0 })
    expect(await shop.runtime.verify(TENANT, run.id)).toEqual([])
    await drain(shop, [holder], finishNext)
  })

  it.each(OUTER)('tells it after a crash between the commit and the telling: %s', async (_when, before) => {
    const { begun, Work } = work()
    const shop = await openWorkshop({ store, flows: [keyed('skip'), outer(before)], tasks: { Work, Pass } })
    await shop.start('Keyed', { n: { key: 'a' } })
    await until(() => begun.length === 1, 'the holder works')
    let committed = false
    const swallow = async <T>(answer: Promise<T>, children: unknown): Promise<T> => {
      const given = await answer
      if (children === undefined) return given
      committed = true
      return new Promise(() => undefined)
    }
    const { accept, append } = shop.store
    shop.store.accept = (run, start) => swallow(accept(run, start), start?.children)
    shop.store.append = (write) => swallow(append(write), write.children)
    void shop.start('Outer')
    await until(() => committed, 'the skipped child is stored')
    await shop.reopen()
    const [row] = await shop.store.listRuns({ tenant: TENANT, flow: 'Outer', limit: 1 })
    expect(await shop.ended(row!.id)).toMatchObject(SKIPPED)
    expect(await shop.runtime.verify(TENANT, row!.id)).toEqual([])
  })

  it.each(OUTER)('cancels what holds the key of a sub-flow: %s', async (_when, before) => {
    const { begun, Work, finishNext } = work()
    const shop = await openWorkshop({ store, flows: [keyed('cancel_running'), outer(before)], tasks: { Work, Pass } })
    const holder = await shop.start('Keyed', { n: { key: 'a' } })
    await until(() => begun.length === 1, 'the holder works')
    const run = await shop.start('Outer')
    expect(await shop.runtime.finished(holder.rid)).toMatchObject({ status: 'cancelled' })
    await until(() => begun.length === 2, 'the sub-flow works')
    finishNext()
    await drain(shop, [run], finishNext)
    expect(await shop.status(run.id)).toMatchObject({ status: 'succeeded' })
  })

  it('cancels a holder that ignored an earlier cancel, failed, and was retried', async () => {
    const { begun, Work, finishNext } = work()
    const fail = ['holder']
    const Try = ({ n }: JsonObject) => {
      if (n === fail.pop()) throw new Error('broken')
    }
    const closing = `
flow: Closing
inputs: [{ name: n, type: string }]
settings: { concurrency: { key: k, limit: 1, when_full: cancel_running } }
steps:
  - { id: begin, task: Try, inputs: { n: "\${inputs.n}" } }
  - { id: nap, if: "\${inputs.n == 'holder'}", wait: 1h }
on_error:
  - { id: close, task: Work, inputs: { n: close } }
`
    const shop = await openWorkshop({ store, flows: [closing], tasks: { Try, Work } })
    const holder = await shop.start('Closing', { n: 'holder' })
    await until(() => begun.length === 1, 'the holder is failing')
    const next = await shop.start('Closing', { n: 'next' })
    await until(async () => (await shop.store.load(holder.rid))!.messages.length === 0, 'the cancel was taken')
    finishNext()
    expect(await shop.runtime.finished(holder.rid)).toMatchObject({ status: 'failed' })
    expect(await shop.runtime.finished(next.rid)).toMatchObject({ status: 'succeeded' })
    expect(await shop.runtime.retry(TENANT, holder.id)).toMatchObject({ kind: 'done' })
    await shop.parked(holder.id, 'timer')
    const last = await shop.start('Closing', { n: 'last' })
    expect(await shop.ended(holder.id)).toMatchObject({ status: 'cancelled' })
    expect(await shop.runtime.finished(last.rid)).toMatchObject({ status: 'succeeded' })
    expect(await shop.runtime.verify(TENANT, holder.id)).toEqual([])
  })

  it('shares the slot of a key between a run and its sub-flows', async () => {
    const key = 'settings: { concurrency: { key: "same", limit: 1 } }\n'
    const flows = [
      `flow: Outer\n${key}steps:\n  - { id: sub, subflow: Inner }\noutputs: [{ name: x, value: "\${sub.x}" }]\n`,
      `flow: Inner\n${key}steps:\n  - { id: s, set: { x: 1 } }\noutputs: [{ name: x, value: "\${s.x}" }]\n`,
    ]
    const shop = await openWorkshop({ store, flows })
    expect(await shop.run('Outer')).toMatchObject({ status: 'succeeded', outputs: { x: 1 } })
  })
})
