import { describe, expect, test } from 'vitest'

import { describeBlobStore } from './blob-store-contract.ts'
import { createMemoryBlobStore } from './memory-blob-store.ts'

describeBlobStore('memory', { describe, test, expect }, async () => ({ store: createMemoryBlobStore() }))
