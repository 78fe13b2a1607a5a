import type { ErrorSpec } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

/** Error codes of the s3 connector; those of its requests are `egress_…`. */
export const ERRORS = {
  s3_package: packageMissing('@aws-sdk/client-s3'),
  s3_config: { status: 422, retryable: false, summary: 'A setting of an s3 connection is missing or cannot be used.' },
  s3_key: {
    status: 422,
    retryable: false,
    summary: 'A key has a part `.` or `..`, which URLs cannot carry, or an action has no bucket.',
  },
  s3_not_found: { status: 404, retryable: false, summary: 'A bucket or an object does not exist.' },
  s3_denied: {
    status: 403,
    retryable: false,
    summary: 'The service refuses the credentials, or they may not do this.',
  },
  s3_changed: { status: 409, retryable: true, summary: 'An object was replaced while it was read in parts.' },
  s3_busy: { status: 503, retryable: true, summary: 'The service asks for fewer requests, or does not work now.' },
  s3_refused: {
    status: 422,
    retryable: false,
    summary: 'The service does not accept a request; the message says why.',
  },
} as const satisfies Record<string, ErrorSpec>

export type S3ErrorCode = keyof typeof ERRORS
