/**
 * What every blob store must do, as a test suite. Call it inside a test file, with the test functions of your runner
 * (vitest's, or others of the same shape) and a function that opens an empty store:
 *
 *     describeBlobStore('files', { describe, test, expect }, async () => ({ store, close }))
 */
import { createHash } from 'node:crypto'

import type { BlobStore } from './blob-store.ts'

/** The functions of a test runner that contract suites use; vitest's fit. */
export interface TestFunctions {
  readonly describe: (name: string, suite: () => void) => unknown
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly expect: (value: unknown, message?: string) => Matchers
}

export interface Matchers {
  toBe(expected: unknown): void
  toEqual(expected: unknown): void
  toMatchObject(expected: object): void
  toHaveLength(expected: number): void
  toBeGreaterThan(expected: number): void
  readonly rejects: { toMatchObject(expected: object): Promise<void> }
}

export interface OpenedBlobStore {
  readonly store: BlobStore
  close?(): Promise<void>
}

export function describeBlobStore(
  name: string,
  { describe, test, expect }: TestFunctions,
  open: () => Promise<OpenedBlobStore>,
): void {
  const withStore = (work: (store: BlobStore) => Promise<void>) => async () => {
    const opened = await open()
    try {
      await work(opened.store)
    } finally {
      await opened.close?.()
    }
  }
  const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const listed = async (store: BlobStore) => {
    const found: { readonly hash: string; readonly size: number; readonly storedAt: number }[] = []
    for await (const blob of store.list()) found.push(blob)
    return found
  }

  describe(`blob store contract: ${name}`, () => {
    test(
      'what is put can be read back under its SHA-256',
      withStore(async (store) => {
        const bytes = new TextEncoder().encode('a value, größer als eine Zeile')
        const put = await store.put(bytes)
        expect(put).toEqual({ hash: hashOf(bytes), size: bytes.byteLength })
        expect(Buffer.from(await store.get(put.hash)).equals(bytes)).toBe(true)
        expect(await store.has(put.hash)).toBe(true)
      }),
    )

    test(
      'an empty blob and one of some megabytes are blobs like others',
      withStore(async (store) => {
        const large = new Uint8Array(3_000_000).map((_, i) => i % 251)
        for (const bytes of [new Uint8Array(0), large]) {
          const { hash } = await store.put(bytes)
          expect(Buffer.from(await store.get(hash)).equals(bytes)).toBe(true)
        }
      }),
    )

    test(
      'the same bytes are one blob, also when they are put at the same time',
      withStore(async (store) => {
        const bytes = new TextEncoder().encode('twice')
        await Promise.all(Array.from({ length: 8 }, () => store.put(bytes)))
        await store.put(bytes)
        expect(await listed(store)).toHaveLength(1)
      }),
    )

    test(
      'changing what was given or got changes nothing in the store',
      withStore(async (store) => {
        const bytes = new TextEncoder().encode('constant')
        const { hash } = await store.put(bytes)
        bytes.fill(0)
        const got = await store.get(hash)
        got.fill(0)
        expect(hashOf(await store.get(hash))).toBe(hash)
      }),
    )

    test(
      'a blob that is not there is an error of its own',
      withStore(async (store) => {
        const hash = hashOf(new Uint8Array([1]))
        await expect(store.get(hash)).rejects.toMatchObject({ code: 'blob_missing' })
        expect(await store.has(hash)).toBe(false)
      }),
    )

    test(
      'only hashes are names',
      withStore(async (store) => {
        for (const name of ['../../etc/passwd', '', 'ABC', 'a'.repeat(63), 'g'.repeat(64)]) {
          await expect(store.get(name)).rejects.toMatchObject({ code: 'blob_hash_invalid' })
          await expect(store.delete(name)).rejects.toMatchObject({ code: 'blob_hash_invalid' })
        }
      }),
    )

    test(
      'a deleted blob is gone, deleting it again does nothing, and it can be stored anew',
      withStore(async (store) => {
        const bytes = new TextEncoder().encode('short-lived')
        const { hash } = await store.put(bytes)
        expect(await store.delete(hash)).toBe(true)
        expect(await store.delete(hash)).toBe(false)
        expect(await store.has(hash)).toBe(false)
        await store.put(bytes)
        expect(await store.has(hash)).toBe(true)
      }),
    )

    test(
      'a blob that was stored again since a time is not deleted as one from before it, whatever comes first',
      withStore(async (store) => {
        const bytes = new TextEncoder().encode('stored again')
        const { hash } = await store.put(bytes)
        expect(await store.delete(hash, Date.now() - 60_000)).toBe(false)
        expect(await store.has(hash)).toBe(true)
        // A millisecond is the finest time there is: the deletions below are of what was stored before the loop.
        for (let i = 0; i < 20; i++) {
          const before = Date.now() - 1
          const [put] = await Promise.all([store.put(bytes), store.delete(hash, before)])
          expect(await store.has(put.hash)).toBe(true)
        }
        expect(await store.delete(hash, Date.now() + 60_000)).toBe(true)
      }),
    )

    test(
      'the list has every blob with its size and age',
      withStore(async (store) => {
        const before = Date.now() - 2_000
        const sizes = new Map<string, number>()
        for (let i = 1; i <= 20; i++) {
          const { hash, size } = await store.put(new Uint8Array(i).fill(i))
          sizes.set(hash, size)
        }
        const found = await listed(store)
        expect(new Map(found.map(({ hash, size }) => [hash, size]))).toEqual(sizes)
        expect(found.every(({ storedAt }) => storedAt >= before && storedAt <= Date.now() + 2_000)).toBe(true)
      }),
    )
  })
}
