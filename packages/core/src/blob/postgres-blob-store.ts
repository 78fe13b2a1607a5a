/**
 * Blobs as rows of a PostgreSQL database: several processes on one store have to read each other's large values. A value is at
 * most 32 MiB, so a row holds it whole; the column is stored outside the row and uncompressed.
 */
import { createHash } from 'node:crypto'

import type { BlobStore } from './blob-store.ts'
import { blobError } from './errors.ts'

/** What the blob store needs of a database. */
export interface BlobDatabase {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly (readonly unknown[])[]; readonly count: number }>
}

/** Blobs that are listed at once. */
const PAGE = 500
const NOW = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

/** A blob store in the table `blobs` of a database. Ages are by the database's clock. */
export function createPostgresBlobStore(database: BlobDatabase): BlobStore {
  return {
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex')
      const size = bytes.byteLength
      const renewed = await database.query(`UPDATE blobs SET stored_at = ${NOW} WHERE hash = $1`, [hash])
      if (renewed.count === 0) {
        await database.query(
          `INSERT INTO blobs VALUES ($1, $2, ${NOW}, $3) ON CONFLICT (hash) DO UPDATE SET stored_at = excluded.stored_at`,
          // A copy: the caller may change his while it is sent, and again if it is sent again.
          [hash, size, Buffer.from(bytes)],
        )
      }
      return { hash, size }
    },
    async get(hash) {
      const { rows } = await database.query('SELECT bytes FROM blobs WHERE hash = $1', [check(hash)])
      const bytes = rows[0]?.[0] as Uint8Array | undefined
      if (bytes === undefined) {
        throw blobError('blob_missing', `Blob ${hash} is not in the database. Restore it from a backup.`)
      }
      if (createHash('sha256').update(bytes).digest('hex') !== hash) {
        throw blobError('blob_corrupt', `Blob ${hash} in the database is damaged. Restore it from a backup.`)
      }
      return new Uint8Array(bytes)
    },
    async has(hash) {
      return (await database.query('SELECT 1 FROM blobs WHERE hash = $1', [check(hash)])).rows.length > 0
    },
    async delete(hash, storedBefore = Number.MAX_SAFE_INTEGER) {
      const before = Math.min(Math.floor(storedBefore), Number.MAX_SAFE_INTEGER)
      return (
        (await database.query('DELETE FROM blobs WHERE hash = $1 AND stored_at < $2', [check(hash), before])).count > 0
      )
    },
    async *list() {
      for (let after = ''; ;) {
        const { rows } = await database.query(
          `SELECT hash, size, stored_at FROM blobs WHERE hash > $1 COLLATE "C" ORDER BY hash COLLATE "C" LIMIT ${PAGE}`,
          [after],
        )
        for (const [hash, size, storedAt] of rows as [string, number, number][]) yield { hash, size, storedAt }
        if (rows.length < PAGE) return
        after = rows.at(-1)?.[0] as string
      }
    },
  }
}

function check(hash: string): string {
  if (/^[0-9a-f]{64}$/.test(hash)) return hash
  throw blobError('blob_hash_invalid', `${JSON.stringify(hash)} is not a SHA-256 in hex.`)
}
