/** The key ring of a program that has no data folder: its salts are kept in the store of connections. */
import { randomBytes } from 'node:crypto'
import { KeyRing, parseKeys } from '@plugwork/core/node'
import type { ConnectionStore } from '../store/connection-store.ts'

const SALT_BYTES = 16

/**
 * Reads a ring as `PLUGWORK_KEYS` has it. The salt of a passphrase is made once and kept in the store, so that every
 * process on the store comes to the same key. Throws `keys_invalid`.
 */
export async function openKeyRing(ring: string, store: ConnectionStore): Promise<KeyRing> {
  const salts = new Map<string, Uint8Array>()
  for (const [, id = 'k1'] of ring.matchAll(/(?:^|[,\n])\s*(?:([A-Za-z0-9_-]+):)?passphrase:/g)) {
    salts.set(id, await saltOf(id, store))
  }
  return new KeyRing(parseKeys(ring, 'The key ring', (id) => salts.get(id)!))
}

async function saltOf(keyId: string, store: ConnectionStore): Promise<Uint8Array> {
  const id = `salt/${keyId}`
  const made = randomBytes(SALT_BYTES).toString('base64')
  const row = { id, tenant: '', owner: null, kind: null, name: 'salt', slot: null, due: null, data: { salt: made } }
  // Of processes that start at once, one has its salt stored.
  const salt = (await store.insert('data_keys', row)) ? made : (await store.get('data_keys', id))?.data['salt']
  return Buffer.from(salt as string, 'base64')
}
