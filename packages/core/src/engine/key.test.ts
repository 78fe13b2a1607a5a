import { expect, test } from 'vitest'
import { idempotencyKey, waitToken, waitUrl } from './key.ts'

test('a key is the same for the same step of the same run, and another for any other', () => {
  const run = { rootRunId: 'root', runId: 'run' }
  const key = idempotencyKey(run, 'loop[3]/send')
  expect(key).toMatch(/^[a-z2-7]{52}$/)
  expect(idempotencyKey({ ...run }, 'loop[3]/send')).toBe(key)
  const others = [
    idempotencyKey(run, 'loop[4]/send'),
    idempotencyKey({ ...run, runId: 'other' }, 'loop[3]/send'),
    idempotencyKey({ ...run, rootRunId: 'other' }, 'loop[3]/send'),
    idempotencyKey(run, `${'long/'.repeat(40)}send`),
    idempotencyKey(run, `${'long/'.repeat(40)}sent`),
    idempotencyKey(run, 'größe'),
  ]
  expect(new Set([key, ...others]).size).toBe(7)
})

test('keys and tokens do not change from release to release', () => {
  expect(idempotencyKey({ rootRunId: 'a', runId: 'b' }, 'c')).toBe(
    '5j73bc32fxcgdh73pr53hdmvuichsnp2czoxdmjo7u4ffixg2dga',
  )
  expect(waitToken('secret', 'approve')).toBe('896cb662961c95e3153f2acda84540b32e79e137f70b9aea037187d95e8b3461')
})

test('a link escapes what it is made of', () => {
  const url = waitUrl({ baseUrl: 'https://x.test/', runId: 'r 1', token: 't' }, 'l[0]/w')
  expect(url).toBe(`https://x.test/resume/r%201/l%5B0%5D%2Fw?token=${waitToken('t', 'l[0]/w')}`)
})
