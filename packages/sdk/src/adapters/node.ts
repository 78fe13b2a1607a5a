/** `@plugwork/sdk/node`: Plugwork in a server of `node:http`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AdapterError } from './errors.ts'
import { fromNode } from './from-node.ts'
import { addressOf, isMounted, MAX_BODY_BYTES, type AdapterOptions, type Mountable } from './mountable.ts'
import { toNode } from './to-node.ts'

export type { AdapterOptions, Mountable } from './mountable.ts'

export interface NodeHandlerOptions extends AdapterOptions {
  /** Told of failures when there is no `next` that they could be passed to. Default: a warning of the process. */
  readonly onError?: (error: unknown) => void
}

/** Serves a request, or passes it on: without `next`, what is not below the base path is answered with 404. */
export type NodeHandler = (message: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void

/**
 * A listener for `createServer`, and a middleware for everything that has the form `(request, response, next)`.
 *
 * ```ts
 * import { createServer } from 'node:http'
 * import { nodeHandler, type Mountable } from '@plugwork/sdk/node'
 *
 * declare const plug: Mountable
 * createServer(nodeHandler(plug)).listen(3000)
 * ```
 */
export function nodeHandler(plug: Mountable, options: NodeHandlerOptions = {}): NodeHandler {
  const { onError = warn } = options
  return (message, response, next) => {
    const fail = (error: unknown): void => {
      if (next !== undefined) return next(error)
      onError(error)
      void toNode(answerTo(error), message, response).catch(onError)
    }
    const pass = (): void => {
      if (next !== undefined) return next()
      response.statusCode = 404
      response.end()
    }
    serveNode(plug, options, { message, response, origin: originOf(message), remedy: REMEDY, pass, fail })
  }
}

const REMEDY =
  'Mount the handler before whatever reads the body, or let that leave the bytes in `request.rawBody` (a Buffer).'

export interface NodeExchange {
  readonly message: IncomingMessage & { readonly originalUrl?: string }
  readonly response: ServerResponse
  /** What the request says of protocol and host; the framework knows which proxies to believe. */
  readonly origin: string
  readonly remedy: string
  /** The request is the application's. */
  readonly pass: () => void
  readonly fail: (error: unknown) => void
}

/** One request from its arrival to the end of its answer; for adapters of frameworks on `node:http`. */
export function serveNode(plug: Mountable, options: AdapterOptions, exchange: NodeExchange): void {
  const { message, response, origin, remedy, pass, fail } = exchange
  let request: Request
  try {
    // A mounted router cuts its own path off `url`; `originalUrl` has all of it.
    const url = addressOf(plug, message.originalUrl ?? message.url ?? '/', origin)
    if (!isMounted(plug, url.pathname)) return pass()
    request = fromNode({ message, response, url, maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES, remedy })
  } catch (error) {
    return fail(error)
  }
  answer(plug, request, message, response).catch(fail)
}

async function answer(
  plug: Mountable,
  request: Request,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let made: Response
  try {
    made = await plug.handler(request)
  } catch (error) {
    // Nobody waits for an answer any more, and the handler was told to stop.
    if (request.signal.aborted) return
    throw error
  }
  await toNode(made, message, response)
}

/** Protocol and host of a request, without belief in what proxies add. */
function originOf(message: IncomingMessage): string {
  const protocol = 'encrypted' in message.socket ? 'https' : 'http'
  return `${protocol}://${message.headers.host ?? 'localhost'}`
}

function answerTo(error: unknown): Response {
  return error instanceof AdapterError ? error.getResponse() : new Response('Internal Server Error', { status: 500 })
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
}
