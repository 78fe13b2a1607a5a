import { describe, expect, it } from 'vitest'

import { openWorkshop, STORES, TENANT, until } from './testing/workshop.ts'

const PARENT = `
flow: Parent
inputs: [{ name: n, type: int }]
steps:
  - { id: one, subflow: Child, inputs: { n: "\${inputs.n}" } }
  - parallel:
      - { id: two, subflow: Child, inputs: { n: "\${one.double}" } }
      - { id: three, subflow: Child, inputs: { n: 100 } }
outputs:
  - { name: sum, value: "\${one.double + two.double + three.double}" }
`
const CHILD = `
flow: Child
inputs: [{ name: n, type: int, required: true }]
steps:
  - { id: work, task: Double, inputs: { n: "\${inputs.n}" } }
outputs:
  - { name: double, value: "\${work}" }
`

describe.each(STORES)('sub-flows, on the %s store', (store) => {
  it('run as runs of their own, and give their outputs to their parent once', async () => {
    const tasks = { Double: ({ n }: { [name: string]: unknown }) => Number(n) * 2 }
    const shop = await openWorkshop({ store, flows: [PARENT, CHILD], tasks })
    const { id, rid } = await shop.start('Parent', { n: 1 })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { sum: 2 + 4 + 200 } })
    const children = await shop.store.listRuns({ tenant: TENANT, parentRid: rid, limit: 10 })
    expect(children.map((child) => child.parentPath).toSorted()).toEqual([
      'one',
      'parallel@1/branch[0]/two',
      'parallel@1/branch[1]/three',
    ])
    for (const child of children) {
      expect(child).toMatchObject({ status: 'succeeded', rootRid: rid, trigger: { kind: 'subflow', run_id: id } })
      expect(await shop.runtime.verify(TENANT, child.id)).toEqual([])
    }
    const { steps } = await shop.detail(id)
    expect(steps.find((step) => step.path === 'one')).toMatchObject({
      childRunId: children.find((c) => c.parentPath === 'one')!.id,
    })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('park their parent, and go on after a crash', async () => {
    const gate = Promise.withResolvers<number>()
    const shop = await openWorkshop({ store, flows: [PARENT, CHILD], tasks: { Double: () => gate.promise } })
    const { id, rid } = await shop.start('Parent', { n: 1 })
    await until(async () => (await shop.status(id)).reason === 'child', 'the parent waits')
    await until(() => shop.runtime.stats().active === 1, 'only the child is in memory')
    const [child] = await shop.store.listRuns({ tenant: TENANT, parentRid: rid, limit: 10 })
    expect((await shop.detail(id)).steps[0]).toMatchObject({ status: 'running', childRunId: child!.id })
    await shop.reopen()
    gate.resolve(5)
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { sum: 15 } })
    expect(await shop.store.listRuns({ tenant: TENANT, parentRid: rid, limit: 10 })).toHaveLength(3)
  })

  it('fail with their error as the cause', async () => {
    const tasks = {
      Double: () => {
        throw Object.assign(new Error('no'), { code: 'NO' })
      },
    }
    const shop = await openWorkshop({ store, flows: [PARENT, CHILD], tasks })
    expect(await shop.run('Parent', { n: 1 })).toMatchObject({
      status: 'failed',
      error: { code: 'subflow_failed', step: 'one', cause: { code: 'NO' } },
    })
  })

  it('fail when their inputs do not fit', async () => {
    const shop = await openWorkshop({ store, flows: [PARENT, CHILD], tasks: {} })
    expect(await shop.run('Parent', {})).toMatchObject({
      status: 'failed',
      error: {
        code: 'subflow_failed',
        cause: {
          code: 'input_invalid',
          message: 'The inputs of the sub-flow Child do not fit: `n` is required, but was not given.',
        },
      },
    })
  })

  it('are cancelled with their parent, compensation included', async () => {
    const undone: string[] = []
    const child = `${CHILD}on_cancel:\n  - { id: undo, task: Undo }\n`
    const tasks = {
      Double: (_: object, { signal }: { signal: AbortSignal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(null))),
      Undo: () => void undone.push('child'),
    }
    const shop = await openWorkshop({ store, flows: [PARENT, child], tasks })
    const { id, rid } = await shop.start('Parent', { n: 1 })
    await until(() => shop.runtime.stats().effects === 1, 'the child works')
    await shop.runtime.cancel(TENANT, id, { force: false })
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'cancelled' })
    const [row] = await shop.store.listRuns({ tenant: TENANT, parentRid: rid, limit: 10 })
    expect(row).toMatchObject({ status: 'cancelled' })
    expect(undone).toEqual(['child'])
  })

  it('are pinned when the root run starts, at any depth', async () => {
    const gate = Promise.withResolvers<null>()
    const grandparent =
      'flow: Top\nsteps:\n  - { id: wait, task: Wait }\n  - { id: sub, subflow: Parent, inputs: { n: 1 } }\noutputs: [{ name: sum, value: "${sub.sum}" }]\n'
    const tasks = { Wait: () => gate.promise, Double: ({ n }: { [name: string]: unknown }) => Number(n) * 2 }
    const shop = await openWorkshop({ store, flows: [grandparent, PARENT, CHILD], tasks })
    const { rid } = await shop.start('Top')
    await until(() => shop.runtime.stats().effects === 1, 'the first step runs')
    shop.define([CHILD.replace('${work}', '${work + 1000}')])
    shop.remove('Parent')
    await shop.restart()
    gate.resolve(null)
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { sum: 206 } })
  })

  it('retry: each attempt is another run', async () => {
    let calls = 0
    const parent =
      'flow: Again\nsteps:\n  - { id: sub, subflow: Child, inputs: { n: 1 }, retry: { max_attempts: 2, delay: 1ms } }\noutputs: [{ name: d, value: "${sub.double}" }]\n'
    const tasks = {
      Double: () => {
        if (++calls === 1) throw new Error('once')
        return calls
      },
    }
    const shop = await openWorkshop({ store, flows: [parent, CHILD], tasks })
    const { id, rid } = await shop.start('Again')
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { d: 2 } })
    const children = await shop.store.listRuns({ tenant: TENANT, parentRid: rid, limit: 10 })
    expect(children.map((child) => `${child.parentPath} ${child.status}`).toSorted()).toEqual([
      'sub failed',
      'sub#2 succeeded',
    ])
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect(await shop.runtime.retry(TENANT, children.find((child) => child.status === 'failed')!.id)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('parent'),
    })
  })
})
