import { PlugworkError, type ErrorSpec } from '../error.ts'
import type { Owner } from './store.ts'

/** Error codes of stores. */
export const ERRORS = {
  store_owned: {
    status: 409,
    retryable: true,
    summary: 'Another live process owns the store; its pid and socket are in the message.',
  },
  store_busy: {
    status: 503,
    retryable: true,
    summary: 'Another process holds the write lock of the database file, and did not let go of it in time.',
  },
  store_full: {
    status: 507,
    retryable: true,
    summary: 'The disk (or the size limit) of the store is full, or its disk fails. Nothing of the write was stored.',
  },
  store_newer: {
    status: 500,
    retryable: false,
    summary: 'The database file was written by a newer version of Plugwork.',
  },
  store_foreign_file: { status: 500, retryable: false, summary: 'The database file is not one of Plugwork.' },
  store_corrupt: { status: 500, retryable: false, summary: 'The database file is damaged; restore a backup.' },
  store_closed: { status: 503, retryable: true, summary: 'The store is closed, or this process has lost it.' },
  store_run_missing: { status: 404, retryable: false, summary: 'A write names a run that is not stored.' },
  store_sequence: {
    status: 409,
    retryable: false,
    summary: "The records of a write do not begin at the run's next sequence number.",
  },
  store_out_of_order: {
    status: 503,
    retryable: true,
    summary: 'An earlier write of the same run was not stored (a full disk, usually); it must be sent again first.',
  },
  store_duplicate_completion: {
    status: 409,
    retryable: false,
    summary: 'A step of a run was to be completed a second time; the first completion stands.',
  },
  store_constraint: {
    status: 409,
    retryable: false,
    summary: 'A write breaks a rule of the schema; nothing was stored.',
  },
  store_url_invalid: { status: 400, retryable: false, summary: 'The address of the database cannot be used.' },
  store_driver_missing: { status: 500, retryable: false, summary: 'The driver of the database is not installed.' },
  store_refused: {
    status: 500,
    retryable: false,
    summary: 'The database server refuses the user, the password, the database or the rights.',
  },
  store_unreachable: {
    status: 503,
    retryable: true,
    summary: 'The database server cannot be reached, or the connection to it broke. Writes are tried again.',
  },
  store_backup_elsewhere: {
    status: 409,
    retryable: false,
    summary: 'The store is a database server with tools of its own for backups (pg_dump).',
  },
  store_failed: { status: 500, retryable: true, summary: 'The database refused a write for another reason.' },
} as const satisfies Record<string, ErrorSpec>

export type StoreErrorCode = keyof typeof ERRORS

/** A PlugworkError with a code of the store's table. */
export function storeError(code: StoreErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The store belongs to another live process. */
export class StoreOwnedError extends PlugworkError {
  readonly owner: Owner

  constructor(file: string, owner: Owner) {
    super(
      'store_owned',
      `${file} is in use by process ${owner.pid} (Plugwork ${owner.version}, socket ${owner.socket}). ` +
        'Work through that process, or stop it first.',
      { retryable: true, data: { pid: owner.pid, socket: owner.socket, epoch: owner.epoch, version: owner.version } },
    )
    this.name = 'StoreOwnedError'
    this.owner = owner
  }
}
