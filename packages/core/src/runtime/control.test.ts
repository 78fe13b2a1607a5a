import { describe, expect, it } from 'vitest'

import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, STORES, TENANT, until } from './testing/workshop.ts'

const COMPENSATED = `
flow: Book
steps:
  - { id: reserve, task: Reserve }
  - { id: charge, task: Charge }
on_cancel:
  - { id: undo, task: Undo }
`

describe.each(STORES)('control, on the %s store', (store) => {
  it('cancels: what runs is aborted and may still finish, then compensation runs', async () => {
    const calls: string[] = []
    const shop = await openWorkshop({
      store,
      flows: [COMPENSATED],
      tasks: {
        Reserve: () => void calls.push('reserve'),
        Charge: (_, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve({ stopped: calls.push('charge aborted') }))
          }),
        Undo: () => void calls.push('undo'),
      },
    })
    const { id, rid } = await shop.start('Book')
    await until(() => shop.runtime.stats().effects === 1 && calls.length === 1, 'the charge runs')
    const request = { force: false, reason: 'changed my mind', actor: 'ann' }
    expect(await shop.runtime.cancel(TENANT, id, request)).toEqual({ kind: 'done', id })
    expect(await shop.runtime.cancel(TENANT, id, request)).toMatchObject({
      kind: expect.stringMatching(/done|refused/),
    })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'cancelled' })
    expect(calls).toEqual(['reserve', 'charge aborted', 'undo'])
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect(await shop.runtime.cancel(TENANT, id, request)).toMatchObject({ kind: 'refused', code: 'run_ended' })
  })

  it('gives what is cancelled its grace, and no more', async () => {
    const clock = new VirtualClock()
    const shop = await openWorkshop({
      store,
      clock,
      flows: [COMPENSATED],
      tasks: { Reserve: () => null, Charge: () => new Promise(() => undefined), Undo: () => null },
    })
    const { id, rid } = await shop.start('Book')
    await until(async () => (await shop.detail(id)).steps.at(-1)?.path === 'charge', 'the charge runs')
    await shop.runtime.cancel(TENANT, id, { force: false })
    await until(() => clock.next() !== null, 'the grace has begun')
    await clock.advance(29_000)
    expect(await shop.status(id)).toMatchObject({ status: 'running' })
    await clock.advance(1_000)
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'cancelled' })
  })

  it('cancels by force at once, without compensation', async () => {
    const calls: string[] = []
    const shop = await openWorkshop({
      store,
      flows: [COMPENSATED],
      tasks: { Reserve: () => null, Charge: () => new Promise(() => undefined), Undo: () => void calls.push('undo') },
    })
    const { id, rid } = await shop.start('Book')
    await until(async () => (await shop.detail(id)).steps.at(-1)?.path === 'charge', 'the charge runs')
    await shop.runtime.cancel(TENANT, id, { force: true })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'cancelled' })
    expect(calls).toEqual([])
  })

  it('cancels a parked run, and one whose cancellation was stored just before a crash', async () => {
    const flow = 'flow: Nap\nsteps:\n  - { id: nap, wait: 30d }\n'
    const shop = await openWorkshop({ store, flows: [flow] })
    const [first, second] = [await shop.start('Nap'), await shop.start('Nap')]
    await shop.parked(first.id, 'timer')
    await shop.parked(second.id, 'timer')
    await shop.runtime.cancel(TENANT, first.id, { force: false })
    expect(await shop.runtime.finished(first.rid)).toMatchObject({ status: 'cancelled' })
    await shop.store.deliver({ rid: second.rid, kind: 'cancel', payload: { force: false }, at: Date.now() })
    await shop.reopen()
    expect(await shop.runtime.finished(second.rid)).toMatchObject({ status: 'cancelled' })
  })

  it('retries a failed run in place: completed steps stay', async () => {
    const calls: string[] = []
    let broken = true
    const flow = `
flow: Retry
steps:
  - { id: a, task: A }
  - { id: b, task: B }
  - { id: c, task: A }
outputs: [{ name: b, value: "\${b}" }]
`
    const shop = await openWorkshop({
      store,
      flows: [flow],
      tasks: {
        A: () => void calls.push('a'),
        B: () => {
          calls.push('b')
          if (broken) throw new Error('broken')
          return 'mended'
        },
      },
    })
    const { id, rid } = await shop.start('Retry')
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'failed' })
    broken = false
    await shop.restart()
    expect(await shop.runtime.retry(TENANT, id, 'ann')).toEqual({ kind: 'done', id })
    await until(async () => (await shop.status(id)).status === 'succeeded', 'the run has been mended')
    expect(await shop.status(id)).toMatchObject({ status: 'succeeded', outputs: { b: 'mended' }, error: null })
    expect(calls).toEqual(['a', 'b', 'b', 'a'])
    expect((await shop.detail(id)).steps.map((step) => `${step.path} ${step.status}`)).toEqual([
      'a succeeded',
      'b failed',
      'b@2 succeeded',
      'c succeeded',
    ])
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect(await shop.runtime.retry(TENANT, id)).toMatchObject({ kind: 'refused', code: 'run_not_failed' })
  })

  it('replays a run from a step as a new one, with the steps before it copied', async () => {
    const calls: string[] = []
    const flow = (text: string) => `
flow: Replay
inputs: [{ name: n, type: int }]
steps:
  - { id: a, task: Step, inputs: { name: a, n: "\${inputs.n}" } }
  - { id: b, task: Step, inputs: { name: b, n: "\${a.n + 1}" } }
  - { id: c, task: Step, inputs: { name: c, n: "\${b.n + 1}" } }
outputs: [{ name: text, value: "${text} \${c.n}" }]
`
    const shop = await openWorkshop({
      store,
      flows: [flow('old')],
      tasks: {
        Step: ({ name, n }, { idempotencyKey }) => {
          calls.push(`${String(name)} ${idempotencyKey.slice(0, 6)}`)
          return { n: n as number }
        },
      },
    })
    const { id, rid } = await shop.start('Replay', { n: 1 })
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { text: 'old 3' } })
    shop.define([flow('new')])
    calls.length = 0
    const outcome = await shop.runtime.replay(TENANT, id, { from: 'b' })
    expect(outcome).toMatchObject({ kind: 'done' })
    const newId = 'id' in outcome ? outcome.id : ''
    expect(newId).not.toBe(id)
    expect(await shop.ended(newId)).toMatchObject({ outputs: { text: 'new 3' } })
    expect(calls.map((call) => call[0])).toEqual(['b', 'c'])
    const detail = await shop.detail(newId)
    expect(detail.row).toMatchObject({ forkedFrom: id, forkedAt: 'b' })
    expect(detail.steps.map((step) => step.path)).toEqual(['a', 'b', 'c'])
    expect(await shop.runtime.verify(TENANT, newId)).toEqual([])

    const edited = await shop.runtime.replay(TENANT, id, {
      from: 'c',
      stepInput: { name: 'c', n: 40 },
      sameVersion: true,
    })
    expect(await shop.ended('id' in edited ? edited.id : '')).toMatchObject({ outputs: { text: 'old 40' } })
    expect(await shop.runtime.verify(TENANT, 'id' in edited ? edited.id : '')).toEqual([])
  })

  it('refuses a replay whose beginning would go another way, with the differences', async () => {
    const flow = (steps: string) =>
      `flow: Replay\nsteps:\n  - { id: a, task: Step }\n${steps}  - { id: b, task: Step }\n`
    const shop = await openWorkshop({ store, flows: [flow('')], tasks: { Step: () => 1 } })
    const { id, rid } = await shop.start('Replay')
    await shop.runtime.finished(rid)
    shop.define([flow('  - { id: extra, task: Step }\n')])
    const refused = await shop.runtime.replay(TENANT, id, { from: 'b' })
    expect(refused).toMatchObject({
      kind: 'refused',
      code: 'replay_mismatch',
      message: expect.stringContaining('extra'),
    })
    expect(await shop.runtime.replay(TENANT, id, { from: 'nope' })).toMatchObject({ code: 'step_unknown' })
    expect(await shop.runtime.replay(TENANT, id, { from: 'b', inputs: { x: 1 } })).toMatchObject({
      code: 'input_invalid',
    })
    expect(await shop.runtime.replay(TENANT, id, { from: 'b', sameVersion: true })).toMatchObject({ kind: 'done' })
    shop.remove('Replay')
    expect(await shop.runtime.replay(TENANT, id, { from: 'b' })).toMatchObject({ code: 'flow_unknown' })
  })

  it('resolves a held step as failed, and refuses what needs no decision', async () => {
    const flow = `
flow: Held
steps:
  - try: [{ id: gone, task: Gone }]
    catch: [{ id: caught, set: { code: "\${error.code}" } }]
outputs: [{ name: code, value: "\${caught.code}" }]
`
    const shop = await openWorkshop({ store, flows: [flow, 'flow: Nap\nsteps:\n  - { id: nap, wait: 1h }\n'] })
    const { id } = await shop.start('Held')
    const nap = await shop.start('Nap')
    await shop.parked(id, 'needs_attention')
    await shop.parked(nap.id, 'timer')
    expect(await shop.runtime.resolve(TENANT, id, 'other', { kind: 'fail' })).toMatchObject({
      code: 'step_unknown',
      message: expect.stringContaining('try@0/try/gone'),
    })
    expect(await shop.runtime.resolve(TENANT, nap.id, 'nap', { kind: 'fail' })).toMatchObject({ code: 'run_not_held' })
    await shop.runtime.resolve(TENANT, id, 'gone', { kind: 'fail' }, 'ann')
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded', outputs: { code: 'resolved_as_failed' } })
  })

  it('deletes runs whose time has come, and nothing else', async () => {
    const clock = new VirtualClock()
    const day = 24 * 3_600_000
    const flows = [
      'flow: Short\nsettings: { retention: 1d }\nsteps: [{ id: a, task: A }]\n',
      'flow: Long\nsteps: [{ id: a, task: A }]\n',
    ]
    const shop = await openWorkshop({
      store,
      clock,
      flows: [...flows, 'flow: Nap\nsteps: [{ id: n, wait: 90d }]\n'],
      tasks: { A: () => 'x'.repeat(100_000) },
    })
    const nap = await shop.start('Nap')
    await shop.parked(nap.id, 'timer')
    await shop.run('Short')
    await shop.run('Long')
    const pruned = async () => (await shop.runtime.prune({ defaultRetentionMs: 30 * day })).runs
    expect(await pruned()).toBe(0)
    await clock.advance(2 * day)
    expect(await pruned()).toBe(1)
    await clock.advance(40 * day)
    expect(await pruned()).toBe(1)
    expect(await shop.store.listRuns({ tenant: TENANT, limit: 10 })).toMatchObject([{ flow: 'Nap' }])
  })
})

it('stops when the store is lost: nothing runs on, waiters are told', async () => {
  const reasons: string[] = []
  const shop = await openWorkshop({
    store: 'memory',
    flows: [COMPENSATED],
    tasks: { Reserve: () => new Promise(() => undefined) },
    runtime: { onLost: (reason) => void reasons.push(reason) },
  })
  const { rid } = await shop.start('Book')
  await until(() => shop.runtime.stats().effects === 1, 'the task runs')
  const finished = shop.runtime.finished(rid)
  finished.catch(() => undefined)
  await shop.fence()
  await expect(finished).rejects.toMatchObject({ code: 'store_lost' })
  expect(reasons).toHaveLength(1)
  expect(shop.runtime.stats()).toMatchObject({ active: 0, effects: 0 })
  await expect(shop.start('Book')).rejects.toMatchObject({ code: 'stopping' })
})
