import type { ErrorSpec } from '../error.ts'

/** Error codes of flow tests. */
export const ERRORS = {
  test_unfaked: {
    status: 500,
    retryable: false,
    summary: 'A flow test reached an action or the network without a fake for it.',
  },
  test_fake_unmatched: {
    status: 500,
    retryable: false,
    summary: 'A flow test has fakes for a call, but none whose `when` holds.',
  },
  test_file_invalid: { status: 422, retryable: false, summary: 'A file of flow tests is not understood.' },
} as const satisfies Record<string, ErrorSpec>

export type TestErrorCode = keyof typeof ERRORS
