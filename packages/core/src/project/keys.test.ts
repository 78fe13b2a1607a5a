import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addKey, openKeys, type Keys } from './keys.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-keys-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const derived = (keys: Keys, id: string): string =>
  Buffer.from(keys.ring.derive('credentials', id) ?? []).toString('base64')

test('a first start makes a key that only the owner may read; later ones read the same', () => {
  const data = join(directory, 'data')
  const first = openKeys(data, null)
  expect(first).toMatchObject({ from: 'file', created: true })
  expect(first.ring.ids).toEqual(['k1'])
  expect(statSync(join(data, 'keys')).mode & 0o777).toBe(0o600)
  const second = openKeys(data, null)
  expect(second.created).toBe(false)
  expect(derived(second, 'k1')).toBe(derived(first, 'k1'))
})

test('PLUGWORK_KEYS is used as it is and nothing is written', () => {
  const key = Buffer.alloc(32, 7)
  const keys = openKeys(directory, `mine:${key.toString('base64')}`)
  expect(keys).toMatchObject({ from: 'environment', created: false })
  expect(keys.ring.ids).toEqual(['mine'])
  const plain = openKeys(directory, key.toString('base64url'))
  expect(plain.ring.current).toBe('k1')
  expect(derived(plain, 'k1')).toBe(derived(keys, 'mine'))
  expect(readdirSync(directory)).toEqual([])
})

test('a ring has several keys; the first encrypts, and each purpose has a key of its own', () => {
  const keys = openKeys(directory, `k2:${'B'.repeat(43)}=,k1:${'A'.repeat(43)}=`)
  expect(keys.ring.current).toBe('k2')
  expect(keys.ring.ids).toEqual(['k2', 'k1'])
  const all = (['credentials', 'state', 'webhook-secrets', 'session', 'run-inputs'] as const).flatMap((purpose) =>
    keys.ring.ids.map((id) => Buffer.from(keys.ring.derive(purpose, id)!).toString('hex')),
  )
  expect(new Set(all).size).toBe(10)
  expect(keys.ring.derive('state', 'k3')).toBeNull()
  expect(`${inspect(keys)}${JSON.stringify(keys)}`).not.toMatch(/Uint8Array|Buffer|AAAA/)
})

test.each([
  ['short', 'is not a key'],
  ['k1:AAAA', 'is not a key'],
  [`k1:${Buffer.alloc(31, 1).toString('base64')}`, 'is not a key'],
  [`k1:${Buffer.alloc(33, 1).toString('base64')}`, 'is not a key'],
  [' , ', 'has no key'],
  [`${'A'.repeat(43)}=,${'B'.repeat(43)}=`, 'Two keys have the id k1'],
  [`k2:${'A'.repeat(43)}=,k1:secret words`, 'entry 2 is not a key'],
  ['k1:passphrase:tooshort', 'less than 12 characters'],
])('the ring %s is refused without being shown', (ring, message) => {
  expect(() => openKeys(directory, ring)).toThrow(message)
  expect(() => openKeys(directory, ring)).not.toThrow(ring)
})

test('a passphrase gives the same key as long as its salt is there', () => {
  const ring = 'k1:passphrase:correct horse battery staple'
  const first = openKeys(directory, ring)
  expect(readFileSync(join(directory, 'keys.salt'), 'utf8')).toMatch(/^k1:[A-Za-z0-9+/]{22}==\n$/)
  expect(derived(openKeys(directory, ring), 'k1')).toBe(derived(first, 'k1'))
  expect(derived(openKeys(directory, `${ring}!`), 'k1')).not.toBe(derived(first, 'k1'))
  rmSync(join(directory, 'keys.salt'))
  expect(derived(openKeys(directory, ring), 'k1')).not.toBe(derived(first, 'k1'))
})

test('a key is added in front; who has the ring in memory finds it, and everybody keeps the old ones', async () => {
  const before = openKeys(directory, null)
  expect(addKey(directory).id).toBe('k2')
  expect(before.ring.current).toBe('k1')
  expect(before.ring.derive('credentials', 'k2')).not.toBeNull()
  expect(before.ring.ids).toEqual(['k2', 'k1'])
  expect(derived(openKeys(directory, null), 'k1')).toBe(derived(before, 'k1'))
  expect(statSync(join(directory, 'keys')).mode & 0o777).toBe(0o600)
  // Eight processes at once lose no key.
  const script = `import { addKey } from ${JSON.stringify(join(import.meta.dirname, 'keys.ts'))}; addKey(${JSON.stringify(directory)})`
  await Promise.all(
    Array.from({ length: 8 }, () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])),
  )
  expect(openKeys(directory, null).ring.ids.toSorted()).toEqual(
    Array.from({ length: 10 }, (_, index) => `k${index + 1}`).toSorted(),
  )
})

test('a key file that others can read is refused', () => {
  writeFileSync(join(directory, 'keys'), `k1:${Buffer.alloc(32).toString('base64')}\n`)
  chmodSync(join(directory, 'keys'), 0o644)
  expect(() => openKeys(directory, null)).toThrow(/can be read by other users \(mode 644\); run `chmod 600/)
})
