import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import type { Connector } from '../connector/connector.ts'
import type { JsonObject } from '../json.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, STORES, TENANT, until, type Workshop } from './testing/workshop.ts'

const THREE = `
flow: Three
steps:
  - { id: a, task: Step, inputs: { name: a } }
  - { id: b, task: Step, inputs: { name: b } }
  - { id: c, task: Step, inputs: { name: c } }
outputs:
  - { name: all, value: "\${[a, b, c]}" }
`

/** A task that stops at a gate the first time it is called for a step. */
function gated(stopAt: string) {
  const calls: string[] = []
  const keys = new Map<string, Set<string>>()
  let open = false
  const Step = (inputs: JsonObject, { idempotencyKey }: { idempotencyKey: string }) => {
    const name = String(inputs.name)
    calls.push(name)
    keys.set(name, (keys.get(name) ?? new Set()).add(idempotencyKey))
    return name === stopAt && !open ? new Promise(() => undefined) : name
  }
  return { calls, keys, Step, release: () => void (open = true) }
}

describe.each(STORES)('after a crash, on the %s store', (store) => {
  it('a run goes on where it was: completed steps stay, the one in flight runs again under its key', async () => {
    const { calls, keys, Step, release } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const { id } = await shop.start('Three')
    await until(() => calls.length === 2, 'b runs')
    await shop.crash()
    release()
    await shop.reopen()
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded', outputs: { all: ['a', 'b', 'c'] } })
    expect(calls).toEqual(['a', 'b', 'b', 'c'])
    expect(keys.get('b')!.size).toBe(1)
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect((await shop.detail(id)).row.crashCount).toBe(0)
  })

  it.each([
    ['hold', 'needs_attention'],
    ['fail', 'interrupted'],
  ])('a step with on_interrupt: %s is not run again', async (policy, outcome) => {
    const { calls, Step, release } = gated('only')
    const flow = `flow: F\nsteps:\n  - { id: s, task: Step, inputs: { name: only }, on_interrupt: ${policy} }\n`
    const shop = await openWorkshop({ store, flows: [flow], tasks: { Step } })
    const { id } = await shop.start('F')
    await until(() => calls.length === 1, 'the step runs')
    release()
    await shop.reopen()
    const summary = await shop.runtime.wait(TENANT, id, 60_000)
    expect(summary?.reason ?? summary?.error?.code).toBe(outcome)
    expect(calls).toHaveLength(1)
  })

  it('a run that was stopped in good order goes on, and counts no crash', async () => {
    const { calls, Step, release } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const { id } = await shop.start('Three')
    await until(() => calls.length === 2, 'b runs')
    expect(await shop.runtime.stop(0)).toEqual({ unfinished: 1 })
    expect(await shop.store.findRun(TENANT, id)).toMatchObject({ status: 'waiting', reason: 'stopped', crashCount: 0 })
    release()
    await shop.reopen()
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded' })
    expect(calls).toEqual(['a', 'b', 'b', 'c'])
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('a run that dies with its process again and again is held', async () => {
    const { calls, Step, release } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const { id } = await shop.start('Three')
    await until(() => calls.length === 2, 'b runs')
    for (let crashes = 1; crashes <= 3; crashes++) {
      await shop.reopen()
      await until(() => calls.length === 2 + crashes, `b runs after crash ${crashes}`)
    }
    await shop.reopen()
    await shop.parked(id, 'needs_attention')
    expect(calls).toHaveLength(5)
    const detail = await shop.detail(id)
    expect(detail.error).toMatchObject({ code: 'crash_loop', message: expect.stringContaining('4 times') })
    expect(detail.steps.at(-1)).toMatchObject({ path: 'b', status: 'needs_attention' })
    release()
    await shop.runtime.resolve(TENANT, id, 'b', { kind: 'retry' })
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded', error: null })
  })

  it('a run whose flow version is gone is held, and says so', async () => {
    const { calls, Step } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const { id } = await shop.start('Three')
    await until(() => calls.length === 2, 'b runs')
    await shop.crash()
    const find = (workshop: Workshop) => (workshop.store.getFlowVersion = async () => null)
    await shop.open({ takeOver: 'named' })
    find(shop)
    await shop.runtime.adopt(TENANT, id)
    await until(async () => (await shop.status(id)).status === 'waiting', 'the run is held')
    expect(await shop.status(id)).toMatchObject({ reason: 'needs_attention', error: { code: 'flow_version_missing' } })
    expect(calls).toHaveLength(2)
  })

  it('a run whose journal says something else than what is computed is held, and nothing of it runs', async () => {
    const { calls, Step, release } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const { id, rid } = await shop.start('Three')
    await until(() => calls.length === 2, 'b runs')
    await shop.crash()
    release()
    await shop.open({ takeOver: 'named' })
    const load = shop.store.load.bind(shop.store)
    shop.store.load = async (wanted) => {
      const loaded = await load(wanted)
      const records = loaded!.records.map((record) => ({
        ...record,
        data: record.data.replace('"path":"b"', '"path":"x"'),
      }))
      return { ...loaded!, records }
    }
    await shop.runtime.adopt(TENANT, id)
    await until(async () => (await shop.status(id)).status === 'waiting', 'the run is held')
    expect(await shop.status(id)).toMatchObject({ reason: 'nondeterminism', error: { code: 'nondeterminism' } })
    expect(calls).toHaveLength(2)
    shop.store.load = load
    expect(await shop.runtime.adopt(TENANT, id)).toEqual({ kind: 'done', id })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', error: null })
  })

  it('a run that cannot be loaded for an unknown reason is tried in growing pauses, then held until resumed', async () => {
    const clock = new VirtualClock()
    const { calls, Step, release } = gated('b')
    const shop = await openWorkshop({ store, clock, flows: [THREE], tasks: { Step } })
    const { id, rid } = await shop.start('Three')
    await until(() => calls.length === 2, 'b runs')
    await shop.crash()
    release()
    await shop.open({ takeOver: 'named' })
    const { getFlowVersion } = shop.store
    const tries: number[] = []
    shop.store.getFlowVersion = async () => {
      tries.push(clock.now())
      throw new TypeError('x is not a function')
    }
    await shop.runtime.adopt(TENANT, id)
    await until(async () => (await clock.advance(1_000), (await shop.status(id)).status === 'waiting'), 'it is held')
    expect(await shop.status(id)).toMatchObject({ reason: 'needs_attention', error: { code: 'run_unreadable' } })
    expect(tries).toHaveLength(10)
    expect(tries[1]! - tries[0]!).toBeLessThan(tries[4]! - tries[3]!)
    expect(tries[9]! - tries[8]!).toBeGreaterThanOrEqual(60_000)
    await clock.advance(600_000)
    expect(tries).toHaveLength(10)
    shop.store.getFlowVersion = getFlowVersion
    expect(await shop.runtime.adopt(TENANT, id)).toEqual({ kind: 'done', id })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', error: null })
  })

  it('only runs that are named are taken over, where that is asked for', async () => {
    const { calls, Step, release } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const first = await shop.start('Three')
    const second = await shop.start('Three')
    await until(() => calls.filter((name) => name === 'b').length === 2, 'both are at b')
    await shop.crash()
    release()
    await shop.open({ takeOver: 'named' })
    const third = await shop.start('Three')
    expect(await shop.runtime.finished(third.rid)).toMatchObject({ status: 'succeeded' })
    expect(await shop.runtime.adopt(TENANT, second.id)).toMatchObject({ kind: 'done' })
    expect(await shop.ended(second.id)).toMatchObject({ status: 'succeeded' })
    expect(await shop.status(first.id)).toMatchObject({ status: 'running' })
    expect(await shop.runtime.adopt(TENANT, second.id)).toMatchObject({ kind: 'refused', code: 'run_ended' })
    await shop.reopen()
    expect(await shop.ended(first.id)).toMatchObject({ status: 'succeeded' })
  })

  it('parked runs are not loaded, and wake when they are due', async () => {
    const clock = new VirtualClock()
    const flow = 'flow: Nap\nsteps:\n  - { id: nap, wait: 1h }\noutputs:\n  - { name: how, value: "${nap.outcome}" }\n'
    const shop = await openWorkshop({ store, clock, flows: [flow] })
    const runs = await Promise.all(Array.from({ length: 50 }, () => shop.start('Nap')))
    await until(() => shop.runtime.stats().active === 0, 'all are parked')
    await shop.crash()
    await shop.open()
    let loads = 0
    const load = shop.store.load.bind(shop.store)
    shop.store.load = (rid) => (loads++, load(rid))
    await clock.advance(3_599_000)
    expect(loads).toBe(0)
    await clock.advance(1_000)
    for (const { rid } of runs) expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { how: 'timeout' } })
    expect(loads).toBe(50)
  })

  it('more interrupted runs than fit into memory are worked off', async () => {
    const { calls, Step, release } = gated('b')
    const shop = await openWorkshop({ store, flows: [THREE], tasks: { Step } })
    const runs = await Promise.all(Array.from({ length: 150 }, () => shop.start('Three')))
    await until(() => calls.filter((name) => name === 'b').length === 150, 'all are at b')
    await shop.crash()
    release()
    await shop.open({ maxActive: 20 })
    let most = 0
    const watching = setInterval(() => (most = Math.max(most, shop.runtime.stats().active)), 1)
    for (const { rid } of runs) expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded' })
    clearInterval(watching)
    expect(most).toBeLessThanOrEqual(20)
    expect(calls.filter((name) => name === 'a')).toHaveLength(150)
  })

  it('a long run is rebuilt from its last snapshot', async () => {
    const flow = `
flow: Long
inputs: [{ name: items, type: array }]
steps:
  - { id: all, for_each: "\${inputs.items}", as: item, concurrency: 10, do: [{ id: one, task: Step, inputs: { name: "\${item}" } }] }
outputs:
  - { name: results, value: "\${all.results}" }
`
    const { calls, Step, release } = gated('n900')
    const items = Array.from({ length: 1_000 }, (_, i) => `n${i}`)
    const shop = await openWorkshop({ store, flows: [flow], tasks: { Step } })
    const { id, rid } = await shop.start('Long', { items })
    await until(() => calls.length === 1_000, 'all but one are done')
    await until(() => shop.runtime.stats().effects === 1, 'only that one runs')
    await shop.crash()
    release()
    await shop.open()
    const stored = await shop.store.load(rid)
    expect(stored!.snapshot!.seq).toBeGreaterThan(256)
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { results: items } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })
})

describe('a step with on_interrupt: check', () => {
  type Answer = 'found' | 'not found' | 'unknown'

  /** A connector whose action hangs the first time, and whose look-up then answers as told. */
  function mailbox(answer: Answer): { readonly connector: Connector; readonly calls: string[] } {
    const calls: string[] = []
    const keys = new Set<string>()
    const connector: Connector = {
      name: 'mailbox',
      title: 'Mailbox',
      description: 'Sends mail.',
      version: '1.0.0',
      prefixes: [],
      config: z.object({}),
      connect: async () => null,
      actions: {
        send: {
          description: 'Sends.',
          effect: 'write',
          idempotency: 'lookup',
          connectionOptional: true,
          input: z.object({ to: z.string() }),
          output: z.object({ id: z.string() }),
          run: async ({ idempotencyKey }) => {
            calls.push('send')
            keys.add(idempotencyKey)
            return calls.length === 1 ? new Promise(() => undefined) : { id: 'sent again' }
          },
          lookup: async ({ idempotencyKey }, input) => {
            calls.push(`look up ${(input as { to: string }).to} ${keys.has(idempotencyKey) ? 'by its key' : ''}`)
            if (answer === 'unknown') throw new Error('the service does not answer')
            return answer === 'found' ? { id: 'sent before' } : null
          },
        },
      },
      scaffold: () => '',
      example: () => ({ fileName: '', source: '' }),
    }
    return { connector, calls }
  }
  const catalog = [
    {
      name: 'mailbox',
      description: '',
      prefixes: [],
      config: {},
      actions: [
        {
          connector: 'mailbox',
          name: 'send',
          description: '',
          input: { type: 'object', properties: { to: { type: 'string' } } },
          output: { type: 'object', properties: { id: { type: 'string' } } },
          effect: 'write' as const,
          idempotency: 'lookup' as const,
          needsConnection: false,
        },
      ],
    },
  ]
  const flow = `
flow: Mail
steps:
  - mailbox.send: { id: send, to: ann, on_interrupt: check }
outputs: [{ name: id, value: "\${send.id}" }]
`

  async function interrupted(answer: Answer) {
    const { connector, calls } = mailbox(answer)
    const shop = await openWorkshop({ flows: [flow], connectors: [connector], catalog })
    const { id } = await shop.start('Mail')
    await until(() => calls.length === 1, 'the mail is being sent')
    await shop.reopen()
    return { shop, id, calls }
  }

  it.each([
    ['found', 'sent before', ['send', 'look up ann by its key']],
    ['not found', 'sent again', ['send', 'look up ann by its key', 'send']],
  ] as const)('asks the connector, and goes on when the effect was %s', async (answer, output, expected) => {
    const { shop, id, calls } = await interrupted(answer)
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded', outputs: { id: output } })
    expect(calls).toEqual(expected)
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('is held when the connector cannot say', async () => {
    const { shop, id, calls } = await interrupted('unknown')
    await shop.parked(id, 'needs_attention')
    expect((await shop.detail(id)).steps[0]!.error!.message).toContain('the service does not answer')
    expect(calls).toHaveLength(2)
    await shop.runtime.resolve(TENANT, id, 'send', { kind: 'output', output: { id: 'by hand' } })
    expect(await shop.ended(id)).toMatchObject({ outputs: { id: 'by hand' } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })
})
