/** `@plugwork/sdk/hono`: Plugwork in a Hono application. */
import { fromFetch } from './from-fetch.ts'
import { isMounted, type AdapterOptions, type Mountable } from './mountable.ts'

export type { AdapterOptions, Mountable } from './mountable.ts'

/** The part of Hono's context that is used. */
export interface HonoContext {
  readonly req: { readonly raw: Request }
}

/**
 * A middleware that answers what lies below the base path, and passes on the rest.
 *
 * ```ts
 * import { Hono } from 'hono'
 * import { honoHandler, type Mountable } from '@plugwork/sdk/hono'
 *
 * declare const plug: Mountable
 * const app = new Hono()
 * app.use(honoHandler(plug))
 * ```
 */
export function honoHandler(
  plug: Mountable,
  options: AdapterOptions = {},
): (context: HonoContext, next: () => Promise<void>) => Promise<Response | void> {
  return async ({ req: { raw } }, next) => {
    if (!isMounted(plug, new URL(raw.url).pathname)) return next()
    return plug.handler(fromFetch(plug, raw, { ...options, remedy: REMEDY }))
  }
}

const REMEDY =
  'Mount `honoHandler(plug)` before middleware that reads bodies, or let that read a copy: `context.req.raw.clone()`.'
