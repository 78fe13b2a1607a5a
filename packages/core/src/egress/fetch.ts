/** `fetch` over the guard, for task authors and vendors' clients. */
import { PlugworkError } from '../error.ts'
import type { EgressPolicy } from './egress.ts'
import { Exchange, type Way } from './exchange.ts'
import { streamingSink } from './sinks.ts'

/**
 * A WHATWG `fetch` that goes through `way`. Responses stream; request bodies are read first, so that redirects can repeat
 * them. Rejects with `egress_*` errors, on abort with the signal's reason.
 */
export function createFetch(
  way: Way,
  policy: () => Pick<EgressPolicy, 'timeoutMs' | 'maxResponseBytes' | 'maxRedirects'>,
): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer())
    const { signal } = request
    return new Promise<Response>((resolve, reject) => {
      const onFailure = (error: unknown): void => {
        const aborted = error instanceof PlugworkError && error.code === 'egress_aborted'
        reject(aborted && signal.aborted ? (signal.reason as unknown) : error)
      }
      const exchange: Exchange = new Exchange(
        way,
        {
          ...policy(),
          method: request.method,
          url: request.url,
          headers: request.headers,
          body,
          redirect: request.redirect,
          signal,
        },
        streamingSink(resolve, onFailure, () => exchange),
      )
      exchange.start()
    })
  }
}
