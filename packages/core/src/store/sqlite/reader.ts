/**
 * Reading, on the main thread's own read-only connection: a look-up costs some ten microseconds, less than asking another
 * thread. What can be long (a journal, a list over a large table) is read in slices between which the event loop turns.
 */
import type { DatabaseSync } from 'node:sqlite'

import type { JsonObject } from '../../json.ts'
import type { JournalRecord, LoadedRun, RunQuery, RunRow, RunStatus } from '../store.ts'
import { Prepared } from './prepared.ts'
import type { Column } from './rows.ts'
import { toMessage, toRecord, toRunRow } from './rows.ts'
import { countStatement, listStatement, READ } from './statements.ts'

/** Journal records per slice. */
const RECORDS = 2_000
/** Rids per slice of a list or count: what a slice costs when nothing in it matches. */
const RIDS = 20_000

export class Reader extends Prepared {
  readonly #db: DatabaseSync

  constructor(db: DatabaseSync) {
    super(db)
    this.#db = db
  }

  async load(rid: number): Promise<LoadedRun | null> {
    const row = this.first(READ.run, rid)
    const facts = this.first(READ.facts, rid)
    if (row === undefined || facts === undefined) return null
    const found = this.first(READ.snapshot, rid)
    const snapshot = found === undefined ? null : { seq: found[0] as number, state: found[1] as string }
    const messages = this.all(READ.messages, rid).map(toMessage)
    const subscriptions = this.all(READ.subscriptions, rid).map(([path, event, after]) => ({
      path: path as string,
      event: event as string,
      after: after as number,
    }))
    const records = await this.journal(rid, (snapshot?.seq ?? 0) + 1, Infinity)
    return {
      row: toRunRow(row),
      facts: JSON.parse(facts[0] as string) as JsonObject,
      snapshot,
      records,
      messages,
      subscriptions,
    }
  }

  async journal(rid: number, fromSeq: number, limit: number): Promise<readonly JournalRecord[]> {
    const records: JournalRecord[] = []
    let next = fromSeq
    while (records.length < limit) {
      const wanted = Math.min(RECORDS, limit - records.length)
      const rows = this.all(READ.journal, rid, next, wanted)
      for (const row of rows) records.push(toRecord(row))
      if (rows.length < wanted) break
      next = (records.at(-1)?.seq ?? next) + 1
      if (records.length < limit) await turn()
    }
    return records
  }

  async listRuns(query: RunQuery): Promise<readonly RunRow[]> {
    const statuses = query.status ?? []
    const found: RunRow[] = []
    let before = Math.min(query.before ?? Infinity, this.#maxRid() + 1)
    while (before > 1 && found.length < query.limit) {
      const from = Math.max(1, before - RIDS)
      found.push(...this.#listSlice(query, statuses, from, before, query.limit - found.length))
      if (from > 1 && this.#isAllOlder(from, query.since)) break
      before = from
      if (before > 1 && found.length < query.limit) await turn()
    }
    return found
  }

  async countRuns(tenant: string | null, statuses: readonly RunStatus[]): Promise<number> {
    if (statuses.length === 0) return 0
    const sql = countStatement(statuses, tenant !== null)
    const ofTenant = tenant === null ? [] : [tenant]
    if (!statuses.includes('succeeded')) return this.first(sql, 0, Number.MAX_SAFE_INTEGER, ...ofTenant)?.[0] as number
    let count = 0
    const end = this.#maxRid()
    for (let from = 0; from <= end; from += RIDS * 5) {
      count += this.first(sql, from, from + RIDS * 5, ...ofTenant)?.[0] as number
      await turn()
    }
    return count
  }

  due(now: number, limit: number): readonly number[] {
    const rids = new Set<number>()
    for (const [rid] of this.all(READ.dueTimers, now, limit)) rids.add(rid as number)
    if (rids.size < limit) for (const [rid] of this.all(READ.dueMessages, limit)) rids.add(rid as number)
    return [...rids].slice(0, limit)
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  /** One status at a time, so that each can use the index that has it; then the newest of all. */
  #listSlice(
    query: RunQuery,
    statuses: readonly RunStatus[],
    from: number,
    before: number,
    limit: number,
  ): readonly RunRow[] {
    const rows = (statuses.length === 0 ? [null] : statuses).flatMap((status) => {
      const sql = listStatement({ flow: query.flow !== undefined, parent: query.parentRid !== undefined, status })
      const values: Column[] = [before, from, query.tenant]
      if (query.flow !== undefined) values.push(query.flow)
      if (query.parentRid !== undefined) values.push(query.parentRid)
      return this.all(sql, ...values, query.since ?? 0, limit)
    })
    if (statuses.length > 1) rows.sort((a, b) => (b[0] as number) - (a[0] as number))
    return rows.slice(0, limit).map(toRunRow)
  }

  /** Rids grow with time: once the run at a slice's start was made before `since`, all earlier ones were. */
  #isAllOlder(rid: number, since: number | undefined): boolean {
    if (since === undefined) return false
    const created = this.first(READ.createdAt, rid)?.[0]
    // An hour for clocks that were set back.
    return created !== undefined && (created as number) < since - 3_600_000
  }

  #maxRid(): number {
    return this.first(READ.maxRid)?.[0] as number
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
