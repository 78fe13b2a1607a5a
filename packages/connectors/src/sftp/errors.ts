import type { ErrorSpec } from '@plugwork/core'

/** Error codes of files over SFTP; those of the connection are `ssh_…`. */
export const ERRORS = {
  sftp_not_found: { status: 404, retryable: false, summary: 'A file or folder does not exist on the server.' },
  sftp_exists: { status: 409, retryable: false, summary: 'A file or folder exists already on the server.' },
  sftp_denied: { status: 403, retryable: false, summary: 'The server does not permit it to this user.' },
  sftp_too_many: { status: 413, retryable: false, summary: 'A folder has more entries than one action looks through.' },
  sftp_failed: { status: 502, retryable: true, summary: 'The server reports another error, such as a full disk.' },
} as const satisfies Record<string, ErrorSpec>

export type SftpErrorCode = keyof typeof ERRORS
