/**
 * The key that seals inputs of `type: secret`: `PLUGWORK_KEYS`, else a file in the data folder that is made on the first
 * start and that only its owner may read. A ring is a comma list of `<id>:<32 bytes in base64>`; this build uses one key.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlugworkError } from '../error.ts'

export const KEYS_FILE = 'keys'
const KEY_BYTES = 32

export interface Keys {
  readonly id: string
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly from: 'environment' | 'file'
  /** True when this call made the file. */
  readonly created: boolean
}

/**
 * Reads the key, making the key file on a first start. Throws `keys_invalid` when the ring is not understood or the file
 * can be read by others.
 */
export function openKeys(dataDirectory: string, ring: string | null): Keys {
  if (ring !== null) return { ...parseKeys(ring, 'PLUGWORK_KEYS'), from: 'environment', created: false }
  const path = join(dataDirectory, KEYS_FILE)
  const created = createKeysFile(dataDirectory, path)
  const mode = statSync(path).mode & 0o777
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new PlugworkError(
      'keys_invalid',
      `${path} can be read by other users (mode ${mode.toString(8)}); run \`chmod 600 ${path}\`.`,
    )
  }
  return { ...parseKeys(readFileSync(path, 'utf8'), path), from: 'file', created }
}

/** Written beside and linked into place: of two processes that start at once, both read the same complete file. */
function createKeysFile(dataDirectory: string, path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })) return false
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(draft, `k1:${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true })
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

function parseKeys(ring: string, where: string): { readonly id: string; readonly key: Uint8Array } {
  const entries = ring
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const [first] = entries
  if (first === undefined) throw new PlugworkError('keys_invalid', `${where} has no key.`)
  if (entries.length > 1) {
    throw new PlugworkError(
      'keys_invalid',
      `${where} has ${entries.length} keys; rotation is not available in this build, so give the one key that was used.`,
    )
  }
  const match = /^(?:([A-Za-z0-9_-]+):)?([A-Za-z0-9+/_-]+={0,2})$/.exec(first)
  const key = match ? Buffer.from(match[2]!, 'base64') : null
  if (!match || key?.length !== KEY_BYTES) {
    throw new PlugworkError(
      'keys_invalid',
      `${where} is not a key: write \`k1:\` and 32 bytes in base64, as \`openssl rand -base64 32\` makes them.`,
    )
  }
  return { id: match[1] ?? 'k1', key }
}
