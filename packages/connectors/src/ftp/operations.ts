/** What the ftp connector does on a session. */
import { randomUUID } from 'node:crypto'
import { PassThrough, Writable } from 'node:stream'
import type { Client, FileInfo, FTPError } from 'basic-ftp'
import type { Entry } from '../content/entry.ts'
import { remotePath } from '../content/remote-path.ts'
import { receive, withSource, type Received, type Source, type Target } from '../content/transfer.ts'
import type { FtpPool } from './pool.ts'
import { ftpError } from './session.ts'

const MAX_ENTRIES = 100_000
const CLEAR_UP_MS = 10_000
/** Code of RFC 959 for a file or folder that is not there, or closed to the user. */
const NOT_TAKEN = 550

export interface Call {
  readonly pool: FtpPool
  readonly signal: AbortSignal
}

export function listFolder({ pool, signal }: Call, path: string): Promise<Entry[]> {
  const folder = remotePath(path, pool.root)
  return pool.use(path, signal, async (client) => {
    const before = await client.pwd()
    // LIST answers nothing for a folder that does not exist; entering it says so.
    await client.cd(folder)
    const found = await client.list().finally(() => client.cd(before))
    if (found.length > MAX_ENTRIES)
      throw ftpError('ftp_too_many', `The folder ${path} has more than ${MAX_ENTRIES} entries.`)
    const prefix = folder === '.' ? '' : `${folder.replace(/\/$/, '')}/`
    return found
      .filter(({ name }) => name !== '.' && name !== '..')
      .map((info) => entryOf(`${prefix}${info.name}`, info))
  })
}

function entryOf(path: string, info: FileInfo): Entry {
  const type = info.isFile ? 'file' : info.isDirectory ? 'folder' : info.isSymbolicLink ? 'link' : 'other'
  return {
    name: info.name,
    path,
    type,
    size: type === 'file' ? info.size : null,
    modified_at: info.modifiedAt?.toISOString() ?? null,
  }
}

export function getFile(
  { pool, signal }: Call,
  path: string,
  target: Target,
): Promise<Received & { readonly path: string }> {
  const source = remotePath(path, pool.root)
  return pool.use(path, signal, async (client) => {
    const stream = new PassThrough()
    // Its reader gets the error too, if there is one yet.
    stream.on('error', () => undefined)
    // The client ends what it writes to whether the transfer failed or not: that end must not look like the file's.
    const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => void stream.write(chunk, done) })
    let refusal: unknown = null
    const receiving = receive(stream, target, { local: pool.local, what: `The file ${path}`, signal })
    receiving.catch((error: unknown) => {
      refusal ??= error
      sink.destroy(error as Error)
    })
    try {
      await client.downloadTo(sink, source)
    } catch (error) {
      const cause = refusal ?? error
      stream.destroy(error as Error)
      await receiving.catch(() => undefined)
      throw cause
    }
    stream.end()
    return { path: source, ...(await receiving) }
  })
}

export function putFile(
  { pool, signal }: Call,
  path: string,
  source: Source & { readonly atomic: boolean },
): Promise<{ readonly path: string; readonly size: number }> {
  const target = remotePath(path, pool.root)
  const written = source.atomic ? `${target}.plugwork-${randomUUID().slice(0, 8)}.tmp` : target
  const clearUp = async (client: Client): Promise<void> => void (await client.remove(written, true))
  return withSource(source, pool.local, async (stream, size) => {
    try {
      await pool.use(path, signal, async (client) => {
        await client.uploadFrom(stream, written)
        if (written !== target) await client.rename(written, target)
      })
      return { path: target, size }
    } catch (error) {
      // The step does not wait for that: it was cancelled, or the server is in trouble.
      if (written !== target) pool.use(path, AbortSignal.timeout(CLEAR_UP_MS), clearUp).catch(() => undefined)
      throw error
    }
  })
}

/** Removes a file or an empty folder; false where there was nothing. */
export function removeFile({ pool, signal }: Call, path: string): Promise<boolean> {
  const target = remotePath(path, pool.root)
  return pool.use(path, signal, async (client) => {
    const kind = await kindOf(client, target)
    if (kind === null) return false
    if (kind === 'file') await client.remove(target)
    else await client.removeEmptyDir(target)
    return true
  })
}

export function renameFile({ pool, signal }: Call, from: string, to: string, overwrite: boolean): Promise<string> {
  const source = remotePath(from, pool.root)
  const target = remotePath(to, pool.root)
  return pool.use(from, signal, async (client) => {
    if (!overwrite && (await kindOf(client, target)) !== null) {
      throw ftpError('ftp_exists', `${to} exists already. Take another name, or overwrite: true.`)
    }
    await client.rename(source, target)
    return target
  })
}

/** Makes a folder and those above it; false where it is there already. */
export function makeFolder({ pool, signal }: Call, path: string): Promise<{ path: string; created: boolean }> {
  const target = remotePath(path, pool.root)
  return pool.use(path, signal, async (client) => {
    const names = target.split('/').filter((name) => name !== '' && name !== '.')
    let created = false
    for (const index of names.keys()) {
      const folder = `${target.startsWith('/') ? '/' : ''}${names.slice(0, index + 1).join('/')}`
      const kind = await kindOf(client, folder)
      if (kind === 'file') throw ftpError('ftp_exists', `${folder} is no folder.`)
      if (kind === null) await client.send(`MKD ${await client.protectWhitespace(folder)}`)
      created = kind === null
    }
    return { path: target, created }
  })
}

/** FTP has no stat: a file has a size, a folder can be entered. */
async function kindOf(client: Client, path: string): Promise<'file' | 'folder' | null> {
  const size = await ifTaken(client.size(path))
  if (size !== null) return 'file'
  const before = await client.pwd()
  if ((await ifTaken(client.cd(path))) === null) return null
  await client.cd(before)
  return 'folder'
}

const isAnswer = (error: unknown): error is FTPError => typeof (error as { code?: unknown }).code === 'number'

async function ifTaken<Value>(promise: Promise<Value>): Promise<Value | null> {
  try {
    return await promise
  } catch (error) {
    if (isAnswer(error) && error.code === NOT_TAKEN) return null
    throw error
  }
}
