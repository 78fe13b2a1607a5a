/**
 * A route is data: method, path, permission, schemas and a handler. The router, the permission check, validation, the
 * OpenAPI document and the docs page are all derived from it, so that none of them can disagree.
 */
import type { z } from 'zod'
import type { Permission, Principal } from '../auth/permission.ts'
import type { Incoming } from './incoming.ts'
import type { Reply } from './reply.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One kind of answer of a route. */
export interface Answer {
  readonly description: string
  /** Shape of a JSON answer. */
  readonly schema?: z.ZodType
  /** Media type when it is not JSON. */
  readonly type?: string
}

export interface BodySpec {
  /** What the JSON body must be. Absent: the handler reads the bytes itself. */
  readonly schema?: z.ZodType
  /** An empty body counts as `{}`. Default: false. */
  readonly optional?: boolean
  /** Accepted media types. Default: JSON. */
  readonly types?: readonly string[]
  /** Default: the server's limit. */
  readonly maxBytes?: number
}

/** What a handler gets, already authenticated, permitted and validated. */
export interface Call<Params, Query, Body> {
  readonly incoming: Incoming
  readonly principal: Principal
  readonly tenant: string
  readonly params: Params
  readonly query: Query
  readonly body: Body
}

export interface RouteSpec<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
> {
  readonly method: Method
  /** Segments are literal or `:name`. */
  readonly path: string
  /** What a caller must hold. A route without one does not start. */
  readonly permission: Permission | 'public'
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly params?: Params
  readonly query?: Query
  readonly body?: BodySpec & { readonly schema?: Body }
  readonly answers: { readonly [status: number]: Answer }
  /** Codes of problem documents worth naming in the docs beside the usual ones. */
  readonly problems?: readonly string[]
  /** Level at which a successful request is logged. Default: `info`. */
  readonly logLevel?: 'debug' | 'info'
  /** Kept out of the OpenAPI document: the local control socket's own operations. */
  readonly hidden?: boolean
  /** Only the local control socket reaches it. */
  readonly localOnly?: boolean
  handler(call: Call<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<Reply> | Reply
}

/** A route as the router sees it, whatever its types. */
export interface Route extends Omit<RouteSpec, 'handler'> {
  // The schemas of the same object make what goes in here: see `defineRoute`.
  handler(call: Call<never, never, never>): Promise<Reply> | Reply
}

/** Declares a route; the handler's types flow from its schemas. */
export function defineRoute<
  Params extends z.ZodType = z.ZodType<Record<string, never>>,
  Query extends z.ZodType = z.ZodType<Record<string, never>>,
  Body extends z.ZodType = z.ZodType<undefined>,
>(spec: RouteSpec<Params, Query, Body>): Route {
  return spec as unknown as Route
}
