import { PlugworkError, type Json } from '@plugwork/core'
import { ERRORS, type FileErrorCode } from './errors.ts'

const CODES: { readonly [code: string]: readonly [FileErrorCode, string] } = {
  ENOENT: ['file_not_found', 'does not exist'],
  EEXIST: ['file_exists', 'exists already'],
  ENOTEMPTY: ['file_not_empty', 'is not empty; delete it with recursive: true'],
  EISDIR: ['file_type', 'is a folder, not a file'],
  ENOTDIR: ['file_type', 'is not a folder, or lies below a file'],
  ELOOP: ['file_path', 'is or became a link that is not followed'],
  ENAMETOOLONG: ['file_path', 'is too long a name for this file system'],
  EINVAL: ['file_path', 'cannot be used there (a folder cannot move into itself)'],
  EXDEV: ['file_path', 'is on another file system'],
  EACCES: ['file_denied', 'is not permitted to the user that runs Plugwork; change its owner or mode'],
  EPERM: ['file_denied', 'is not permitted to the user that runs Plugwork; change its owner or mode'],
  EROFS: ['file_denied', 'is on a file system that is mounted read-only'],
  ENOSPC: ['file_full', 'cannot be written: the disk is full'],
  EDQUOT: ['file_full', 'cannot be written: the quota is used up'],
}

/** An error of this area, retryable as its table row says. */
export function fileError(
  code: FileErrorCode,
  message: string,
  options: { cause?: unknown; data?: Json } = {},
): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}

/** What the operating system said of `path`, as an error of this area; others pass. */
export function asFileError(error: unknown, path: string): unknown {
  if (error instanceof PlugworkError) return error
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return error
  const [own, text] = CODES[code] ?? (['file_failed', `failed with ${code}`] as const)
  return fileError(own, `${shown(path)} ${text}.`, { data: { path } })
}

/** How a message names a path. */
export const shown = (path: string): string => (path === '' ? 'The root' : `"${path}"`)
