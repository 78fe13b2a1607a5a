import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { KeyRing, singleKey } from './key-ring.ts'
import { seal, unseal } from './seal.ts'

const key = singleKey(randomBytes(32))
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
    ['another key', (text: string) => unseal(singleKey(randomBytes(32)), 't1', text)],
    ['another tenant', (text: string) => unseal(key, 't2', text)],
    ['another run', (text: string) => unseal(key, 't1', text.replace('0190-run', '0190-own'))],
    ['another input', (text: string) => unseal(key, 't1', text.replace('api%2Ekey', 'token'))],
    ['a changed text', (text: string) => unseal(key, 't1', text.slice(0, -2) + (text.endsWith('AA') ? 'BB' : 'AA'))],
    ['a cut text', (text: string) => unseal(key, 't1', text.slice(0, -24))],
    ['another format', (text: string) => unseal(key, 't1', `v9${text.slice(2)}`)],
  ])('does not open for %s', (_, open) => {
    expect(() => open(seal(key, place, 'hunter22'))).toThrow(expect.objectContaining({ code: 'secret_unreadable' }))
  })

  it('opens after a rotation, under the key that it names', () => {
    const [old, fresh] = [randomBytes(32), randomBytes(32)]
    const before = seal(new KeyRing([{ id: 'a', key: old }]), place, 'hunter22')
    const ring = new KeyRing([
      { id: 'b', key: fresh },
      { id: 'a', key: old },
    ])
    expect(unseal(ring, 't1', before)).toBe('hunter22')
    expect(seal(ring, place, 'hunter22')).toMatch(/^v2\.b\./)
    expect(() => unseal(new KeyRing([{ id: 'b', key: fresh }]), 't1', before)).toThrow(
      'was sealed with the key a, which is not in the key ring (it has b)',
    )
    expect(() => unseal(ring, 't1', before.replace('v2.a.', 'v2.b.'))).toThrow('cannot be decrypted')
  })

  it('opens what the release before key ids sealed, with any key of the ring', () => {
    const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/sealed-v1.json'), 'utf8')) as {
      readonly key: string
      readonly tenant: string
      readonly secret: string
      readonly sealed: string
    }
    const old = Buffer.from(recorded.key, 'base64')
    expect(unseal(singleKey(old), recorded.tenant, recorded.sealed)).toBe(recorded.secret)
    const ring = new KeyRing([
      { id: 'k2', key: randomBytes(32) },
      { id: 'k1', key: old },
    ])
    expect(unseal(ring, recorded.tenant, recorded.sealed)).toBe(recorded.secret)
    expect(() => unseal(ring, 'other', recorded.sealed)).toThrow('cannot be decrypted')
  })
})
