import type { BlobStore } from '../blob/blob-store.ts'
import type { JournalRecord, Store } from '../store/store.ts'
import { restoreRecords } from './recovery.ts'

const PAGE = 1_000

export interface JournalOptions {
  readonly store: Store
  readonly blobs: BlobStore
}

/** The whole journal of a run, with its large values; those past `upTo` bytes as a note of their size. */
export async function readWholeJournal(
  { store, blobs }: JournalOptions,
  rid: number,
  upTo?: number,
): Promise<readonly JournalRecord[]> {
  const records: JournalRecord[] = []
  for (;;) {
    const page = await store.readJournal(rid, (records.at(-1)?.seq ?? 0) + 1, PAGE)
    records.push(...page)
    if (page.length < PAGE) return restoreRecords(records, blobs, upTo)
  }
}
