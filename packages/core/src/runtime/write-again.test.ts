/** Writes that are refused for a while, of runs with values in the blob store: what was stored must be there at the end. */
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

import { blobError } from '../blob/errors.ts'
import { createMemoryBlobStore } from '../blob/memory-blob-store.ts'
import { storeError } from '../store/errors.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, TENANT, until, type Workshop } from './testing/workshop.ts'

const HOUR = 3_600_000
const BIG = 'x'.repeat(200_000)
const FLOW = `
flow: Big
steps:
  - { id: make, task: Make }
outputs:
  - { name: more, value: "\${make}y" }
`

/** Refuses the writes that refer to blobs, until told otherwise. */
function refuseBlobs(shop: Workshop): { readonly refused: () => number; accept(): void } {
  let refused = 0
  let refuses = true
  const { append } = shop.store
  shop.store.append = async (write) => {
    if (!refuses || write.blobs === undefined) return append(write)
    refused++
    throw storeError('store_full', 'The disk is full.')
  }
  return { refused: () => refused, accept: () => void (refuses = false) }
}

function blobFiles(shop: Workshop): string[] {
  const folder = join(shop.folder, 'blobs')
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

it('renews the blobs of a write that is refused for hours, so that they are not collected as orphans', async () => {
  const clock = new VirtualClock()
  const shop = await openWorkshop({ clock, flows: [FLOW], tasks: { Make: () => BIG } })
  const store = refuseBlobs(shop)
  const run = await shop.start('Big')
  await until(() => store.refused() > 0, 'the write is refused')
  const files = blobFiles(shop)
  expect(files.length).toBeGreaterThan(0)
  for (const hours of [1, 2]) {
    for (const file of files) utimesSync(file, 0, 0)
    const before = store.refused()
    await clock.advance(HOUR)
    const areNew = () => files.every((file) => statSync(file).mtimeMs > 0)
    await until(async () => (await clock.advance(5_000), areNew()), `the blobs are new after ${hours} h`)
    await until(async () => (await clock.advance(5_000), store.refused() > before), 'the write is tried again')
  }
  store.accept()
  await until(async () => (await clock.advance(5_000), (await shop.status(run.id)).status === 'succeeded'), 'it ends')
  expect(await shop.status(run.id)).toMatchObject({ outputs: { more: `${BIG}y` } })
  expect(await shop.runtime.verify(TENANT, run.id)).toEqual([])
})

it('reads a run anew when a blob of its refused write is gone', async () => {
  const clock = new VirtualClock()
  let made = 0
  const shop = await openWorkshop({ clock, flows: [FLOW], tasks: { Make: () => (made++, BIG) } })
  const store = refuseBlobs(shop)
  const run = await shop.start('Big')
  await until(() => store.refused() > 0, 'the write is refused')
  for (const file of blobFiles(shop)) rmSync(file)
  await until(async () => (await clock.advance(HOUR), made === 2), 'the step runs again')
  store.accept()
  await until(async () => (await clock.advance(5_000), (await shop.status(run.id)).status === 'succeeded'), 'it ends')
  expect(await shop.status(run.id)).toMatchObject({ outputs: { more: `${BIG}y` } })
})

it('stores with a write all blobs that it refers to, also when only some could be put at first', async () => {
  const clock = new VirtualClock()
  const blobs = createMemoryBlobStore()
  const { put } = blobs
  let puts = 0
  blobs.put = async (bytes) => {
    if (++puts === 2) throw blobError('blob_store_full', 'The disk of the blobs is full.')
    return put(bytes)
  }
  const shop = await openWorkshop({ clock, flows: [FLOW], tasks: { Make: () => BIG }, runtime: { blobs } })
  const run = await shop.start('Big')
  await until(async () => (await clock.advance(1_000), (await shop.status(run.id)).status === 'succeeded'), 'it ends')
  const stored: string[] = []
  for await (const { hash } of blobs.list()) stored.push(hash)
  expect(stored).toHaveLength(2)
  expect((await shop.store.knownBlobs(stored)).toSorted()).toEqual(stored.toSorted())
  expect(await shop.status(run.id)).toMatchObject({ outputs: { more: `${BIG}y` } })
})
