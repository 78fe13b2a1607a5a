/**
 * What every store of connections must do, as a test suite. Call it inside a test file with the functions of your runner
 * (vitest's, or others of the same shape) and a function that opens an empty store:
 *
 *     describeConnectionStore('mine', { describe, test, expect }, async () => ({ store, close }))
 *
 * `again` opens the same data once more, as another process would; leave it out where there is no such thing (memory).
 */
import type { TestFunctions } from '@plugwork/core/testing'
import { CONNECTION_TABLES, type ConnectionStore, type NewRow } from './connection-store.ts'

export interface OpenedConnectionStore {
  readonly store: ConnectionStore
  again?(): Promise<ConnectionStore>
  close?(): Promise<void>
}

/** Adds the suite's tests. */
export function describeConnectionStore(
  name: string,
  { describe, test, expect }: TestFunctions,
  open: () => Promise<OpenedConnectionStore>,
): void {
  const within = (work: (store: ConnectionStore, opened: OpenedConnectionStore) => Promise<void>) => async () => {
    const opened = await open()
    try {
      await work(opened.store, opened)
    } finally {
      await opened.store.close()
      await opened.close?.()
    }
  }
  const ids = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id)

  describe(`connection store contract: ${name}`, () => {
    test(
      'a row comes back as it was given, in each table, with version 1',
      within(async (store) => {
        for (const table of CONNECTION_TABLES) {
          const row = rowOf('a', {
            owner: 'user:ü',
            kind: 'github',
            name: 'it\'s "mine"',
            slot: `slot/${table}`,
            due: 1_900_000_000_123,
            data: { text: 'a\u0000b\u2028😀', list: [1, null, { deep: 1.5 }], __proto__x: true },
          })
          expect(await store.get(table, 'a')).toBe(null)
          expect(await store.insert(table, row)).toBe(true)
          expect(await store.get(table, 'a')).toEqual({ ...row, version: 1 })
        }
      }),
    )
    test(
      'nulls are nulls',
      within(async (store) => {
        await store.insert('connections', rowOf('a'))
        expect(await store.get('connections', 'a')).toEqual({ ...rowOf('a'), version: 1 })
      }),
    )
    test(
      'an id or a slot that is taken refuses an insert and leaves what is there',
      within(async (store) => {
        await store.insert('connections', rowOf('a', { slot: 's', data: { n: 1 } }))
        expect(await store.insert('connections', rowOf('a', { data: { n: 2 } }))).toBe(false)
        expect(await store.insert('connections', rowOf('b', { slot: 's' }))).toBe(false)
        expect(await store.get('connections', 'b')).toBe(null)
        expect((await store.get('connections', 'a'))?.data).toEqual({ n: 1 })
        expect(await store.insert('workflows', rowOf('a', { slot: 's' }))).toBe(true)
        expect(await store.insert('connections', rowOf('c'))).toBe(true)
        expect(await store.insert('connections', rowOf('d'))).toBe(true)
      }),
    )
    test(
      'a replacement needs the version that is stored, and raises it',
      within(async (store) => {
        await store.insert('connections', rowOf('a', { data: { n: 1 }, name: 'old', slot: 'one' }))
        expect(await store.replace('connections', rowOf('a', { data: { n: 2 }, name: 'new', slot: 'two' }), 1)).toBe(
          'done',
        )
        expect(await store.replace('connections', rowOf('a', { data: { n: 3 } }), 1)).toBe('stale')
        expect(await store.replace('connections', rowOf('none'), 1)).toBe('stale')
        expect(await store.get('connections', 'a')).toEqual({
          ...rowOf('a', { data: { n: 2 }, name: 'new', slot: 'two' }),
          version: 2,
        })
        expect(await store.insert('connections', rowOf('b', { slot: 'one' }))).toBe(true)
        expect(await store.replace('connections', rowOf('b', { slot: 'two' }), 1)).toBe('taken')
        expect((await store.get('connections', 'b'))?.version).toBe(1)
      }),
    )
    test(
      'of many replacements of one version exactly one is done',
      within(async (store, { again }) => {
        const other = (await again?.()) ?? store
        await store.insert('connections', rowOf('a'))
        for (let version = 1; version <= 5; version += 1) {
          const outcomes = await Promise.all(
            Array.from({ length: 20 }, async (_, n) =>
              (n % 2 ? store : other).replace('connections', rowOf('a', { data: { n } }), version),
            ),
          )
          expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
          expect((await other.get('connections', 'a'))?.version).toBe(version + 1)
          expect((await other.get('connections', 'a'))?.data).toEqual({ n: outcomes.indexOf('done') })
        }
        if (other !== store) await other.close()
      }),
    )
    test(
      'of many removals exactly one answers true; one with another version does nothing',
      within(async (store, { again }) => {
        const other = (await again?.()) ?? store
        await store.insert('auth_states', rowOf('a'))
        expect(await store.remove('auth_states', 'a', 7)).toBe(false)
        const removed = await Promise.all(
          Array.from({ length: 20 }, async (_, n) => (n % 2 ? store : other).remove('auth_states', 'a')),
        )
        expect(removed.filter(Boolean)).toHaveLength(1)
        expect(await store.get('auth_states', 'a')).toBe(null)
        await store.insert('auth_states', rowOf('a'))
        expect(await store.remove('auth_states', 'a', 1)).toBe(true)
        if (other !== store) await other.close()
      }),
    )
    test(
      'a list has what is equal in everything asked, in the order of ids, page by page',
      within(async (store) => {
        const rows = [
          rowOf('b', { owner: 'ada', kind: 'github', name: 'work', due: 100 }),
          rowOf('a', { owner: 'ada', kind: 'slack', due: 200 }),
          rowOf('C', { owner: null, kind: 'github' }),
          rowOf('d', { tenant: 'other', owner: 'ada', kind: 'github', due: 50 }),
          rowOf('ä', { owner: 'ada', kind: 'github', name: 'home', due: 300 }),
        ]
        for (const row of rows) await store.insert('connections', row)
        const list = async (query: Omit<Parameters<ConnectionStore['list']>[1], 'limit'>, limit = 100) =>
          ids(await store.list('connections', { ...query, limit }))
        expect(await list({})).toEqual(['C', 'a', 'b', 'd', 'ä'])
        expect(await list({ tenant: 't1', owner: 'ada' })).toEqual(['a', 'b', 'ä'])
        expect(await list({ tenant: 't1', owner: null })).toEqual(['C'])
        expect(await list({ tenant: 't1', kind: 'github' })).toEqual(['C', 'b', 'ä'])
        expect(await list({ tenant: 't1', owner: 'ada', kind: 'github', name: 'work' })).toEqual(['b'])
        expect(await list({ dueBefore: 200 })).toEqual(['a', 'b', 'd'])
        expect(await list({ tenant: 't1' }, 2)).toEqual(['C', 'a'])
        expect(await list({ tenant: 't1', after: 'a' }, 2)).toEqual(['b', 'ä'])
        expect(await list({ tenant: 't1', owner: "ada' OR 1=1 --" })).toEqual([])
        expect(await store.list('workflows', { limit: 10 })).toEqual([])
        expect(await store.list('connections', { name: 'work', limit: 1 })).toEqual([{ ...rows[0], version: 1 }])
      }),
    )
    test(
      'what a caller changes afterwards is not what is stored',
      within(async (store) => {
        const data = { list: [1] }
        await store.insert('connections', rowOf('a', { data }))
        data.list.push(2)
        const read = await store.get('connections', 'a')
        ;(read!.data as { list: number[] }).list.push(3)
        expect((await store.get('connections', 'a'))?.data).toEqual({ list: [1] })
      }),
    )
    test(
      'another process sees what was answered, and what is closed answers no more',
      within(async (store, { again }) => {
        await store.insert('connections', rowOf('a', { data: { n: 1 } }))
        if (again !== undefined) {
          const other = await again()
          expect((await other.get('connections', 'a'))?.data).toEqual({ n: 1 })
          await other.replace('connections', rowOf('a', { data: { n: 2 } }), 1)
          await other.close()
          expect((await store.get('connections', 'a'))?.data).toEqual({ n: 2 })
        }
        await store.close()
        await expect(store.get('connections', 'a')).rejects.toMatchObject({ code: 'connection_store_closed' })
        await store.close()
      }),
    )
  })
}

function rowOf(id: string, rest: Partial<NewRow> = {}): NewRow {
  return { id, tenant: 't1', owner: null, kind: null, name: null, slot: null, due: null, data: {}, ...rest }
}
