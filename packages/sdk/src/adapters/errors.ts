import { PlugworkError, type ErrorSpec } from '@plugwork/core/error'

/** Error codes of the framework adapters. */
export const ERRORS = {
  adapter_body_consumed: {
    status: 500,
    retryable: false,
    summary: 'Something in front of Plugwork read or parsed the body of a request, and its exact bytes are gone.',
  },
  adapter_body_too_large: {
    status: 413,
    retryable: false,
    summary: 'The body of a request is larger than `maxBodyBytes` of the adapter.',
  },
  adapter_request_malformed: {
    status: 400,
    retryable: false,
    summary: 'The address, the Host header or the method of a request cannot be passed to a fetch handler.',
  },
  adapter_mount_invalid: {
    status: 500,
    retryable: false,
    summary: 'An adapter is mounted where the base path of Plugwork does not lie.',
  },
} as const satisfies Record<string, ErrorSpec>

export type AdapterErrorCode = keyof typeof ERRORS

/**
 * An error of an adapter. Express reads `status`, Fastify `statusCode`, Hono `getResponse`: each answers with the right
 * status unless the application handles the error otherwise.
 */
export class AdapterError extends PlugworkError {
  readonly status: number
  readonly statusCode: number

  constructor(code: AdapterErrorCode, message: string) {
    super(code, message, { retryable: ERRORS[code].retryable })
    this.name = 'AdapterError'
    this.status = ERRORS[code].status
    this.statusCode = ERRORS[code].status
  }

  /** The error as `application/problem+json`. What is the application's fault is not explained to the client. */
  getResponse(): Response {
    const { status, code } = this
    const detail = status < 500 ? { detail: this.message } : {}
    const problem = { type: `urn:plugwork:error:${code}`, title: titleOf(status), status, ...detail, code }
    return Response.json(problem, { status, headers: { 'content-type': 'application/problem+json' } })
  }
}

function titleOf(status: number): string {
  return status === 413 ? 'Content Too Large' : status === 400 ? 'Bad Request' : 'Internal Server Error'
}
