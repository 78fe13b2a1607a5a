import type { ErrorSpec } from '@plugwork/core'

/** Error codes of file contents, whatever connector moves them. */
export const ERRORS = {
  content_too_large: {
    status: 413,
    retryable: false,
    summary: 'A content is larger than `max_bytes` (at most 16 MiB), which is what one value of a flow may hold.',
  },
  content_not_text: {
    status: 422,
    retryable: false,
    summary: 'Bytes are read as text but are not UTF-8; use `encoding: base64`.',
  },
  remote_path: {
    status: 422,
    retryable: false,
    summary:
      'A path on a server has a part `..`, a control character, or is absolute although the connection has a `root`.',
  },
} as const satisfies Record<string, ErrorSpec>
