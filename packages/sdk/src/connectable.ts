/**
 * What `connectors:` of `createPlugwork` takes: a connector as it is, or one with what the application has registered at the
 * service (an OAuth client). A connector itself stays a plain value that knows nothing of applications.
 */
import type { AuthMethod, Connector } from '@plugwork/core/node'
import { sdkError } from './errors.ts'

/** What an application brings to a connector. */
export interface ConnectorOptions {
  /** Id and secret of the application that is registered with the service, for signing in with OAuth 2. */
  readonly clientId?: string
  readonly clientSecret?: string
  /** What the registration decides of where the service is: `{ host: 'github.example.com' }` of GitHub Enterprise. */
  readonly settings?: { readonly [name: string]: string }
  /** Scopes that are asked for where `getAuthUrl` names none. Default: the connector's. */
  readonly scopes?: readonly string[]
  /** Checks the webhooks of the service; several while one replaces another. */
  readonly webhookSecret?: string | readonly string[]
}

/** A connector with what the application brings to it. */
export interface RegisteredConnector<C = Connector> {
  readonly connector: C
  readonly options: ConnectorOptions
}

/** Makes registrations of a connector: `github()`, `github({ clientId, clientSecret })`. The connector itself is beside it. */
export interface ConnectorFactory<C> {
  (options?: ConnectorOptions): RegisteredConnector<C>
  readonly connector: C
}

/** Something that `createPlugwork` takes as a connector. */
export type Connectable = Connector | RegisteredConnector | ConnectorFactory<Connector>

/** The connector of something that `createPlugwork` takes as one. */
export type ConnectorOf<Given> = Given extends { readonly connector: infer C } ? C : Given

/**
 * Makes the function by which applications register a connector. `plugwork/connectors/github` is one; third parties export
 * theirs beside the connector, or applications make it: `connectorFactory(acme)({ clientId, clientSecret })`.
 */
export function connectorFactory<C extends Pick<Connector, 'name' | 'auth' | 'webhooks'>>(
  connector: C,
): ConnectorFactory<C> {
  const register = (options: ConnectorOptions = {}): RegisteredConnector<C> => {
    checkOptions(connector, options)
    return { connector, options }
  }
  return Object.assign(register, { connector })
}

/** Whatever was given, as a registration. */
export function toRegistered(given: Connectable): RegisteredConnector {
  if (typeof given === 'function') return given()
  return 'connector' in given ? given : { connector: given, options: {} }
}

/** The auth method of a connector for which an application registers a client; null when none needs one. */
export function clientMethod(
  connector: Pick<Connector, 'auth'>,
): { readonly name: string; readonly auth: Extract<AuthMethod, { readonly kind: 'oauth2' }> } | null {
  for (const [name, auth] of Object.entries(connector.auth ?? {})) if (auth.kind === 'oauth2') return { name, auth }
  return null
}

/** Throws `sdk_option_invalid` for what the connector has no use for, and for half of a client. */
export function checkOptions(
  connector: Pick<Connector, 'name' | 'auth' | 'webhooks'>,
  { clientId, clientSecret, settings, scopes, webhookSecret }: ConnectorOptions,
): void {
  const refuse = (message: string): never => {
    throw sdkError('sdk_option_invalid', message, { data: { connector: connector.name } })
  }
  const named = (option: string): string => `The ${option} of the connector ${connector.name}`
  const given = { clientId, clientSecret, settings, scopes }
  for (const [option, value] of Object.entries(given)) {
    if (value !== undefined && clientMethod(connector) === null) {
      refuse(`${named(option)} has no use: nobody signs in to it with OAuth 2. Leave it out.`)
    }
  }
  for (const [option, value] of Object.entries({ clientId, clientSecret })) {
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      refuse(`${named(option)} is empty. Give the text that the service shows for your application.`)
    }
  }
  if (clientSecret !== undefined && clientId === undefined) {
    refuse(`The connector ${connector.name} has a clientSecret and no clientId. Give both.`)
  }
  const decided = Object.entries(clientMethod(connector)?.auth.connectionParameters ?? {}).flatMap(
    ([name, parameter]) => (parameter.setBy === 'client' ? [name] : []),
  )
  for (const name of Object.keys(settings ?? {})) {
    if (decided.includes(name)) continue
    const known = decided.length === 0 ? 'none' : decided.join(', ')
    refuse(`${named(`setting "${name}"`)} is not decided by the registration (${known}); it belongs to a connection.`)
  }
  const secrets = webhookSecret === undefined ? [] : [webhookSecret].flat()
  if (secrets.length > 0 && connector.webhooks === undefined) {
    refuse(`${named('webhookSecret')} has no use: the connector receives no webhooks. Leave it out.`)
  }
  if (secrets.some((secret) => typeof secret !== 'string' || secret === '')) {
    refuse(`${named('webhookSecret')} is empty. Give the text that you entered at the service.`)
  }
}
