import type { ErrorSpec } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

/** Error codes of the smtp connector; those of the socket are `egress_…`. */
export const ERRORS = {
  smtp_package: packageMissing('nodemailer'),
  smtp_config: {
    status: 422,
    retryable: false,
    summary: 'A setting of an smtp connection is missing or cannot be used.',
  },
  smtp_message: {
    status: 422,
    retryable: false,
    summary: 'A message has no recipient or no sender, or is larger than 25 MiB.',
  },
  smtp_auth: { status: 502, retryable: false, summary: 'The server does not accept user and password.' },
  smtp_tls: {
    status: 502,
    retryable: false,
    summary: 'The server offers no TLS where it is required, or its certificate is not accepted.',
  },
  smtp_refused: {
    status: 502,
    retryable: false,
    summary:
      'The server refuses the message or all recipients for good (5xx). `data` has `response_code` and `response`.',
  },
  smtp_busy: {
    status: 503,
    retryable: true,
    summary:
      'The server does not take the message now (4xx, such as greylisting). `data` has `response_code` and `response`.',
  },
  smtp_broken: {
    status: 502,
    retryable: true,
    summary: 'The connection broke or was silent; the message may have been accepted.',
  },
} as const satisfies Record<string, ErrorSpec>

export type SmtpErrorCode = keyof typeof ERRORS
