/**
 * Connections in a SQLite file. It is not the file of the run store: that one has one owner, this one is open in every
 * process of an application at once. Readers never wait (WAL); a writer that finds the lock taken tries again without
 * holding up its process. Every write is forced to the disk: a rotated refresh token exists nowhere else.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionStore } from './connection-store.ts'
import { storeClosed, storeError } from './errors.ts'
import { SQLITE_MIGRATIONS } from './migrations.ts'
import {
  fromSql,
  getRow,
  insertRow,
  listRows,
  removeRow,
  replaceRow,
  type SqlDialect,
  type SqlRow,
  type SqlText,
} from './sql-query.ts'

export interface SqliteConnectionStoreOptions {
  /** Path of the file; made, with its folder, when it is not there. `connections.db` of the data folder by custom. */
  readonly file: string
}

/** Marks a file as connections of Plugwork ("PlgC"). */
const APPLICATION_ID = 0x506c6743
/** How long a call blocks its process on another one's lock, and how long it goes on trying, in ms. */
const BLOCK_MS = 20
const PATIENCE_MS = 10_000

/** https://www.sqlite.org/rescode.html */
const BUSY = 5
const CONSTRAINT = 19

const DIALECT: SqlDialect = {
  parameter: () => '?',
  table: (name) => name,
  ignore: 'ON CONFLICT DO NOTHING',
  bytes: '',
}

/** Opens the file and brings it to this version's schema. Throws `connection_store_newer`, `connection_store_foreign`. */
export async function openSqliteConnectionStore({ file }: SqliteConnectionStoreOptions): Promise<ConnectionStore> {
  if (file !== ':memory:') {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    closeSync(openSync(file, 'a', 0o600))
  }
  const db = new DatabaseSync(file, { timeout: BLOCK_MS })
  try {
    await patiently(file, () => db.exec('PRAGMA journal_mode = WAL'))
    db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
    await patiently(file, () => migrate(db, file))
  } catch (error) {
    db.close()
    throw error
  }
  return storeOn(db, file)
}

function storeOn(db: DatabaseSync, file: string): ConnectionStore {
  const prepared = new Map<string, StatementSync>()
  const statement = ({ sql }: SqlText): StatementSync => {
    if (!db.isOpen) throw storeClosed()
    const known = prepared.get(sql) ?? db.prepare(sql)
    prepared.set(sql, known)
    return known
  }
  // Rows have the columns of the migration.
  const rows = (text: SqlText): SqlRow[] => statement(text).all(...text.values) as unknown as SqlRow[]
  const write = (text: SqlText): number => Number(statement(text).run(...text.values).changes)
  let waiting: Waiting[] = []
  let writing: Promise<void> = Promise.resolve()
  /** Changes of one turn of the event loop share a commit: what it costs is the commit, not the change. */
  const change = (text: SqlText): Promise<number> =>
    new Promise((resolve, reject) => {
      waiting.push({ text, resolve, reject })
      if (waiting.length === 1) writing = writing.then(nextTurn).then(writeAll)
    })
  const writeAll = async (): Promise<void> => {
    const changes = waiting
    waiting = []
    try {
      const outcomes = await patiently(file, () => inOneCommit(db, changes, write))
      changes.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index]!
        if (typeof outcome === 'number') resolve(outcome)
        else reject(storeError('connection_store_failed', `${file}: ${outcome.message}`, outcome))
      })
    } catch (error) {
      for (const { reject } of changes) reject(error)
    }
  }
  return {
    async get(table, id) {
      const [row] = await patiently(file, () => rows(getRow(DIALECT, table, id)))
      return row === undefined ? null : fromSql(row)
    },
    async insert(table, row) {
      return (await change(insertRow(DIALECT, table, row))) === 1
    },
    async replace(table, row, version) {
      try {
        return (await change(replaceRow(DIALECT, table, row, version))) === 1 ? 'done' : 'stale'
      } catch (error) {
        if (resultCode((error as Error).cause) === CONSTRAINT) return 'taken'
        throw error
      }
    },
    async remove(table, id, version) {
      return (await change(removeRow(DIALECT, table, id, version))) === 1
    },
    async list(table, query) {
      return (await patiently(file, () => rows(listRows(DIALECT, table, query)))).map(fromSql)
    },
    async close() {
      await writing
      if (db.isOpen) db.close()
    },
  }
}

/** A change that has not been written yet. */
interface Waiting {
  readonly text: SqlText
  resolve(changes: number): void
  reject(error: unknown): void
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Rows changed by each, or why the schema refused it; a refused statement leaves the others as they are. */
function inOneCommit(
  db: DatabaseSync,
  changes: readonly Waiting[],
  write: (text: SqlText) => number,
): readonly (number | Error)[] {
  if (!db.isOpen) throw storeClosed()
  const outcome = (text: SqlText): number | Error => {
    try {
      return write(text)
    } catch (error) {
      if (resultCode(error) === CONSTRAINT) return error as Error
      throw error
    }
  }
  if (changes.length === 1) return [outcome(changes[0]!.text)]
  db.exec('BEGIN IMMEDIATE')
  try {
    const outcomes = changes.map(({ text }) => outcome(text))
    db.exec('COMMIT')
    return outcomes
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function migrate(db: DatabaseSync, file: string): void {
  const pragma = (name: string): number => Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  if (pragma('user_version') === SQLITE_MIGRATIONS.length && pragma('application_id') === APPLICATION_ID) return
  db.exec('BEGIN IMMEDIATE')
  try {
    const empty = db.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() === undefined
    if (!empty && pragma('application_id') !== APPLICATION_ID) {
      throw storeError(
        'connection_store_foreign',
        `${file} is a database, but it does not hold connections of Plugwork. Name another file.`,
      )
    }
    const version = empty ? 0 : pragma('user_version')
    if (version > SQLITE_MIGRATIONS.length) {
      throw storeError(
        'connection_store_newer',
        `${file} has schema version ${version}; this Plugwork knows versions up to ${SQLITE_MIGRATIONS.length}. Use the newer program.`,
      )
    }
    for (const sql of SQLITE_MIGRATIONS.slice(version)) db.exec(sql)
    db.exec(`PRAGMA user_version = ${SQLITE_MIGRATIONS.length}; PRAGMA application_id = ${APPLICATION_ID}`)
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

/** Tries again while another process writes; the pauses leave this one free to work. */
async function patiently<T>(file: string, work: () => T): Promise<T> {
  const until = Date.now() + PATIENCE_MS
  for (let pause = 2; ; pause = Math.min(pause * 2, 100)) {
    try {
      return work()
    } catch (error) {
      const code = resultCode(error)
      if (code === null) throw error
      if (code !== BUSY) throw storeError('connection_store_failed', `${file}: ${(error as Error).message}`, error)
      if (Date.now() > until) {
        throw storeError(
          'connection_store_busy',
          `Another process holds the write lock of ${file} and does not let go (a stopped process?). End it and try again.`,
          error,
        )
      }
      await delay(pause / 2 + Math.random() * pause)
    }
  }
}

function resultCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null
}
