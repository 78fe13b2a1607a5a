/** Retention and compaction, in short transactions: no step holds up a run for long. */
import { crashPoint } from '../crash-point.ts'
import { storeError } from '../errors.ts'
import type { Store } from '../store.ts'
import type { Database, Queryable } from './database.ts'
import { READ, WRITE } from './statements.ts'

/** Trees of runs, or events, per step. */
const TREES = 20
const SLICE = 1_000

type PruneQuery = Parameters<Store['prune']>[0]

/** Deletes ended trees of runs, then old events. */
export async function prune(database: Database, epoch: number, query: PruneQuery): ReturnType<Store['prune']> {
  const blobs = new Set<string>()
  let runs = 0
  const flows = (await step(database, epoch, (tx) => tx.query(READ.endedFlows))).rows.filter(
    (row) => (query.tenant ?? row[0]) === row[0] && (query.flow ?? row[1]) === row[1],
  )
  for (const [tenant, flow] of flows) {
    for (;;) {
      const wanted = Math.min(TREES, query.limit - runs)
      if (wanted <= 0) break
      const done = await step(database, epoch, async (tx) => {
        const { rows } = await tx.query(WRITE.endedRoots, [tenant, flow, query.before, wanted])
        const freed = await deleteTrees(
          tx,
          rows.map(([rid]) => rid as number),
        )
        crashPoint('store.prune')
        return { roots: rows.length, freed }
      })
      runs += done.roots
      for (const hash of done.freed) blobs.add(hash)
      if (done.roots < wanted) break
    }
  }
  if (query.flow === undefined) {
    const deleteSome = (tx: Queryable) => tx.query(WRITE.deleteEvents, [query.before, query.tenant ?? null, SLICE])
    while ((await step(database, epoch, deleteSome)).count === SLICE);
  }
  return { runs, blobs: [...blobs] }
}

/** Has the server make the space of deleted rows usable again. */
export async function compact(database: Database): ReturnType<Store['compact']> {
  const size = async (): Promise<number> => (await database.query(READ.size)).rows[0]?.[0] as number
  const bytesBefore = await size()
  await database.maintain('VACUUM (ANALYZE) runs, run_payloads, journal, snapshots, inbox, events, blobs, blob_refs')
  return { bytesBefore, bytesAfter: Math.min(bytesBefore, await size()) }
}

/** Deletes what belongs to these roots and their trees; answers the blobs that nobody refers to any more. */
async function deleteTrees(tx: Queryable, roots: readonly number[]): Promise<readonly string[]> {
  if (roots.length === 0) return []
  const rids = (await tx.query(WRITE.treesOf, [roots])).rows.map(([rid]) => rid)
  for (const statement of WRITE.deleteOfRuns) await tx.query(statement, [rids])
  const freed = new Set((await tx.query(WRITE.deleteBlobRefs, [rids])).rows.map(([hash]) => hash as string))
  for (const [hash] of (await tx.query(WRITE.blobsInUse, [[...freed]])).rows) freed.delete(hash as string)
  return [...freed]
}

async function step<T>(database: Database, epoch: number, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return database.transaction(WRITE.alive(epoch), (tx, head) => {
    if (head.length > 0) return work(tx)
    throw storeError('store_closed', 'The store takes no more writes: this process has lost it to another one.')
  })
}
