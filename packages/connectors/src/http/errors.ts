import type { ErrorSpec } from '@plugwork/core'

/** Error codes of the http connector; those of the request itself are `egress_…`. */
export const ERRORS = {
  'http_<status>': {
    status: 502,
    retryable: false,
    summary:
      'The service answered with this status (`http_404`, …). 408, 425, 429 and 5xx are retryable, after `Retry-After` where it was sent. `data` has `status`, `headers`, `body`.',
  },
  http_target: {
    status: 422,
    retryable: false,
    summary: 'It is not clear or not allowed where a request should go: `path` without `base_url`, or `..` in a path.',
  },
  http_config: {
    status: 422,
    retryable: false,
    summary: 'A setting of an http connection cannot be used; the message names it.',
  },
  http_body: {
    status: 502,
    retryable: false,
    summary: 'A response says that it is JSON or text, but cannot be read as such.',
  },
} as const satisfies Record<string, ErrorSpec>
