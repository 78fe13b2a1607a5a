import { afterAll, describe, expect, test } from 'vitest'

import { createTestDatabase, openTestStore } from '../store/postgres/fixtures/test-database.ts'
import { describeBlobStore } from './blob-store-contract.ts'

const database = await createTestDatabase()
afterAll(() => database.drop())

const open = async () => {
  const { opened, close } = await openTestStore(database)
  return { store: opened.blobs, close }
}

describeBlobStore('postgres', { describe, test, expect }, open)

test('damaged bytes are told from a missing blob', async () => {
  const { store, close } = await open()
  const { hash } = await store.put(new TextEncoder().encode('whole'))
  await database.query(`UPDATE blobs SET bytes = '\\x00'`)
  await expect(store.get(hash)).rejects.toMatchObject({ code: 'blob_corrupt' })
  await close()
})
