/** Connections as typed rows: read, and changed by compare-and-set. */
import type { ConnectionStore } from '../store/connection-store.ts'
import { fromRow, toRow, type ConnectionData, type ConnectionRow } from './connection.ts'

/** What a change may set; null: leave the row as it is. */
export interface RowChange {
  readonly name?: string
  readonly due?: number | null
  readonly data?: Partial<ConnectionData>
}

export type Changed =
  | { readonly outcome: 'done'; readonly before: ConnectionRow; readonly row: ConnectionRow }
  | { readonly outcome: 'left'; readonly row: ConnectionRow }
  | { readonly outcome: 'gone' | 'taken' }

export class ConnectionRows {
  readonly #store: ConnectionStore

  constructor(store: ConnectionStore) {
    this.#store = store
  }

  async read(id: string): Promise<ConnectionRow | null> {
    const row = await this.#store.get('connections', id)
    return row === null ? null : fromRow(row)
  }

  async insert(row: Omit<ConnectionRow, 'version'>): Promise<boolean> {
    return this.#store.insert('connections', toRow(row))
  }

  async remove(id: string): Promise<boolean> {
    return this.#store.remove('connections', id)
  }

  async list(query: Omit<Parameters<ConnectionStore['list']>[1], 'name'>): Promise<readonly ConnectionRow[]> {
    return (await this.#store.list('connections', query)).map(fromRow)
  }

  /** Reads, asks `change` what to write, and does so again when another process was quicker. */
  async change(id: string, change: (row: ConnectionRow) => RowChange | null): Promise<Changed> {
    for (;;) {
      const before = await this.read(id)
      if (before === null) return { outcome: 'gone' }
      const wanted = change(before)
      if (wanted === null) return { outcome: 'left', row: before }
      const { name = before.name, due = before.due } = wanted
      const row = { ...before, name, due, data: { ...before.data, ...wanted.data } }
      const outcome = await this.#store.replace('connections', toRow(row), before.version)
      if (outcome === 'done') return { outcome, before, row: { ...row, version: before.version + 1 } }
      if (outcome === 'taken') return { outcome }
    }
  }
}
