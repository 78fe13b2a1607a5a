import { afterAll, describe, expect, test } from 'vitest'

import { describeStore } from '../store-contract.ts'
import { createTestDatabase, openTestStore } from './fixtures/test-database.ts'

const database = await createTestDatabase()
afterAll(() => database.drop())

describeStore('postgres', { describe, test, expect }, () => openTestStore(database))
