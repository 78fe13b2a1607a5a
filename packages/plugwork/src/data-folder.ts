/** What lies in a data folder, and who owns it now. */
import { join } from 'node:path'
import { readOwner, type OwnerStatus } from '@plugwork/core/node'

export interface DataFolder {
  readonly directory: string
  readonly database: string
  readonly blobs: string
}

export function dataFolder(directory: string): DataFolder {
  return { directory, database: join(directory, 'plugwork.db'), blobs: join(directory, 'blobs') }
}

/** The live process that owns the folder; null when nobody does, or whoever did has ended or is stuck. */
export function liveOwner(folder: DataFolder): OwnerStatus | null {
  const owner = readOwner(folder.database)
  return owner?.state === 'live' ? owner : null
}
