import { describe, expect, test } from 'vitest'

import { describeStore } from '../store-contract.ts'
import { openTestStore } from './fixtures/test-store.ts'

describeStore('sqlite', { describe, test: test.concurrent, expect }, openTestStore)
