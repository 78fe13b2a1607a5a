import { describe, expect, it } from 'vitest'

import { Redactor } from './redact.ts'

const secret = 'p@ss/wörd+"line\n"?=&1'
const redactor = new Redactor([secret])

describe('Redactor', () => {
  it.each([
    ['as is', secret],
    ['JSON-escaped', JSON.stringify({ secret })],
    ['URL-escaped', encodeURIComponent(secret)],
    ['form-escaped', new URLSearchParams({ secret }).toString()],
    ['base64', Buffer.from(secret).toString('base64')],
    ['base64url', Buffer.from(secret).toString('base64url')],
    ['hex', Buffer.from(secret).toString('hex')],
    ['upper-case hex', Buffer.from(secret).toString('hex').toUpperCase()],
    ['base64 after a user name', Buffer.from(`user:${secret}`).toString('base64')],
    ['base64 after two letters', Buffer.from(`ab${secret}tail`).toString('base64')],
  ])('finds a secret %s', (_, spelling) => {
    const redacted = redactor.text(`before ${spelling} after`)
    expect(redacted).toContain('***')
    expect(redacted).toMatch(/^before .* after$/s)
    for (const part of ['p@ss', 'wörd', 'd29y', Buffer.from(secret).toString('hex').slice(4, 20)]) {
      expect(redacted).not.toContain(part)
    }
  })

  it('finds every occurrence', () => {
    expect(new Redactor(['hunter22']).text('hunter22 hunter22')).toBe('*** ***')
  })

  it('takes the longer secret first', () => {
    expect(new Redactor(['password', 'password1234']).text('password1234')).toBe('***')
  })

  it('leaves short values alone', () => {
    const short = new Redactor(['abc', ''])
    expect(short.empty).toBe(true)
    expect(short.text('abc')).toBe('abc')
  })
})
