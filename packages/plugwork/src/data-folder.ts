/** What lies in a data folder, and who owns it now. */
import { join } from 'node:path'
import { fromSqlite, readOwner, type OwnerStatus } from '@plugwork/core/node'
import type { Context } from './context.ts'
import { UsageError } from './exit.ts'
import { showPath } from './render/path.ts'

export interface DataFolder {
  readonly directory: string
  readonly database: string
  readonly blobs: string
  /** Stored connections; open in every process that uses them. */
  readonly connections: string
}

export function dataFolder(directory: string): DataFolder {
  return {
    directory,
    database: join(directory, 'plugwork.db'),
    blobs: join(directory, 'blobs'),
    connections: join(directory, 'connections.db'),
  }
}

/** What commands that need the folder for themselves say while somebody has it: `start`, `migrate`, `restore`. */
export function inUse(
  context: Pick<Context, 'workingDirectory'>,
  directory: string,
  owner: Pick<OwnerStatus, 'pid' | 'version'>,
  address: string | null = null,
): UsageError {
  const at = address === null ? '' : ` at ${address}`
  return new UsageError(
    `${showPath(context, directory)} is in use by process ${owner.pid}${at} (Plugwork ${owner.version}).`,
    'Stop that process, or give another --data-dir. Other commands work through it.',
  )
}

/** The live process that owns the folder; null when nobody does, or whoever did has ended or is stuck. Throws `store_corrupt`. */
export function liveOwner(folder: DataFolder): OwnerStatus | null {
  try {
    const owner = readOwner(folder.database)
    return owner?.state === 'live' ? owner : null
  } catch (error) {
    throw fromSqlite(error, folder.database)
  }
}
