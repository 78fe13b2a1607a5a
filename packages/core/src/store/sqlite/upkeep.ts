/**
 * Work on the whole file, in steps: each `yield` is a place at which the writer first commits what has been queued. A
 * step is short, so that retention never holds up a run.
 */
import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'

import { crashPoint } from '../crash-point.ts'
import type { Committer } from './committer.ts'
import type { PruneQuery } from './messages.ts'
import type { Prepared } from './prepared.ts'
import { FLOORS, type RunTables } from './run-tables.ts'
import { WRITE } from './statements.ts'

export interface UpkeepContext {
  readonly db: DatabaseSync
  readonly file: string
  readonly prepared: Prepared
  readonly tables: RunTables
  readonly committer: Committer
}

/** A job of the writer: yields between its steps and returns its answer. */
export type Job = Generator<void, unknown, void>

/** Trees of runs per step. */
const TREES = 20
/** Journal records, events or pages per step. */
const SLICE = 1_000

/** Deletes ended trees of runs, then what is left of their journals, then old events. */
export function* prune(context: UpkeepContext, query: PruneQuery): Job {
  const { committer, prepared, tables } = context
  const blobs = new Set<string>()
  let runs = 0
  const flows = prepared
    .all(WRITE.endedFlows)
    .filter((row) => (query.tenant ?? row[0]) === row[0] && (query.flow ?? row[1]) === row[1])
  for (const [tenant, flow] of flows as [string, string][]) {
    for (;;) {
      const wanted = Math.min(TREES, query.limit - runs)
      if (wanted <= 0) break
      const roots = committer.transaction(() => {
        const found = prepared.column(WRITE.endedRoots, tenant, flow, query.before, wanted) as number[]
        for (const root of found) deleteTree(prepared, root, blobs)
        keepFloors(prepared, tables.floors)
        crashPoint('store.prune')
        return found.length
      })
      runs += roots
      yield
      if (roots < wanted) break
    }
  }
  yield* sweepJournals(context)
  if (query.flow === null) {
    while (committer.transaction(() => prepared.run(WRITE.deleteEvents, query.before, query.tenant, SLICE)) === SLICE)
      yield
  }
  return { runs, blobs: [...blobs] }
}

/** Gives free pages back, a slice at a time, then the log. */
export function* compact(context: UpkeepContext): Job {
  const { db, committer, file } = context
  yield* sweepJournals(context)
  const bytesBefore = sizeOf(file)
  while (freePages(db) > 0) {
    const before = freePages(db)
    // Gives pages back while it is stepped through.
    committer.transaction(() => void db.prepare(`PRAGMA incremental_vacuum(${SLICE})`).all())
    if (freePages(db) >= before) break
    yield
  }
  checkpoint(db, 'TRUNCATE')
  return { bytesBefore, bytesAfter: sizeOf(file) }
}

/** Moves the log into the database file. `PASSIVE` does what it can without waiting for readers. */
export function checkpoint(db: DatabaseSync, mode: 'PASSIVE' | 'TRUNCATE'): void {
  crashPoint('store.checkpoint')
  db.prepare(`PRAGMA wal_checkpoint(${mode})`).all()
}

/** Journals of trees that are gone; a crash in between leaves the rest to the next time. */
function* sweepJournals({ committer, prepared }: UpkeepContext): Job {
  for (;;) {
    const left = committer.transaction(() => {
      let budget = SLICE
      while (budget > 0) {
        const rid = prepared.value(WRITE.doomed)
        if (rid === undefined) return false
        const deleted = prepared.run(WRITE.deleteJournal, rid, budget)
        if (deleted < budget) prepared.run(WRITE.undoom, rid)
        budget -= Math.max(deleted, 1)
      }
      crashPoint('store.prune')
      return true
    })
    if (!left) return
    yield
  }
}

function deleteTree(prepared: Prepared, root: number, blobs: Set<string>): void {
  const freed: string[] = []
  for (const rid of prepared.column(WRITE.treeOf, root) as number[]) {
    prepared.run(WRITE.doom, rid)
    prepared.run(WRITE.deleteRun, rid)
    prepared.run(WRITE.deletePayload, rid)
    prepared.run(WRITE.deleteSnapshot, rid)
    prepared.run(WRITE.deleteInbox, rid)
    prepared.run(WRITE.unsubscribeAll, rid)
    freed.push(...(prepared.column(WRITE.deleteBlobs, rid) as string[]))
  }
  for (const hash of freed) if (prepared.value(WRITE.blobInUse, hash) === undefined) blobs.add(hash)
}

function keepFloors(prepared: Prepared, floors: RunTables['floors']): void {
  prepared.run(WRITE.setMeta, FLOORS.rid, String(floors.rid))
  prepared.run(WRITE.setMeta, FLOORS.message, String(floors.message))
}

function freePages(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA freelist_count').get()?.['freelist_count'])
}

function sizeOf(file: string): number {
  return statSync(file).size + (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0)
}
