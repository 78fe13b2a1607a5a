/**
 * Ownership of a database file. One row names the process that owns it and under which epoch; every transaction of the
 * writer compares the epoch, so whoever raises it has fenced the former owner for good.
 *
 * A process that is gone (its pid is free, or was given to another process) is replaced at once. One that lives and has
 * renewed its row lately owns the file. One that lives but has not renewed for `expireMs` (stopped, or wedged) is
 * replaced: should it wake up, it finds another epoch and commits nothing. One that was stopped in the middle of a commit
 * still has the file locked; it is ended, because nobody could ever write again otherwise.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

import { StoreOwnedError } from '../errors.ts'
import type { Owner } from '../store.ts'
import type { PreviousOwner } from './messages.ts'
import { isRunning } from './process-identity.ts'

/** Times of ownership, in ms. */
export interface Lease {
  /** The writer renews this often. Default 5,000. */
  readonly renewMs: number
  /** An owner that has not renewed for this long may be replaced although it lives. Default 15,000. */
  readonly expireMs: number
  /** When the main loop has not moved for this long, the writer stops renewing. Default 10,000. */
  readonly stallMs: number
}

export const DEFAULT_LEASE: Lease = { renewMs: 5_000, expireMs: 15_000, stallMs: 10_000 }

export interface OwnerStatus extends Owner {
  /** `live`: it owns the file. `stalled`: it lives but does not renew. `gone`: its process has ended. */
  readonly state: 'live' | 'stalled' | 'gone'
}

/** Who takes ownership. */
export interface Claimant {
  readonly pid: number
  readonly processStart: string
  readonly socket: string
  readonly version: string
}

const SELECT = 'SELECT epoch, pid, process_start, socket, renewed_at, version FROM owner WHERE id = 1'
const REPLACE = `INSERT INTO owner VALUES (1, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch,
  pid = excluded.pid, process_start = excluded.process_start, socket = excluded.socket, renewed_at = excluded.renewed_at,
  version = excluded.version`

/**
 * The owner of a database file, without opening the store: null when there is no file, or nobody has it open. `expireMs`
 * as in `Lease`.
 */
export function readOwner(file: string, expireMs: number = DEFAULT_LEASE.expireMs): OwnerStatus | null {
  if (!existsSync(file)) return null
  const db = new DatabaseSync(file, { readOnly: true, timeout: 2_000 })
  try {
    if (db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'owner'`).get() === undefined) return null
    const owner = ownerIn(db)
    return owner === null || owner.pid === 0 ? null : { ...owner, state: stateOf(owner, expireMs) }
  } finally {
    db.close()
  }
}

/** Takes ownership inside the caller's transaction; throws `StoreOwnedError` when a live process has it. */
export function takeOwnership(
  db: DatabaseSync,
  file: string,
  claimant: Claimant,
  expireMs: number,
): { readonly epoch: number; readonly previous: PreviousOwner | null } {
  const owner = ownerIn(db)
  const why = owner === null || owner.pid === 0 ? 'released' : stateOf(owner, expireMs)
  if (owner !== null && why === 'live') throw new StoreOwnedError(file, owner)
  const epoch = (owner?.epoch ?? 0) + 1
  db.prepare(REPLACE).run(epoch, claimant.pid, claimant.processStart, claimant.socket, Date.now(), claimant.version)
  return { epoch, previous: owner === null || why === 'live' ? null : { owner, why } }
}

/** Throws `StoreOwnedError` when a live process owns the file. */
export function refuseOwned(db: DatabaseSync, file: string, expireMs: number): void {
  const owner = ownerIn(db)
  if (owner !== null && owner.pid !== 0 && stateOf(owner, expireMs) === 'live') {
    throw new StoreOwnedError(file, owner)
  }
}

/**
 * Ends the owner's process if it is stalled, as the kernel alone can take its lock of the file away. False when it is not
 * stalled, or cannot be ended from here (another user's, or in another container).
 */
export function endStalledOwner(db: DatabaseSync, expireMs: number): boolean {
  const owner = ownerIn(db)
  if (owner === null || owner.pid === 0 || owner.pid === process.pid) return false
  if (isRunning(owner.pid, owner.processStart) !== 'yes' || stateOf(owner, expireMs) !== 'stalled') return false
  try {
    process.kill(owner.pid, 'SIGKILL')
    return true
  } catch {
    // Not ours to end: the caller reports the lock.
    return false
  }
}

/** The owner's row as it stands; null in a file that never had an owner. */
export function ownerIn(db: DatabaseSync): Owner | null {
  const row = db.prepare(SELECT).get()
  if (row === undefined) return null
  return {
    epoch: Number(row['epoch']),
    pid: Number(row['pid']),
    processStart: String(row['process_start']),
    socket: String(row['socket']),
    renewedAt: Number(row['renewed_at']),
    version: String(row['version']),
  }
}

function stateOf(owner: Owner, expireMs: number): OwnerStatus['state'] {
  const running = isRunning(owner.pid, owner.processStart)
  if (running === 'no') return 'gone'
  // A clock that was set back must not make an owner immortal.
  const age = Math.abs(Date.now() - owner.renewedAt)
  return age <= expireMs ? 'live' : 'stalled'
}
