import { expect, test } from 'vitest'
import { stepReply } from './step-reply.ts'

test('a value is the JSON body', () => {
  expect(stepReply({ ok: true })).toMatchObject({ status: 200, body: { text: '{"ok":true}' } })
})

test('an object with a status code is the response that it describes', () => {
  const reply = stepReply({ status_code: 201, headers: { Location: '/a', 'Content-Type': 'text/csv' }, body: 'a,b' })
  expect(reply).toMatchObject({ status: 201, headers: { location: '/a' }, body: { type: 'text/csv', text: 'a,b' } })
})

test('a status code that is none leaves the object as JSON', () => {
  expect(stepReply({ status_code: 99 })).toMatchObject({ status: 200, body: { text: '{"status_code":99}' } })
})

test('data cannot set cookies, weaken the policy, or smuggle headers', () => {
  const reply = stepReply({
    status_code: 200,
    headers: {
      'Set-Cookie': 'a=b',
      'Content-Security-Policy': 'default-src *',
      'X-A': 'b\r\nSet-Cookie: c=d',
      'Access-Control-Allow-Origin': '*',
      'bad name': 'x',
    },
    body: '<script>alert(1)</script>',
  })
  expect(reply.headers).toEqual({ 'content-security-policy': "sandbox; default-src 'none'" })
  expect(reply.body).toMatchObject({ type: 'text/plain; charset=utf-8' })
})
