import { expect, test } from 'vitest'
import {
  firstOf,
  fixedPause,
  githubLimit,
  pauseInBody,
  rateLimitReset,
  retryAfter,
  type ApiReply,
} from './rate-limit.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const reply = (status: number, headers: Record<string, string>, body: ApiReply['body'] = null): ApiReply => ({
  status,
  headers,
  body,
})

test.each([
  ['7', 7_000],
  ['0.5', 500],
  ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
  ['Thu, 01 Jan 2020 00:00:00 GMT', 0],
  ['9999999', 86_400_000],
  ['soon', null],
])('Retry-After: %s', (header, ms) => expect(retryAfter(reply(429, { 'retry-after': header }), NOW)).toBe(ms))

test('resets in seconds and as an epoch, where nothing remains', () => {
  const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1_000 + 90) }
  expect(rateLimitReset('epoch')(reply(429, headers), NOW)).toBe(90_000)
  expect(rateLimitReset('seconds')(reply(429, { ...headers, 'x-ratelimit-reset': '3' }), NOW)).toBe(3_000)
  expect(rateLimitReset('epoch')(reply(429, { ...headers, 'x-ratelimit-remaining': '5' }), NOW)).toBeNull()
  expect(rateLimitReset('epoch')(reply(429, { 'x-ratelimit-remaining': '0' }), NOW)).toBeNull()
})

test.each([
  [
    'primary',
    403,
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1_000 + 5) },
    'API rate limit exceeded',
    5_000,
  ],
  ['secondary with a pause', 429, { 'retry-after': '30' }, 'You have exceeded a secondary rate limit', 30_000],
  [
    'secondary without one',
    403,
    { 'x-ratelimit-remaining': '4999' },
    'You have exceeded a secondary rate limit. Wait.',
    60_000,
  ],
  ['a permission', 403, { 'x-ratelimit-remaining': '4999' }, 'Resource not accessible by integration', null],
  ['another status', 422, { 'retry-after': '30' }, 'x', null],
])('GitHub, %s', (_name, status, headers, message, ms) =>
  expect(githubLimit(reply(status, headers as Record<string, string>, { message }), NOW)).toBe(ms),
)

test('fixed pauses, pauses in the body, and the first that answers', () => {
  expect(fixedPause(30_000)(reply(429, {}), NOW)).toBe(30_000)
  expect(fixedPause(30_000)(reply(500, {}), NOW)).toBeNull()
  const inBody = pauseInBody('parameters', 'retry_after')
  expect(inBody(reply(429, {}, { parameters: { retry_after: 14 } }), NOW)).toBe(14_000)
  expect(inBody(reply(429, {}, { parameters: [] }), NOW)).toBeNull()
  expect(firstOf(retryAfter, fixedPause(30_000))(reply(429, { 'retry-after': '1' }), NOW)).toBe(1_000)
  expect(firstOf(retryAfter, fixedPause(30_000))(reply(429, {}), NOW)).toBe(30_000)
  expect(firstOf(retryAfter)(reply(429, {}), NOW)).toBeNull()
})
