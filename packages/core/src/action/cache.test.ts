import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import pg from 'pg'
import { postgres, redis } from '@plugwork/test-services'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { describeActionCache } from './cache-contract.ts'
import { cacheKey, type CacheKeyParts } from './cache.ts'
import { MemoryCache } from './memory-cache.ts'
import { createPostgresCache } from './postgres-cache.ts'
import { createRedisCache } from './redis-cache.ts'
import { SqliteCache } from './sqlite-cache.ts'

const runner = { describe, test, expect }
const realTime = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let client: Redis
let prefix: string
let pool: pg.Pool
let drop: () => Promise<void>
let tables = 0

beforeAll(async () => {
  const server = await redis()
  client = new Redis(server.url)
  prefix = server.prefix
  const database = await (await postgres()).createDatabase()
  drop = () => database.drop()
  pool = new pg.Pool({ connectionString: database.url, max: 4 })
  pool.on('error', () => undefined)
})

afterAll(async () => {
  const keys = await client.keys(`${prefix}*`)
  if (keys.length > 0) await client.del(...keys)
  await client.quit()
  await pool.end()
  await drop()
})

describeActionCache('memory', runner, async () => {
  const clock = new VirtualClock()
  return { cache: new MemoryCache({ clock }), pass: (ms) => clock.advance(ms) }
})
describeActionCache('sqlite', runner, async () => {
  const clock = new VirtualClock()
  const cache = new SqliteCache({ file: ':memory:', clock })
  onTestFinished(() => cache.close())
  return { cache, pass: (ms) => clock.advance(ms) }
})
describeActionCache('redis', runner, async () => ({
  cache: createRedisCache({ redis: client, prefix: `${prefix}${tables++}:` }),
  pass: realTime,
}))
describeActionCache('postgres', runner, async () => ({
  cache: createPostgresCache({ postgres: pool, table: `cache_${tables++}` }),
  pass: realTime,
}))

describe('the memory cache', () => {
  test('keeps within its bytes, and lets go what was used longest ago', () => {
    const cache = new MemoryCache({ clock: new VirtualClock(), maxBytes: 10_000 })
    const text = 'x'.repeat(500)
    for (let i = 0; i < 8; i++) cache.set(`k${i}`, text, 60_000)
    expect(cache.bytes).toBeLessThanOrEqual(10_000)
    expect(cache.get('k0')).toBe(text)
    cache.set('k8', text, 60_000)
    expect([cache.get('k0'), cache.get('k1')]).toEqual([text, null])
    for (let i = 9; i < 500; i++) cache.set(`k${i}`, text, 60_000)
    expect(cache.bytes).toBeLessThanOrEqual(10_000)
  })

  test('does not take what would push everything else out, and counts right when keys are set again', () => {
    const cache = new MemoryCache({ clock: new VirtualClock(), maxBytes: 10_000 })
    cache.set('big', 'x'.repeat(5_000), 60_000)
    expect([cache.get('big'), cache.bytes]).toEqual([null, 0])
    cache.set('a', 'x', 60_000)
    const { bytes } = cache
    for (let i = 0; i < 100; i++) cache.set('a', 'x', 60_000)
    expect(cache.bytes).toBe(bytes)
  })
})

describe('the sqlite cache', () => {
  test('outlives the process and forgets what is over', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plugwork-cache-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const clock = new VirtualClock()
    const first = new SqliteCache({ file: join(folder, 'cache.db'), clock })
    first.set('long', '1', 60_000)
    first.set('short', '2', 10)
    first.close()
    await clock.advance(1_000)
    const second = new SqliteCache({ file: join(folder, 'cache.db'), clock })
    onTestFinished(() => second.close())
    expect([second.get('long'), second.get('short')]).toEqual(['1', null])
  })

  test('keeps within its bytes', () => {
    const cache = new SqliteCache({ file: ':memory:', clock: new VirtualClock(), maxBytes: 100_000 })
    onTestFinished(() => cache.close())
    for (let i = 0; i < 1_000; i++) cache.set(`k${i}`, 'x'.repeat(1_000), 60_000 + i)
    const left = Array.from({ length: 1_000 }, (_, i) => cache.get(`k${i}`)).filter((text) => text !== null)
    expect(left).toHaveLength(100)
    expect(cache.get('k999')).not.toBeNull()
  })
})

test('the postgres cache removes what is over', async () => {
  const table = `cache_${tables++}`
  const cache = createPostgresCache({ postgres: pool, table })
  for (let i = 0; i < 999; i++) await cache.set('over', `${i}`, 0)
  await cache.set('over-too', '1', 0)
  const { rows } = await pool.query(`select count(*)::int as count from ${table}`)
  expect(rows).toEqual([{ count: 0 }])
})

describe('the key of an answer', () => {
  const parts: fc.Arbitrary<CacheKeyParts> = fc.record({
    tenant: fc.string(),
    connection: fc.string(),
    connector: fc.string(),
    version: fc.string(),
    action: fc.string(),
    input: fc.jsonValue(),
  })

  test.each(['tenant', 'connection', 'connector', 'version', 'action'] as const)(
    'differs as soon as the %s does',
    (name) => {
      fc.assert(
        fc.property(parts, fc.string(), (a, other) => {
          fc.pre(a[name] !== other)
          expect(cacheKey({ ...a, [name]: other })).not.toBe(cacheKey(a))
        }),
      )
    },
  )

  test('does not mix up what stands beside each other', () => {
    const base = { tenant: 'a', connection: 'b', connector: 'c', version: '1', action: 'd', input: null }
    expect(cacheKey({ ...base, tenant: 'ab', connection: '' })).not.toBe(cacheKey(base))
    expect(cacheKey({ ...base, tenant: 'a","b', connection: '' })).not.toBe(cacheKey(base))
  })

  test('differs with the input, and not with the order of its keys', () => {
    fc.assert(
      fc.property(parts, fc.jsonValue(), (a, input) => {
        const same = sortedJson(a.input) === sortedJson(input)
        expect(cacheKey(a) === cacheKey({ ...a, input })).toBe(same)
      }),
    )
    const base = { tenant: 't', connection: 'c', connector: 'x', version: '1', action: 'a' }
    expect(cacheKey({ ...base, input: { a: 1, b: { c: 2, d: 3 } } })).toBe(
      cacheKey({ ...base, input: { b: { d: 3, c: 2 }, a: 1 } }),
    )
    expect(cacheKey({ ...base, input: [1, 2] })).not.toBe(cacheKey({ ...base, input: [2, 1] }))
    expect(cacheKey({ ...base, input: 1n })).not.toBe(cacheKey({ ...base, input: 1 }))
    expect(cacheKey({ ...base, input: { a: undefined } })).toBe(cacheKey({ ...base, input: {} }))
  })

  test('shows nothing of the input', () => {
    const key = cacheKey({
      tenant: 't',
      connection: 'c',
      connector: 'x',
      version: '1',
      action: 'a',
      input: { q: 'hunter2' },
    })
    expect(key).toMatch(/^[\w-]{43}$/)
  })
})

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${sortedJson(member)}`).join()}}`
}
