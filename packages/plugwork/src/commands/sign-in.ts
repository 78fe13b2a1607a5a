/**
 * Signing in to a service from the command line: in a browser that comes back to a server of this process on the loopback
 * (RFC 8252), or with a code that is entered anywhere (RFC 8628).
 */
import { randomUUID } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PlugworkError } from '@plugwork/core/error'
import { STATE_LIFETIME_MS, type OAuthClient, type TokenSet } from '@plugwork/connections'
import type { Connector, OAuth2Auth } from '@plugwork/core/node'
import type { Context } from '../context.ts'
import { UsageError } from '../exit.ts'
import { TENANT_ACTOR, type KeptConnections } from '../stored-connections.ts'
import type { GivenFields } from './connection-fields.ts'

export interface SignInFlags {
  /** Port of the loopback server; 0 takes a free one. */
  readonly port: number
  /** False with `--no-browser`. */
  readonly browser: boolean
  readonly device?: boolean
  readonly scope?: readonly string[]
}

export interface SignIn {
  readonly connector: Connector
  readonly method: string
  readonly auth: OAuth2Auth
  readonly fields: GivenFields
  readonly flags: SignInFlags
}

const CALLBACK = '/oauth/callback'

/** Throws a `UsageError` where the application is not registered, and the codes of OAuth. */
export async function signIn(context: Context, kept: KeptConnections, what: SignIn): Promise<TokenSet> {
  const { connector, auth, flags } = what
  const client = kept.client(connector.name)
  if (client === null) {
    const prefix = `PLUGWORK_${connector.name.toUpperCase()}_CLIENT`
    throw new UsageError(
      `There is no OAuth app for ${connector.name}. ${auth.help}`,
      `Then set ${prefix}_ID and ${prefix}_SECRET, or write into plugwork.yaml: ` +
        `connectors: { ${connector.name}: { client_id: …, client_secret: "\${secrets.${connector.name.toUpperCase()}}" } }`,
    )
  }
  const device = flags.device === true || auth.grant === 'device_code'
  if (device && auth.deviceAuthorizationUrl === undefined) {
    throw new UsageError(`${auth.title} knows no device codes.`, 'Leave --device out.')
  }
  const stop = new AbortController()
  const onInterrupt = (): void => stop.abort(new UsageError('Interrupted; nothing was stored.'))
  process.once('SIGINT', onInterrupt)
  try {
    return device
      ? await withDeviceCode(context, kept, { ...what, client, signal: stop.signal })
      : await inBrowser(context, kept, { ...what, client, signal: stop.signal })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

interface Started extends SignIn {
  readonly client: OAuthClient
  readonly signal: AbortSignal
}

const textsOf = ({ settings }: GivenFields): Record<string, string> =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )

async function withDeviceCode(context: Context, { oauth }: KeptConnections, started: Started): Promise<TokenSet> {
  const { auth, client, fields, flags, signal } = started
  const settings = parametersOf(auth, fields)
  const request = { auth, client, settings, signal }
  const device = await oauth.requestDeviceCode({ ...request, ...(flags.scope ? { scopes: flags.scope } : {}) })
  const { bold, accent } = context.noteStyle
  context.note(`Open ${accent(device.verificationUri)} and enter ${bold(device.userCode)}`)
  if (flags.browser) openBrowser(context, device.verificationUriComplete ?? device.verificationUri)
  return oauth.pollDeviceCode({ ...request, device })
}

/** OAuth takes the connection's parameters, not its other settings. */
function parametersOf(auth: OAuth2Auth, fields: GivenFields): Record<string, string> {
  const known = auth.connectionParameters ?? {}
  return Object.fromEntries(Object.entries(textsOf(fields)).filter(([name]) => name in known))
}

async function inBrowser(context: Context, { oauth }: KeptConnections, started: Started): Promise<TokenSet> {
  const { connector, auth, client, fields, flags, signal } = started
  const session = { tenant: TENANT_ACTOR.tenant, user: 'command line', id: randomUUID() }
  const { promise, resolve, reject } = Promise.withResolvers<TokenSet>()
  let origin = ''
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', origin)
    if (request.method !== 'GET' || url.pathname !== CALLBACK) {
      answer(response, 404, 'There is nothing here.')
      return
    }
    oauth
      .finishAuthorization({ callbackUrl: url.href, session, provider: async () => ({ auth, client }), signal })
      .then(
        ({ tokens }) => {
          answer(response, 200, `Connected to ${connector.title}. This page can be closed.`)
          resolve(tokens)
        },
        (error: unknown) => {
          const code = error instanceof PlugworkError ? error.code : 'internal'
          answer(response, 400, `Not connected (${code}). The terminal says more.`)
          // Anybody on this machine can ask for this page; only our own state counts.
          if (code !== 'oauth_state_invalid') reject(error as Error)
        },
      )
  })
  server.listen(flags.port, '127.0.0.1')
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`Port ${flags.port} on 127.0.0.1 cannot be used (${error.code}).`, 'Give another --port.')
  })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const onAbort = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(
    () => reject(new PlugworkError('oauth_state_expired', 'Nobody signed in within ten minutes. Start again.')),
    STATE_LIFETIME_MS,
  )
  try {
    const { url } = await oauth.startAuthorization({
      provider: connector.name,
      auth,
      client,
      settings: parametersOf(auth, fields),
      redirectUri: origin + CALLBACK,
      session,
      ...(flags.scope ? { scopes: flags.scope } : {}),
    })
    context.note(`Sign in to ${connector.title}: ${context.noteStyle.accent(url)}`)
    if (flags.browser) openBrowser(context, url)
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    server.close()
    server.closeIdleConnections()
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      connection: 'close',
    })
    .end(`${text}\n`)
}

/** Opens a browser where somebody sits in front of one. Where it does not, the address has been printed. */
function openBrowser(context: Context, url: string): void {
  const { environment } = context
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url]
  const hasScreen = process.platform !== 'linux' || environment['DISPLAY'] || environment['WAYLAND_DISPLAY']
  if (!context.interactive || !hasScreen) return
  const child = spawn(command!, args, { stdio: 'ignore', detached: true })
  child.on('error', () => undefined)
  child.unref()
}
