import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'

import { describeBlobStore } from './blob-store-contract.ts'
import { createFileBlobStore } from './file-blob-store.ts'

describeBlobStore('files', { describe, test, expect }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-blobs-'))
  return { store: createFileBlobStore(join(folder, 'blobs')), close: () => rm(folder, { recursive: true }) }
})

async function emptyStore() {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-blobs-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return { folder, store: createFileBlobStore(folder) }
}

const pathOf = (folder: string, hash: string) => join(folder, hash.slice(0, 2), hash.slice(2, 4), hash)
const bytes = new TextEncoder().encode('some bytes')

test('bytes that do not match their hash are never handed out', async () => {
  const { folder, store } = await emptyStore()
  const { hash } = await store.put(bytes)
  await writeFile(pathOf(folder, hash), 'same bytes')
  await expect(store.get(hash)).rejects.toMatchObject({ code: 'blob_corrupt' })
})

test('a blob that lost its end is written anew when it is stored again', async () => {
  const { folder, store } = await emptyStore()
  const { hash } = await store.put(bytes)
  await truncate(pathOf(folder, hash), 3)
  await store.put(bytes)
  expect(await store.get(hash)).toEqual(Buffer.from(bytes))
})

test('storing a known blob renews its age, so that the collection of orphans leaves it alone', async () => {
  const { folder, store } = await emptyStore()
  const { hash } = await store.put(bytes)
  await utimes(pathOf(folder, hash), 1_000, 1_000)
  await store.put(bytes)
  for await (const { storedAt } of store.list()) expect(storedAt).toBeGreaterThan(Date.now() - 60_000)
})

test('what a crash left half-written is no blob, and is cleared away when it is a day old', async () => {
  const { folder, store } = await emptyStore()
  const { hash } = await store.put(bytes)
  const fresh = `${pathOf(folder, hash)}.aaaaaaaaaaaa.tmp`
  const old = `${pathOf(folder, hash)}.bbbbbbbbbbbb.tmp`
  await writeFile(fresh, 'half')
  await writeFile(old, 'half')
  await utimes(old, 1_000, 1_000)
  const listed: string[] = []
  for await (const blob of store.list()) listed.push(blob.hash)
  expect(listed).toEqual([hash])
  const left = await readdir(join(folder, hash.slice(0, 2), hash.slice(2, 4)))
  expect(left.toSorted()).toEqual([hash, `${hash}.aaaaaaaaaaaa.tmp`])
})

test('a disk that takes no more is an error to try again, and leaves nothing behind', async () => {
  const { folder } = await emptyStore()
  await writeFile(join(folder, 'file'), '')
  const store = createFileBlobStore(join(folder, 'file'))
  await expect(store.put(bytes)).rejects.toMatchObject({ code: 'blob_store_full', retryable: true })
})
