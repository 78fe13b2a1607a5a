import { describe, expect, it } from 'vitest'

import { openWorkshop, STORES, TENANT, until } from './testing/workshop.ts'

const GREET = `
flow: Greet
inputs:
  - { name: who, type: string, required: true, minLength: 2 }
  - { name: times, type: int, default: 1 }
  - { name: note, type: string }
steps:
  - { id: greet, task: Greet, inputs: { name: "\${inputs.who}", times: "\${inputs.times}" }, outputs: [text] }
  - { id: shout, set: { text: "\${greet.text}!" } }
outputs:
  - { name: text, value: "\${shout.text}" }
  - { name: note, value: "\${inputs.note}" }
`
const tasks = {
  Greet: ({ name, times }: { [name: string]: unknown }) => ({
    text: `hello ${String(name)} `.repeat(Number(times)).trim(),
  }),
}

describe.each(STORES)('a run on the %s store', (store) => {
  it('goes from start to end, with its trace, and agrees with its journal', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    const { id, rid } = await shop.start('Greet', { who: 'Ann', times: 2 })
    const summary = await shop.runtime.finished(rid)
    expect(summary).toMatchObject({
      id,
      flow: 'Greet',
      status: 'succeeded',
      outputs: { text: 'hello Ann hello Ann!', note: null },
    })
    expect(await shop.runtime.finished(rid)).toEqual(await shop.status(id))
    const detail = await shop.detail(id)
    expect(detail.row).toMatchObject({
      status: 'succeeded',
      inputs: { who: 'Ann', times: 2, note: null },
      crashCount: 0,
    })
    expect(detail.steps).toMatchObject([
      {
        path: 'greet',
        kind: 'task',
        name: 'Greet',
        status: 'succeeded',
        attempts: 1,
        input: { name: 'Ann', times: 2 },
        output: { text: 'hello Ann hello Ann' },
        code: 'Greet-code',
      },
      { path: 'shout', kind: 'set', status: 'succeeded', output: { text: 'hello Ann hello Ann!' } },
    ])
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('waits for its row before it writes anything else, however many start in one turn', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    const runs = await Promise.all(Array.from({ length: 200 }, () => shop.start('Greet', { who: 'Ann' })))
    const ends = await Promise.all(runs.map(({ rid }) => shop.runtime.finished(rid)))
    expect(ends.map(({ status }) => status)).toEqual(Array(200).fill('succeeded'))
    expect(shop.logs).toEqual([])
  })

  it('is stored with one commit when it has no effects', async () => {
    const flow =
      'flow: Pure\nsteps:\n  - { id: a, set: { n: "${1 + 1}" } }\noutputs:\n  - { name: n, value: "${a.n}" }\n'
    const shop = await openWorkshop({ store, flows: [flow] })
    await shop.run('Pure')
    const before = shop.store.stats().commits
    const { rid, id } = await shop.start('Pure')
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { n: 2 } })
    expect(shop.store.stats().commits - before).toBe(1)
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('does not exist when its inputs do not fit, and every problem is told', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    const inputs = { who: 'A', times: 'many', whom: 1 }
    const outcome = await shop.runtime.start({ tenant: TENANT, flow: 'Greet', inputs, trigger: {} })
    expect(outcome).toEqual({
      kind: 'invalid_inputs',
      problems: [
        { input: 'who', message: '`who` must NOT have fewer than 2 characters.' },
        { input: 'times', message: '`times` must be a whole number, but is text.' },
        {
          input: 'whom',
          message: '`whom` is not an input of the flow Greet; it has `who`, `times`, `note`. Did you mean `who`?',
        },
      ],
    })
    const missing = await shop.runtime.start({ tenant: TENANT, flow: 'Greet', inputs: {}, trigger: {} })
    expect(missing).toMatchObject({ problems: [{ input: 'who', message: '`who` is required, but was not given.' }] })
    expect(await shop.store.listRuns({ tenant: TENANT, limit: 10 })).toEqual([])
  })

  it('is started once per idempotency key', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    const start = () =>
      shop.runtime.start({
        tenant: TENANT,
        flow: 'Greet',
        inputs: { who: 'Ann' },
        trigger: {},
        idempotencyKey: 'order-1',
      })
    const [first, second] = await Promise.all([start(), start()])
    expect([first.kind, second.kind].toSorted()).toEqual(['accepted', 'existing'])
    await shop.restart()
    expect(await start()).toMatchObject({ kind: 'existing', id: 'id' in first ? first.id : '' })
    expect(await shop.store.listRuns({ tenant: TENANT, limit: 10 })).toHaveLength(1)
  })

  it('belongs to its tenant', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    const { id, rid } = await shop.start('Greet', { who: 'Ann' })
    await shop.runtime.finished(rid)
    expect(await shop.runtime.get('other', id)).toBeNull()
    expect(await shop.runtime.wait('other', id, 0)).toBeNull()
    expect(await shop.runtime.retry('other', id)).toEqual({ kind: 'not_found' })
  })

  it('says when there is no such flow or run', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    expect(await shop.runtime.start({ tenant: TENANT, flow: 'Nope', inputs: {}, trigger: {} })).toEqual({
      kind: 'unknown_flow',
    })
    expect(await shop.runtime.get(TENANT, 'nope')).toBeNull()
    expect(await shop.runtime.wait(TENANT, 'nope', 1_000)).toBeNull()
    await expect(shop.runtime.finished(4711)).rejects.toMatchObject({ code: 'run_unknown' })
    expect(await shop.runtime.cancel(TENANT, 'nope', { force: false })).toEqual({ kind: 'not_found' })
  })

  it('is waited for, by id, also when it has ended', async () => {
    const shop = await openWorkshop({ store, flows: [GREET], tasks })
    const { id } = await shop.start('Greet', { who: 'Ann' })
    expect(await shop.runtime.wait(TENANT, id, 60_000)).toMatchObject({ status: 'succeeded' })
    expect(await shop.runtime.wait(TENANT, id, 60_000)).toMatchObject({ status: 'succeeded' })
  })

  it('keeps the version of the flow that it was started with', async () => {
    const release = Promise.withResolvers<void>()
    const flow = (text: string) => `
flow: Versioned
steps:
  - { id: a, task: Wait }
  - { id: b, set: { text: "${text}" } }
outputs:
  - { name: text, value: "\${b.text}" }
`
    const shop = await openWorkshop({ store, flows: [flow('old')], tasks: { Wait: () => release.promise } })
    const { rid, id } = await shop.start('Versioned')
    await until(() => shop.runtime.stats().effects === 1, 'the task runs')
    shop.define([flow('new')])
    await shop.restart()
    release.resolve()
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { text: 'old' } })
    expect(await shop.run('Versioned')).toMatchObject({ outputs: { text: 'new' } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })
})

describe('a pattern that would freeze a backtracking engine', () => {
  it('is answered when a run starts', async () => {
    const inputs = '[{ name: code, type: string, pattern: "^(a+)+$" }]'
    const shop = await openWorkshop({ flows: [`flow: Code\ninputs: ${inputs}\nsteps: [{ set: { a: 1 } }]\n`] })
    const start = (code: string) => shop.runtime.start({ tenant: TENANT, flow: 'Code', inputs: { code }, trigger: {} })
    expect(await start(`${'a'.repeat(30)}!`)).toEqual({
      kind: 'invalid_inputs',
      problems: [{ input: 'code', message: '`code` must match pattern "^(a+)+$".' }],
    })
    expect(await start('aaaa')).toMatchObject({ kind: 'accepted' })
  })
})

describe('watching', () => {
  it('tells the statuses of all runs, each when it is durable', async () => {
    const shop = await openWorkshop({ store: 'sqlite', flows: [GREET], tasks })
    const notices: string[] = []
    const durable: boolean[] = []
    shop.runtime.watch((notice) => {
      if (notice.type === 'status') notices.push(notice.status)
      void shop.store.findRun(TENANT, notice.runId).then((row) => durable.push(row?.status === 'succeeded'))
    })
    await shop.run('Greet', { who: 'Ann' })
    expect(notices).toEqual(['running', 'succeeded'])
    await until(() => durable.length === 2, 'the rows are read')
    expect(durable.at(-1)).toBe(true)
  })

  it('tells steps and status of one run in order, also from the middle of it on', async () => {
    const gate = Promise.withResolvers<void>()
    const shop = await openWorkshop({
      flows: [GREET],
      tasks: { Greet: async () => (await gate.promise, { text: 'x' }) },
    })
    const { id, rid } = await shop.start('Greet', { who: 'Ann' })
    const other = await shop.start('Greet', { who: 'Bob' })
    const seen: string[] = []
    const stop = shop.runtime.watch((notice) => {
      expect(notice.runId).toBe(id)
      seen.push(notice.type === 'status' ? `run ${notice.status}` : `${notice.step.path} ${notice.step.status}`)
    }, id)
    gate.resolve()
    await Promise.all([shop.runtime.finished(rid), shop.runtime.finished(other.rid)])
    await until(() => seen.includes('run succeeded'), 'the end is told')
    expect(seen).toEqual(['greet succeeded', 'shout succeeded', 'run succeeded'])
    stop()
    await shop.run('Greet', { who: 'Ann' })
    expect(seen).toHaveLength(3)
  })
})
