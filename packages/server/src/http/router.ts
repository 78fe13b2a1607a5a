/** Finds the route of a request. Refuses to exist when a route has no permission, no answers, or is declared twice. */
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { PlugworkError } from '@plugwork/core'
import { PERMISSIONS } from '../auth/permission.ts'
import { ServerError } from '../errors.ts'
import type { Route } from './route.ts'

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

export interface RouteTable {
  readonly routes: readonly Route[]
  /** Throws `not_found` or `method_not_allowed`. */
  match(method: string, path: string): Match
}

/** Builds the table. Throws `internal_route` for a declaration that must not start. */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const router = new RegExpRouter<Route>()
  /** By path: the router takes no literal segment beside a parameter (`/oauth/callback`, `/oauth/:connector/start`). */
  const literals = new Map<string, Map<string, Match>>()
  const seen = new Set<string>()
  const methods = new Set<string>()
  for (const route of routes) {
    assertDeclared(route)
    const key = `${route.method} ${route.path}`
    if (seen.has(key)) throw new PlugworkError('internal_route', `The route ${key} is declared twice.`)
    seen.add(key)
    methods.add(route.method)
    if (route.path.includes(':')) router.add(route.method, route.path, route)
    else if (!literals.get(route.path)?.set(route.method, { route, params: {} })) {
      literals.set(route.path, new Map([[route.method, { route, params: {} }]]))
    }
  }

  const find = (method: string, path: string): Match | null => {
    const literal = literals.get(path)?.get(method)
    if (literal !== undefined) return literal
    const [handlers, stash] = router.match(method, path)
    const first = handlers[0]
    if (first === undefined) return null
    const params: Record<string, string> = {}
    for (const [name, value] of Object.entries(first[1])) {
      params[name] = decodeSegment(typeof value === 'number' ? (stash?.[value] ?? '') : value)
    }
    return { route: first[0], params }
  }

  return {
    routes,
    match(method, path) {
      const asked = method === 'HEAD' ? 'GET' : method
      const found = find(asked, path)
      if (found !== null) return found
      const allowed = [...methods].filter((other) => find(other, path) !== null)
      if (allowed.length === 0) {
        throw new ServerError('not_found', `There is nothing at ${path}. GET /api/v1/docs lists every address.`)
      }
      const allow = allowed.flatMap((other) => (other === 'GET' ? ['GET', 'HEAD'] : [other])).join(', ')
      throw new ServerError('method_not_allowed', `${path} does not take ${method}; it takes ${allow}.`, {
        headers: { allow },
      })
    },
  }
}

function assertDeclared(route: Route): void {
  const name = `${route.method} ${route.path}`
  // A declaration may come from plain JavaScript, so the type is not enough here.
  if (route.permission !== 'public' && !Object.hasOwn(PERMISSIONS, route.permission ?? '')) {
    throw new PlugworkError('internal_route', `The route ${name} declares no permission; it must name one or 'public'.`)
  }
  if (Object.keys(route.answers).length === 0) {
    throw new PlugworkError('internal_route', `The route ${name} declares no answer.`)
  }
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new ServerError('request_invalid', `The path segment "${segment}" is not valid percent-encoding.`, { cause })
  }
}
