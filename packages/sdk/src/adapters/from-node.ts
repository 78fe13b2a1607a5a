/** A request of `node:http`, as frameworks on top of it pass it on, as a fetch `Request`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { boundedBody, refuseAnnounced } from './bounded-body.ts'
import { AdapterError } from './errors.ts'
import { refuseMethod } from './mountable.ts'

/** What frameworks and body parsers add to an `IncomingMessage`. */
export interface ParsedMessage extends IncomingMessage {
  /** Bytes (`express.raw()`), or what a parser made of them. */
  body?: unknown
  /** Where the `verify` option of `express.json()`, and several hosting platforms, leave the bytes. */
  rawBody?: unknown
}

export interface FromNode {
  readonly message: ParsedMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly maxBodyBytes: number
  /** Where the body is read from, when not from the message itself. */
  readonly payload?: Readable
  /** What the error says to do when the body has been read already. */
  readonly remedy: string
}

/** The request, with its body as it came, and a signal that is aborted when the client leaves before the answer's end. */
export function fromNode(options: FromNode): Request {
  const { message, response, url } = options
  const method = message.method ?? 'GET'
  refuseMethod(method)
  const abort = new AbortController()
  if (response.destroyed) abort.abort()
  else {
    response.once('close', () => {
      if (!response.writableFinished) abort.abort()
    })
  }
  const headers = headersOf(message)
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(options, headers)
  return new Request(url, { method, headers, body, signal: abort.signal, ...(body === null ? {} : { duplex: 'half' }) })
}

/** Names and values as they were sent; those of HTTP/2 that begin with a colon are no headers. */
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (!name.startsWith(':')) headers.append(name, rawHeaders[at + 1]!)
  }
  return headers
}

function bodyOf(options: FromNode, headers: Headers): ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null {
  const { message, maxBodyBytes } = options
  if (!hasBody(message)) return null
  refuseAnnounced(message.headers['content-length'], maxBodyBytes)
  const payload = options.payload ?? message
  if (!payload.readableDidRead) return boundedBody(payload.iterator({ destroyOnReturn: false }), maxBodyBytes)
  const bytes = [message.rawBody, message.body].find((value): value is Uint8Array => value instanceof Uint8Array)
  if (bytes === undefined) {
    throw new AdapterError(
      'adapter_body_consumed',
      `The body of ${message.method} ${options.url.pathname} was read before Plugwork saw it, so the signature of a webhook ` +
        `could not be verified: it is computed over the exact bytes. ${options.remedy}`,
    )
  }
  refuseAnnounced(String(bytes.byteLength), maxBodyBytes)
  // Parsers that keep bytes keep them unpacked.
  headers.delete('content-encoding')
  headers.delete('transfer-encoding')
  headers.set('content-length', String(bytes.byteLength))
  return new Uint8Array(bytes)
}

/** Whether a body was announced: RFC 9112, section 6.3. HTTP/2 needs no announcement. */
function hasBody(message: IncomingMessage): boolean {
  const length = message.headers['content-length']
  if (length !== undefined) return Number(length) > 0
  return message.headers['transfer-encoding'] !== undefined || message.httpVersionMajor > 1
}

/** What Node throws away of a body that nobody has read before it takes the connection's next request. */
const DRAINED_BYTES = 64 * 1024

/** Whether so much of the body is unread that the connection is better closed than drained. */
export function isLeftUnread(message: IncomingMessage): boolean {
  // A stream of HTTP/2 ends by itself, and `Connection` is no header there.
  if (message.httpVersionMajor > 1 || message.complete || !hasBody(message)) return false
  const length = message.headers['content-length']
  return length === undefined || Number(length) > DRAINED_BYTES
}
