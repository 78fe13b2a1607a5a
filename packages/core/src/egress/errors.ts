import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '../error.ts'

/** Error codes of outbound requests. `egress_connect` means that nothing was sent; after `egress_broken` it may have been. */
export const ERRORS = {
  egress_denied: {
    status: 403,
    retryable: false,
    summary: 'A request goes to a private address or to a host that is not allowed; see PLUGWORK_EGRESS_ALLOW.',
  },
  egress_policy: { status: 500, retryable: false, summary: 'An entry of an allow list cannot be read.' },
  egress_url: {
    status: 422,
    retryable: false,
    summary: 'A URL cannot be requested: not http(s), not a URL, or it carries a user name or password.',
  },
  egress_header: {
    status: 422,
    retryable: false,
    summary: 'A request header has an illegal name or value, or is one that the dialer sets itself.',
  },
  egress_redirect: {
    status: 502,
    retryable: false,
    summary: 'A redirect leads nowhere, is not wanted, or there were too many of them.',
  },
  egress_timeout: { status: 504, retryable: true, summary: 'A request took longer than its time limit.' },
  egress_too_large: { status: 502, retryable: false, summary: 'A response is larger than its size limit.' },
  egress_decode: { status: 502, retryable: false, summary: 'A compressed response cannot be decompressed.' },
  egress_dns: { status: 502, retryable: true, summary: 'A host name cannot be resolved.' },
  egress_connect: {
    status: 502,
    retryable: true,
    summary: 'No connection could be opened; nothing was sent, repeating is safe.',
  },
  egress_tls: { status: 502, retryable: false, summary: "The server's certificate or TLS handshake was not accepted." },
  egress_broken: {
    status: 502,
    retryable: true,
    summary: 'The connection broke before the response was complete; the server may have acted on the request.',
  },
  egress_protocol: { status: 502, retryable: false, summary: 'The server answered with something that is not HTTP.' },
  egress_aborted: { status: 499, retryable: true, summary: 'The caller aborted the request.' },
  egress_recording: {
    status: 500,
    retryable: false,
    summary: 'A recording of HTTP traffic cannot be read or is of another format.',
  },
  egress_unrecorded: {
    status: 500,
    retryable: false,
    summary: 'A request was made that the recording being replayed does not hold.',
  },
  egress_closed: { status: 503, retryable: true, summary: 'The dialer is closed because the process stops.' },
} as const satisfies Record<string, ErrorSpec>

export type EgressErrorCode = keyof typeof ERRORS

/** An error of this area, retryable as its table row says. */
export function egressError(code: EgressErrorCode, message: string, options: PlugworkErrorOptions = {}): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}

/** What an error may say of a URL: origin and path. Query, fragment and user name can hold secrets. */
export function printableUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}
