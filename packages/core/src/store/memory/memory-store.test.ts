import { describe, expect, test } from 'vitest'

import { describeStore } from '../store-contract.ts'
import { createMemoryStore, MemoryDisk } from './memory-store.ts'

describeStore('memory', { describe, test, expect }, async () => {
  const disk = new MemoryDisk()
  const store = createMemoryStore(disk)
  return { store, takeOver: async () => createMemoryStore(disk), close: () => store.close() }
})

test('a memory store has no file to back up', async () => {
  await expect(createMemoryStore().backup('/nowhere')).rejects.toMatchObject({ code: 'store_failed' })
})
