/**
 * Where the key ring of an installation comes from: `PLUGWORK_KEYS`, else a file in the data folder that is made on the
 * first start and that only its owner may read.
 *
 * A ring is a list (commas or lines) of `<id>:<32 bytes in base64>`. The first key encrypts, all decrypt. A passphrase
 * (`<id>:passphrase:<words>`) goes through scrypt, half a second at boot, with a salt that is kept beside the data.
 */
import { randomBytes, scryptSync } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PlugworkError } from '../error.ts'
import { KEY_BYTES, KeyRing, type RingKey } from '../runtime/key-ring.ts'

export const KEYS_FILE = 'keys'
/** Salts of passphrases, a line `<id>:<base64>` each. Not secret, but without it the passphrase gives another key. */
export const SALTS_FILE = 'keys.salt'
const LOCK_FILE = 'keys.lock'

const SALT_BYTES = 16
const PASSPHRASE_LENGTH = 12
/** RFC 7914; 128 MiB and half a second. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 2 ** 20 }

export interface Keys {
  readonly ring: KeyRing
  readonly from: 'environment' | 'file'
  /** True when this call made the file. */
  readonly created: boolean
}

/** Answers the salt of a passphrase, making and keeping one where there is none. */
export type ReadSalt = (keyId: string) => Uint8Array

/**
 * Reads the ring, making the key file on a first start. Throws `keys_invalid` when the ring is not understood or the file
 * can be read by others.
 */
export function openKeys(dataDirectory: string, ring: string | null): Keys {
  const salt = saltFile(dataDirectory)
  if (ring !== null) {
    return { ring: new KeyRing(parseKeys(ring, 'PLUGWORK_KEYS', salt)), from: 'environment', created: false }
  }
  const path = join(dataDirectory, KEYS_FILE)
  const draft = `k1:${randomBytes(KEY_BYTES).toString('base64')}\n`
  const created = !existsSync(path) && createFile(dataDirectory, path, draft)
  const read = (): readonly RingKey[] => parseKeys(readPrivate(path), path, salt)
  return { ring: new KeyRing(read(), read), from: 'file', created }
}

/**
 * Puts a new random key in front of the ring in the data folder's file; the others stay, so that what they encrypted
 * opens. Answers the new key's id. Processes that have the ring in memory read the file again when they meet the new id.
 */
export function addKey(dataDirectory: string): { readonly id: string; readonly ring: KeyRing } {
  const path = join(dataDirectory, KEYS_FILE)
  openKeys(dataDirectory, null)
  const id = exclusively(dataDirectory, () => {
    const text = readPrivate(path)
    const ids = new Set(parseKeys(text, path, saltFile(dataDirectory)).map((key) => key.id))
    let number = ids.size + 1
    while (ids.has(`k${number}`)) number += 1
    replaceFile(path, `k${number}:${randomBytes(KEY_BYTES).toString('base64')}\n${text}`)
    return `k${number}`
  })
  return { id, ring: openKeys(dataDirectory, null).ring }
}

/** Reads a ring. `where` names it in messages; nothing of the ring itself appears in them. Throws `keys_invalid`. */
export function parseKeys(ring: string, where: string, salt: ReadSalt): readonly RingKey[] {
  const entries = ring
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  if (entries.length === 0) throw new PlugworkError('keys_invalid', `${where} has no key.`)
  return entries.map((entry, index) => parseEntry(entry, `${where}: entry ${index + 1}`, salt))
}

function parseEntry(entry: string, where: string, salt: ReadSalt): RingKey {
  const passphrase = /^(?:([A-Za-z0-9_-]{1,32}):)?passphrase:(.*)$/.exec(entry)
  if (passphrase) {
    const [, id = 'k1', words] = passphrase
    if (words!.length < PASSPHRASE_LENGTH) {
      throw new PlugworkError('keys_invalid', `${where} has a passphrase of less than ${PASSPHRASE_LENGTH} characters.`)
    }
    return { id, key: scryptSync(words!.normalize('NFC'), salt(id), KEY_BYTES, SCRYPT) }
  }
  const match = /^(?:([A-Za-z0-9_-]{1,32}):)?([A-Za-z0-9+/_-]+={0,2})$/.exec(entry)
  const key = match ? Buffer.from(match[2]!, 'base64') : null
  if (!match || key?.length !== KEY_BYTES) {
    throw new PlugworkError(
      'keys_invalid',
      `${where} is not a key: write \`k1:\` and 32 bytes in base64, as \`openssl rand -base64 32\` makes them` +
        ' (or `k1:passphrase:` and a passphrase).',
    )
  }
  return { id: match[1] ?? 'k1', key }
}

function saltFile(dataDirectory: string): ReadSalt {
  const path = join(dataDirectory, SALTS_FILE)
  const find = (id: string): Uint8Array | null => {
    if (!existsSync(path)) return null
    const line = readFileSync(path, 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${id}:`))
    return line === undefined ? null : Buffer.from(line.slice(id.length + 1), 'base64')
  }
  return (id) =>
    find(id) ??
    exclusively(dataDirectory, () => {
      const known = find(id)
      if (known !== null) return known
      const made = randomBytes(SALT_BYTES)
      const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
      replaceFile(path, `${before}${id}:${made.toString('base64')}\n`)
      return made
    })
}

function readPrivate(path: string): string {
  const mode = statSync(path).mode & 0o777
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new PlugworkError(
      'keys_invalid',
      `${path} can be read by other users (mode ${mode.toString(8)}); run \`chmod 600 ${path}\`.`,
    )
  }
  return readFileSync(path, 'utf8')
}

/** Linked into place: of two processes that start at once, both read the same complete file. False: it was there. */
function createFile(directory: string, path: string, text: string): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const draft = writeDraft(path, text)
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft)
  }
}

function replaceFile(path: string, text: string): void {
  renameSync(writeDraft(path, text), path)
}

function writeDraft(path: string, text: string): string {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true })
  return draft
}

/** A lock between processes that ends with its process: that of an empty SQLite file. */
function exclusively<T>(directory: string, body: () => T): T {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 10_000 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return body()
  } finally {
    lock.close()
  }
}
