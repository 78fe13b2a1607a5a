import { createCipheriv, randomBytes } from 'node:crypto'
import { KeyRing, type RingKey } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { beforeEach, expect, test } from 'vitest'
import { ringKeyProvider, type KeyProvider } from '../keys/key-provider.ts'
import { openKeyRing } from '../keys/open-key-ring.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import { Vault, type SecretPlace } from './vault.ts'

const newKey = (id: string): RingKey => ({ id, key: randomBytes(32) })
const K1 = newKey('k1')
const K2 = newKey('k2')
const place: SecretPlace = { tenant: 't1', connectionId: 'c1', field: 'tokens' }

let store: ConnectionStore
beforeEach(() => {
  store = createMemoryConnectionStore()
})

const open = async (...keys: RingKey[]): Promise<Vault> =>
  Vault.open({ store, keys: ringKeyProvider(new KeyRing(keys)) })

test('what is encrypted opens where it belongs, in every process that has the key', async () => {
  const record = await (await open(K1)).encrypt(place, 'hunter22 ünïcode')
  expect(record).toMatch(/^p1\.dk_[\w-]{16}\.[\w-]{16}\.[\w-]+$/)
  expect(record).not.toContain('hunter22')
  expect((await (await open(K1)).decrypt(place, record)).reveal()).toBe('hunter22 ünïcode')
  expect(await (await open(K1)).encrypt(place, 'hunter22 ünïcode')).not.toBe(record)
})

test.each([
  ['another connection', { ...place, connectionId: 'c2' }],
  ['another field', { ...place, field: 'credential' }],
  ['another tenant', { ...place, tenant: 't2' }],
  ['a place whose parts join to the same text', { tenant: 't1', connectionId: 'c1|tokens', field: '' }],
])('a text that was moved to %s does not open', async (_, elsewhere) => {
  const vault = await open(K1)
  await vault.encrypt({ ...place, tenant: 't2' }, 'something')
  const record = await vault.encrypt(place, 'hunter22')
  await expect(vault.decrypt(elsewhere, record)).rejects.toMatchObject({ code: 'credential_unreadable' })
})

test('a text that was changed or cut does not open, short tags included', async () => {
  const vault = await open(K1)
  const record = await vault.encrypt(place, 'hunter22')
  const [version, keyId, nonce, body] = record.split('.') as [string, string, string, string]
  const bytes = Buffer.from(body, 'base64url')
  const changed = Buffer.from(bytes)
  changed[0]! ^= 1
  const wrong = [
    `p2.${keyId}.${nonce}.${body}`,
    `${version}.${keyId}.${nonce}.${changed.toString('base64url')}`,
    `${version}.${keyId}.${nonce}.${bytes.subarray(0, -12).toString('base64url')}`,
    `${version}.${keyId}.${nonce}.${bytes.subarray(0, 4).toString('base64url')}`,
    `${version}.${keyId}.${nonce.slice(0, 8)}.${body}`,
    `${record}.more`,
    '',
  ]
  for (const text of wrong) {
    await expect(vault.decrypt(place, text)).rejects.toMatchObject({ code: 'credential_unreadable' })
  }
})

test('a text with a valid tag of four bytes is refused', async () => {
  // The attacker's best case: they even know the key. A tag of 32 bits could be found by trying.
  const dataKey = randomBytes(32)
  const keys: KeyProvider = {
    current: async () => 'kms',
    wrap: async (_, { dataKeyId }) => ({ keyId: 'kms', wrapped: dataKeyId }),
    unwrap: async (_, { tenant }) => (tenant === 't1' ? dataKey : CANARY),
  }
  const { createHash } = await import('node:crypto')
  const CANARY = createHash('sha256').update('plugwork canary').digest()
  const vault = await Vault.open({ store, keys })
  const [, keyId] = (await vault.encrypt(place, 'x')).split('.') as [string, string]
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: 4 })
  cipher.setAAD(Buffer.from(`p1|t1|c1|tokens|${keyId}`))
  const body = Buffer.concat([cipher.update('forged by someone'), cipher.final(), cipher.getAuthTag()])
  const forged = `p1.${keyId}.${nonce.toString('base64url')}.${body.toString('base64url')}`
  await expect(vault.decrypt(place, forged)).rejects.toMatchObject({ code: 'credential_unreadable' })
})

test('the wrong key is refused at the start, once and clearly', async () => {
  const vault = await open(K1)
  await vault.encrypt(place, 'hunter22')
  await expect(open(newKey('k1'))).rejects.toMatchObject({
    code: 'keys_wrong',
    message: expect.stringContaining('The key k1 in the ring is not the k1'),
  })
  await expect(open(newKey('k9'))).rejects.toMatchObject({
    code: 'keys_missing',
    message: expect.stringContaining('Add k1 to the end of the ring'),
  })
  await expect(open(K2, newKey('k1'))).rejects.toMatchObject({ code: 'keys_wrong' })
  await open(K2, K1)
})

test('a rotation wraps data keys again and changes no credential; then the old key may go', async () => {
  const before = await open(K1)
  const places = Array.from({ length: 25 }, (_, n) => ({ ...place, tenant: `tenant ${n}` }))
  const records = await Promise.all(places.map(async (at, n) => before.encrypt(at, `secret ${n}`)))
  const after = await open(K2, K1)
  expect(await after.status()).toMatchObject({ current: 'k2', outdated: 25 })
  // Interrupted in the middle, and started again.
  const stop = new AbortController()
  const interrupted = after.rewrap({
    batch: 10,
    signal: stop.signal,
    onProgress: (done) => {
      if (done >= 9) stop.abort(new Error('stopped'))
    },
  })
  await expect(interrupted).rejects.toThrow('stopped')
  const { outdated } = await after.status()
  expect(outdated).toBeGreaterThan(0)
  expect(outdated).toBeLessThan(25)
  await expect(open(K2)).rejects.toMatchObject({ code: 'keys_missing' })
  expect(await after.rewrap({ batch: 10 })).toBe(outdated)
  expect(await after.rewrap()).toBe(0)
  expect(await after.status()).toEqual({ current: 'k2', dataKeys: [{ keyId: 'k2', count: 25 }], outdated: 0 })
  const alone = await open(K2)
  for (const [n, at] of places.entries()) {
    expect((await alone.decrypt(at, records[n]!)).reveal()).toBe(`secret ${n}`)
  }
})

test('rotations at once, and writes meanwhile, lose nothing', async () => {
  const old = await open(K1)
  const places = Array.from({ length: 40 }, (_, n) => ({ ...place, tenant: `tenant ${n}` }))
  const first = await Promise.all(places.slice(0, 20).map(async (at) => old.encrypt(at, 'first')))
  const [a, b] = [await open(K2, K1), await open(K2, K1)]
  const [, , late] = await Promise.all([
    a.rewrap({ batch: 3 }),
    b.rewrap({ batch: 7 }),
    // A process that still has the old ring order.
    Promise.all(places.slice(20).map(async (at) => old.encrypt(at, 'late'))),
  ])
  await a.rewrap()
  const alone = await open(K2)
  for (const [n, record] of [...first, ...late].entries()) {
    expect((await alone.decrypt(places[n]!, record)).reveal()).toBe(n < 20 ? 'first' : 'late')
  }
})

test('a new data key is used from then on; what is older still opens', async () => {
  const vault = await open(K1)
  const old = await vault.encrypt(place, 'old')
  await vault.renew('t1')
  const fresh = await vault.encrypt(place, 'fresh')
  expect(fresh.split('.')[1]).not.toBe(old.split('.')[1])
  expect((await vault.decrypt(place, old)).reveal()).toBe('old')
  expect((await vault.decrypt(place, fresh)).reveal()).toBe('fresh')
})

test('a shredded tenant is unreadable everywhere, at the latest when kept keys are forgotten; others are not', async () => {
  const clock = new VirtualClock()
  const keys = ringKeyProvider(new KeyRing([K1]))
  const [vault, other] = [await Vault.open({ store, keys, clock }), await Vault.open({ store, keys, clock })]
  const theirs = { ...place, tenant: 't2' }
  const [mine, kept] = [await vault.encrypt(place, 'mine'), await vault.encrypt(theirs, 'theirs')]
  await other.decrypt(place, mine)
  expect(await vault.shred('t1')).toBe(1)
  await expect(vault.decrypt(place, mine)).rejects.toMatchObject({ code: 'credential_shredded' })
  await clock.advance(5 * 60_000 + 1)
  await expect(other.decrypt(place, mine)).rejects.toMatchObject({ code: 'credential_shredded' })
  expect((await other.decrypt(theirs, kept)).reveal()).toBe('theirs')
  expect((await vault.decrypt(place, await vault.encrypt(place, 'again'))).reveal()).toBe('again')
})

test('processes that meet a tenant at once use one data key', async () => {
  const vaults = await Promise.all([open(K1), open(K1), open(K1)])
  const records = await Promise.all(vaults.flatMap((vault) => [vault.encrypt(place, 'a'), vault.encrypt(place, 'b')]))
  expect(new Set(records.map((record) => record.split('.')[1])).size).toBe(1)
})

test('a provider that fails is asked again', async () => {
  const ring = ringKeyProvider(new KeyRing([K1]))
  const record = await (await open(K1)).encrypt(place, 'hunter22')
  let failures = 0
  const keys: KeyProvider = {
    ...ring,
    async unwrap(wrapped, context) {
      if (context.tenant !== '' && failures++ < 1) throw new Error('the service is away')
      return ring.unwrap(wrapped, context)
    },
  }
  const vault = await Vault.open({ store, keys })
  await expect(vault.decrypt(place, record)).rejects.toThrow('away')
  expect((await vault.decrypt(place, record)).reveal()).toBe('hunter22')
})

test('a passphrase gives the same ring in every process of a store, and no other', async () => {
  const ring = 'k2:passphrase:correct horse battery staple, k1:passphrase:another old passphrase'
  const [one, two] = await Promise.all([openKeyRing(ring, store), openKeyRing(ring, store)])
  expect(one.ids).toEqual(['k2', 'k1'])
  expect(two.derive('credentials', 'k2')).toEqual(one.derive('credentials', 'k2'))
  const record = await (await Vault.open({ store, keys: ringKeyProvider(one) })).encrypt(place, 'hunter22')
  const again = await Vault.open({ store, keys: ringKeyProvider(two) })
  expect((await again.decrypt(place, record)).reveal()).toBe('hunter22')
  const elsewhere = await openKeyRing(ring, createMemoryConnectionStore())
  expect(elsewhere.derive('credentials', 'k2')).not.toEqual(one.derive('credentials', 'k2'))
})
