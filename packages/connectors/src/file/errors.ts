import type { ErrorSpec } from '@plugwork/core'

/** Error codes of local files: those of the file connector, and local ends of transfers. */
export const ERRORS = {
  file_config: {
    status: 422,
    retryable: false,
    summary: 'The root of a connection cannot be used; the message says why.',
  },
  file_path: {
    status: 422,
    retryable: false,
    summary: 'A path leaves the root (`..`, absolute, a link to outside), or cannot be a path.',
  },
  file_not_found: { status: 404, retryable: false, summary: 'A file or folder does not exist.' },
  file_exists: { status: 409, retryable: false, summary: 'A file or folder exists already.' },
  file_type: {
    status: 409,
    retryable: false,
    summary: 'A path is not what the action needs: a folder where a file is wanted, a device, a pipe, a socket.',
  },
  file_not_empty: {
    status: 409,
    retryable: false,
    summary: 'A folder is not empty; delete it with `recursive: true`.',
  },
  file_read_only: { status: 403, retryable: false, summary: 'A write on a connection with `read_only: true`.' },
  file_denied: { status: 403, retryable: false, summary: 'The operating system does not permit it.' },
  file_too_many: { status: 413, retryable: false, summary: 'A folder has more entries than one action looks through.' },
  file_full: { status: 507, retryable: true, summary: 'The disk is full, or a quota is used up.' },
  file_failed: { status: 500, retryable: true, summary: 'The operating system reported another error.' },
} as const satisfies Record<string, ErrorSpec>

export type FileErrorCode = keyof typeof ERRORS
