/**
 * A folder that paths of flows cannot leave. A path is checked as written (`..`, absolute), then where it really leads
 * (links), and is then walked folder by folder with handles that follow no link: what is swapped for a link between check
 * and use is an error, not a way out. Where the system has no `/proc` (macOS, Windows) the last step checks the path again
 * instead of walking handles; a window of microseconds remains there.
 */
import { constants, existsSync } from 'node:fs'
import { lstat, mkdir, open, realpath, type FileHandle } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { PlugworkError } from '@plugwork/core'
import { asFileError, fileError, shown } from './failures.ts'

const { O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY } = constants
const HANDLES = '/proc/self/fd'
const MAX_DEPTH = 500
/** The project's own: keys, secrets, history. No root may be, or lie in, one of these. */
const CLOSED_FOLDERS: ReadonlySet<string> = new Set(['.plugwork', '.git', 'node_modules'])

/** A place below the root, while its folder is held. */
export interface Place {
  /** Path of the folder it is in, through the handle; not for messages. */
  readonly folder: string
  /** Last name; '.' for the root itself. */
  readonly name: string
  /** `folder/name`, for calls of the file system. */
  readonly file: string
  /** Path below the root, links resolved, with `/`. */
  readonly path: string
}

export interface RootOptions {
  /** Project folder. */
  readonly directory: string
  readonly root: string
  /** Name of the setting, for messages. */
  readonly setting: string
  readonly connection: string
  /** Makes the folder where it is missing. */
  readonly create: boolean
}

export interface PlaceOptions {
  /** A link at the end is followed (to inside the root). Default: true. */
  readonly follow?: boolean
  /** Makes missing folders above it. Default: false. */
  readonly makeFolders?: boolean
}

export class RootedFolder {
  /** Absolute, without links. */
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** The root of a connection: a folder inside the project folder, never that folder itself. Throws `file_config`. */
  static async open({ directory, root, setting, connection, create }: RootOptions): Promise<RootedFolder> {
    const refuse = (why: string): PlugworkError =>
      fileError(
        'file_config',
        `The ${setting} of connection "${connection}" ${why}. Name a folder inside the project folder, such as ./files.`,
      )
    if (root.trim() === '' || root.includes('\0')) throw refuse('is not a path')
    const project = await realpath(directory)
    const wanted = resolve(project, root)
    const check = (path: string, how: string): void => {
      if (path === project) throw refuse(`is the project folder itself${how}, which holds flows, tasks and secrets`)
      if (!isInside(project, path)) throw refuse(`is outside of the project folder${how}`)
      const closed = relative(project, path)
        .split(sep)
        .find((name) => CLOSED_FOLDERS.has(name))
      if (closed !== undefined) throw refuse(`lies in ${closed}${how}, which is not for flows`)
    }
    check(wanted, '')
    check(await realpathOfNearest(wanted), ', behind a link')
    try {
      if (create) await mkdir(wanted, { recursive: true })
      const real = await realpath(wanted)
      check(real, ', behind a link')
      if (!(await lstat(real)).isDirectory()) throw refuse('is not a folder')
      return new RootedFolder(real)
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') throw refuse('does not exist')
      throw asFileError(error, root)
    }
  }

  /** Runs `use` with the place that `path` names. Throws `file_path` for a way out, and what `file_…` says of the rest. */
  async at<Result>(path: string, use: (place: Place) => Promise<Result>, options: PlaceOptions = {}): Promise<Result> {
    const written = segmentsOf(path)
    const held: FileHandle[] = []
    try {
      const segments = await this.#resolve(written, path, options.follow ?? true)
      const folder = await this.#walk(segments.slice(0, -1), options.makeFolders ?? false, held)
      const name = segments.at(-1) ?? '.'
      return await use({ folder, name, file: `${folder}/${name}`, path: segments.join('/') })
    } catch (error) {
      throw asFileError(error, path)
    } finally {
      await Promise.all(held.map((handle) => handle.close()))
    }
  }

  /** Opens the folder at `path` and runs `use` with a path to it through its handle. */
  folder<Result>(path: string, use: (folder: string) => Promise<Result>): Promise<Result> {
    return this.at(path, async ({ file }) => {
      const handle = await openFolder(file)
      try {
        return await use(through(handle, file))
      } finally {
        await handle.close()
      }
    })
  }

  /** Segments without links, from the root. Missing ones at the end stay as they are. */
  async #resolve(written: readonly string[], path: string, follow: boolean): Promise<string[]> {
    const fixed = follow ? [] : written.slice(-1)
    const leading = follow ? written : written.slice(0, -1)
    const real = await realpathOfNearest(join(this.path, ...leading))
    if (!isInside(this.path, real)) {
      throw fileError(
        'file_path',
        `${shown(path)} leads through a link to outside of the root; links may lead inside only.`,
      )
    }
    return [...relative(this.path, real).split(sep), ...fixed].filter((name) => name !== '')
  }

  async #walk(folders: readonly string[], make: boolean, held: FileHandle[]): Promise<string> {
    let at = this.path
    const step = async (path: string): Promise<void> => {
      const handle = await openFolder(path)
      held.push(handle)
      at = through(handle, path)
    }
    await step(at)
    for (const name of folders) {
      const next = join(at, name)
      if (make) await mkdir(next).catch(ignoring('EEXIST'))
      await step(next)
    }
    return at
  }
}

/** Opens a file that is one: devices, pipes and sockets are refused before and after. */
export async function openFile(place: Place, flags: number, mode?: number): Promise<FileHandle> {
  const before = await lstat(place.file).catch(ignoring('ENOENT'))
  if (before !== undefined && !before.isSymbolicLink()) mustBeFile(before, place.path)
  // A pipe that took the file's place would otherwise wait for its other end.
  const handle = await open(place.file, flags | O_NOFOLLOW | O_NONBLOCK, mode)
  try {
    mustBeFile(await handle.stat(), place.path)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

interface Kind {
  isFile(): boolean
  isDirectory(): boolean
}

function mustBeFile(stats: Kind, path: string): void {
  if (stats.isFile()) return
  const what = stats.isDirectory() ? 'a folder' : 'a device, a pipe or a socket'
  throw fileError('file_type', `${shown(path)} is ${what}, not a file.`, { data: { path } })
}

async function openFolder(path: string): Promise<FileHandle> {
  // The magic link of a handle is not the last name here, so it is followed and a real link is not.
  return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
}

const handlesHavePaths = existsSync(HANDLES)

function through(handle: FileHandle, path: string): string {
  return handlesHavePaths ? `${HANDLES}/${handle.fd}` : path
}

/** Names of a path, checked as written. Throws `file_path`. */
export function segmentsOf(path: string): string[] {
  const refuse = (why: string): PlugworkError =>
    fileError('file_path', `${shown(path)} ${why}. Give a path below the root, such as reports/2026.csv.`)
  if (path.includes('\0')) throw fileError('file_path', 'A path has a NUL character.')
  if (path.startsWith('/') || isAbsolute(path) || /^[a-z]:/i.test(path)) throw refuse('is absolute')
  const names = path.split(sep === '\\' ? /[/\\]/ : '/')
  if (names.includes('..')) throw refuse('has a part ".."')
  return names.filter((name) => name !== '' && name !== '.')
}

export function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** Real path, where the names at the end that do not exist yet stay as they are. A link to nowhere is an error. */
async function realpathOfNearest(path: string, depth = 0): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    const parent = resolve(path, '..')
    if ((error as { code?: unknown }).code !== 'ENOENT' || parent === path || depth > MAX_DEPTH) throw error
    const link = await lstat(path).catch(ignoring('ENOENT'))
    if (link?.isSymbolicLink()) throw fileError('file_path', `"${path.slice(parent.length + 1)}" is a link to nowhere.`)
    return join(await realpathOfNearest(parent, depth + 1), path.slice(parent.length).replace(/^[/\\]/, ''))
  }
}

/** For `catch`: this code of the operating system is no error. */
export function ignoring(code: string): (error: unknown) => undefined {
  return (error) => {
    if ((error as { code?: unknown }).code !== code) throw error
  }
}
