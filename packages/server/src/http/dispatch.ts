/**
 * The one way from a request to a reply: host check, route, permission, validation, handler, problem document, log
 * line, metrics. Both adapters (sockets and `fetch`) come through here.
 */
import type { z } from 'zod'
import type { Attempts } from '../auth/attempts.ts'
import { authorize } from '../auth/authenticate.ts'
import type { Tokens } from '../auth/token.ts'
import { ServerError } from '../errors.ts'
import type { ErrorTables } from '../errors.ts'
import type { Log } from '../log.ts'
import type { HttpMetrics } from '../metrics/http-metrics.ts'
import { bodyKind, mediaType, parseJson } from './body.ts'
import type { HostCheck } from './host-check.ts'
import type { Incoming } from './incoming.ts'
import { problemReply } from './problem.ts'
import type { Reply } from './reply.ts'
import type { BodySpec, Call, Route } from './route.ts'
import type { RouteTable } from './router.ts'

/** A part of the address space whose paths are data, not declarations: flows' webhooks. */
export interface Mount {
  /** Begins and ends with `/`. */
  readonly prefix: string
  /** Shown in the list of routes: who decides about access. */
  readonly permission: string
  handle(incoming: Incoming): Promise<Reply>
}

export interface DispatchOptions {
  readonly table: RouteTable
  readonly mounts: readonly Mount[]
  readonly tokens: Tokens
  readonly attempts: Attempts
  readonly tenant: string
  readonly errorTables: ErrorTables
  readonly hostCheck: HostCheck
  readonly maxBodyBytes: number
  readonly metrics: HttpMetrics
  readonly log: Log
  /** Null once the server has started; until then requests wait for it. Absent: it has. */
  readonly starting?: () => Promise<void> | null
  /** True once the server takes no new work. */
  readonly closing: () => boolean
}

export type Dispatch = (incoming: Incoming) => Promise<Reply>

/** Answered to the end: a balancer learns from them that the server stops. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

/** Label of requests that match no route, so that scanners cannot grow the metrics. */
const UNMATCHED = 'unmatched'

interface Target {
  readonly label: string
  readonly logLevel: 'debug' | 'info'
  run(): Promise<Reply>
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { table, mounts, tokens, attempts, tenant, errorTables, hostCheck, metrics, log } = options

  const target = (incoming: Incoming): Target => {
    for (const mount of mounts) {
      if (incoming.path.startsWith(mount.prefix)) {
        return { label: `${mount.prefix}*`, logLevel: 'debug', run: () => mount.handle(incoming) }
      }
    }
    const { route, params } = table.match(incoming.method, incoming.path)
    if (route.localOnly === true && !incoming.local) {
      throw new ServerError('not_found', `There is nothing at ${incoming.path}.`)
    }
    return {
      label: route.path,
      logLevel: route.logLevel ?? 'info',
      run: () => callRoute(incoming, route, params),
    }
  }

  const callRoute = async (incoming: Incoming, route: Route, rawParams: Match['params']): Promise<Reply> => {
    const principal = await authorize({ incoming, route, tokens, attempts, tenant })
    const params = route.params === undefined ? rawParams : validate(route.params, rawParams, 'path')
    const query = route.query === undefined ? {} : validate(route.query, queryFields(incoming.search), 'query')
    const body = route.body === undefined ? undefined : await readBody(incoming, route.body, options.maxBodyBytes)
    const call: Call<unknown, unknown, unknown> = { incoming, principal, tenant: principal.tenant, params, query, body }
    // `defineRoute` tied the handler's types to these very schemas.
    return await route.handler(call as Call<never, never, never>)
  }

  return async (incoming) => {
    const began = performance.now()
    let label = UNMATCHED
    let logLevel: 'debug' | 'info' = 'info'
    let reply: Reply
    let failure: unknown
    try {
      if (!incoming.local) hostCheck(incoming.header('host'))
      if (options.closing() && !PROBES.has(incoming.path)) {
        throw new ServerError('shutting_down', 'The server is stopping; try again in a moment.', {
          headers: { 'retry-after': '5', connection: 'close' },
        })
      }
      const starting = options.starting?.() ?? null
      if (starting !== null && !PROBES.has(incoming.path)) await starting
      const found = target(incoming)
      label = found.label
      logLevel = found.logLevel
      reply = await found.run()
    } catch (thrown) {
      failure = thrown
      reply = problemReply(thrown, incoming.requestId, errorTables)
    }
    const ms = performance.now() - began
    metrics.observe(incoming.method, label, reply.status, ms)
    if (reply.status >= 500) {
      log.error({ ...facts(incoming, reply, ms), err: failure }, 'request failed')
    } else if (log.isLevelEnabled(logLevel)) {
      log[logLevel](facts(incoming, reply, ms), 'request')
    }
    return reply
  }
}

type Match = ReturnType<RouteTable['match']>

/** What a log line says of a request. The query is left out: links carry one-time tokens there. */
function facts(incoming: Incoming, reply: Reply, ms: number) {
  return {
    requestId: incoming.requestId,
    method: incoming.method,
    path: incoming.path,
    status: reply.status,
    ms: Math.round(ms * 100) / 100,
    remote: incoming.local ? 'local' : incoming.remoteAddress,
  }
}

/** Query parameters by name; of a repeated one, the last counts. */
function queryFields(search: string): Record<string, string> {
  return search === '' ? {} : Object.fromEntries(new URLSearchParams(search))
}

const PLACE = { path: 'The path', query: 'The query', body: 'The body' } as const

function validate(schema: z.ZodType, value: unknown, place: keyof typeof PLACE): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => ({
    at: issue.path.map(String).join('.'),
    message: issue.message,
  }))
  const first = problems[0]
  const where = first === undefined || first.at === '' ? '' : ` at "${first.at}"`
  throw new ServerError('request_invalid', `${PLACE[place]} is not acceptable${where}: ${first?.message}.`, {
    extensions: { place, problems },
  })
}

async function readBody(incoming: Incoming, spec: BodySpec, limit: number): Promise<unknown> {
  if (spec.schema === undefined) return undefined
  const bytes = await incoming.body(spec.maxBytes ?? limit)
  if (bytes.length === 0 && spec.optional === true) return validate(spec.schema, {}, 'body')
  const type = mediaType(incoming.header('content-type'))
  if (bodyKind(type) !== 'json') {
    throw new ServerError(
      'media_type_unsupported',
      `The body must be JSON (Content-Type: application/json), not ${type === '' ? 'of an unnamed type' : type}.`,
    )
  }
  return validate(spec.schema, parseJson(bytes), 'body')
}
