import fc from 'fast-check'
import { Redis } from 'ioredis'
import pg from 'pg'
import { postgres, redis } from '@plugwork/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresStore } from '../store/postgres/postgres-store.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { describeLimitStore } from './limit-store-contract.ts'
import { limitRule, type LimitRule, type LimitStore } from './limit-store.ts'
import { MemoryLimitStore } from './memory-limit-store.ts'
import { createPostgresLimitStore } from './postgres-limit-store.ts'
import { createRedisLimitStore } from './redis-limit-store.ts'

const runner = { describe, test, expect }

let client: Redis
let prefix: string
let pool: pg.Pool
let drop: () => Promise<void>

beforeAll(async () => {
  const server = await redis()
  client = new Redis(server.url)
  prefix = server.prefix
  const database = await (await postgres()).createDatabase()
  drop = () => database.drop()
  pool = new pg.Pool({ connectionString: database.url, max: 8 })
  pool.on('error', () => undefined)
})

afterAll(async () => {
  const keys = await client.keys(`${prefix}*`)
  if (keys.length > 0) await client.del(...keys)
  await client.quit()
  await pool.end()
  await drop()
})

describeLimitStore('memory', runner, async (now) => {
  const store = new MemoryLimitStore({ now, at: () => () => undefined })
  return { store, other: store }
})
describeLimitStore('redis', runner, async (now) => {
  const store = createRedisLimitStore({ redis: client, prefix, now })
  return { store, other: createRedisLimitStore({ redis: client, prefix, now }) }
})
describeLimitStore('postgres', runner, async (now) => ({
  store: createPostgresLimitStore({ postgres: pool, now }),
  other: createPostgresLimitStore({ postgres: pool, now }),
}))

describe('a shared bucket', () => {
  test.each([
    ['redis', () => createRedisLimitStore({ redis: client, prefix })],
    ['postgres', () => createPostgresLimitStore({ postgres: pool })],
  ])('goes by the clock of %s where none is given', async (name, open) => {
    const [one, two] = [open(), open()]
    const rule: LimitRule = { requests: 1, perMs: 3_600_000, burst: 1 }
    const take = (store: LimitStore) => store.take({ key: `clock-${name}`, rule, cost: 1, maxWaitMs: Infinity })
    expect(await take(one)).toEqual({ taken: true, waitMs: 0 })
    const { taken, waitMs } = await take(two)
    expect(taken).toBe(true)
    expect(waitMs).toBeGreaterThan(3_500_000)
    expect(waitMs).toBeLessThanOrEqual(3_600_000)
  })

  test('of redis is gone when it is full', async () => {
    const store = createRedisLimitStore({ redis: client, prefix })
    await store.take({ key: 'gone', rule: { requests: 1, perMs: 5_000, burst: 1 }, cost: 1, maxWaitMs: 0 })
    const ttl = await client.pttl(`${prefix}gone`)
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(5_001)
  })

  test('is made once, however many begin at the same time', async () => {
    const stores = Array.from({ length: 6 }, () => createPostgresLimitStore({ postgres: pool, table: 'limit_race' }))
    const rule: LimitRule = { requests: 1, perMs: 60_000, burst: 3 }
    const answers = await Promise.all(stores.map((store) => store.take({ key: 'race', rule, cost: 1, maxWaitMs: 0 })))
    expect(answers.filter(({ taken }) => taken)).toHaveLength(3)
  })

  test('refuses a table name that is none', () => {
    expect(() => createPostgresLimitStore({ postgres: pool, table: 'x; drop table y' })).toThrow('no plain name')
  })
})

test('whatever the schedule, no window holds more calls than the burst and what the rate gives in it', () => {
  fc.assert(
    fc.property(
      fc.record({
        requests: fc.integer({ min: 1, max: 50 }),
        perMs: fc.integer({ min: 100, max: 60_000 }),
        burst: fc.integer({ min: 1, max: 20 }),
      }),
      fc.array(
        fc.record({
          after: fc.integer({ min: 0, max: 5_000 }),
          maxWaitMs: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 20_000 })),
          pauseMs: fc.option(fc.integer({ min: 0, max: 8_000 }), { freq: 20 }),
        }),
        { maxLength: 120 },
      ),
      (rule, schedule) => {
        const clock = new VirtualClock(0)
        let now = 1_000_000
        const store = new MemoryLimitStore({ now: () => now, at: clock.at.bind(clock) })
        const times: number[] = []
        for (const { after, maxWaitMs, pauseMs } of schedule) {
          now += after
          if (pauseMs !== null) store.pause('key', pauseMs)
          const { taken, waitMs } = store.take({ key: 'key', rule, cost: 1, maxWaitMs })
          if (!taken) {
            expect(waitMs).toBeGreaterThan(maxWaitMs)
            continue
          }
          expect(waitMs).toBeLessThanOrEqual(maxWaitMs)
          times.push(now + waitMs)
        }
        times.sort((a, b) => a - b)
        for (let from = 0; from < times.length; from++) {
          for (let to = from; to < times.length; to++) {
            const allowed = rule.burst + ((times[to]! - times[from]!) * rule.requests) / rule.perMs
            expect(to - from + 1).toBeLessThanOrEqual(allowed + 1e-6)
          }
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('who is told to come back then does get a token then', () => {
  let now = 5_000
  const store = new MemoryLimitStore({ now: () => now, at: () => () => undefined })
  const rule: LimitRule = { requests: 3, perMs: 1_000, burst: 1 }
  store.take({ key: 'key', rule, cost: 1, maxWaitMs: 0 })
  const refused = store.take({ key: 'key', rule, cost: 1, maxWaitMs: 0 })
  expect(refused.taken).toBe(false)
  now += Math.ceil(refused.waitMs)
  expect(store.take({ key: 'key', rule, cost: 1, maxWaitMs: 0 }).taken).toBe(true)
})

test('full buckets are forgotten when there are many', () => {
  let now = 0
  const store = new MemoryLimitStore({ now: () => now, at: () => () => undefined })
  const rule: LimitRule = { requests: 1, perMs: 1_000, burst: 1 }
  const take = (key: string) => store.take({ key, rule, cost: 1, maxWaitMs: 0 }).taken
  for (let i = 0; i < 10_000; i++) take(`k${i}`)
  expect(take('k5')).toBe(false)
  now += 10_000
  expect([take('new'), take('k5')]).toEqual([true, true])
})

test.each([
  [{ requests: 1, per: 'soon' }, 'per "soon"'],
  [{ requests: 1, per: '0s' }, 'per "0s"'],
  [{ requests: 0, per: '1s' }, 'requests must be'],
  [{ requests: 5, per: '1s', burst: 0 }, 'burst must be'],
])('limits that cannot be used say so: %j', (spec, message) => {
  expect(() => limitRule(spec, 'the connector x')).toThrow(message)
})

test('buckets live beside the runs of a PostgreSQL store, and its processes share them', async () => {
  const url = new URL(String(pool.options.connectionString))
  url.searchParams.set('schema', 'beside')
  const opened = [
    await openPostgresStore({ url: url.href, version: 'test' }),
    await openPostgresStore({ url: url.href, version: 'test' }),
  ]
  try {
    const stores = opened.map(({ database }) => createPostgresLimitStore({ postgres: database }))
    const rule: LimitRule = { requests: 1, perMs: 3_600_000, burst: 4 }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => stores[i % 2]!.take({ key: 'shared', rule, cost: 1, maxWaitMs: 0 })),
    )
    expect(answers.filter(({ taken }) => taken)).toHaveLength(4)
  } finally {
    for (const { store } of opened) await store.close()
  }
})
