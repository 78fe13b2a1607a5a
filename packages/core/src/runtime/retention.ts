/** Deleting ended runs whose time has come, with everything below them and what only they referred to. */
import type { BlobStore } from '../blob/blob-store.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../clock.ts'
import type { Definitions } from './runtime.ts'

/** Runs that one call of the store deletes. */
const PAGE = 500
/**
 * A blob that no run refers to may belong to a write on its way, also one that a run which is gone had as well: storing
 * the same bytes renews the blob's age. After this long without that it belongs to nothing.
 */
const ORPHAN_MS = 24 * 60 * 60_000
const BLOBS_AT_ONCE = 500

export interface RetentionOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly definitions: Definitions
}

export interface RetentionPolicy {
  /** For flows whose settings say nothing, and flows that are gone; milliseconds after a run's end. */
  readonly defaultRetentionMs: number
}

/** Deletes what each flow's `settings.retention` no longer keeps, then old events, then gives the space back. */
export async function prune(
  options: RetentionOptions,
  policy: RetentionPolicy,
): Promise<{ readonly runs: number; readonly bytesFreed: number }> {
  const { store, clock, definitions } = options
  const now = clock.now()
  let runs = 0
  let longest = policy.defaultRetentionMs
  for (const { tenant, flow } of await store.endedFlows()) {
    const retentionMs = definitions.plan(tenant, flow)?.plan.settings.retentionMs ?? policy.defaultRetentionMs
    longest = Math.max(longest, retentionMs)
    for (let deleted = PAGE; deleted === PAGE;) {
      deleted = (await store.prune({ tenant, flow, before: now - retentionMs, limit: PAGE })).runs
      runs += deleted
    }
  }
  // Without a flow the store forgets events as well: none that a run may still wait for.
  await store.prune({ before: now - longest, limit: 0 })
  const orphans = await deleteOrphans(options, now - ORPHAN_MS)
  const { bytesBefore, bytesAfter } = await store.compact()
  return { runs, bytesFreed: Math.max(0, bytesBefore - bytesAfter) + orphans }
}

/** Blobs of runs that are gone, and of writes that never landed. Answers their size. */
async function deleteOrphans({ store, blobs }: RetentionOptions, before: number): Promise<number> {
  let freed = 0
  const deleteUnknown = async (batch: ReadonlyMap<string, number>): Promise<void> => {
    const known = new Set(await store.knownBlobs([...batch.keys()]))
    for (const [hash, size] of batch) {
      if (known.has(hash)) continue
      if (await blobs.delete(hash, before)) freed += size
    }
  }
  let batch = new Map<string, number>()
  for await (const { hash, size, storedAt } of blobs.list()) {
    if (storedAt >= before) continue
    batch.set(hash, size)
    if (batch.size < BLOBS_AT_ONCE) continue
    await deleteUnknown(batch)
    batch = new Map()
  }
  await deleteUnknown(batch)
  return freed
}
