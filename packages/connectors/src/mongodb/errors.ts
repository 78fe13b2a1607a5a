import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

/** Error codes of the mongodb connector. */
export const ERRORS = {
  mongodb_config: { status: 422, retryable: false, summary: 'A setting of a mongodb connection cannot be used.' },
  mongodb_package: packageMissing('mongodb'),
  mongodb_connect: {
    status: 502,
    retryable: true,
    summary: 'No server of the deployment can be reached, or none is fit for the operation; nothing was done.',
  },
  mongodb_auth: { status: 401, retryable: false, summary: 'The server refuses the user name or password.' },
  mongodb_denied: { status: 403, retryable: false, summary: 'The user has no right to do an operation.' },
  mongodb_lost: {
    status: 502,
    retryable: true,
    summary: 'The connection broke before the answer came; the server may have done the operation.',
  },
  mongodb_timeout: {
    status: 504,
    retryable: true,
    summary: 'An operation took longer than `timeout`; the server may have done it.',
  },
  mongodb_closed: { status: 503, retryable: true, summary: 'The connection was closed while it was used.' },
  mongodb_input: {
    status: 422,
    retryable: false,
    summary: 'Parameters of an action do not fit each other, or are too wide.',
  },
  mongodb_value: { status: 422, retryable: false, summary: 'A value in the form of Extended JSON cannot be read.' },
  mongodb_operator: {
    status: 403,
    retryable: false,
    summary: 'An operator is not allowed: JavaScript on the server, or a stage that writes or never ends.',
  },
  mongodb_query: {
    status: 422,
    retryable: false,
    summary: 'The server does not accept a filter, an update or a pipeline.',
  },
  mongodb_duplicate: {
    status: 409,
    retryable: false,
    summary: 'A unique index refused a document; `data.fields` says which.',
  },
  mongodb_validation: { status: 422, retryable: false, summary: "The collection's validation refused a document." },
  mongodb_too_many: {
    status: 413,
    retryable: false,
    summary: 'There are more documents than 10,000, and no `limit` says how many are wanted.',
  },
  mongodb_too_large: {
    status: 413,
    retryable: false,
    summary: 'An answer is larger than 32 MiB, or a document larger than the 16 MiB that MongoDB stores.',
  },
  mongodb_unavailable: {
    status: 503,
    retryable: true,
    summary: 'The server cannot do it now: an election, a shutdown, a write conflict.',
  },
  mongodb_failed: { status: 500, retryable: false, summary: 'The server answered with another error.' },
} as const satisfies Record<string, ErrorSpec>

export type MongodbErrorCode = keyof typeof ERRORS

/** An error of this connector, retryable as its table row says. */
export function mongodbError(
  code: MongodbErrorCode,
  message: string,
  options: PlugworkErrorOptions = {},
): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
