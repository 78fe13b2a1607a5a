/** What the file connector does below its root. Every function works through places, never through joined paths. */
import { randomUUID } from 'node:crypto'
import { constants, type ReadStream, type Stats } from 'node:fs'
import { link, lstat, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { matchesGlob } from 'node:path'
import { tooLarge } from '../content/content.ts'
import type { Entry, EntryType } from '../content/entry.ts'
import { fileError, shown } from './failures.ts'
import { ignoring, openFile, type Place, type RootedFolder } from './rooted-folder.ts'

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = constants
const NEW_FILE_MODE = 0o666
const MAX_LOOKED_THROUGH = 100_000
const CHUNK_BYTES = 256 * 1024
/** What a crash between writing and renaming leaves; lists do not show it. */
const TEMPORARY = /^\.plugwork-[\w-]+\.tmp$/

export interface ReadOptions {
  readonly offset: number
  readonly length?: number | undefined
  readonly maxBytes: number
  readonly signal: AbortSignal
}

export interface ReadResult {
  readonly bytes: Buffer
  readonly stats: Stats
  readonly path: string
}

/** A file, or a part of it, up to a bound. */
export function readBytes(root: RootedFolder, path: string, options: ReadOptions): Promise<ReadResult> {
  const { offset, length, maxBytes, signal } = options
  return root.at(path, async (place) => {
    const handle = await openFile(place, O_RDONLY)
    try {
      const stats = await handle.stat()
      const wanted = Math.min(length ?? Infinity, Math.max(stats.size - offset, 0))
      if (wanted > maxBytes) throw tooLarge(`The file ${shown(path)}`, maxBytes)
      const bytes = Buffer.allocUnsafe(wanted)
      let read = 0
      while (read < wanted) {
        signal.throwIfAborted()
        const { bytesRead } = await handle.read(bytes, read, Math.min(CHUNK_BYTES, wanted - read), offset + read)
        // It became shorter while it was read.
        if (bytesRead === 0) break
        read += bytesRead
      }
      return { bytes: bytes.subarray(0, read), stats, path: place.path }
    } finally {
      await handle.close()
    }
  })
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface WriteOptions {
  /** `create` fails where something is, `replace` does not. */
  readonly mode: 'create' | 'replace'
  readonly signal: AbortSignal
}

/**
 * Writes a whole file so that others see the old content or the new one, never a part: a temporary file beside it, forced
 * to disk, then renamed. Answers its size.
 */
export function writeWhole(
  root: RootedFolder,
  path: string,
  content: Chunks,
  { mode, signal }: WriteOptions,
): Promise<{ readonly path: string; readonly size: number }> {
  return root.at(
    path,
    async (place) => {
      const before = await lstat(place.file).catch(ignoring('ENOENT'))
      if (before !== undefined && mode === 'create') throw existing(path)
      if (before !== undefined && !before.isFile()) throw notAFile(path, before)
      const temporary = `${place.folder}/.plugwork-${randomUUID()}.tmp`
      try {
        const size = await writeNew(temporary, content, before?.mode, signal)
        signal.throwIfAborted()
        // A hard link is the one step that fails where the name is taken.
        if (mode === 'create') await link(temporary, place.file)
        else await rename(temporary, place.file)
        await syncFolder(place.folder)
        return { path: place.path, size }
      } finally {
        await unlink(temporary).catch(ignoring('ENOENT'))
      }
    },
    { makeFolders: true },
  )
}

async function writeNew(file: string, content: Chunks, mode: number | undefined, signal: AbortSignal): Promise<number> {
  const handle = await open(file, O_WRONLY | O_CREAT | O_EXCL, NEW_FILE_MODE)
  try {
    if (mode !== undefined) await handle.chmod(mode & 0o7777)
    let size = 0
    for await (const chunk of content) {
      signal.throwIfAborted()
      await handle.writeFile(chunk)
      size += chunk.length
    }
    await handle.sync()
    return size
  } finally {
    await handle.close()
  }
}

/** Adds to the end, and forces it to disk. */
export function appendBytes(
  root: RootedFolder,
  path: string,
  bytes: Buffer,
): Promise<{ readonly path: string; readonly size: number }> {
  return root.at(
    path,
    async (place) => {
      const handle = await openFile(place, O_WRONLY | O_APPEND | O_CREAT, NEW_FILE_MODE)
      try {
        await handle.appendFile(bytes)
        await handle.sync()
        return { path: place.path, size: (await handle.stat()).size }
      } finally {
        await handle.close()
      }
    },
    { makeFolders: true },
  )
}

/** Opens a file for streaming to elsewhere; the caller's `use` reads it to its end. */
export function streamFile<Result>(
  root: RootedFolder,
  path: string,
  use: (stream: ReadStream, size: number) => Promise<Result>,
): Promise<Result> {
  return root.at(path, async (place) => {
    const handle = await openFile(place, O_RDONLY)
    const stream = handle.createReadStream({ autoClose: false, highWaterMark: CHUNK_BYTES })
    try {
      return await use(stream, (await handle.stat()).size)
    } finally {
      // Whoever gave up on it may not have; it must not read from a closed handle.
      stream.destroy()
      await handle.close()
    }
  })
}

export async function describePlace(place: Place): Promise<Entry | null> {
  const stats = await lstat(place.file).catch(ignoring('ENOENT'))
  return stats === undefined ? null : entryOf(place.path, stats)
}

export interface ListOptions {
  readonly pattern?: string | undefined
  readonly recursive: boolean
  readonly signal: AbortSignal
}

/** Paths of what is below a folder, in no order; sizes and times come later, for the page that is answered. */
export async function listPaths(
  root: RootedFolder,
  path: string,
  { pattern, recursive, signal }: ListOptions,
): Promise<readonly Found[]> {
  const start = await root.at(path, (place) => Promise.resolve(place.path))
  const below = await walk(root, start, { recursive, signal })
  if (pattern === undefined) return below
  return below.filter((found) => matchesGlob(start === '' ? found.path : found.path.slice(start.length + 1), pattern))
}

interface Found {
  readonly path: string
  readonly isFolder: boolean
}

/** All that is below a folder, folders before what is in them. One folder is open at a time, however deep they are. */
async function walk(
  root: RootedFolder,
  start: string,
  { recursive, signal }: { readonly recursive: boolean; readonly signal: AbortSignal },
): Promise<Found[]> {
  const found: Found[] = []
  const folders = [start]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted()
    const reading = root.folder(folder, (held) => readdir(held, { withFileTypes: true }))
    // One below the start that was removed, or swapped for a link, since it was read has nothing to list.
    const children = await (folder === start ? reading : reading.catch(nothingIfGone))
    for (const child of children) {
      if (TEMPORARY.test(child.name)) continue
      if (found.length === MAX_LOOKED_THROUGH) throw tooMany(start)
      const path = folder === '' ? child.name : `${folder}/${child.name}`
      const isFolder = child.isDirectory()
      found.push({ path, isFolder })
      if (recursive && isFolder) folders.push(path)
    }
  }
  return found
}

function nothingIfGone(error: unknown): never[] {
  const { code } = error as { code?: unknown }
  if (code === 'file_not_found' || code === 'file_path' || code === 'file_type') return []
  throw error
}

/** Removes a file, a link itself, or a folder; false where there was nothing. */
export async function remove(
  root: RootedFolder,
  path: string,
  { recursive, signal }: { readonly recursive: boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  const there = await root.at(path, describePlace, { follow: false }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === 'file_not_found') return null
    throw error
  })
  if (there === null) return false
  if (there.path === '') throw fileError('file_path', 'The root itself is not deleted; delete what is in it.')
  if (recursive && there.type === 'folder') {
    for (const found of (await walk(root, there.path, { recursive, signal })).toReversed()) {
      signal.throwIfAborted()
      await removeOne(root, found.path, found.isFolder)
    }
  }
  await removeOne(root, there.path, there.type === 'folder')
  return true
}

function removeOne(root: RootedFolder, path: string, isFolder: boolean): Promise<void> {
  const gone = ignoring('ENOENT')
  return root.at(path, ({ file }) => (isFolder ? rmdir(file) : unlink(file)).catch(gone), { follow: false })
}

/** Renames a file or a folder. */
export function move(root: RootedFolder, from: string, to: string, overwrite: boolean): Promise<string> {
  return root.at(
    from,
    async (source) => {
      if (source.path === '') throw fileError('file_path', 'The root itself cannot be moved.')
      const stats = await lstat(source.file)
      return root.at(
        to,
        async (target) => {
          const there = await lstat(target.file).catch(ignoring('ENOENT'))
          if (there !== undefined && !overwrite) throw existing(to)
          if (there?.isDirectory() === true) throw notAFile(to, there)
          if (!overwrite && stats.isFile()) {
            // Fails where somebody took the name since; a rename would replace it.
            await link(source.file, target.file)
            await unlink(source.file)
          } else {
            await rename(source.file, target.file)
          }
          await syncFolder(target.folder)
          return target.path
        },
        { follow: false, makeFolders: true },
      )
    },
    { follow: false },
  )
}

/** Makes a folder and those above it; false where it is there already. */
export function makeFolder(
  root: RootedFolder,
  path: string,
): Promise<{ readonly path: string; readonly created: boolean }> {
  return root.at(
    path,
    async (place) => {
      if (place.path === '') return { path: '', created: false }
      const there = await lstat(place.file).catch(ignoring('ENOENT'))
      if (there?.isDirectory() === true) return { path: place.path, created: false }
      await mkdir(place.file)
      return { path: place.path, created: true }
    },
    { makeFolders: true },
  )
}

function entryOf(path: string, stats: Stats): Entry {
  const type = typeOf(stats)
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    path,
    type,
    size: type === 'file' ? stats.size : null,
    modified_at: stats.mtime.toISOString(),
  }
}

function typeOf(stats: Stats): EntryType {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'folder'
  return stats.isSymbolicLink() ? 'link' : 'other'
}

/** A renamed file is durable when its folder is. Not every system can do that. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(`${folder}/.`, O_RDONLY)
    await handle.sync().finally(() => handle.close())
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EINVAL') throw error
  }
}

const existing = (path: string): Error =>
  fileError('file_exists', `${shown(path)} exists already. Take another name, or an action that replaces it.`, {
    data: { path },
  })

const notAFile = (path: string, stats: Stats): Error =>
  fileError(
    'file_type',
    `${shown(path)} is a ${stats.isDirectory() ? 'folder' : 'device, pipe or link'}, not a file.`,
    {
      data: { path },
    },
  )

const tooMany = (path: string): Error =>
  fileError(
    'file_too_many',
    `${shown(path)} has more than ${MAX_LOOKED_THROUGH} entries. Work on its folders one by one.`,
  )
