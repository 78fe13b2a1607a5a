/** Between the web's `Request`/`Response` and the dispatcher, for embedding the server in another framework. */
import type { Dispatch } from './dispatch.ts'
import type { Incoming } from './incoming.ts'
import { tooLarge } from './node-adapter.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

export type FetchHandler = (request: Request) => Promise<Response>

/** A fetch handler over the dispatcher. */
export function createFetch(options: {
  readonly dispatch: Dispatch
  readonly requestId: (sent: string | undefined) => string
}): FetchHandler {
  return async (request) => {
    const incoming = fromRequest(request, options.requestId)
    const { status, headers, body } = await options.dispatch(incoming)
    const all: Record<string, string> = { ...SECURITY_HEADERS, 'x-request-id': incoming.requestId, ...headers }
    // What is said about the connection is the mounting framework's business.
    delete all.connection
    if (body.kind === 'none') return new Response(null, { status, headers: all })
    all['content-type'] = body.type
    if (body.kind === 'text')
      return new Response(request.method === 'HEAD' ? null : body.text, { status, headers: all })
    return new Response(toStream(body.chunks), { status, headers: all })
  }
}

function fromRequest(request: Request, requestId: (sent: string | undefined) => string): Incoming {
  const url = new URL(request.url)
  const header = (name: string) => request.headers.get(name) ?? (name === 'host' ? url.host : undefined)
  return {
    method: request.method,
    path: url.pathname,
    search: url.search.slice(1),
    requestId: requestId(header('x-request-id')),
    remoteAddress: '',
    local: false,
    header,
    headers: () => Object.fromEntries(request.headers),
    body: (maxBytes) => readAll(request, maxBytes),
    signal: request.signal,
  }
}

async function readAll(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function toStream(chunks: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next()
      if (next.done === true) controller.close()
      else controller.enqueue(encoder.encode(next.value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
