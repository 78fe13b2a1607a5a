/** `@plugwork/sdk/fastify`: Plugwork in a Fastify application. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { AdapterError } from './errors.ts'
import { fromNode, isLeftUnread } from './from-node.ts'
import { addressOf, basePathOf, isMounted, MAX_BODY_BYTES, type AdapterOptions, type Mountable } from './mountable.ts'

export type { AdapterOptions, Mountable } from './mountable.ts'

/** The part of Fastify's instance that is used. */
export interface FastifyScope {
  readonly prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(
    type: string,
    parser: (request: never, payload: IncomingMessage, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown
  all(path: string, handler: (request: FastifyMessage, reply: FastifyAnswer) => Promise<unknown>): unknown
}

/** The part of Fastify's request that is used; `protocol` and `host` follow its setting `trustProxy`. */
export interface FastifyMessage {
  readonly raw: IncomingMessage
  readonly originalUrl: string
  readonly protocol: string
  readonly host: string
  readonly body: unknown
}

/** The part of Fastify's reply that is used. */
export interface FastifyAnswer {
  readonly raw: ServerResponse
  header(name: string, value: string): unknown
  send(payload: unknown): unknown
  callNotFound(): unknown
}

/**
 * A plugin whose routes are what lies below the base path. It has a scope of its own, where no parser touches bodies; those of
 * the application stay as they are.
 *
 * ```ts
 * import fastify from 'fastify'
 * import { fastifyPlugin, type Mountable } from '@plugwork/sdk/fastify'
 *
 * declare const plug: Mountable
 * const app = fastify()
 * app.register(fastifyPlugin(plug))
 * ```
 */
export function fastifyPlugin(plug: Mountable, options: AdapterOptions = {}): (scope: FastifyScope) => Promise<void> {
  const { maxBodyBytes = MAX_BODY_BYTES } = options
  return async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    const base = routeBase(plug, scope.prefix)
    for (const path of base === '' ? ['/*'] : [base, `${base}/*`]) {
      scope.all(path, async (request, reply) => {
        const { raw: message, body } = request
        const url = addressOf(plug, request.originalUrl, `${request.protocol}://${request.host || 'localhost'}`)
        // Fastify's router leaves `/../` in paths.
        if (!isMounted(plug, url.pathname)) return reply.callNotFound()
        const payload = body instanceof Readable ? { payload: body } : {}
        const answer = await plug.handler(
          fromNode({ message, response: reply.raw, url, maxBodyBytes, ...payload, remedy: REMEDY }),
        )
        if (isLeftUnread(message)) reply.header('connection', 'close')
        else if (!message.complete) reply.raw.once('finish', () => message.resume())
        // Fastify sends a `Response` itself, through the application's own hooks.
        return reply.send(answer)
      })
    }
  }
}

const REMEDY = 'Remove the hook that reads the stream, or let it leave the bytes in `request.raw.rawBody` (a Buffer).'

/** The base path, relative to the prefix that the plugin was registered with. */
function routeBase(plug: Mountable, prefix: string): string {
  const base = basePathOf(plug)
  if (prefix === '' || prefix === '/') return base
  if (base === prefix || base.startsWith(`${prefix}/`)) return base.slice(prefix.length)
  throw new AdapterError(
    'adapter_mount_invalid',
    `The plugin is registered with the prefix ${prefix}, but the base path of Plugwork is ${base || '/'}: register it without a ` +
      `prefix, or give createPlugwork a basePath that begins with ${prefix}.`,
  )
}
