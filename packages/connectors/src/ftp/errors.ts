import type { ErrorSpec } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

/** Error codes of the ftp connector; those of its sockets are `egress_…`. */
export const ERRORS = {
  ftp_package: packageMissing('basic-ftp'),
  ftp_config: {
    status: 422,
    retryable: false,
    summary: 'A setting of an ftp connection is missing or cannot be used.',
  },
  ftp_auth: { status: 502, retryable: false, summary: 'The server does not accept user and password.' },
  ftp_tls: {
    status: 502,
    retryable: false,
    summary: 'The server offers no TLS where it is required, or its certificate is not accepted.',
  },
  ftp_not_found: {
    status: 404,
    retryable: false,
    summary: 'A file or folder does not exist, or is closed to this user: FTP has one code (550) for both.',
  },
  ftp_exists: { status: 409, retryable: false, summary: 'A file or folder exists already on the server.' },
  ftp_refused: { status: 502, retryable: false, summary: 'The server refuses a command for good (5xx).' },
  ftp_busy: { status: 503, retryable: true, summary: 'The server does not take a command now (4xx).' },
  ftp_timeout: { status: 504, retryable: true, summary: 'The server was silent for longer than `timeout`.' },
  ftp_too_many: { status: 413, retryable: false, summary: 'A folder has more entries than one action looks through.' },
} as const satisfies Record<string, ErrorSpec>

export type FtpErrorCode = keyof typeof ERRORS
