/** What `database` names, opened: the connections in it, and their clean end. Loaded when the SDK is first used. */
import { resolve } from 'node:path'
import {
  createMemoryConnectionStore,
  openPostgresConnectionStore,
  openSqliteConnectionStore,
  type ConnectionStore,
} from '@plugwork/connections'

export interface OpenedDatabase {
  readonly store: ConnectionStore
  /** Closes what was opened here; a store of the application stays open. */
  close(): Promise<void>
}

export async function openDatabase(database: string | ConnectionStore): Promise<OpenedDatabase> {
  if (typeof database !== 'string') return { store: database, close: async () => undefined }
  const store = await openStore(database)
  return { store, close: () => store.close() }
}

async function openStore(database: string): Promise<ConnectionStore> {
  if (database === 'memory:') return createMemoryConnectionStore()
  if (database.startsWith('sqlite:')) return openSqliteConnectionStore({ file: sqliteFile(database) })
  return openPostgresConnectionStore({ url: database })
}

/** `sqlite:./app.db` and `sqlite:///var/lib/app.db` alike. */
export function sqliteFile(database: string): string {
  return resolve(database.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, ''))
}
