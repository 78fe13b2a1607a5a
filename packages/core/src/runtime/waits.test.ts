import { describe, expect, it } from 'vitest'

import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, STORES, TENANT, until } from './testing/workshop.ts'

const APPROVAL = `
flow: Approve
steps:
  - { id: mail, task: Mail, inputs: { link: '\${wait_url("ok")}' } }
  - id: ok
    wait:
      approval:
        title: "Ship it?"
        form: { type: object, properties: { amount: { type: integer } }, required: [amount] }
        timeout: 3d
outputs:
  - { name: outcome, value: "\${ok.outcome}" }
  - { name: data, value: "\${ok.data}" }
  - { name: actor, value: "\${ok.actor}" }
`
const EVENT = `
flow: Listen
inputs: [{ name: order, type: int }]
steps:
  - { id: paid, wait: { event: order.paid, match: "event.data.order == inputs.order" } }
outputs:
  - { name: amount, value: "\${paid.data.amount}" }
`

describe.each(STORES)('waiting, on the %s store', (store) => {
  it('costs no memory, and ends with a signal that is counted once', async () => {
    const links: string[] = []
    const tasks = { Mail: ({ link }: { [name: string]: unknown }) => void links.push(String(link)) }
    const shop = await openWorkshop({ store, flows: [APPROVAL], tasks })
    const { id } = await shop.start('Approve')
    expect(await shop.runtime.wait(TENANT, id, 60_000)).toMatchObject({ status: 'waiting', reason: 'approval' })
    expect(shop.runtime.stats()).toMatchObject({ active: 0, effects: 0 })
    const approve = (data: object) =>
      shop.runtime.signal(TENANT, id, {
        name: 'ok',
        outcome: 'approved',
        data: data as never,
        dedupe: 'click-1',
        actor: 'ann',
      })
    expect(await approve({ amount: 'x' })).toEqual({
      kind: 'refused',
      code: 'signal_invalid',
      message: `The data for the wait "ok" of run ${id} do not fit its schema: \`amount\` must be a whole number, but is text.`,
    })
    expect(await approve({ amount: 5 })).toEqual({ kind: 'done', id })
    expect(await approve({ amount: 6 })).toMatchObject({ kind: expect.stringMatching(/done|refused/) })
    expect(await shop.ended(id)).toMatchObject({ outputs: { outcome: 'approved', data: { amount: 5 }, actor: 'ann' } })
    expect(await approve({ amount: 7 })).toMatchObject({ kind: 'refused', code: 'run_ended' })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('answers a form whose pattern would freeze a backtracking engine', async () => {
    const form = '{ type: object, properties: { amount: { type: string, pattern: "^(a+)+$" } } }'
    const flow = APPROVAL.replace(/form: .*/, `form: ${form}`)
    const shop = await openWorkshop({ store, flows: [flow], tasks: { Mail: () => null } })
    const { id } = await shop.start('Approve')
    await shop.parked(id, 'approval')
    const approve = (amount: string) =>
      shop.runtime.signal(TENANT, id, { name: 'ok', outcome: 'approved', data: { amount } })
    expect(await approve(`${'a'.repeat(30)}!`)).toMatchObject({
      kind: 'refused',
      code: 'signal_invalid',
      message: expect.stringContaining('`amount` must match pattern "^(a+)+$".'),
    })
    expect(await approve('aaaa')).toEqual({ kind: 'done', id })
  })

  it('takes a signal that came before the wait, also across a crash', async () => {
    const gate = Promise.withResolvers<void>()
    const shop = await openWorkshop({ store, flows: [APPROVAL], tasks: { Mail: () => gate.promise } })
    const { id } = await shop.start('Approve')
    await until(() => shop.runtime.stats().effects === 1, 'the mail is sent')
    await shop.runtime.signal(TENANT, id, { name: 'ok', outcome: 'rejected', data: null })
    await shop.reopen()
    gate.resolve()
    expect(await shop.ended(id)).toMatchObject({ outputs: { outcome: 'rejected' } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('ends by time-out when nothing comes', async () => {
    const clock = new VirtualClock()
    const shop = await openWorkshop({ store, clock, flows: [APPROVAL], tasks: { Mail: () => null } })
    const { id } = await shop.start('Approve')
    await shop.parked(id, 'approval')
    await clock.advance(3 * 24 * 3_600_000)
    expect(await shop.ended(id)).toMatchObject({ outputs: { outcome: 'timeout', data: null } })
  })

  it('gives links that are good once', async () => {
    let link = ''
    const tasks = { Mail: (inputs: { [name: string]: unknown }) => void (link = String(inputs.link)) }
    const shop = await openWorkshop({ store, flows: [APPROVAL], tasks })
    const { id } = await shop.start('Approve')
    await shop.parked(id, 'approval')
    const token = new URL(link).searchParams.get('token')!
    expect(link).toContain(`http://plugwork.test/resume/${id}/ok?token=`)
    expect(await shop.runtime.resumeToken(id, 'ok', token)).toBe('valid')
    expect(await shop.runtime.resumeToken(id, 'ok', `${token.slice(1)}0`)).toBe('invalid')
    expect(await shop.runtime.resumeToken(id, 'other', token)).toBe('invalid')
    expect(await shop.runtime.resumeToken('nope', 'ok', token)).toBe('invalid')
    await shop.runtime.signal(TENANT, id, { name: 'ok', outcome: 'approved', data: { amount: 1 } })
    await shop.ended(id)
    expect(await shop.runtime.resumeToken(id, 'ok', token)).toMatch(/used|expired/)
  })

  it('hears events since the run began, by match, each run once', async () => {
    const shop = await openWorkshop({ store, flows: [EVENT] })
    await shop.runtime.publish(TENANT, { name: 'order.paid', data: { order: 1, amount: 1 } })
    const first = await shop.start('Listen', { order: 1 })
    const second = await shop.start('Listen', { order: 2 })
    await shop.parked(first.id, 'event')
    await shop.parked(second.id, 'event')
    await shop.runtime.publish('other', { name: 'order.paid', data: { order: 1, amount: 2 } })
    await shop.runtime.publish(TENANT, { name: 'order.paid', data: { order: 3, amount: 3 } })
    await shop.runtime.publish(TENANT, { name: 'order.paid', data: { order: 2, amount: 4 } })
    expect(await shop.runtime.finished(second.rid)).toMatchObject({ outputs: { amount: 4 } })
    await shop.parked(first.id, 'event')
    const keyed = { name: 'order.paid', data: { order: 1, amount: 5 }, key: 'k' }
    const [a, b] = [await shop.runtime.publish(TENANT, keyed), await shop.runtime.publish(TENANT, keyed)]
    expect(a.id).toBe(b.id)
    expect(await shop.runtime.finished(first.rid)).toMatchObject({ outputs: { amount: 5 } })
    expect(await shop.runtime.verify(TENANT, first.id)).toEqual([])
  })

  it('hears an event that was stored by a process which then died', async () => {
    const shop = await openWorkshop({ store, flows: [EVENT] })
    const { id, rid } = await shop.start('Listen', { order: 1 })
    await shop.parked(id, 'event')
    await shop.store.publish({ tenant: TENANT, name: 'order.paid', data: { order: 1, amount: 9 }, at: Date.now() })
    expect(await shop.status(id)).toMatchObject({ status: 'waiting' })
    await shop.reopen()
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { amount: 9 } })
  })

  it('hears what another run emits, exactly once, although the emitter crashes', async () => {
    const emitter = `
flow: Emit
steps:
  - { id: emit, emit: { event: order.paid, data: { order: 1, amount: 7 } } }
  - { id: after, task: After }
`
    const gate = Promise.withResolvers<void>()
    const shop = await openWorkshop({ store, flows: [EVENT, emitter], tasks: { After: () => gate.promise } })
    const listener = await shop.start('Listen', { order: 1 })
    await shop.parked(listener.id, 'event')
    const { rid } = await shop.start('Emit')
    expect(await shop.runtime.finished(listener.rid)).toMatchObject({ outputs: { amount: 7 } })
    await shop.reopen()
    gate.resolve()
    await shop.runtime.finished(rid)
    expect(await shop.store.eventsAfter(TENANT, 'order.paid', 0, 10)).toHaveLength(1)
  })

  it('with since: wait hears only later events', async () => {
    const flow = EVENT.replace('flow: Listen', 'flow: Later').replace(
      'event: order.paid,',
      'event: order.paid, since: wait,',
    )
    const gate = Promise.withResolvers<void>()
    const late = flow.replace('steps:', 'steps:\n  - { id: first, task: First }')
    const shop = await openWorkshop({ store, flows: [late], tasks: { First: () => gate.promise } })
    const { id, rid } = await shop.start('Later', { order: 1 })
    await until(() => shop.runtime.stats().effects === 1, 'the first step runs')
    await shop.runtime.publish(TENANT, { name: 'order.paid', data: { order: 1, amount: 1 } })
    gate.resolve()
    await shop.parked(id, 'event')
    await shop.runtime.publish(TENANT, { name: 'order.paid', data: { order: 1, amount: 2 } })
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { amount: 2 } })
  })

  it('keeps short pauses in memory', async () => {
    const flow = 'flow: Short\nsteps:\n  - { id: nap, wait: 5ms }\n  - { id: nap2, wait: 5ms }\n'
    const shop = await openWorkshop({ store, flows: [flow] })
    const { id, rid } = await shop.start('Short')
    const { startedAt, finishedAt } = await shop.runtime.finished(rid)
    expect(finishedAt! - startedAt!).toBeGreaterThanOrEqual(10)
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })
})
