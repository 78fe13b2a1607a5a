/** Journals as they are stored: whole, with their large values, and replayed. */
import type { BlobStore } from '../blob/blob-store.ts'
import type { Program } from '../engine/program.ts'
import { replay, type Replayed } from '../engine/replay.ts'
import { PlugworkError } from '../error.ts'
import { faultyRecords } from '../store/mutation.ts'
import type { JournalRecord, LoadedRun, Store } from '../store/store.ts'
import { isOffloaded, restore } from './offload.ts'

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

/**
 * Replays a stored run: its snapshot and the records since. A snapshot is a shortcut: one that this version cannot read is
 * passed over, and the journal is replayed from its start. Throws `run_unreadable` when that is not all there either.
 */
export async function replayStored(options: JournalOptions, program: Program, stored: LoadedRun): Promise<Replayed> {
  const { snapshot, records } = stored
  const from = snapshot === null ? null : { seq: snapshot.seq, state: await restoreText(snapshot.state, options.blobs) }
  try {
    return replay(program, faultyRecords(await restoreRecords(records, options.blobs)), from)
  } catch (error) {
    if (!isOtherVersion(error)) throw error
  }
  const { rid, id, nextSeq } = stored.row
  // What has been written since the run was read belongs to a later state.
  const whole = (await readWholeJournal(options, rid)).filter((record) => record.seq < nextSeq)
  const hole = whole.findIndex((record, index) => record.seq !== index + 1)
  if (hole >= 0 || whole.length !== nextSeq - 1) {
    const missing = hole >= 0 ? hole + 1 : whole.length + 1
    throw new PlugworkError(
      'run_unreadable',
      `The snapshot of run ${id} was written by another version of Plugwork, and its journal is not complete (record ` +
        `${missing} of ${nextSeq - 1} is missing). Restore a backup, or go back to the version that wrote it.`,
    )
  }
  return replay(program, whole)
}

/** True for the error of a snapshot that was written by a version whose states this one cannot read. */
export function isOtherVersion(error: unknown): boolean {
  return error instanceof PlugworkError && error.code === 'state_version'
}

/** Journal records with their large values. */
export async function restoreRecords(
  records: readonly JournalRecord[],
  blobs: BlobStore,
  upTo?: number,
): Promise<readonly JournalRecord[]> {
  if (!records.some((record) => isOffloaded(record.data))) return records
  return Promise.all(records.map(async (record) => ({ ...record, data: await restoreText(record.data, blobs, upTo) })))
}

/** Text of a row with its large values. */
export async function restoreText(text: string, blobs: BlobStore, upTo?: number): Promise<string> {
  return isOffloaded(text) ? restore(text, blobs, upTo === undefined ? {} : { upTo }) : text
}
