/**
 * Blobs as files, `<folder>/ab/cd/abcd…` by hash, so that no folder grows too large.
 *
 * A file gets its name only when its bytes are on the disk: written under a temporary name, synced, renamed, and the
 * folder synced. Whoever sees a blob sees all of it, after a power cut too.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { BlobStore } from './blob-store.ts'
import { blobError } from './errors.ts'

const HASH = /^[0-9a-f]{64}$/
const FOLDER = /^[0-9a-f]{2}$/
/** A temporary file this old belongs to a write that a crash ended, in ms. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

/** A blob store in `folder`, which is made when something is stored. */
export function createFileBlobStore(folder: string): BlobStore {
  return new FileBlobStore(folder)
}

class FileBlobStore implements BlobStore {
  readonly #folder: string
  /** The last of the calls that change a blob, by its hash: they come one after the other. */
  readonly #changing = new Map<string, Promise<unknown>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async put(bytes: Uint8Array): Promise<{ readonly hash: string; readonly size: number }> {
    const hash = sha256(bytes)
    return this.#alone(hash, () => this.#put(hash, bytes))
  }

  async #put(hash: string, bytes: Uint8Array): Promise<{ readonly hash: string; readonly size: number }> {
    const path = this.#path(hash)
    const blob = { hash, size: bytes.byteLength }
    if (await this.#renew(path, bytes.byteLength)) return blob
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await this.#makeFolder(dirname(path))
      await writeSynced(temporary, bytes)
      await rename(temporary, path)
      await syncFolder(dirname(path))
    } catch (error) {
      // The cause matters, not that the rest of it could not be cleared away: `list` does that later.
      await rm(temporary, { force: true }).catch(() => undefined)
      throw blobError('blob_store_full', `Blob ${hash} (${blob.size} bytes) cannot be written: ${String(error)}`, error)
    }
    return blob
  }

  async get(hash: string): Promise<Uint8Array> {
    let bytes: Uint8Array
    try {
      bytes = await readFile(this.#path(hash))
    } catch (error) {
      if (!isMissing(error)) throw error
      throw blobError('blob_missing', `Blob ${hash} is not in ${this.#folder}. Restore it from a backup.`, error)
    }
    if (sha256(bytes) !== hash) {
      throw blobError('blob_corrupt', `Blob ${hash} in ${this.#folder} is damaged. Restore it from a backup.`)
    }
    return bytes
  }

  async has(hash: string): Promise<boolean> {
    return (await statOrNull(this.#path(hash))) !== null
  }

  async delete(hash: string, storedBefore = Infinity): Promise<boolean> {
    const path = this.#path(hash)
    return this.#alone(hash, async () => {
      const found = await statOrNull(path)
      if (found === null || found.mtimeMs >= storedBefore) return false
      await rm(path, { force: true })
      return true
    })
  }

  /** Does something with a blob when nothing else is done with it: a delete must not come into a renewal. */
  async #alone<T>(hash: string, work: () => Promise<T>): Promise<T> {
    const before = this.#changing.get(hash)
    const mine = before === undefined ? work() : before.then(work, work)
    this.#changing.set(hash, mine)
    try {
      return await mine
    } finally {
      if (this.#changing.get(hash) === mine) this.#changing.delete(hash)
    }
  }

  async *list(): AsyncIterable<{ readonly hash: string; readonly size: number; readonly storedAt: number }> {
    for (const outer of await entries(this.#folder)) {
      if (!FOLDER.test(outer.name)) continue
      for (const inner of await entries(join(this.#folder, outer.name))) {
        if (FOLDER.test(inner.name)) yield* this.#listFolder(join(this.#folder, outer.name, inner.name))
      }
    }
  }

  async *#listFolder(folder: string): AsyncIterable<{ hash: string; size: number; storedAt: number }> {
    for (const { name } of await entries(folder)) {
      const path = join(folder, name)
      const found = await statOrNull(path)
      // Deleted meanwhile.
      if (found === null) continue
      if (HASH.test(name)) yield { hash: name, size: found.size, storedAt: found.mtimeMs }
      else if (name.endsWith('.tmp') && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true })
    }
  }

  /** True when the blob is there, whole as far as its size tells; it then counts as stored now. */
  async #renew(path: string, size: number): Promise<boolean> {
    const found = await statOrNull(path)
    if (found === null || found.size !== size) return false
    const now = new Date()
    try {
      await utimes(path, now, now)
      return true
    } catch (error) {
      // Deleted between the two calls: write it anew.
      if (isMissing(error)) return false
      throw error
    }
  }

  /** Makes the folder and syncs those that it is new in, so that the path itself survives a power cut. */
  async #makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true })
    if (first === undefined) return
    for (let parent = dirname(folder); parent.length >= dirname(first).length; parent = dirname(parent)) {
      await syncFolder(parent)
      if (parent === dirname(parent)) break
    }
  }

  #path(hash: string): string {
    if (!HASH.test(hash)) throw blobError('blob_hash_invalid', `${JSON.stringify(hash)} is not a SHA-256 in hex.`)
    return join(this.#folder, hash.slice(0, 2), hash.slice(2, 4), hash)
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its file system journals names itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function entries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function statOrNull(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | null> {
  try {
    return await stat(path)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
