/**
 * Signing in to services from a browser. A start sets a cookie, and the callback must come with it: an authorization that
 * somebody else began would link this browser's account to a stranger's connection (RFC 6749, 10.12; RFC 9700, 4.7).
 */
import { randomBytes } from 'node:crypto'
import { PlugworkError } from '@plugwork/core'
import type { OAuth2Auth } from '@plugwork/core/node'
import { z } from 'zod'
import type { KeptConnections } from '../connections.ts'
import { errorSpec, ServerError } from '../errors.ts'
import type { ErrorTables } from '../errors.ts'
import type { Incoming } from '../http/incoming.ts'
import { json } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { markup, page } from '../pages/html.ts'
import type { Log } from '../log.ts'
import type { Services } from './services.ts'

const CALLBACK = '/oauth/callback'
const COOKIE = 'plugwork_oauth'
const COOKIE_SECONDS = 600
const STYLE = `:root{color-scheme:light dark}body{font:17px/1.5 system-ui,sans-serif;max-width:34rem;margin:10vh auto;padding:0 1rem}code{font-size:.85em;opacity:.7}`

/** What a callback finishes; stored with the state, so without secrets. */
const contextSchema = z.object({
  tenant: z.string(),
  connector: z.string(),
  method: z.string(),
  name: z.string(),
  settings: z.record(z.string(), z.string()),
})

export interface OAuthRoutesOptions {
  readonly kept: KeptConnections
  readonly connectors: Services['connectors']
  readonly baseUrl: () => string
  readonly errorTables: ErrorTables
  readonly log: Log
}

export function oauthRoutes({ kept, connectors, baseUrl, errorTables, log }: OAuthRoutesOptions): readonly Route[] {
  /** Throws `not_found` and `connection_invalid`. */
  const registered = (connectorName: string, wanted: string | undefined) => {
    const connector = connectors().find(({ name }) => name === connectorName)
    if (connector === undefined) throw new ServerError('not_found', `There is no connector ${connectorName}.`)
    const methods = Object.entries(connector.auth ?? {})
    const found = methods.find(([method, auth]) => (wanted === undefined ? isPersonal(auth) : method === wanted))
    const [method, auth] = found ?? [undefined, undefined]
    if (method === undefined || auth === undefined || !isPersonal(auth)) {
      throw new ServerError(
        'request_invalid',
        `${connectorName} has no ${wanted === undefined ? 'way' : `method "${wanted}"`} to sign in with in a browser.`,
      )
    }
    const client = kept.client(connectorName)
    if (client === null) {
      const prefix = `PLUGWORK_${connectorName.toUpperCase()}_CLIENT`
      throw new ServerError(
        'oauth_app_missing',
        `There is no OAuth app for ${connectorName}. Register one with the redirect URI ${baseUrl()}${CALLBACK}, then set ${prefix}_ID and ${prefix}_SECRET.`,
      )
    }
    return { connector, method, auth, client }
  }

  return [
    defineRoute({
      method: 'GET',
      path: '/oauth/:connector/start',
      permission: 'connections:write',
      tag: 'Connections',
      summary: 'Begin to sign in to a service (OAuth)',
      description:
        'Sets a cookie and answers the address to send this browser to; the sign-in has to end in the same browser. Other ' +
        'parameters of the query are settings of the connection. A connection of this name is connected again in place.',
      params: z.object({ connector: z.string().max(100) }),
      query: z
        .object({
          name: z.string().min(1).max(100).default('default'),
          method: z.string().max(100).optional(),
        })
        .catchall(z.string().max(500)),
      answers: { 200: { description: 'Where to go.', schema: z.object({ url: z.url() }) } },
      problems: ['not_found', 'oauth_app_missing', 'oauth_redirect_invalid'],
      async handler({ params, query, tenant, incoming }) {
        const { name, method: wanted, ...settings } = query
        const { method, auth, client } = registered(params.connector, wanted)
        const base = baseUrl()
        const id = sessionOf(incoming) ?? randomBytes(32).toString('base64url')
        const { url } = await kept.oauth.startAuthorization({
          provider: params.connector,
          auth,
          client,
          settings: parametersOf(auth, settings),
          redirectUri: base + CALLBACK,
          session: { tenant, user: 'browser', id },
          context: { tenant, connector: params.connector, method, name, settings },
        })
        const secure = base.startsWith('https:') ? '; Secure' : ''
        return json(
          200,
          { url },
          {
            'set-cookie': `${COOKIE}=${id}; Path=/oauth; HttpOnly; SameSite=Lax; Max-Age=${COOKIE_SECONDS}${secure}`,
            'cache-control': 'no-store',
          },
        )
      },
    }),
    defineRoute({
      method: 'GET',
      path: CALLBACK,
      permission: 'public',
      tag: 'Connections',
      summary: 'Where services send the browser back to',
      answers: {
        200: { description: 'Connected: a page for people.', type: 'text/html' },
        400: { description: 'Not connected: a page with a stable code.', type: 'text/html' },
      },
      async handler({ incoming, tenant }) {
        try {
          const { tokens, context } = await kept.oauth.finishAuthorization({
            callbackUrl: `${baseUrl()}${incoming.path}?${incoming.search}`,
            session: { tenant, user: 'browser', id: sessionOf(incoming) ?? '' },
            provider: async (name, stored) => {
              const { auth, client } = registered(name, contextSchema.parse(stored).method)
              return { auth, client }
            },
            signal: incoming.signal,
          })
          const { connector, method, name, settings } = contextSchema.parse(context.context)
          const actor = { tenant, user: null }
          const { connections } = kept
          const there = await connections.find({ actor, connector, name })
          await (there === null
            ? connections.create({ actor, connector, name, method, settings, tokens })
            : connections.reconnect(actor, there.id, { method, tokens }))
          return done(`Connected ${connector} as "${name}"`, 'This page can be closed.')
        } catch (error) {
          if (!(error instanceof PlugworkError)) throw error
          log.warn({ code: error.code }, 'a sign-in to a service failed')
          return failed(error, errorSpec(errorTables, error.code)?.status ?? 500)
        }
      },
    }),
  ]
}

function isPersonal(auth: { readonly kind: string }): auth is OAuth2Auth {
  return auth.kind === 'oauth2' && (auth as OAuth2Auth).grant === 'authorization_code'
}

function parametersOf(auth: OAuth2Auth, settings: Readonly<Record<string, string>>): Record<string, string> {
  const known = auth.connectionParameters ?? {}
  return Object.fromEntries(Object.entries(settings).filter(([name]) => Object.hasOwn(known, name)))
}

/** The browser's own random text; null where it has none. */
function sessionOf(incoming: Incoming): string | null {
  for (const pair of (incoming.header('cookie') ?? '').split(';')) {
    const [name, value = ''] = pair.trim().split('=', 2)
    if (name === COOKIE && /^[\w-]{43}$/.test(value)) return value
  }
  return null
}

function done(title: string, text: string): Reply {
  return page({ status: 200, title, style: STYLE, body: markup`<h1>${title}</h1><p>${text}</p>` })
}

function failed(error: PlugworkError, status: number): Reply {
  const title = 'Not connected'
  const body = markup`<h1>${title}</h1><p>${error.message}</p><p><code>${error.code}</code></p>`
  return page({ status, title, style: STYLE, body })
}
