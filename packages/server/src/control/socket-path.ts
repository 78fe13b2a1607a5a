/** Where the control socket of a data folder is. */
import { hash } from 'node:crypto'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'

/** The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS, with the end mark. */
const MAX_PATH_BYTES = 100

/**
 * The socket beside the store, or, where that path is too long for the system, one in the temporary folder whose name is
 * derived from it. On Windows, a named pipe.
 */
export function controlSocketPath(dataDirectory: string): string {
  const folder = resolve(dataDirectory)
  const name = hash('sha256', folder).slice(0, 24)
  if (process.platform === 'win32') return `\\\\.\\pipe\\plugwork-${name}`
  const beside = join(folder, 'control.sock')
  if (Buffer.byteLength(beside) <= MAX_PATH_BYTES) return beside
  return join(tmpdir(), `plugwork-${userInfo().uid}`, `${name}.sock`)
}
