import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core'

/** Error codes of the memcached connector. */
export const ERRORS = {
  memcached_config: { status: 422, retryable: false, summary: 'A setting of a memcached connection cannot be used.' },
  memcached_connect: {
    status: 502,
    retryable: true,
    summary:
      'The server cannot be reached, or did not answer in time while the connection was opened; nothing was done.',
  },
  memcached_auth: {
    status: 401,
    retryable: false,
    summary: 'The server wants a user name and password, or refuses them.',
  },
  memcached_lost: {
    status: 502,
    retryable: true,
    summary: 'The connection broke before the answer came; the server may have done the command.',
  },
  memcached_timeout: {
    status: 504,
    retryable: true,
    summary: 'The server did not answer within `command_timeout`; it may have done the command.',
  },
  memcached_closed: { status: 503, retryable: true, summary: 'The connection was closed while it was used.' },
  memcached_key: {
    status: 422,
    retryable: false,
    summary: 'A key is longer than 250 bytes, or has a space or a control character.',
  },
  memcached_ttl: {
    status: 422,
    retryable: false,
    summary: 'A time to live ends after January 2038, the last that memcached knows.',
  },
  memcached_value: {
    status: 422,
    retryable: false,
    summary: 'A value cannot be stored as it is, or is not the JSON or unsigned integer that it should be.',
  },
  memcached_too_large: {
    status: 413,
    retryable: false,
    summary: 'A value is larger than the server takes (1 MiB unless configured), or an answer larger than 32 MiB.',
  },
  memcached_full: {
    status: 503,
    retryable: true,
    summary: 'The server has no memory for the value and evicts nothing.',
  },
  memcached_failed: {
    status: 500,
    retryable: false,
    summary: 'The server answered with another error, or is no memcached.',
  },
} as const satisfies Record<string, ErrorSpec>

export type MemcachedErrorCode = keyof typeof ERRORS

/** An error of this connector, retryable as its table row says. */
export function memcachedError(
  code: MemcachedErrorCode,
  message: string,
  options: PlugworkErrorOptions = {},
): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
