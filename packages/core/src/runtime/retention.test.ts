import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { createFileBlobStore } from '../blob/file-blob-store.ts'
import { openWorkshop, STORES, type Workshop } from './testing/workshop.ts'

const LARGE = 'x'.repeat(100_000)
const FLOW = `
flow: Large
steps: [{ id: a, task: A }]
outputs: [{ name: text, value: "\${a}" }]
`
const DAY = 24 * 60 * 60_000

const blobsOf = (shop: Workshop) => createFileBlobStore(join(shop.folder, 'blobs'))

async function hashes(shop: Workshop): Promise<string[]> {
  const found: string[] = []
  for await (const { hash } of blobsOf(shop).list()) found.push(hash)
  return found
}

/** Makes all blobs look as if they had been stored two days ago. */
async function age(shop: Workshop): Promise<void> {
  const then = new Date(Date.now() - 2 * DAY)
  for (const hash of await hashes(shop)) {
    await utimes(join(shop.folder, 'blobs', hash.slice(0, 2), hash.slice(2, 4), hash), then, then)
  }
}

describe.each(STORES)('the blobs of pruned runs, on the %s store', (store) => {
  const open = () => openWorkshop({ store, flows: [FLOW], tasks: { A: () => LARGE } })
  // A run ends a moment before it is pruned.
  const pruneNow = { defaultRetentionMs: -1_000 }

  it('go with the runs when they are old', async () => {
    const shop = await open()
    await shop.run('Large')
    await age(shop)
    expect((await hashes(shop)).length).toBeGreaterThan(0)
    const { runs, bytesFreed } = await shop.runtime.prune(pruneNow)
    expect(runs).toBe(1)
    expect(bytesFreed).toBeGreaterThanOrEqual(100_000)
    expect(await hashes(shop)).toEqual([])
  })

  it('stay when a write on its way has just stored the same bytes', async () => {
    const shop = await open()
    await shop.run('Large')
    await age(shop)
    // The second run has stored its value, and its record is held up until the first run is gone.
    const append = shop.store.append.bind(shop.store)
    const free = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    shop.store.append = async (write) => {
      if (write.blobs !== undefined) {
        reached.resolve()
        await free.promise
      }
      return append(write)
    }
    const { rid } = await shop.start('Large')
    await reached.promise
    expect((await shop.runtime.prune(pruneNow)).runs).toBe(1)
    expect((await hashes(shop)).length).toBeGreaterThan(0)
    free.resolve()
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded', outputs: { text: LARGE } })
    expect((await shop.runtime.get('acme', (await shop.store.getRun(rid))!.id))?.row.outputs).toEqual({ text: LARGE })
  })
})
