import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

/** Error codes of the redis connector. */
export const ERRORS = {
  redis_config: { status: 422, retryable: false, summary: 'A setting of a redis connection cannot be used.' },
  redis_connect: {
    status: 502,
    retryable: true,
    summary:
      'The server cannot be reached, or did not answer in time while the connection was opened; nothing was done.',
  },
  redis_package: packageMissing('ioredis'),
  redis_auth: { status: 401, retryable: false, summary: 'The server refuses the user name or password.' },
  redis_denied: { status: 403, retryable: false, summary: 'The user may not run a command or use a key (ACL).' },
  redis_lost: {
    status: 502,
    retryable: true,
    summary: 'The connection broke before the answer came; the server may have done the command.',
  },
  redis_timeout: {
    status: 504,
    retryable: true,
    summary: 'The server did not answer within `command_timeout`; it may have done the command.',
  },
  redis_closed: { status: 503, retryable: true, summary: 'The connection was closed while it was used.' },
  redis_input: { status: 422, retryable: false, summary: 'Parameters of an action do not fit each other.' },
  redis_value: {
    status: 422,
    retryable: false,
    summary: 'A value cannot be stored as it is, is not the JSON or integer that it should be, or overflows.',
  },
  redis_wrong_type: {
    status: 409,
    retryable: false,
    summary: 'A key holds another kind of value than the action is for.',
  },
  redis_too_large: {
    status: 413,
    retryable: false,
    summary: 'A value is larger than 32 MiB, or a collection has more elements than the limit.',
  },
  redis_no_group: { status: 404, retryable: false, summary: 'The consumer group of a stream does not exist.' },
  redis_cluster: {
    status: 501,
    retryable: false,
    summary: 'The server is a node of a Redis Cluster that does not hold the key; this connector talks to one server.',
  },
  redis_unavailable: {
    status: 503,
    retryable: true,
    summary: 'The server cannot do it now: it loads, is out of memory, is a replica or is busy with a script.',
  },
  redis_failed: { status: 500, retryable: false, summary: 'The server answered with another error.' },
} as const satisfies Record<string, ErrorSpec>

export type RedisErrorCode = keyof typeof ERRORS

/** An error of this connector, retryable as its table row says. */
export function redisError(code: RedisErrorCode, message: string, options: PlugworkErrorOptions = {}): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
