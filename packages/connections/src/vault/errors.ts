import { PlugworkError, type ErrorSpec } from '@plugwork/core'

/** Error codes of encryption at rest. */
export const ERRORS = {
  keys_wrong: {
    status: 500,
    retryable: false,
    summary: 'A key of the ring is not the one of this name that stored credentials were encrypted with.',
  },
  keys_missing: {
    status: 500,
    retryable: false,
    summary: 'Stored credentials are encrypted with a key that is not in the ring.',
  },
  credential_unreadable: {
    status: 500,
    retryable: false,
    summary: 'A stored credential was changed, cut, or moved from another connection, and does not open.',
  },
  credential_shredded: {
    status: 410,
    retryable: false,
    summary: 'The data key of a stored credential was deleted; the credential can never be read again.',
  },
} as const satisfies Record<string, ErrorSpec>

export type VaultErrorCode = keyof typeof ERRORS

export function vaultError(code: VaultErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, cause === undefined ? {} : { cause })
}
