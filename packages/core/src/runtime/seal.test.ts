import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'

import { seal, unseal } from './seal.ts'

const key = randomBytes(32)
const place = { tenant: 't1', runId: '0190-run', input: 'api.key' }

describe('seal', () => {
  it('opens under the same key and tenant', () => {
    expect(unseal(key, 't1', seal(key, place, 'hunter22 ünïcode'))).toBe('hunter22 ünïcode')
  })

  it('never gives the same text twice, nor shows the secret', () => {
    const [first, second] = [seal(key, place, 'hunter22'), seal(key, place, 'hunter22')]
    expect(first).not.toBe(second)
    expect(first).not.toContain('hunter22')
  })

  it.each([
    ['another key', (text: string) => unseal(randomBytes(32), 't1', text)],
    ['another tenant', (text: string) => unseal(key, 't2', text)],
    ['another run', (text: string) => unseal(key, 't1', text.replace('0190-run', '0190-own'))],
    ['another input', (text: string) => unseal(key, 't1', text.replace('api%2Ekey', 'token'))],
    ['a changed text', (text: string) => unseal(key, 't1', text.slice(0, -2) + (text.endsWith('AA') ? 'BB' : 'AA'))],
    ['a cut text', (text: string) => unseal(key, 't1', text.slice(0, -24))],
    ['another format', (text: string) => unseal(key, 't1', `v9${text.slice(2)}`)],
  ])('does not open for %s', (_, open) => {
    expect(() => open(seal(key, place, 'hunter22'))).toThrow(expect.objectContaining({ code: 'secret_unreadable' }))
  })
})
