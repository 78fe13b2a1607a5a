/** `plug.connections`: signing in, and what users have connected. */
import type { Connection, ConnectionEvent, OAuthSession } from '@plugwork/connections'
import type { Json, JsonObject } from '@plugwork/core'
import type { OAuth2Auth } from '@plugwork/core/node'
import { clientMethod } from './connectable.ts'
import { actorOf } from './actor.ts'
import type { Engine } from './engine.ts'
import { sdkError } from './errors.ts'
import type { AuthorizeRequest, Session, Settings } from './options.ts'
import type { OnBehalf } from './plugwork-types.ts'
import type { Providers } from './providers.ts'

/** A connection of somebody. */
export interface ConnectionId extends OnBehalf {
  readonly id: string
}

export interface GetAuthUrl {
  readonly userId: string
  readonly tenantId?: string
  readonly connector: string
  /** Scopes to ask for. Default: those of the registration, else the connector's. */
  readonly scopes?: readonly string[]
  /** Page to go to afterwards. Default: `handleCallback` answers, and the handler shows a page of its own. */
  readonly returnTo?: string
  /** Name of the connection; one of this name is connected again. Default: `default`. */
  readonly name?: string
  /** Settings that the sign-in needs (`{ host }` of GitHub Enterprise), and further ones of the connection. */
  readonly settings?: JsonObject
  /** What `auth.authenticate` answers as `sessionId`; the callback must come in the same session. */
  readonly sessionId?: string
}

export interface Connected {
  readonly connection: Connection
  /** Where `getAuthUrl` said to go. */
  readonly returnTo: string | null
}

export interface CreateConnectionInput extends OnBehalf {
  readonly connector: string
  readonly name?: string
  /** Auth method of the connector; default: its first. */
  readonly method?: string
  readonly settings?: JsonObject
  /** Secret fields: `{ token }`. */
  readonly credential?: JsonObject
  readonly metadata?: JsonObject
}

export interface ListConnectionsInput extends OnBehalf {
  readonly connector?: string
  readonly name?: string
  /** Id after which the page begins. */
  readonly after?: string
  /** Default 100. */
  readonly limit?: number
}

export interface ReconnectInput extends ConnectionId {
  readonly method?: string
  readonly settings?: JsonObject
  readonly credential?: JsonObject
}

/** What a connector is connected with, in the clear. */
export interface Credentials {
  /** Config of the connector; secrets included where the auth method makes no tokens. */
  readonly config: JsonObject
  /** A token that is valid now, of OAuth 2 and JWTs. */
  readonly token?: string
  /** Epoch ms. */
  readonly expiresAt?: number | null
}

/** Names of `plug.connections.on`. */
export type ConnectionEventName = ConnectionEvent['type']

type EventOf<Name extends ConnectionEventName> =
  Extract<ConnectionEvent, { readonly type: Name }> extends never
    ? ConnectionEvent
    : Extract<ConnectionEvent, { readonly type: Name }>

interface Listening {
  readonly name: ConnectionEventName | '*'
  readonly listener: (event: ConnectionEvent) => void
}

export interface ConnectionsApiOptions {
  readonly settings: Settings
  readonly providers: Providers
  open(): Promise<Engine>
}

const NEVER = new AbortController().signal

export class ConnectionsApi {
  readonly #options: ConnectionsApiOptions
  readonly #listening = new Set<Listening>()
  readonly #via: 'code' | 'http'

  constructor(options: ConnectionsApiOptions, via: 'code' | 'http' = 'code') {
    this.#options = options
    this.#via = via
  }

  /** Where to send the user's browser to sign in to a service. Throws `sdk_connector_unknown`, `oauth_…`. */
  async getAuthUrl(input: GetAuthUrl): Promise<{ readonly url: string }> {
    const { providers, settings, open } = this.#options
    const { connector, options } = providers.find(input.connector)
    const method = clientMethod(connector)
    if (method === null) {
      throw sdkError(
        'sdk_option_invalid',
        `Nobody signs in to ${connector.name} with OAuth 2. Store its settings with plug.connections.create.`,
        { data: { connector: connector.name } },
      )
    }
    const client = providers.client(connector.name)
    if (client === null) {
      throw sdkError(
        'sdk_option_invalid',
        `The application has no OAuth client for ${connector.name}. Register it with the service and give its clientId and ` +
          `clientSecret: connectors: [${connector.name}({ clientId, clientSecret })].`,
        { data: { connector: connector.name } },
      )
    }
    const actor = actorOf(input, this.#via)
    const { oauth } = await open()
    const scopes = input.scopes ?? options.scopes
    const given = input.settings ?? {}
    const started = await oauth.startAuthorization({
      provider: connector.name,
      auth: method.auth,
      client,
      settings: parametersOf(method.auth, given),
      redirectUri: settings.redirectUri,
      session: sessionOf({ userId: input.userId, tenantId: actor.tenant, ...idOf(input.sessionId) }),
      ...(scopes === undefined ? {} : { scopes }),
      ...(input.returnTo === undefined ? {} : { returnTo: input.returnTo }),
      context: { name: input.name ?? 'default', settings: given },
    })
    return { url: started.url }
  }

  /**
   * Finishes a sign-in: `callback` is the request that came to the callback URL, or its whole URL. The session must be the one
   * that `getAuthUrl` was called for. Throws `oauth_…`.
   */
  async handleCallback(callback: Request | URL | string, session: Session): Promise<Connected> {
    const { providers, open } = this.#options
    const actor = actorOf(session, this.#via)
    const { oauth, connections } = await open()
    const { tokens, context } = await oauth.finishAuthorization({
      callbackUrl: typeof callback === 'string' ? callback : 'href' in callback ? callback.href : callback.url,
      session: sessionOf(session),
      provider: async (name) => {
        if (!providers.has(name)) return null
        const method = clientMethod(providers.find(name).connector)
        const client = providers.client(name)
        return method === null || client === null ? null : { auth: method.auth, client }
      },
    })
    const connector = context.provider
    const { name, settings } = contextOf(context.context)
    const fields = {
      method: clientMethod(providers.find(connector).connector)!.name,
      settings: { ...settings, ...context.settings },
      tokens,
    }
    const known = await connections.find({ actor, connector, name })
    const connection =
      known === null
        ? await connections.create({ actor, connector, name, ...fields })
        : await connections.reconnect(actor, known.id, { ...fields, credential: {} })
    return { connection, returnTo: context.returnTo }
  }

  /** Stores a connection without sign-in: an API key, a database. Throws `connection_invalid`, `connection_exists`. */
  async create({ userId, tenantId, ...input }: CreateConnectionInput): Promise<Connection> {
    const actor = this.#actor({ userId, tenantId })
    this.#options.providers.find(input.connector)
    return (await this.#options.open()).connections.create({ actor, ...input })
  }

  /** The user's own connections, in the order of their ids; with `userId: null` the tenant's own. */
  async list({ userId, tenantId, ...query }: ListConnectionsInput): Promise<readonly Connection[]> {
    const actor = this.#actor({ userId, tenantId })
    return (await this.#options.open()).connections.list({ actor, owner: userId, ...query })
  }

  /** Throws `connection_not_found` for one that is somebody else's. */
  async get({ id, ...on }: ConnectionId): Promise<Connection> {
    const actor = this.#actor(on)
    return (await this.#options.open()).connections.get(actor, id)
  }

  /** Ends it: tokens are revoked at the service where it can, all secrets are deleted here, and the connection with them. */
  async disconnect({ id, ...on }: ConnectionId): Promise<void> {
    const actor = this.#actor(on)
    await (await this.#options.open()).connections.remove(actor, id)
  }

  /** Gets a new token now, unless the one there is younger than 30 s. Throws `connection_needs_reauth`, `sdk_not_refreshable`. */
  async refresh({ id, ...on }: ConnectionId): Promise<Connection> {
    const actor = this.#actor(on)
    const { connections } = await this.#options.open()
    const { credentials, connection } = await connections.open(actor, id)
    if (credentials === undefined) throw notRefreshable(connection)
    const before = await credentials.current(NEVER)
    await credentials.rejected(before, NEVER)
    return connections.get(actor, id)
  }

  /** Gives a connection new settings or another key, in place: its id and what refers to it stay. */
  async reconnect({ id, userId, tenantId, ...fields }: ReconnectInput): Promise<Connection> {
    const actor = this.#actor({ userId, tenantId })
    return (await this.#options.open()).connections.reconnect(actor, id, fields)
  }

  /** Asks the service whether the connection works. Throws `connection_check_failed`; its state says so too. */
  async test({ id, ...on }: ConnectionId): Promise<{ readonly message: string }> {
    const actor = this.#actor(on)
    return (await this.#options.open()).connections.check(actor, id)
  }

  /**
   * The secrets of a connection, for code that needs another client than ours. Only where `authorize` answers true for
   * `operation: 'use'`, `action: 'credentials'`; never over HTTP.
   */
  async getCredentials({ id, ...on }: ConnectionId): Promise<Credentials> {
    const actor = this.#actor(on)
    const { connections } = await this.#options.open()
    const connection = await connections.get(actor, id)
    const request: AuthorizeRequest = { actor, operation: 'use', action: 'credentials', connection, via: this.#via }
    if ((await this.#options.settings.authorize?.(request)) !== true) {
      throw sdkError(
        'sdk_credentials_denied',
        `The credentials of connection ${id} are not given out: \`authorize\` must answer true for action "credentials".`,
        { data: { connection: id } },
      )
    }
    const { config, credentials } = await connections.open(actor, id, 'credentials')
    if (credentials === undefined) return { config }
    const { token, expiresAt } = await credentials.current(NEVER)
    return { config, token, expiresAt }
  }

  /** Calls back for what happens to connections in this process (`*`: everything); answers the function that ends it. */
  on<Name extends ConnectionEventName>(name: Name, listener: (event: EventOf<Name>) => void): () => void
  on(name: '*', listener: (event: ConnectionEvent) => void): () => void
  on(name: ConnectionEventName | '*', listener: (event: never) => void): () => void {
    // `tell` gives each listener the events of its name only.
    const listening: Listening = { name, listener: listener as (event: ConnectionEvent) => void }
    this.#listening.add(listening)
    return () => void this.#listening.delete(listening)
  }

  /** @internal Passes an event of the engine on. */
  tell(event: ConnectionEvent): void {
    for (const { name, listener } of this.#listening) {
      if (name !== '*' && name !== event.type) continue
      try {
        listener(event)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        this.#options.settings.log('error', `a listener to connections failed: ${reason}`)
      }
    }
  }

  #actor(on: { readonly userId: string | null; readonly tenantId?: string | undefined }): ReturnType<typeof actorOf> {
    const { userId, tenantId } = on
    return actorOf({ userId, ...(tenantId === undefined ? {} : { tenantId }) }, this.#via)
  }
}

function sessionOf({ userId, tenantId = 'default', sessionId }: Session): OAuthSession {
  return { tenant: tenantId, user: userId, ...(sessionId === undefined ? {} : { id: sessionId }) }
}

const idOf = (sessionId: string | undefined): { readonly sessionId?: string } =>
  sessionId === undefined ? {} : { sessionId }

function parametersOf(auth: OAuth2Auth, settings: JsonObject): Record<string, string> {
  const names = Object.keys(auth.connectionParameters ?? {})
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = settings[name]
      return value === undefined || value === null
        ? []
        : [[name, typeof value === 'string' ? value : JSON.stringify(value)]]
    }),
  )
}

/** What `getAuthUrl` kept with the state; it comes back as it was. */
function contextOf(context: Json): { readonly name: string; readonly settings: JsonObject } {
  return context as { readonly name: string; readonly settings: JsonObject }
}

function notRefreshable({ name, connector }: Connection): Error {
  return sdkError(
    'sdk_not_refreshable',
    `The connection "${name}" to ${connector} has no token that could be refreshed. Use reconnect to give it another key.`,
  )
}
