/** The store of connections that belongs to a folder's settings: its own file beside the run store, or the database. */
import { existsSync } from 'node:fs'
import { openPostgresConnectionStore, openSqliteConnectionStore, type ConnectionStore } from '@plugwork/connections'
import type { Settings } from '@plugwork/core/node'
import { dataFolder } from './data-folder.ts'

/** Opens it, making it where it is not there. */
export async function openConnectionStore({ databaseUrl, dataDir }: Settings): Promise<ConnectionStore> {
  if (databaseUrl !== null) return openPostgresConnectionStore({ url: databaseUrl })
  return openSqliteConnectionStore({ file: dataFolder(dataDir).connections })
}

/** Null where nobody has stored a connection yet; nothing is made. */
export async function findConnectionStore(settings: Settings): Promise<ConnectionStore | null> {
  if (settings.databaseUrl === null && !existsSync(dataFolder(settings.dataDir).connections)) return null
  return openConnectionStore(settings)
}
