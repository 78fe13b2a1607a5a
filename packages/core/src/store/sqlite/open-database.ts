/** Connections to the database file, with the settings that durability and speed rest on. */
import { DatabaseSync } from 'node:sqlite'

import { faultyStatements, mutated } from '../mutation.ts'
import { storeError } from '../errors.ts'
import { checkVersion, migrateTables } from './migrations.ts'
import { DEFAULT_LEASE, endStalledOwner, refuseOwned, takeOwnership, type Claimant } from './owner.ts'
import type { PreviousOwner } from './messages.ts'

/** Pages of the log after which the writer moves them into the database: 16 MiB. */
const CHECKPOINT_PAGES = 4_096
/** How long another process may hold the file's write lock before that is an error, in ms. */
const BUSY_MS = 5_000
/** The same for an owner whose time is over: if it has not let go by then, it was stopped with the lock. */
const STALLED_BUSY_MS = 1_000

export interface OpenWriter {
  readonly file: string
  readonly claimant: Claimant
  readonly expireMs: number
  /** Limit of the file's size in pages of 4 KiB; for tests of a full disk. */
  readonly maxPages?: number
}

/** Opens the writing connection, migrates and takes ownership, all in one transaction. */
export function openWriter(options: OpenWriter): {
  readonly db: DatabaseSync
  readonly epoch: number
  readonly previous: PreviousOwner | null
} {
  const { file } = options
  const db = new DatabaseSync(file, { timeout: BUSY_MS })
  try {
    prepareNewFile(db)
    db.exec('PRAGMA journal_mode = WAL')
    db.exec(`PRAGMA synchronous = ${mutated('sync_off') ? 'OFF' : 'FULL'}`)
    // macOS: a plain fsync does not reach the disk there; elsewhere these say nothing.
    db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
    db.exec(
      `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${CHECKPOINT_PAGES * 4096 * 4}`,
    )
    db.exec('PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY')
    lock(db, options)
    migrateTables(db, file)
    const taken = takeOwnership(db, file, options.claimant, options.expireMs)
    db.exec('COMMIT')
    for (const sql of faultyStatements()) db.exec(sql)
    if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${options.maxPages}`)
    return { db, ...taken }
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    db.close()
    throw error
  }
}

/** Lets pruning give pages back step by step; can be said before the first table only, and takes the write lock. */
function prepareNewFile(db: DatabaseSync): void {
  if (db.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() === undefined) db.exec('PRAGMA auto_vacuum = INCREMENTAL')
}

/**
 * Begins the transaction in which the file changes hands. A process that was stopped in the middle of a commit holds the
 * lock of the file for as long as it exists, and no epoch helps against that; once its time as an owner is over, it is ended.
 */
function lock(db: DatabaseSync, { file, expireMs }: OpenWriter): void {
  const isNew = db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'owner'`).get() === undefined
  // Says so at once: a busy owner would have us wait for the lock first.
  if (!isNew) refuseOwned(db, file, expireMs)
  db.exec(`PRAGMA busy_timeout = ${isNew ? BUSY_MS : STALLED_BUSY_MS}`)
  try {
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    if (isNew || resultCode(error) !== CODES.busy) throw error
    refuseOwned(db, file, expireMs)
    if (!endStalledOwner(db, expireMs)) throw error
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    db.exec('BEGIN IMMEDIATE')
  }
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
}

/** Opens a connection that can only read; the file must exist and be of this program's schema. */
export function openReader(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS })
  db.exec('PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY')
  return db
}

/**
 * Brings a database file to this program's schema while nobody owns it; answers the versions before and after. Throws
 * `store_owned` when a live process has it open.
 */
export function migrate(file: string): { readonly from: number; readonly to: number } {
  const db = new DatabaseSync(file, { timeout: BUSY_MS })
  try {
    const from = checkVersion(db, file)
    prepareNewFile(db)
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('BEGIN IMMEDIATE')
    if (from > 0) refuseOwned(db, file, DEFAULT_LEASE.expireMs)
    migrateTables(db, file)
    db.exec('COMMIT')
    const to = checkVersion(db, file)
    return { from, to }
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  } finally {
    db.close()
  }
}

/** Result codes of SQLite that the store tells apart: https://www.sqlite.org/rescode.html */
const CODES = {
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  constraint: 19,
  notADatabase: 26,
}

/** Primary result code of an error of SQLite; null for other errors. */
function resultCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null
}

/** What a failure of SQLite means to the caller of the store. */
export function fromSqlite(error: unknown, file: string): Error {
  const code = resultCode(error)
  if (!(error instanceof Error) || code === null) return error as Error
  const message = error.message
  switch (code) {
    case CODES.busy:
      return storeError(
        'store_busy',
        `Another process holds the write lock of ${file} and does not let go (a stopped process?). End it and try again.`,
        error,
      )
    case CODES.full:
    case CODES.ioError:
    case CODES.cantOpen:
    case CODES.readOnly:
      return storeError(
        'store_full',
        `${file} cannot be written (${message}). Free disk space; work then goes on.`,
        error,
      )
    case CODES.corrupt:
    case CODES.notADatabase:
      return storeError('store_corrupt', `${file} is damaged (${message}). Restore a backup.`, error)
    case CODES.constraint:
      return fromConstraint(message, error)
    default:
      return storeError('store_failed', `${file}: ${message}`, error)
  }
}

function fromConstraint(message: string, cause: unknown): Error {
  if (message.includes('journal.rid, journal.path')) {
    return storeError('store_duplicate_completion', 'The step is completed already; its first result stands.', cause)
  }
  if (message.includes('journal.rid, journal.seq')) {
    return storeError('store_sequence', 'The record is stored already. Load the run again.', cause)
  }
  return storeError(
    'store_constraint',
    `The write breaks a rule of the schema (${message}); nothing of it was stored.`,
    cause,
  )
}
