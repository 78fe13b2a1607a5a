/** The suite that every store of limits passes; call it with the functions of your runner, as `describeStore`. */
import type { LimitRule, LimitStore } from './limit-store.ts'

/** A store whose clock the suite sets. */
export interface OpenedLimitStore {
  readonly store: LimitStore
  /** Another process on the same data; the same store where there is only one. */
  readonly other: LimitStore
}

/** The functions of a test runner that these suites use; vitest's fit. */
export interface ContractFunctions {
  readonly describe: (name: string, suite: () => void) => unknown
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly expect: (value: unknown) => { toEqual(expected: unknown): void }
}

const RULE: LimitRule = { requests: 10, perMs: 1_000, burst: 3 }

export function describeLimitStore(
  name: string,
  { describe, test, expect }: ContractFunctions,
  open: (now: () => number) => Promise<OpenedLimitStore>,
): void {
  const equal = (actual: unknown, expected: unknown): void => expect(actual).toEqual(expected)
  describe(`limits in ${name}`, () => {
    let now = 0
    const opened = async (): Promise<OpenedLimitStore & { key: string }> => {
      now = 1_700_000_000_000
      return { ...(await open(() => now)), key: `key-${Math.random().toString(36).slice(2)}` }
    }
    const take = async (store: LimitStore, key: string, cost = 1, maxWaitMs = 10_000) => {
      const { taken, waitMs } = await store.take({ key, rule: RULE, cost, maxWaitMs })
      return [taken, Math.round(waitMs)]
    }

    test('lets the burst through, then spaces calls, and the waits of those that asked queue up', async () => {
      const { store, key } = await opened()
      const answers = []
      for (let call = 0; call < 6; call++) answers.push(await take(store, key))
      equal(
        answers,
        [0, 0, 0, 100, 200, 300].map((ms) => [true, ms]),
      )
      now += 250
      equal(await take(store, key), [true, 150])
    })

    test('fills up to the burst and not further', async () => {
      const { store, key } = await opened()
      for (let call = 0; call < 3; call++) await take(store, key)
      now += 3_600_000
      const answers = []
      for (let call = 0; call < 4; call++) answers.push(await take(store, key))
      equal(answers, [
        [true, 0],
        [true, 0],
        [true, 0],
        [true, 100],
      ])
    })

    test('takes nothing when the wait would be too long', async () => {
      const { store, key } = await opened()
      for (let call = 0; call < 4; call++) await take(store, key)
      equal(await take(store, key, 1, 150), [false, 200])
      equal(await take(store, key, 1, 150), [false, 200])
      equal(await take(store, key, 1, 200), [true, 200])
    })

    test('answers for a cost above the burst, at once as well as later', async () => {
      const { store, key } = await opened()
      equal(await take(store, key, 5, 100), [false, 200])
      equal(await take(store, key, 5, 200), [true, 200])
      equal(await take(store, key, 1), [true, 300])
    })

    test('keeps keys apart', async () => {
      const { store, key } = await opened()
      for (let call = 0; call < 3; call++) await take(store, key)
      equal(await take(store, `${key}-2`), [true, 0])
    })

    test('gives nothing out during a pause, and afterwards no more than the burst at once', async () => {
      const { store, key } = await opened()
      await store.pause(key, 5_000)
      await store.pause(key, 1_000)
      const answers = []
      for (let call = 0; call < 5; call++) answers.push(await take(store, key))
      equal(
        answers,
        [5_000, 5_000, 5_000, 5_100, 5_200].map((ms) => [true, ms]),
      )
      equal(await take(store, `${key}-2`), [true, 0])
    })

    test('shares buckets and pauses with other processes, however they race', async () => {
      const { store, other, key } = await opened()
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => take(i % 2 === 0 ? store : other, key)))
      const waits = answers.map(([, waitMs]) => waitMs as number).toSorted((a, b) => a - b)
      equal(waits, [0, 0, 0, ...Array.from({ length: 17 }, (_, i) => (i + 1) * 100)])
      await other.pause(key, 60_000)
      equal(await take(store, key, 1, 10_000), [false, 60_000])
    })
  })
}
