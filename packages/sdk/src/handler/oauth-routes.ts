import { PlugworkError } from '@plugwork/core/error'
import { ERRORS as SDK_ERRORS } from '../errors.ts'
import type { Route, RouteContext } from './route.ts'

/** Signing in: the browser goes to the service, and comes back to the callback. */
export const oauthRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/oauth/:connector/start',
    session: true,
    // A page of another site must not begin it in somebody's name.
    site: 'own',
    async run({ connections, session, parameters, url }) {
      const { name, return_to: returnTo, scopes } = Object.fromEntries(url.searchParams)
      const started = await connections.getAuthUrl({
        ...session,
        connector: parameters['connector']!,
        ...(name === undefined ? {} : { name }),
        ...(returnTo === undefined ? {} : { returnTo }),
        ...(scopes === undefined ? {} : { scopes: scopes.split(/[\s,]+/).filter((scope) => scope !== '') }),
      })
      return redirect(started.url)
    },
  },
  {
    method: 'GET',
    path: '/oauth/callback',
    session: true,
    // It comes from the service; its state proves who began it.
    site: 'any',
    async run(context) {
      try {
        const { connection, returnTo } = await context.connections.handleCallback(callbackOf(context), context.session)
        if (returnTo !== null) return redirect(withParameter(returnTo, 'connection', connection.id))
        return page('Connected', `${connection.connector} is connected. You can close this window.`)
      } catch (error) {
        const back = whereBack(error)
        if (back === null) throw error
        tellLog(context, error)
        return redirect(withParameter(back, 'error', (error as PlugworkError).code))
      }
    },
  },
]

/** As the service was told it, whatever a proxy made of the address on the way: the route is the callback's alone. */
function callbackOf({ settings, url }: RouteContext): string {
  return `${settings.redirectUri}${url.search}`
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } })
}

function withParameter(address: string, name: string, value: string): string {
  const url = new URL(address)
  url.searchParams.set(name, value)
  return url.href
}

/** The page that an authorization which failed was to return to: it was checked when the authorization began. */
function whereBack(error: unknown): string | null {
  if (!(error instanceof PlugworkError) || error.code in SDK_ERRORS) return null
  const data = typeof error.data === 'object' && error.data !== null && !Array.isArray(error.data) ? error.data : {}
  const { return_to: back } = data
  return typeof back === 'string' ? back : null
}

function tellLog({ settings, requestId }: RouteContext, error: unknown): void {
  settings.log(
    'warn',
    `${requestId}: an authorization failed: ${error instanceof Error ? error.message : String(error)}`,
  )
}

function page(title: string, text: string): Response {
  const escape = (raw: string): string => raw.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title><p>${escape(text)}</p></html>`
  return new Response(html, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}
