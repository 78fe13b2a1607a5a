/** Paths on file servers, checked as written: values of a flow's inputs do not climb. */
import { posix } from 'node:path'
import { PlugworkError } from '@plugwork/core'
import { z } from 'zod'

export const remoteRootSetting = z
  .string()
  .min(1)
  .optional()
  .describe('Folder on the server that every path is below; absolute paths are refused then.')

/** The path to send. `..`, control characters, and absolute paths where there is a root, are `remote_path`. */
export function remotePath(path: string, root: string | undefined): string {
  const refuse = (why: string): PlugworkError =>
    new PlugworkError('remote_path', `The path ${JSON.stringify(path)} ${why}.`)
  // oxlint-disable-next-line no-control-regex -- they end commands of FTP, and hide in listings
  if (/[\u0000-\u001f\u007f]/.test(path)) throw refuse('has a control character')
  if (path.split('/').includes('..')) throw refuse('has a part ".."; name the folder from the top instead')
  if (root === undefined) return path === '' ? '.' : path
  if (path.startsWith('/'))
    throw refuse(`is absolute, but the connection has the root ${root}; leave out the first "/"`)
  return posix.join(root, path)
}

/** The last name of a path. */
export const remoteName = (path: string): string => posix.basename(path)
