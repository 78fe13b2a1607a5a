/**
 * What every store must do, as a test suite. Call it inside a test file with the functions of your runner (vitest's, or
 * others of the same shape) and a function that opens an empty store:
 *
 *     describeStore('postgres', { describe, test, expect }, async () => ({ store, takeOver, close }))
 *
 * The engine and the runtime rely on these promises and on nothing else, so a store that passes can be used.
 */
import type { TestFunctions } from '../blob/blob-store-contract.ts'
import { acceptance } from './contract/acceptance.ts'
import { concurrency } from './contract/concurrency.ts'
import type { ContractContext, OpenedStore } from './contract/context.ts'
import { events } from './contract/events.ts'
import { journal } from './contract/journal.ts'
import { listing } from './contract/listing.ts'
import { messages } from './contract/messages.ts'
import { ownership } from './contract/ownership.ts'
import { queue } from './contract/queue.ts'
import { retention } from './contract/retention.ts'
import { tables } from './contract/tables.ts'

export type { OpenedStore, TestFunctions }

const SUITES = { acceptance, journal, ownership, queue, concurrency, messages, events, listing, tables, retention }

export function describeStore(name: string, functions: TestFunctions, open: () => Promise<OpenedStore>): void {
  const { describe, test, expect } = functions
  for (const [area, suite] of Object.entries(SUITES)) {
    describe(`store contract: ${name}: ${area}`, () => {
      const context: ContractContext = {
        expect,
        test: (title, run) =>
          test(title, async () => {
            const opened = await open()
            try {
              await run(opened.store, opened)
            } finally {
              await opened.close()
            }
          }),
      }
      suite(context)
    })
  }
}
