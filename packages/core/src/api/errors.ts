import type { ErrorSpec } from '../error.ts'

/** Error codes of the client for JSON HTTP APIs; connectors add their own prefix to those with `<connector>`. */
export const ERRORS = {
  '<connector>_unauthorized': {
    status: 502,
    retryable: false,
    summary:
      'The service did not accept the credential (401), also not a refreshed one. Reconnect, or set a valid token.',
  },
  '<connector>_forbidden': {
    status: 502,
    retryable: false,
    summary: 'The credential is valid, but may not do this (403). Give it the permission that the message names.',
  },
  '<connector>_not_found': {
    status: 502,
    retryable: false,
    summary: 'The thing does not exist, or the credential may not see it (404, 410).',
  },
  '<connector>_conflict': {
    status: 502,
    retryable: false,
    summary: 'The thing is not in a state in which this can be done (405, 409, 412, 423).',
  },
  '<connector>_invalid': {
    status: 502,
    retryable: false,
    summary: 'The service refused the request as invalid (400, 413, 415, 422); the message says what it does not like.',
  },
  '<connector>_rate_limited': {
    status: 502,
    retryable: true,
    summary:
      'Too many calls. `data.retryAfterMs` is the pause that the service asks for; a `retry` waits at least so long.',
  },
  '<connector>_unavailable': {
    status: 502,
    retryable: true,
    summary: 'The service does not work at the moment (408, 425, 5xx).',
  },
  '<connector>_redirected': {
    status: 502,
    retryable: false,
    summary:
      'A write was answered with a redirect that is not followed: another origin, or one that would turn it into a read.',
  },
  '<connector>_failed': {
    status: 502,
    retryable: false,
    summary: 'The service answered with an error that fits no other code; `data` has its status, code and message.',
  },
  '<connector>_config': {
    status: 422,
    retryable: false,
    summary: 'The connection lacks a credential, or a setting does not fit; the message names it.',
  },
  api_path: {
    status: 422,
    retryable: false,
    summary: 'A value cannot be a part of a path: it is empty, `.` or `..`.',
  },
  api_target: {
    status: 422,
    retryable: false,
    summary: 'The base URL or the address of an API request cannot be used; the message says why.',
  },
  api_reply: {
    status: 502,
    retryable: false,
    summary: 'A service answered something that is not JSON, or not what it documents; the message names the place.',
  },
} as const satisfies Record<string, ErrorSpec>
