/** Numbered schema changes. The file says in `user_version` how far it has come; a new entry goes to the end of the list. */
import type { DatabaseSync } from 'node:sqlite'

import { storeError } from '../errors.ts'
import { initial } from './migrations/0001-initial.ts'

/** Marks a database file as Plugwork's ("PlgW"). */
export const APPLICATION_ID = 0x506c6757

const MIGRATIONS: readonly string[] = [initial]

/** Version of the schema that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length

/**
 * Brings a file to this program's schema, inside the caller's transaction. Throws `store_newer` for a file of a later
 * program and `store_foreign_file` for one that is not Plugwork's; answers the version it found.
 */
export function migrateTables(db: DatabaseSync, file: string): number {
  const version = checkVersion(db, file)
  for (const sql of MIGRATIONS.slice(version)) db.exec(sql)
  if (version < SCHEMA_VERSION) {
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  }
  return version
}

/** Version of a file's schema, 0 for an empty one; throws as `migrateTables` does. */
export function checkVersion(db: DatabaseSync, file: string): number {
  const version = pragma(db, 'user_version')
  const application = pragma(db, 'application_id')
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() === undefined
  if (!isEmpty && application !== APPLICATION_ID) {
    throw storeError('store_foreign_file', `${file} is a database, but not one of Plugwork. Name another data folder.`)
  }
  if (version > SCHEMA_VERSION) {
    throw storeError(
      'store_newer',
      `${file} has schema version ${version}; this Plugwork knows versions up to ${SCHEMA_VERSION}. Use the newer program.`,
    )
  }
  return isEmpty ? 0 : version
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
}
