/** Between `node:http` and the dispatcher: requests in, replies out, nothing in between that costs. */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ERRORS, ServerError } from '../errors.ts'
import type { Dispatch } from './dispatch.ts'
import type { Incoming } from './incoming.ts'
import { PROBLEM_TYPE } from './problem.ts'
import type { Reply } from './reply.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

export interface NodeServerOptions {
  readonly dispatch: Dispatch
  readonly requestId: (sent: string | undefined) => string
  /** Requests come through the control socket. */
  readonly local: boolean
}

/** Time for the headers of a request, and for all of it: what a client may take that trickles bytes. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 120_000
const KEEP_ALIVE_MS = 65_000
const MAX_HEADER_BYTES = 32 * 1024

/** An HTTP server around the dispatcher, not yet listening. */
export function createNodeServer(options: NodeServerOptions): Server {
  const { dispatch, requestId, local } = options
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Nagle's algorithm would hold back the small answers of keep-alive clients.
      noDelay: true,
    },
    serve,
  )
  // `Expect: 100-continue`: the body is asked for once somebody wants to read it, so a refusal costs no upload.
  server.on('checkContinue', serve)
  server.on('clientError', refuse)
  return server

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const incoming = new NodeIncoming(request, response, requestId, local)
    // The dispatcher turns every failure into a reply; what is caught here is a socket that is gone.
    dispatch(incoming).then(
      (reply) => send(incoming, response, reply),
      (error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))),
    )
  }
}

/** What was no HTTP request, was too slow or too long: no request, so no dispatcher. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  // After an answer was begun, another one would be read as the answer to the next request.
  if (error.code === 'ECONNRESET' || !socket.writable || answered(socket)) {
    socket.destroy()
    return
  }
  const [status, title, code] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([431, 'Request Header Fields Too Large', 'headers_too_large'] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ([408, 'Request Timeout', 'request_timeout'] as const)
        : ([400, 'Bad Request', 'request_malformed'] as const)
  const spec = ERRORS[code]
  const body = JSON.stringify({
    type: `urn:plugwork:error:${code}`,
    title: spec.summary,
    status,
    detail: REFUSALS[code],
    code,
    retryable: spec.retryable,
  })
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `X-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

const REFUSALS = {
  headers_too_large: `Address and headers together are longer than ${MAX_HEADER_BYTES} bytes.`,
  request_timeout: `The headers must be there within ${HEADERS_TIMEOUT_MS / 1_000} s, the whole request within ${REQUEST_TIMEOUT_MS / 1_000} s.`,
  request_malformed:
    'What was sent is not an HTTP/1.1 request: check its framing (Content-Length, Transfer-Encoding) and headers.',
} as const

/** Whether an answer to the request in question is on its way already: what Node's own handler looks at. */
function answered(socket: Duplex & { readonly _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true
}

class NodeIncoming implements Incoming {
  readonly method: string
  readonly path: string
  readonly search: string
  readonly requestId: string
  readonly local: boolean
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #abort: AbortController | undefined
  /** The client waits for `100 Continue` before it sends the body. */
  #expecting: boolean

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: (sent: string | undefined) => string,
    local: boolean,
  ) {
    const url = request.url ?? '/'
    const question = url.indexOf('?')
    this.method = request.method ?? 'GET'
    this.path = question === -1 ? url : url.slice(0, question)
    this.search = question === -1 ? '' : url.slice(question + 1)
    this.local = local
    this.#request = request
    this.#response = response
    this.#expecting = request.headers.expect !== undefined
    this.requestId = requestId(this.header('x-request-id'))
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? ''
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  headers(): Record<string, string> {
    const all: Record<string, string> = {}
    for (const name of Object.keys(this.#request.headers)) all[name] = this.header(name) ?? ''
    return all
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController()
      if (this.#response.destroyed) abort.abort()
      else this.#response.once('close', () => abort.abort())
      this.#abort = abort
    }
    return this.#abort.signal
  }

  body(maxBytes: number): Promise<Uint8Array> {
    const request = this.#request
    const announced = Number(request.headers['content-length'] ?? 0)
    if (announced > maxBytes) return Promise.reject(tooLarge(maxBytes))
    return new Promise((resolve, reject) => {
      if (this.#expecting) this.#response.writeContinue()
      this.#expecting = false
      const chunks: Buffer[] = []
      let size = 0
      const onData = (chunk: Buffer) => {
        size += chunk.length
        if (size > maxBytes) {
          request.off('data', onData)
          request.pause()
          return reject(tooLarge(maxBytes))
        }
        chunks.push(chunk)
      }
      request.on('data', onData)
      request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
      request.once('error', (cause) => reject(new ServerError('body_invalid', 'The body ended early.', { cause })))
    })
  }
}

/** The refusal of a large body; the connection is closed, because the rest of the body is not read. */
export function tooLarge(maxBytes: number): ServerError {
  return new ServerError('body_too_large', `The body is larger than the ${maxBytes} bytes that are accepted here.`, {
    headers: { connection: 'close' },
    extensions: { max_bytes: maxBytes },
  })
}

function send(incoming: Incoming, response: ServerResponse, reply: Reply): void {
  if (response.destroyed) {
    if (reply.body.kind === 'stream') void reply.body.chunks[Symbol.asyncIterator]().return?.()
    return
  }
  const { status, body } = reply
  switch (body.kind) {
    case 'none': {
      const headers = headerList(incoming, reply)
      if (status !== 204 && status !== 304) headers.push('content-length', '0')
      response.writeHead(status, headers)
      response.end()
      return
    }
    case 'text': {
      const headers = headerList(incoming, reply)
      headers.push('content-type', body.type, 'content-length', String(Buffer.byteLength(body.text)))
      response.writeHead(status, headers)
      response.end(incoming.method === 'HEAD' ? undefined : body.text)
      return
    }
    case 'stream': {
      const headers = headerList(incoming, reply)
      headers.push('content-type', body.type)
      response.writeHead(status, headers)
      if (incoming.method === 'HEAD') {
        void body.chunks[Symbol.asyncIterator]().return?.()
        response.end()
        return
      }
      response.flushHeaders()
      void pump(body.chunks, response)
    }
  }
}

const SECURITY_LIST = Object.entries(SECURITY_HEADERS).flat()

/** Names and values in turn, which `writeHead` takes without building a table of them. */
function headerList(incoming: Incoming, { headers = {} }: Reply): string[] {
  const names = Object.keys(headers)
  const list = names.some((name) => Object.hasOwn(SECURITY_HEADERS, name))
    ? Object.entries({ ...SECURITY_HEADERS, ...headers }).flat()
    : [...SECURITY_LIST, ...names.flatMap((name) => [name, headers[name]!])]
  list.push('x-request-id', incoming.requestId)
  return list
}

/** Writes chunks as fast as the client takes them; a client that has gone ends the source. */
async function pump(chunks: AsyncIterable<string>, response: ServerResponse): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]()
  response.once('close', () => void iterator.return?.())
  try {
    for (;;) {
      const next = await iterator.next()
      if (next.done === true) break
      if (!response.write(next.value)) await drained(response)
      if (response.destroyed) return
    }
    response.end()
  } catch (error) {
    response.destroy(error instanceof Error ? error : new Error(String(error)))
  }
}

/** Resolves when the client has taken what was written, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
  })
}
