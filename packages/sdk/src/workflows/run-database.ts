/**
 * Where runs are kept: beside the connections. A SQLite file of runs has one owner at a time, and connections are used by
 * many processes, so `sqlite:./app.db` keeps its runs in `app.runs.db`, with what is large in `app.runs.blobs`.
 */
import {
  createFileBlobStore,
  createMemoryBlobStore,
  createMemoryStore,
  openSqliteStore,
  type BlobStore,
  type Store,
} from '@plugwork/core/node'
import { sqliteFile } from '../open-database.ts'
import { readVersion } from '../version.ts'

export interface RunDatabase {
  readonly store: Store
  readonly blobs: BlobStore
}

export async function openRunDatabase(database: string): Promise<RunDatabase> {
  if (database === 'memory:') return { store: createMemoryStore(), blobs: createMemoryBlobStore() }
  const version = readVersion()
  if (database.startsWith('sqlite:')) {
    const base = sqliteFile(database).replace(/\.(?:db|sqlite3?)$/, '')
    // No control socket: nobody reaches the runs of an application but itself.
    const store = await openSqliteStore({ file: `${base}.runs.db`, socket: '', version })
    return { store, blobs: createFileBlobStore(`${base}.runs.blobs`) }
  }
  const { openPostgresStore } = await import('@plugwork/core/postgres')
  const { store, blobs } = await openPostgresStore({ url: database, version })
  return { store, blobs }
}
