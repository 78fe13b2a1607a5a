/** Connections in memory: for tests and for programs that ask for credentials at each start. */
import {
  CONNECTION_TABLES,
  type ConnectionStore,
  type ConnectionTable,
  type NewRow,
  type RowQuery,
  type StoredRow,
} from './connection-store.ts'
import { storeClosed } from './errors.ts'

/** Makes an empty store; it forgets everything with the process. */
export function createMemoryConnectionStore(): ConnectionStore {
  const tables = new Map(CONNECTION_TABLES.map((name) => [name, new Map<string, StoredRow>()]))
  let closed = false
  const rowsOf = (table: ConnectionTable): Map<string, StoredRow> => {
    if (closed) throw storeClosed()
    return tables.get(table)!
  }
  const slotTaken = (rows: ReadonlyMap<string, StoredRow>, { id, slot }: NewRow): boolean =>
    slot !== null && [...rows.values()].some((row) => row.slot === slot && row.id !== id)
  // Copies go in and out: whoever changes theirs does not change the store.
  return {
    async get(table, id) {
      const row = rowsOf(table).get(id)
      return row === undefined ? null : structuredClone(row)
    },
    async insert(table, row) {
      const rows = rowsOf(table)
      if (rows.has(row.id) || slotTaken(rows, row)) return false
      rows.set(row.id, structuredClone({ ...row, version: 1 }))
      return true
    },
    async replace(table, row, version) {
      const rows = rowsOf(table)
      if (rows.get(row.id)?.version !== version) return 'stale'
      if (slotTaken(rows, row)) return 'taken'
      rows.set(row.id, structuredClone({ ...row, version: version + 1 }))
      return 'done'
    },
    async remove(table, id, version) {
      const rows = rowsOf(table)
      if (version !== undefined && rows.get(id)?.version !== version) return false
      return rows.delete(id)
    },
    async list(table, query) {
      return [...rowsOf(table).values()]
        .filter((row) => matches(row, query))
        .toSorted((a, b) => compare(a.id, b.id))
        .slice(0, query.limit)
        .map((row) => structuredClone(row))
    },
    async close() {
      closed = true
    },
  }
}

function matches(row: StoredRow, { tenant, owner, kind, name, dueBefore, after }: RowQuery): boolean {
  return (
    (tenant === undefined || row.tenant === tenant) &&
    (owner === undefined || row.owner === owner) &&
    (kind === undefined || row.kind === kind) &&
    (name === undefined || row.name === name) &&
    (dueBefore === undefined || (row.due !== null && row.due <= dueBefore)) &&
    (after === undefined || compare(row.id, after) > 0)
  )
}

const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
