/** `@plugwork/sdk/express`: Plugwork in an Express application. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AdapterOptions, Mountable } from './mountable.ts'
import { serveNode } from './node.ts'

export type { AdapterOptions, Mountable } from './mountable.ts'

/** The part of Express' request that is used; `protocol` and `host` follow its setting `trust proxy`. */
export interface ExpressRequest extends IncomingMessage {
  readonly originalUrl: string
  readonly protocol: string
  readonly host: string
}

/**
 * A middleware that answers what lies below the base path, and passes on the rest. Mount it before `express.json()`.
 *
 * ```ts
 * import express from 'express'
 * import { expressHandler, type Mountable } from '@plugwork/sdk/express'
 *
 * declare const plug: Mountable
 * const app = express()
 * app.use(expressHandler(plug))
 * app.use(express.json())
 * ```
 */
export function expressHandler(
  plug: Mountable,
  options: AdapterOptions = {},
): (request: ExpressRequest, response: ServerResponse, next: (error?: unknown) => void) => void {
  return (message, response, next) => {
    const origin = `${message.protocol}://${message.host ?? 'localhost'}`
    serveNode(plug, options, { message, response, origin, remedy: REMEDY, pass: next, fail: next })
  }
}

const REMEDY =
  'Mount `expressHandler(plug)` before `express.json()` and other parsers, or let the parser keep the bytes: ' +
  '`express.json({ verify: (request, response, bytes) => { request.rawBody = bytes } })`.'
