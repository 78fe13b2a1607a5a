import { createHash } from 'node:crypto'

import type { BlobStore } from './blob-store.ts'
import { blobError } from './errors.ts'

/** A blob store that lives as long as its process, for tests. */
export function createMemoryBlobStore(): BlobStore {
  const blobs = new Map<string, { readonly bytes: Uint8Array; readonly storedAt: number }>()
  const check = (hash: string): string => {
    if (/^[0-9a-f]{64}$/.test(hash)) return hash
    throw blobError('blob_hash_invalid', `${JSON.stringify(hash)} is not a SHA-256 in hex.`)
  }
  return {
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex')
      blobs.set(hash, { bytes: bytes.slice(), storedAt: Date.now() })
      return { hash, size: bytes.byteLength }
    },
    async get(hash) {
      const blob = blobs.get(check(hash))
      if (blob === undefined) throw blobError('blob_missing', `Blob ${hash} is not in this store.`)
      return blob.bytes.slice()
    },
    has: async (hash) => blobs.has(check(hash)),
    delete: async (hash, storedBefore = Infinity) => {
      const blob = blobs.get(check(hash))
      return blob !== undefined && blob.storedAt < storedBefore && blobs.delete(hash)
    },
    async *list() {
      for (const [hash, { bytes, storedAt }] of blobs) yield { hash, size: bytes.byteLength, storedAt }
    },
  }
}
