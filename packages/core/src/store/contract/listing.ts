import type { RunStatus, Store } from '../store.ts'
import type { ContractContext } from './context.ts'
import { accept, newRun, START, T0 } from './context.ts'

/** Finding, listing and counting runs. */
export function listing({ test, expect }: ContractContext): void {
  const fill = async (store: Store) => {
    const statuses: readonly RunStatus[] = ['succeeded', 'failed', 'running', 'waiting', 'cancelled', 'succeeded']
    for (let i = 0; i < 24; i++) {
      const status = statuses[i % statuses.length] ?? 'running'
      const flow = i % 4 === 0 ? 'report' : 'greet'
      const tenant = i % 8 === 7 ? 'acme' : 'default'
      const run = status === 'running' ? {} : { run: { status, finishedAt: T0 } }
      await accept(store, newRun(`run-${i}`, { flow, tenant, createdAt: T0 + i * 1_000 }), { records: [START], ...run })
    }
  }
  const wanted = (keep: (i: number) => boolean) =>
    Array.from({ length: 24 }, (_, i) => 23 - i)
      .filter((i) => i % 8 !== 7 && keep(i))
      .map((i) => `run-${i}`)
  const ids = async (store: Store, query: Partial<Parameters<Store['listRuns']>[0]>) =>
    (await store.listRuns({ tenant: 'default', limit: 100, ...query })).map(({ id }) => id)

  test('runs are listed newest first, filtered by what is asked', async (store) => {
    await fill(store)
    expect(await ids(store, {})).toEqual(wanted(() => true))
    expect(await ids(store, { flow: 'report' })).toEqual(wanted((i) => i % 4 === 0))
    expect(await ids(store, { status: ['failed'] })).toEqual(wanted((i) => i % 6 === 1))
    expect(await ids(store, { status: ['succeeded'] })).toEqual(wanted((i) => i % 6 === 0 || i % 6 === 5))
    expect(await ids(store, { status: ['waiting', 'cancelled', 'succeeded'] })).toEqual(
      wanted((i) => ![1, 2].includes(i % 6)),
    )
    expect(await ids(store, { flow: 'report', status: ['running', 'failed'] })).toEqual(
      wanted((i) => i % 4 === 0 && [1, 2].includes(i % 6)),
    )
    expect(await ids(store, { since: T0 + 10_000 })).toEqual(wanted((i) => i >= 10))
    expect(await ids(store, { flow: 'nothing' })).toEqual([])
    expect(await ids(store, { status: [] })).toEqual(wanted(() => true))
  })

  test('pages follow one another without gap or overlap', async (store) => {
    await fill(store)
    for (const query of [{}, { status: ['failed', 'succeeded'] as const }, { flow: 'greet' }]) {
      const all: string[] = []
      let before: number | undefined
      for (;;) {
        const page = await store.listRuns({ tenant: 'default', limit: 4, ...query, ...(before ? { before } : {}) })
        all.push(...page.map(({ id }) => id))
        if (page.length < 4) break
        before = page.at(-1)?.rid
      }
      expect(all).toEqual(await ids(store, query))
    }
  })

  test('children are found by their parent', async (store) => {
    const { rid } = await accept(store, newRun('root'))
    for (const id of ['x', 'y']) await accept(store, newRun(id, { parent: { rid, path: id, rootRid: rid } }))
    await accept(store, newRun('other'))
    expect(await ids(store, { parentRid: rid })).toEqual(['y', 'x'])
    expect(await ids(store, { parentRid: rid, status: ['running'], flow: 'greet' })).toEqual(['y', 'x'])
    expect(await ids(store, { parentRid: rid, flow: 'report' })).toEqual([])
  })

  test('tenants do not see each other', async (store) => {
    await fill(store)
    const acme = await ids(store, { tenant: 'acme' })
    expect(acme).toEqual(['run-23', 'run-15', 'run-7'])
    expect(await store.findRun('default', 'run-7')).toBe(null)
    expect(await store.findRun('acme', 'run-7')).toMatchObject({ tenant: 'acme' })
    expect(await store.findRun(null, 'run-7')).toMatchObject({ tenant: 'acme' })
    expect(await store.findRun(null, 'nobody')).toBe(null)
  })

  test('runs are counted by status, of one tenant or of all', async (store) => {
    await fill(store)
    expect(await store.countRuns(null, ['succeeded'])).toBe(8)
    expect(await store.countRuns(null, ['failed', 'running'])).toBe(8)
    expect(await store.countRuns('acme', ['succeeded', 'failed', 'running', 'waiting', 'cancelled'])).toBe(3)
    expect(await store.countRuns('default', ['queued'])).toBe(0)
    expect(await store.countRuns(null, [])).toBe(0)
  })
}
