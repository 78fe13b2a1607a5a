/** Turns what undici and the sockets below it report into errors of this area. */
import { assertNever, PlugworkError } from '../error.ts'
import { egressError, printableUrl } from './errors.ts'

/** How far a request was. Nothing has been sent while it is connecting. */
export type Phase = 'connecting' | 'waiting for the response' | 'reading the response'

export function describeFailure(cause: Error, phase: Phase, url: URL): PlugworkError {
  if (cause instanceof PlugworkError) return cause
  const target = printableUrl(url)
  const code = String((cause as { code?: unknown }).code ?? '')
  const reason = code === '' ? cause.message : code
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') {
    return egressError('egress_closed', `The request to ${target} was not completed: the process is stopping.`)
  }
  if (cause.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'UND_ERR_NOT_SUPPORTED') {
    // No cause: the parser's error holds the bytes that came.
    return egressError('egress_protocol', `${target} answered with something that is not valid HTTP (${reason}).`)
  }
  if (code === 'UND_ERR_INVALID_ARG') {
    return egressError('egress_url', `The request to ${target} was not sent: ${cause.message}.`, { cause })
  }
  switch (phase) {
    case 'connecting':
      return isTlsError(code)
        ? egressError('egress_tls', `The TLS connection to ${url.host} was not accepted (${reason}).`, { cause })
        : egressError(
            'egress_connect',
            `No connection to ${url.host} could be opened (${reason}). Is the service running and reachable from here?`,
            { cause },
          )
    case 'waiting for the response':
      return egressError(
        'egress_broken',
        `The connection to ${url.host} broke before ${target} answered (${reason}). It may have acted on the request.`,
        { cause },
      )
    case 'reading the response':
      return egressError(
        'egress_broken',
        `The connection to ${url.host} broke while the response of ${target} was read (${reason}).`,
        { cause },
      )
    default:
      return assertNever(phase)
  }
}

function isTlsError(code: string): boolean {
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/.test(code) && !code.startsWith('UND_')
}
