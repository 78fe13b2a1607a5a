import { expect, test } from 'vitest'
import { openHarness, OWNER_TOKEN } from '../testing/harness.ts'
import { createAttempts, MAX_FAILURES } from './attempts.ts'

test('an address that failed too often waits for the end of its minute; others do not', () => {
  let now = 0
  const attempts = createAttempts(() => now)
  for (let count = 0; count < MAX_FAILURES; count++) {
    attempts.check('10.0.0.1')
    attempts.failed('10.0.0.1', `t${count}`)
  }
  now = 30_500
  expect(() => attempts.check('10.0.0.1')).toThrow(
    expect.objectContaining({ code: 'too_many_attempts', headers: { 'retry-after': '30' } }),
  )
  attempts.check('10.0.0.2')
  now = 60_000
  attempts.check('10.0.0.1')
})

test('addresses of one IPv6 network are one, an unknown address is never refused', () => {
  const attempts = createAttempts(() => 0)
  for (let count = 0; count < MAX_FAILURES; count++) {
    attempts.failed(`2001:db8::${count.toString(16)}`, `t${count}`)
    attempts.failed('', `t${count}`)
    attempts.failed('::ffff:10.0.0.1', `t${count}`)
  }
  expect(() => attempts.check('2001:db8:0:0:ffff::1')).toThrow('Too many')
  expect(() => attempts.check('::ffff:10.0.0.1')).toThrow('Too many')
  for (const other of ['2001:db8:0:1::1', '::ffff:10.0.0.2', '']) attempts.check(other)
})

test('the same wrong token again is no further guess', () => {
  const attempts = createAttempts(() => 0)
  for (let count = 0; count < 2 * MAX_FAILURES; count++) attempts.failed('10.0.0.1', 'outdated')
  expect(() => attempts.check('10.0.0.1')).not.toThrow()
})

test('who guesses is refused over the wire, who has a token that was right before is not', async () => {
  await using harness = await openHarness({ files: {} })
  const get = (token: string) => harness.request('GET', '/api/v1/runs', undefined, { authorization: `Bearer ${token}` })
  expect((await get(OWNER_TOKEN)).status).toBe(200)
  const made = await harness.request('POST', '/api/v1/tokens', { name: 'late', permissions: ['runs:read'] })
  const statuses = new Set<number>()
  for (let count = 0; count < MAX_FAILURES; count++) statuses.add((await get(`guess-${count}`)).status)
  expect([...statuses]).toEqual([401])
  const refused = await get('guess')
  expect([refused.status, refused.json().code]).toEqual([429, 'too_many_attempts'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await get(String(made.json().token))).status).toBe(429)
  expect((await get(OWNER_TOKEN)).status).toBe(200)
})
