import { PlugworkError, type ErrorSpec } from '../error.ts'

/** Error codes of blob stores. */
export const ERRORS = {
  blob_missing: { status: 500, retryable: false, summary: 'A blob that a run refers to is not in the blob store.' },
  blob_corrupt: {
    status: 500,
    retryable: false,
    summary: 'The bytes of a blob do not match its hash; the disk is damaged.',
  },
  blob_hash_invalid: {
    status: 400,
    retryable: false,
    summary: 'A blob was asked for by something that is not a SHA-256.',
  },
  blob_store_full: {
    status: 507,
    retryable: true,
    summary: 'A blob could not be written because the disk is full or fails. Nothing of it was stored.',
  },
} as const satisfies Record<string, ErrorSpec>

export type BlobErrorCode = keyof typeof ERRORS

/** A PlugworkError with a code of the blob stores' table. */
export function blobError(code: BlobErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}
