/** Opens the control socket so that only its owner can reach it. */
import { once } from 'node:events'
import { chmod, lstat, mkdir, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { dirname } from 'node:path'
import { userInfo } from 'node:os'
import { PlugworkError } from '@plugwork/core'

/**
 * Listens on a socket with mode 0600. A socket that is there already was left by a dead process: whoever calls this
 * owns the store, so no other server can be behind it.
 */
export async function listenControl(server: Server, path: string): Promise<void> {
  if (process.platform === 'win32') {
    server.listen(path)
    await once(server, 'listening')
    return
  }
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { uid } = await lstat(folder)
  if (uid !== userInfo().uid) {
    throw new PlugworkError(
      'control_unreachable',
      `The folder ${folder} of the control socket belongs to somebody else.`,
    )
  }
  await rm(path, { force: true })
  // The socket must never exist with wider rights, so the mask is set while it is bound, which happens in `listen` itself.
  const before = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
  await once(server, 'listening')
  await chmod(path, 0o600)
}
