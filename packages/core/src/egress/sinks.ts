/** The two places a response can go: collected as a whole, or streamed. */
import type { EgressResponse } from './egress.ts'
import type { Exchange, ResponseHeaders, Sink } from './exchange.ts'

const NO_BYTES = new Uint8Array(0)

/** Collects the response; the callbacks are a promise's. */
export function collectingSink(resolve: (response: EgressResponse) => void, reject: (error: unknown) => void): Sink {
  let status = 0
  let headers: ResponseHeaders = {}
  let href = ''
  let first: Uint8Array | null = null
  let more: Uint8Array[] | null = null
  return {
    head(code, received, url) {
      status = code
      headers = received
      href = url.href
    },
    data(chunk) {
      if (first === null) first = chunk
      else (more ??= [first]).push(chunk)
      return true
    },
    end() {
      const body = more === null ? (first ?? NO_BYTES) : Buffer.concat(more)
      resolve({ status, headers: joined(headers), body, url: href })
    },
    fail: reject,
  }
}

/** Streams the response as a `Response`. `exchange` is asked to go on when the reader wants more. */
export function streamingSink(
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
  exchange: () => Exchange,
): Sink {
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null
  let answered = false
  return {
    head(status, received, url, redirected) {
      answered = true
      const body = new ReadableStream<Uint8Array>({
        start: (own) => {
          controller = own
        },
        pull: () => exchange().resume(),
        cancel: (reason) => exchange().abort(reason),
      })
      resolve(response(status, received, url, redirected, body))
    },
    data(chunk) {
      controller!.enqueue(chunk)
      return (controller!.desiredSize ?? 0) > 0
    },
    end: () => controller?.close(),
    fail(error) {
      if (answered) controller!.error(error)
      else reject(error)
    },
  }
}

function response(
  status: number,
  received: ResponseHeaders,
  url: URL,
  redirected: boolean,
  body: ReadableStream<Uint8Array>,
): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(received)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one)
  }
  const bodiless = status === 204 || status === 205 || status === 304
  const answer = new Response(bodiless ? null : body, { status, headers })
  // The constructor has no way to say them.
  Object.defineProperty(answer, 'url', { value: url.href })
  Object.defineProperty(answer, 'redirected', { value: redirected })
  return answer
}

function joined(headers: ResponseHeaders): Readonly<Record<string, string>> {
  for (const name in headers) {
    const value = headers[name]
    if (typeof value !== 'string') headers[name] = Array.isArray(value) ? value.join(', ') : ''
  }
  return headers as Record<string, string>
}
