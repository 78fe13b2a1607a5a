/**
 * `plug.handler`: what browsers and services ask for. Routes are a table; each says whether somebody must be signed in. What
 * is not in the table does not exist, what fails answers a problem document (RFC 9457), and no answer has a secret in it.
 */
import { randomUUID } from 'node:crypto'
import type { Calling } from '../actions.ts'
import { ConnectionsApi } from '../connections-api.ts'
import type { Engine } from '../engine.ts'
import { sdkError } from '../errors.ts'
import type { Session, Settings } from '../options.ts'
import type { Providers } from '../providers.ts'
import type { Webhooks } from '../webhooks-api.ts'
import type { WorkflowsApi } from '../workflows/workflows-api.ts'
import { actionRoutes } from './action-routes.ts'
import { connectionRoutes } from './connection-routes.ts'
import { checkOrigin, corsHeaders } from './origin.ts'
import { oauthRoutes } from './oauth-routes.ts'
import { problem } from './problem.ts'
import { webhookRoutes } from './webhook-routes.ts'
import { workflowRoutes } from './workflow-routes.ts'
import { providerRoutes } from './provider-routes.ts'
import type { Route, RouteContext } from './route.ts'

export interface Handling {
  readonly settings: Settings
  readonly providers: Providers
  readonly calling: Calling
  open(): Promise<Engine>
  workflows(): Promise<WorkflowsApi>
  readonly webhooks: Webhooks
}

const ROUTES: readonly Route[] = [
  ...oauthRoutes,
  ...connectionRoutes,
  ...providerRoutes,
  ...actionRoutes,
  ...workflowRoutes,
  ...webhookRoutes,
]

export async function handle(handling: Handling, request: Request): Promise<Response> {
  const requestId = `req_${randomUUID()}`
  const { settings } = handling
  const cors = corsHeaders(request, settings)
  let response: Response
  try {
    response =
      request.method === 'OPTIONS' && cors !== null
        ? new Response(null, { status: 204 })
        : await respond(handling, request, requestId)
  } catch (error) {
    response = await problem(error, requestId, settings.log)
  }
  for (const [name, value] of Object.entries({ ...SAFE, ...cors })) {
    if (!response.headers.has(name)) response.headers.set(name, value)
  }
  return response
}

const SAFE = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
}

async function respond(handling: Handling, request: Request, requestId: string): Promise<Response> {
  const url = new URL(request.url)
  const { route, parameters } = find(handling.settings, request.method, url.pathname)
  if (route.site !== 'any') checkOrigin(request, handling.settings, route.site)
  const session = route.session ? await authenticate(handling.settings, request) : null
  const context: RouteContext = {
    ...handling,
    request,
    requestId,
    url,
    parameters,
    connections: new ConnectionsApi(handling, 'http'),
    get session() {
      if (session === null) throw new TypeError('this route has no session')
      return session
    },
  }
  return route.run(context)
}

function find(
  { basePath }: Settings,
  method: string,
  pathname: string,
): { readonly route: Route; readonly parameters: Readonly<Record<string, string>> } {
  const path = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : null
  const known = path === null ? [] : matching(path)
  const found = known.find(({ route }) => route.method === method)
  if (found !== undefined) return found
  if (known.length > 0) {
    const allowed = known.map(({ route }) => route.method).join(', ')
    throw sdkError('sdk_method_not_allowed', `${pathname} knows ${allowed}, not ${method}.`, {
      data: { allow: allowed },
    })
  }
  throw sdkError('sdk_route_unknown', `There is nothing at ${pathname}. ${hint(pathname, basePath)}`)
}

function matching(path: string): { readonly route: Route; readonly parameters: Record<string, string> }[] {
  const given = path.split('/')
  return ROUTES.flatMap((route) => {
    const wanted = route.path.split('/')
    if (wanted.length !== given.length) return []
    const parameters: Record<string, string> = {}
    for (const [index, part] of wanted.entries()) {
      const text = decode(given[index]!)
      if (part.startsWith(':') ? text === null || text === '' : part !== given[index]) return []
      if (part.startsWith(':')) parameters[part.slice(1)] = text!
    }
    return [{ route, parameters }]
  })
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** An application that mounts the handler below a path must say so, or callback addresses would be wrong. */
function hint(pathname: string, basePath: string): string {
  for (let at = pathname.indexOf('/', 1); at > 0; at = pathname.indexOf('/', at + 1)) {
    if (matching(pathname.slice(at)).length === 0) continue
    const mounted = pathname.slice(0, at)
    if (mounted !== basePath)
      return `If the handler is mounted below ${mounted}, give createPlugwork basePath: '${mounted}'.`
  }
  return 'Correct the address.'
}

async function authenticate({ auth, log }: Settings, request: Request): Promise<Session> {
  let session: unknown = null
  try {
    session = await auth.authenticate(request)
  } catch (error) {
    log('warn', `auth.authenticate failed, so nobody is signed in: ${error instanceof Error ? error.message : error}`)
  }
  if (isSession(session)) return session
  throw sdkError('sdk_unauthenticated', 'Nobody is signed in. Sign in to the application and try again.')
}

/** A callback in JavaScript may answer anything; only a user with a name is one. */
function isSession(session: unknown): session is Session {
  if (typeof session !== 'object' || session === null) return false
  const { userId, tenantId, sessionId } = session as Partial<Record<keyof Session, unknown>>
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
  return isText(userId) && [tenantId, sessionId].every((value) => value === undefined || isText(value))
}
