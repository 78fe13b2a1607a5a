import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core'

/** Error codes of services' webhooks. */
export const ERRORS = {
  webhook_signature_malformed: {
    status: 401,
    retryable: false,
    summary: 'A request of a service is not signed, or not in the way of the service.',
  },
  webhook_signature_wrong: {
    status: 401,
    retryable: false,
    summary: 'A request of a service was signed with another secret, or changed on its way.',
  },
  webhook_signature_stale: {
    status: 401,
    retryable: false,
    summary: 'A request of a service was signed too long ago or for a time to come.',
  },
  webhook_endpoint_not_found: {
    status: 404,
    retryable: false,
    summary: 'There is no address for webhooks of this service with this id.',
  },
  webhook_not_supported: { status: 404, retryable: false, summary: 'The connector does not take webhooks.' },
  webhook_event_not_found: { status: 404, retryable: false, summary: 'There is no stored event with this id.' },
  webhook_body_too_large: { status: 413, retryable: false, summary: "The body of a service's webhook is too large." },
  webhook_endpoint_invalid: {
    status: 422,
    retryable: false,
    summary: 'An address for webhooks was set up with settings that do not fit.',
  },
  webhook_too_many_attempts: {
    status: 429,
    retryable: true,
    summary: 'Too many requests that are not signed rightly came from this address.',
  },
  webhook_not_configured: {
    status: 503,
    retryable: true,
    summary: "No secret is set for the service's webhooks, so nothing of it is accepted.",
  },
  webhook_certificate_unavailable: {
    status: 503,
    retryable: true,
    summary: 'The certificate that a service signed with could not be read, or is not valid now.',
  },
} as const satisfies Record<string, ErrorSpec>

export type WebhookErrorCode = keyof typeof ERRORS

export function webhookError(
  code: WebhookErrorCode,
  message: string,
  options: Omit<PlugworkErrorOptions, 'retryable'> = {},
): PlugworkError {
  return new PlugworkError(code, message, { ...options, retryable: ERRORS[code].retryable })
}
