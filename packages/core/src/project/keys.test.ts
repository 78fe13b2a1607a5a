import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openKeys } from './keys.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-keys-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('a first start makes a key that only the owner may read; later ones read the same', () => {
  const data = join(directory, 'data')
  const first = openKeys(data, null)
  expect(first).toMatchObject({ from: 'file', created: true, id: 'k1' })
  expect(first.key.length).toBe(32)
  expect(statSync(join(data, 'keys')).mode & 0o777).toBe(0o600)
  const second = openKeys(data, null)
  expect(second.created).toBe(false)
  expect(Buffer.from(second.key).equals(Buffer.from(first.key))).toBe(true)
})

test('PLUGWORK_KEYS is used as it is and nothing is written', () => {
  const key = Buffer.alloc(32, 7)
  expect(openKeys(directory, `mine:${key.toString('base64')}`)).toMatchObject({ id: 'mine', from: 'environment' })
  expect(Buffer.from(openKeys(directory, key.toString('base64url')).key).equals(key)).toBe(true)
  expect(existsSync(join(directory, 'keys'))).toBe(false)
})

test.each([
  ['short', 'is not a key'],
  ['k1:AAAA', 'is not a key'],
  [' , ', 'has no key'],
  [`${'A'.repeat(43)}=,${'B'.repeat(43)}=`, 'rotation is not available in this build'],
])('the ring %s is refused without being shown', (ring, message) => {
  expect(() => openKeys(directory, ring)).toThrow(message)
  expect(() => openKeys(directory, ring)).not.toThrow(ring)
})

test('a key file that others can read is refused', () => {
  writeFileSync(join(directory, 'keys'), `k1:${Buffer.alloc(32).toString('base64')}\n`)
  chmodSync(join(directory, 'keys'), 0o644)
  expect(() => openKeys(directory, null)).toThrow(/can be read by other users \(mode 644\); run `chmod 600/)
})
