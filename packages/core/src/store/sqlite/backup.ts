/**
 * The thread that writes a backup: a consistent copy of what is committed at its beginning, read through a connection of
 * its own, so that the writer goes on meanwhile. The copy is complete and synced before it gets its name.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

/** What the main thread hands over. */
export interface BackupData {
  readonly file: string
  readonly target: string
}

/** Copies the database to `target`, replacing a file that is there; nobody owns the copy. */
export function writeBackup({ file, target }: BackupData): void {
  const partial = `${target}.partial`
  rmSync(partial, { force: true })
  const source = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  try {
    source.prepare('VACUUM INTO ?').run(partial)
  } finally {
    source.close()
  }
  release(partial)
  sync(partial)
  renameSync(partial, target)
  // A rename is durable when its folder is.
  if (process.platform !== 'win32') sync(dirname(target))
}

/** The copy carries the owner row of a live process, which must not keep anybody from opening it. */
function release(file: string): void {
  const copy = new DatabaseSync(file)
  try {
    copy.exec(`UPDATE owner SET pid = 0, socket = ''`)
  } finally {
    copy.close()
  }
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

if (parentPort !== null && isBackupData(workerData)) writeBackup(workerData)

function isBackupData(data: unknown): data is BackupData {
  return typeof data === 'object' && data !== null && 'target' in data && 'file' in data
}
