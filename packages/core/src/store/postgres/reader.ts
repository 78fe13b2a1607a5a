/** Reading: rows as the contract's objects. A run is loaded as of one moment, although it takes several statements. */
import type { JsonObject } from '../../json.ts'
import { toMessage, toRecord, toRunRow, type Column as SqliteColumn, type RunColumns } from '../sqlite/rows.ts'
import type { JournalRecord, LoadedRun, RunQuery, RunRow, RunStatus } from '../store.ts'
import type { Column, Database, Queryable } from './database.ts'
import { countStatement, listStatement, READ } from './statements.ts'

/** Journal records per statement. */
const RECORDS = 2_000

export class Reader {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async all(text: string, ...values: readonly unknown[]): Promise<readonly (readonly SqliteColumn[])[]> {
    return (await this.#database.query(text, values)).rows as readonly (readonly SqliteColumn[])[]
  }

  async first(text: string, ...values: readonly unknown[]): Promise<readonly SqliteColumn[] | undefined> {
    return (await this.all(text, ...values))[0]
  }

  async row(text: string, ...values: readonly unknown[]): Promise<RunRow | null> {
    const row = await this.first(text, ...values)
    return row === undefined ? null : toRunRow(row)
  }

  load(rid: number): Promise<LoadedRun | null> {
    return this.#database.snapshot(async (tx) => {
      const row = await firstOf(tx, READ.run, rid)
      const facts = await firstOf(tx, READ.facts, rid)
      if (row === undefined || facts === undefined) return null
      const [text, seq, state] = facts
      const snapshot = seq === null ? null : { seq: seq as number, state: state as string }
      const messages = await tx.query(READ.messages, [rid])
      const subscriptions = await tx.query(READ.subscriptions, [rid])
      return {
        row: toRunRow(row as RunColumns),
        facts: JSON.parse(text as string) as JsonObject,
        snapshot,
        records: await journalOf(tx, rid, (snapshot?.seq ?? 0) + 1, Infinity),
        messages: messages.rows.map((message) => toMessage(message as readonly SqliteColumn[])),
        subscriptions: subscriptions.rows.map(([path, event, after]) => ({
          path: path as string,
          event: event as string,
          after: after as number,
        })),
      }
    })
  }

  journal(rid: number, fromSeq: number, limit: number): Promise<readonly JournalRecord[]> {
    return journalOf(this.#database, rid, fromSeq, limit)
  }

  async listRuns(query: RunQuery): Promise<readonly RunRow[]> {
    const { tenant, flow, parentRid, since = 0, before = Number.MAX_SAFE_INTEGER, limit } = query
    const statuses = query.status ?? []
    const shape = { flow: flow !== undefined, parent: parentRid !== undefined, status: statuses.length > 0 }
    const values: unknown[] = [tenant, before, since]
    if (shape.flow) values.push(flow)
    if (shape.parent) values.push(parentRid)
    if (shape.status) values.push(statuses)
    return (await this.all(listStatement(shape), ...values, limit)).map(toRunRow)
  }

  async countRuns(tenant: string | null, statuses: readonly RunStatus[]): Promise<number> {
    if (statuses.length === 0) return 0
    const distinct = [...new Set(statuses)]
    const values = tenant === null ? [] : [tenant]
    return (await this.first(countStatement(distinct, tenant !== null), ...values))?.[0] as number
  }

  async due(now: number, limit: number, epoch: number): Promise<readonly number[]> {
    const rids = new Set<number>()
    for (const [rid] of await this.all(READ.dueTimers, now, limit, epoch)) rids.add(rid as number)
    if (rids.size < limit)
      for (const [rid] of await this.all(READ.dueMessages, now, limit, epoch)) rids.add(rid as number)
    return [...rids].slice(0, limit)
  }
}

async function firstOf(
  tx: Queryable,
  text: string,
  ...values: readonly unknown[]
): Promise<readonly Column[] | undefined> {
  return (await tx.query(text, values)).rows[0]
}

async function journalOf(
  from: Queryable,
  rid: number,
  fromSeq: number,
  limit: number,
): Promise<readonly JournalRecord[]> {
  const records: JournalRecord[] = []
  let next = fromSeq
  while (records.length < limit) {
    const wanted = Math.min(RECORDS, limit - records.length)
    const { rows } = await from.query(READ.journal, [rid, next, wanted])
    for (const row of rows) records.push(toRecord(row as readonly SqliteColumn[]))
    if (rows.length < wanted) break
    next = (records.at(-1)?.seq ?? next) + 1
  }
  return records
}
