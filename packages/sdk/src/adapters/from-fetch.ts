/** A request of a framework that speaks fetch, readied for the handler. */
import { boundedBody, refuseAnnounced } from './bounded-body.ts'
import { AdapterError } from './errors.ts'
import { addressOf, MAX_BODY_BYTES, refuseMethod, type AdapterOptions, type Mountable } from './mountable.ts'

/** The same request at its public address, with a bounded body. `remedy` says what to do when the body was read before. */
export function fromFetch(plug: Mountable, request: Request, options: AdapterOptions & { remedy: string }): Request {
  const { maxBodyBytes = MAX_BODY_BYTES, remedy } = options
  refuseMethod(request.method)
  const { pathname, search, origin } = new URL(request.url)
  const url = addressOf(plug, `${pathname}${search}`, origin)
  refuseAnnounced(request.headers.get('content-length'), maxBodyBytes)
  if (request.bodyUsed) {
    throw new AdapterError(
      'adapter_body_consumed',
      `The body of ${request.method} ${pathname} was read before Plugwork saw it, so the signature of a webhook could not be ` +
        `verified: it is computed over the exact bytes. ${remedy}`,
    )
  }
  const body = request.body === null ? null : boundedBody(request.body[Symbol.asyncIterator](), maxBodyBytes)
  return new Request(url, {
    method: request.method,
    headers: request.headers,
    body,
    signal: request.signal,
    ...(body === null ? {} : { duplex: 'half' }),
  })
}
