/** Files over SFTP: what the actions of sftp, and uploads and downloads of ssh, do on a connection. */
import { randomUUID } from 'node:crypto'
import { addAbortSignal, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SFTPWrapper, Stats } from 'ssh2'
import { PlugworkError } from '@plugwork/core'
import type { Entry, EntryType } from '../content/entry.ts'
import { remoteName, remotePath } from '../content/remote-path.ts'
import { receive, withSource, type Received, type Source, type Target } from '../content/transfer.ts'
import type { SshConnection } from '../ssh/connection.ts'
import { ERRORS, type SftpErrorCode } from './errors.ts'

const MAX_ENTRIES = 100_000
/** Status codes of SSH_FXP_STATUS, draft-ietf-secsh-filexfer-02 section 7. */
const NO_SUCH_FILE = 2
const PERMISSION_DENIED = 3
/** File types of POSIX in a mode. */
const TYPE_MASK = 0o170000
const TYPES: { readonly [bits: number]: EntryType } = { 0o100000: 'file', 0o040000: 'folder', 0o120000: 'link' }

export interface Call {
  readonly connection: SshConnection
  readonly signal: AbortSignal
}

/** Writes a file; with `atomic` under another name first, so that nobody reads a part. */
export function putFile(
  { connection, signal }: Call,
  path: string,
  source: Source & { readonly atomic: boolean },
): Promise<{ readonly path: string; readonly size: number }> {
  const target = remotePath(path, connection.root)
  return withSource(source, connection.local, (stream, size) =>
    connection.sftp(signal, (sftp) =>
      on(path, async () => {
        const written = source.atomic ? `${target}.plugwork-${randomUUID().slice(0, 8)}.tmp` : target
        try {
          await pipeline(stream as Readable, sftp.createWriteStream(written), { signal })
          if (written !== target) await replace(sftp, written, target)
        } catch (error) {
          // The first error is the one to tell.
          if (written !== target) await answered<void>((done) => sftp.unlink(written, done)).catch(() => undefined)
          throw error
        }
        return { path: target, size }
      }),
    ),
  )
}

export function getFile(
  { connection, signal }: Call,
  path: string,
  target: Target,
): Promise<Received & { readonly path: string }> {
  const source = remotePath(path, connection.root)
  return connection.sftp(signal, (sftp) =>
    on(path, async () => {
      const stream = addAbortSignal(signal, sftp.createReadStream(source))
      const received = await receive(stream, target, { local: connection.local, what: `The file ${path}`, signal })
      return { path: source, ...received }
    }),
  )
}

export function listFolder({ connection, signal }: Call, path: string): Promise<Entry[]> {
  const folder = remotePath(path, connection.root)
  return connection.sftp(signal, (sftp) =>
    on(path, async () => {
      const found = await answered<{ filename: string; attrs: Stats }[]>((done) => sftp.readdir(folder, done))
      if (found.length > MAX_ENTRIES) {
        throw sftpError('sftp_too_many', `The folder ${path} has more than ${MAX_ENTRIES} entries.`)
      }
      const prefix = folder === '.' ? '' : `${folder.replace(/\/$/, '')}/`
      return found.map(({ filename, attrs }) => entryOf(`${prefix}${filename}`, attrs))
    }),
  )
}

export function statFile({ connection, signal }: Call, path: string): Promise<Entry> {
  const target = remotePath(path, connection.root)
  return connection.sftp(signal, (sftp) => on(path, async () => entryOf(target, await lstat(sftp, target))))
}

/** Removes a file, a link or an empty folder; false where there was nothing. */
export function removeFile({ connection, signal }: Call, path: string): Promise<boolean> {
  const target = remotePath(path, connection.root)
  return connection.sftp(signal, (sftp) =>
    on(path, async () => {
      const there = await ifThere(lstat(sftp, target))
      if (there === null) return false
      const isFolder = typeOf(there) === 'folder'
      await answered<void>((done) => (isFolder ? sftp.rmdir(target, done) : sftp.unlink(target, done)))
      return true
    }),
  )
}

export function renameFile(
  { connection, signal }: Call,
  from: string,
  to: string,
  overwrite: boolean,
): Promise<string> {
  const source = remotePath(from, connection.root)
  const target = remotePath(to, connection.root)
  return connection.sftp(signal, (sftp) =>
    on(from, async () => {
      await lstat(sftp, source)
      if (overwrite) await replace(sftp, source, target)
      else if ((await ifThere(lstat(sftp, target))) !== null) {
        throw sftpError('sftp_exists', `${to} exists already. Take another name, or overwrite: true.`)
      } else await answered<void>((done) => sftp.rename(source, target, done))
      return target
    }),
  )
}

/** Makes a folder and those above it; false where it is there already. */
export function makeFolder({ connection, signal }: Call, path: string): Promise<{ path: string; created: boolean }> {
  const target = remotePath(path, connection.root)
  return connection.sftp(signal, (sftp) =>
    on(path, async () => {
      const names = target.split('/').filter((name) => name !== '' && name !== '.')
      let created = false
      for (const index of names.keys()) {
        const folder = `${target.startsWith('/') ? '/' : ''}${names.slice(0, index + 1).join('/')}`
        const there = await ifThere(answered<Stats>((done) => sftp.stat(folder, done)))
        if (there !== null && typeOf(there) !== 'folder') throw sftpError('sftp_exists', `${folder} is no folder.`)
        if (there === null) await answered<void>((done) => sftp.mkdir(folder, done))
        created = there === null
      }
      return { path: target, created }
    }),
  )
}

/** Renames over what is there: at once where the server can (OpenSSH), else in two steps. */
async function replace(sftp: SFTPWrapper, from: string, to: string): Promise<void> {
  try {
    await answered<void>((done) => sftp.ext_openssh_rename(from, to, done))
  } catch (error) {
    if (!/does not support/i.test((error as Error).message)) throw error
    await ifThere(answered<void>((done) => sftp.unlink(to, done)))
    await answered<void>((done) => sftp.rename(from, to, done))
  }
}

const lstat = (sftp: SFTPWrapper, path: string): Promise<Stats> => answered<Stats>((done) => sftp.lstat(path, done))

function answered<Value>(call: (done: (error?: Error | null, value?: Value) => void) => void): Promise<Value> {
  return new Promise((resolve, reject) =>
    call((error, value) => {
      // A call without an answer has no value: `Value` is void then.
      if (error === undefined || error === null) resolve(value as Value)
      else reject(error)
    }),
  )
}

async function ifThere<Value>(promise: Promise<Value>): Promise<Value | null> {
  try {
    return await promise
  } catch (error) {
    if ((error as { code?: unknown }).code === NO_SUCH_FILE) return null
    throw error
  }
}

function entryOf(path: string, stats: Stats): Entry {
  const type = typeOf(stats)
  return {
    name: remoteName(path),
    path,
    type,
    size: type === 'file' ? stats.size : null,
    modified_at: stats.mtime === undefined ? null : new Date(stats.mtime * 1_000).toISOString(),
  }
}

const typeOf = ({ mode }: Stats): EntryType => TYPES[mode & TYPE_MASK] ?? 'other'

function sftpError(code: SftpErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Runs `work`; a status of the server becomes this area's error. */
async function on<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    if (typeof code !== 'number') throw error
    if (code === NO_SUCH_FILE) throw sftpError('sftp_not_found', `${path} does not exist on the server.`, error)
    if (code === PERMISSION_DENIED) {
      throw sftpError('sftp_denied', `${path} is not permitted to this user on the server.`, error)
    }
    throw sftpError('sftp_failed', `The server failed on ${path}: ${message}.`, error)
  }
}
