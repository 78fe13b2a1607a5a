import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core/error'

/** Error codes of the SDK. */
export const ERRORS = {
  sdk_option_invalid: {
    status: 500,
    retryable: false,
    summary: 'An option of createPlugwork cannot be used; the message names it and the rule.',
  },
  sdk_key_invalid: {
    status: 500,
    retryable: false,
    summary: 'The encryptionKey of createPlugwork is missing, too short, or not written as a key ring.',
  },
  sdk_closed: { status: 503, retryable: false, summary: 'The SDK was used after it had been closed.' },
  sdk_user_missing: {
    status: 500,
    retryable: false,
    summary: 'A call says neither which user it is for (`userId`) nor, with null, that it is for the tenant itself.',
  },
  sdk_connector_unknown: {
    status: 404,
    retryable: false,
    summary: 'No connector of this name was given to createPlugwork.',
  },
  sdk_action_unknown: {
    status: 404,
    retryable: false,
    summary: 'A connector has no action of the name that was called.',
  },
  sdk_connection_missing: {
    status: 409,
    retryable: false,
    summary: 'The user has no connection to the service that a call needs; they have to connect first.',
  },
  sdk_connection_ambiguous: {
    status: 409,
    retryable: false,
    summary: 'The user has several connections to a service, none is called "default", and the call names none.',
  },
  sdk_credentials_denied: {
    status: 403,
    retryable: false,
    summary: 'Credentials are given out only where the `authorize` callback answers true for it.',
  },
  sdk_not_refreshable: {
    status: 422,
    retryable: false,
    summary: 'A connection has no token that could be refreshed.',
  },
  sdk_unauthenticated: {
    status: 401,
    retryable: false,
    summary: 'A request needs somebody to be signed in to the application, and nobody is.',
  },
  sdk_forbidden: {
    status: 403,
    retryable: false,
    summary: 'A request may not do this over HTTP unless the `authorize` callback allows it.',
  },
  sdk_origin_denied: {
    status: 403,
    retryable: false,
    summary: 'A request comes from a page of another site than the application; it may be forged.',
  },
  sdk_route_unknown: { status: 404, retryable: false, summary: 'The handler has no such address.' },
  sdk_method_not_allowed: { status: 405, retryable: false, summary: 'The address does not know this method.' },
  sdk_body_invalid: {
    status: 400,
    retryable: false,
    summary: 'The body of a request is not a JSON object of the shape that the address expects.',
  },
  sdk_body_too_large: { status: 413, retryable: false, summary: 'The body of a request is larger than 1 MiB.' },
  sdk_internal: {
    status: 500,
    retryable: true,
    summary: 'Something unexpected went wrong; the log of the application has it under the request id.',
  },
} as const satisfies Record<string, ErrorSpec>

export type SdkErrorCode = keyof typeof ERRORS

/** An error of this area, retryable as its table row says. */
export function sdkError(code: SdkErrorCode, message: string, options: PlugworkErrorOptions = {}): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
