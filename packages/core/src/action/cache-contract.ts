/** The suite that every cache of answers passes; call it with the functions of your runner, as `describeStore`. */
import type { ActionCache } from './cache.ts'
import type { ContractFunctions } from './limit-store-contract.ts'

export interface OpenedCache {
  readonly cache: ActionCache
  /** Makes a time to live of this many milliseconds pass. */
  pass(ms: number): Promise<void>
}

export function describeActionCache(
  name: string,
  { describe, test, expect }: ContractFunctions,
  open: () => Promise<OpenedCache>,
): void {
  const equal = (actual: unknown, expected: unknown): void => expect(actual).toEqual(expected)
  describe(`answers kept in ${name}`, () => {
    test('serves what it was given, byte for byte, and the newest', async () => {
      const { cache } = await open()
      equal(await cache.get('a'), null)
      const text = JSON.stringify({ text: 'ü \u0001 \u{1f600} "quoted"', list: [1, null], long: 'x'.repeat(100_000) })
      await cache.set('a', text, 60_000)
      equal(await cache.get('a'), text)
      await cache.set('a', '2', 60_000)
      equal(await cache.get('a'), '2')
    })

    test('keeps keys apart', async () => {
      const { cache } = await open()
      await cache.set('key', '1', 60_000)
      equal([await cache.get('kez'), await cache.get('ke'), await cache.get('KEY')], [null, null, null])
    })

    test('forgets when the time is over', async () => {
      const { cache, pass } = await open()
      await cache.set('short', '1', 20)
      await cache.set('long', '2', 600_000)
      await pass(30)
      equal([await cache.get('short'), await cache.get('long')], [null, '2'])
    })
  })
}
