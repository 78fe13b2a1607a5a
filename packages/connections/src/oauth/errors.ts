import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core/error'

/** Error codes of OAuth. None of their messages or data holds a token, code, verifier or client secret. */
export const ERRORS = {
  oauth_provider_invalid: {
    status: 500,
    retryable: false,
    summary:
      'The auth data of a provider lacks what its grant needs, or has a URL that is neither https nor on this machine.',
  },
  oauth_client_missing: {
    status: 500,
    retryable: false,
    summary: 'No client id (or secret) of an application registered with the provider is configured.',
  },
  oauth_setting_invalid: {
    status: 422,
    retryable: false,
    summary: 'A setting of the connection that a provider URL needs is missing or does not match its pattern.',
  },
  oauth_redirect_invalid: {
    status: 500,
    retryable: false,
    summary: 'The redirect URI is not absolute, has a fragment, or is neither https nor on this machine.',
  },
  oauth_return_to_denied: {
    status: 422,
    retryable: false,
    summary: 'The page to return to is not below an address that is allowed.',
  },
  oauth_callback_invalid: {
    status: 400,
    retryable: false,
    summary: 'A callback does not come to the redirect URI of its authorization, or lacks a code.',
  },
  oauth_state_invalid: {
    status: 400,
    retryable: false,
    summary: 'The state of a callback is missing, unknown, or was used before. Start the authorization again.',
  },
  oauth_state_expired: {
    status: 400,
    retryable: false,
    summary: 'More than ten minutes passed between the start of an authorization and its callback. Start it again.',
  },
  oauth_session_mismatch: {
    status: 403,
    retryable: false,
    summary: 'A callback came in the session of somebody else than the one who started the authorization.',
  },
  oauth_issuer_mismatch: {
    status: 400,
    retryable: false,
    summary: 'A callback names another issuer than the provider that was asked, or none although it must (RFC 9207).',
  },
  oauth_denied: {
    status: 403,
    retryable: false,
    summary: 'The user, or an administrator on their behalf, did not grant access.',
  },
  oauth_provider_error: {
    status: 502,
    retryable: false,
    summary: 'The provider answered the authorization request with an error; the data names it.',
  },
  oauth_refused: {
    status: 401,
    retryable: false,
    summary:
      'The token endpoint refused (RFC 6749, 5.2); `error` of the data is the code of the provider, such as invalid_grant.',
  },
  oauth_response_invalid: {
    status: 502,
    retryable: false,
    summary: 'The provider answered with something that is no token response.',
  },
  oauth_unavailable: {
    status: 503,
    retryable: true,
    summary: 'The provider is overloaded or failing (429, 5xx, temporarily_unavailable); repeating later can help.',
  },
  oauth_device_expired: {
    status: 410,
    retryable: false,
    summary: 'The user code of a device authorization expired before somebody entered it. Ask for another one.',
  },
} as const satisfies Record<string, ErrorSpec>

export type OAuthErrorCode = keyof typeof ERRORS

/** An error of this area, retryable as its table row says. */
export function oauthError(code: OAuthErrorCode, message: string, options: PlugworkErrorOptions = {}): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
