import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core/error'

/** Error codes of JWTs that we sign. None of them holds a key, a claim's value or a token. */
export const ERRORS = {
  jwt_field_missing: {
    status: 422,
    retryable: false,
    summary: 'A field of the connection that the JWT is made of (its key, a claim) is missing.',
  },
  jwt_key_invalid: {
    status: 422,
    retryable: false,
    summary: 'The key of a connection cannot sign: not PEM, another algorithm than the service takes, or too short.',
  },
} as const satisfies Record<string, ErrorSpec>

export type JwtErrorCode = keyof typeof ERRORS

/** An error of this area, retryable as its table row says. */
export function jwtError(code: JwtErrorCode, message: string, options: PlugworkErrorOptions = {}): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
