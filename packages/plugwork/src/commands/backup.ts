/** `plugwork backup` and `plugwork restore`: store and blobs as one folder. */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PlugworkError } from '@plugwork/core/error'
import { fromSqlite, KEYS_FILE, migrate, parseAddress, SALTS_FILE, type OwnerStatus } from '@plugwork/core/node'
import { readBuild } from '../build.ts'
import type { Context } from '../context.ts'
import { dataFolder, inUse, liveOwner, type DataFolder } from '../data-folder.ts'
import { EXIT, UsageError } from '../exit.ts'
import { openSession } from '../open-session.ts'
import type { ProjectFolder } from '../project-folder.ts'
import { showPath, showStore } from '../render/path.ts'
import { bytes, count } from '../render/text.ts'
import { folderOf, type StoreFlags } from './runs.ts'

const NOTE_FILE = 'backup.json'

export async function backup(
  context: Context,
  target: string,
  flags: StoreFlags & { readonly withKeys?: boolean },
): Promise<number> {
  const folder = folderOf(context, flags)
  refuseDatabase(context, folder)
  const data = dataFolder(folder.settings.dataDir)
  const directory = resolve(context.workingDirectory, target)
  if (!existsSync(data.database)) throw new UsageError(`There is no store in ${showPath(context, data.directory)}.`)
  if (existsSync(directory) && readdirSync(directory).length > 0) {
    throw new UsageError(`${target} is not empty; name a new folder.`)
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const copy = dataFolder(directory)
  // A blob never changes. Those there are now come first, then the store, then what the store named meanwhile.
  copyBlobs(data, copy)
  const session = await openSession(context, { folder, intent: 'look' })
  await session.backup(copy.database).finally(() => session[Symbol.asyncDispose]())
  copyBlobs(data, copy)
  copyConnections(data, copy)
  const salts = join(data.directory, SALTS_FILE)
  // Not secret; without it a passphrase gives another key.
  if (existsSync(salts)) cpSync(salts, join(directory, SALTS_FILE))
  const keys = join(data.directory, KEYS_FILE)
  const withKeys = flags.withKeys === true && existsSync(keys)
  if (withKeys) cpSync(keys, join(directory, KEYS_FILE))
  const note = { version: readBuild().version, created_at: new Date().toISOString(), keys: withKeys }
  writeFileSync(join(directory, NOTE_FILE), `${JSON.stringify(note, null, 2)}\n`)
  const size = folderSize(directory)
  if (flags.json) context.json({ directory, bytes: size, blobs: blobCount(copy), keys: withKeys })
  else {
    context.print(
      `${context.style.good('✔')} ${showPath(context, directory)}  ${bytes(size)}, ${count(blobCount(copy), 'blob')}`,
    )
  }
  if (!withKeys) {
    context.note(
      `${context.noteStyle.warn('The key ring is not in it.')} Without it stored credentials and secret inputs of runs cannot be read: keep ${showPath(context, keys)} (or PLUGWORK_KEYS) apart, or give --with-keys.`,
    )
  }
  return EXIT.done
}

export async function restore(
  context: Context,
  source: string,
  flags: StoreFlags & { readonly force?: boolean },
): Promise<number> {
  const folder = folderOf(context, flags)
  refuseDatabase(context, folder)
  const { settings } = folder
  const data = dataFolder(settings.dataDir)
  const directory = resolve(context.workingDirectory, source)
  const from = dataFolder(directory)
  if (!existsSync(join(directory, NOTE_FILE)) || !existsSync(from.database)) {
    throw new UsageError(`${source} is no backup: it has no ${NOTE_FILE} and plugwork.db.`)
  }
  checkIntegrity(from.database, source)
  const owner = ownerOf(data)
  if (owner !== null) throw inUse(context, data.directory, owner)
  if (existsSync(data.database) && !flags.force) {
    throw new UsageError(
      `There is a store in ${showPath(context, data.directory)}.`,
      'Give --force to put the backup in its place; the old one is kept beside it.',
    )
  }
  mkdirSync(data.directory, { recursive: true, mode: 0o700 })
  const fresh = join(data.directory, `restore-${process.pid}`)
  try {
    cpSync(directory, fresh, { recursive: true })
    // A backup of an earlier version is brought up here, so that a failure leaves everything as it was.
    migrate(dataFolder(fresh).database)
    const aside = setAside(data)
    takeIn(fresh, data)
    const kept = aside === null ? null : showPath(context, aside)
    if (flags.json) context.json({ directory: data.directory, replaced: aside })
    else {
      context.print(
        `${context.style.good('✔')} ${showPath(context, data.directory)} is what ${source} was${kept === null ? '' : `; the old store is kept in ${kept}`}`,
      )
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  if (settings.keys === null && !existsSync(join(data.directory, KEYS_FILE))) {
    context.note(
      `${context.noteStyle.warn('There is no key ring here.')} Copy the one of the old installation to ${showPath(context, join(data.directory, KEYS_FILE))} before anything is started: a new one cannot read stored credentials and secret inputs of these runs.`,
    )
  }
  return EXIT.done
}

/** A database server is copied by its own tools, consistently and while work goes on. */
function refuseDatabase(context: Context, folder: ProjectFolder): void {
  const { databaseUrl } = folder.settings
  if (databaseUrl === null) return
  const { schema } = parseAddress(databaseUrl)
  throw new UsageError(
    `The store is ${showStore(context, folder)}; this command copies the embedded store only.`,
    `pg_dump --schema=${schema} copies it while work goes on, large values included; pg_restore puts it back. Keep the key ring too.`,
  )
}

/** A damaged store is what a restore is for: nobody can work in it, whoever its owner was. */
function ownerOf(data: DataFolder): OwnerStatus | null {
  try {
    return liveOwner(data)
  } catch (error) {
    if ((error as { code?: string }).code === 'store_corrupt') return null
    throw error
  }
}

function checkIntegrity(database: string, source: string): void {
  const damaged = (what: string): PlugworkError =>
    new PlugworkError('store_corrupt', `The store in ${source} is damaged (${what}); use another backup.`)
  const db = new DatabaseSync(database, { readOnly: true })
  try {
    const row = db.prepare('PRAGMA integrity_check(1)').get() as { integrity_check: string }
    if (row.integrity_check !== 'ok') throw damaged(row.integrity_check)
  } catch (error) {
    const known = fromSqlite(error, source)
    throw known instanceof PlugworkError && known.code === 'store_corrupt' && error !== known
      ? damaged((error as Error).message)
      : known
  } finally {
    db.close()
  }
}

const STORE_FILES = [
  ...['plugwork.db', 'plugwork.db-wal', 'plugwork.db-shm', 'blobs'],
  ...['connections.db', 'connections.db-wal', 'connections.db-shm'],
]

/** Moves what is there into a folder beside it; null when there is nothing. */
function setAside(data: DataFolder): string | null {
  const present = STORE_FILES.filter((name) => existsSync(join(data.directory, name)))
  if (present.length === 0) return null
  const aside = join(data.directory, `replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`)
  mkdirSync(aside, { mode: 0o700 })
  for (const name of present) renameSync(join(data.directory, name), join(aside, name))
  return aside
}

function takeIn(fresh: string, data: DataFolder): void {
  const files = [...STORE_FILES, KEYS_FILE, SALTS_FILE]
  for (const name of files) {
    const target = join(data.directory, name)
    // A key ring that is here stays: it may be newer, and it is the one that is in use.
    if (existsSync(join(fresh, name)) && !existsSync(target)) renameSync(join(fresh, name), target)
  }
}

function copyBlobs(from: DataFolder, to: DataFolder): void {
  if (existsSync(from.blobs)) cpSync(from.blobs, to.blobs, { recursive: true, force: false })
}

/** Several processes may be writing: SQLite makes the copy. */
function copyConnections(from: DataFolder, to: DataFolder): void {
  if (!existsSync(from.connections)) return
  const db = new DatabaseSync(from.connections, { timeout: 5_000 })
  try {
    db.prepare('VACUUM INTO ?').run(to.connections)
  } catch (error) {
    throw fromSqlite(error, from.connections)
  } finally {
    db.close()
  }
}

function folderSize(directory: string): number {
  let total = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) total += statSync(join(entry.parentPath, entry.name)).size
  }
  return total
}

function blobCount({ blobs }: DataFolder): number {
  if (!existsSync(blobs)) return 0
  return readdirSync(blobs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
}
