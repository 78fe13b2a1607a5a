/** The connectors of an application: which there are, and for which of them it is registered with the service. */
import type { OAuthClient } from '@plugwork/connections'
import type { Connector } from '@plugwork/core/node'
import {
  checkOptions,
  clientMethod,
  toRegistered,
  type Connectable,
  type ConnectorOptions,
  type RegisteredConnector,
} from './connectable.ts'
import { sdkError } from './errors.ts'

/** What users may be shown of a connector. */
export interface ProviderInfo {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly version: string
  /** Somebody can connect: no OAuth client is needed, or there is one. */
  readonly configured: boolean
  readonly methods: readonly ProviderMethod[]
  readonly actions: readonly string[]
  readonly triggers: readonly string[]
}

export interface ProviderMethod {
  readonly name: string
  readonly title: string
  /** Markdown. */
  readonly help: string
  readonly kind: 'oauth2' | 'api_key' | 'bearer' | 'basic' | 'custom' | 'jwt'
  /** Fields of the connection that somebody fills in. */
  readonly fields: readonly string[]
}

/** Names that `plug` has itself. */
const RESERVED: ReadonlySet<string> = new Set([
  'actions',
  'connections',
  'providers',
  'workflows',
  'webhooks',
  'handler',
  'basePath',
  'baseUrl',
  'open',
  'close',
  'then',
])

export class Providers {
  readonly #registered = new Map<string, RegisteredConnector>()
  readonly #onRegister: (connector: Connector) => void

  constructor(given: readonly Connectable[], onRegister: (connector: Connector) => void) {
    this.#onRegister = onRegister
    for (const one of given) this.#add(one)
  }

  get connectors(): readonly Connector[] {
    return Array.from(this.#registered.values(), ({ connector }) => connector)
  }

  /** Adds a connector, or one more with what the application has registered. Throws `sdk_option_invalid`. */
  register(given: Connectable): void {
    this.#onRegister(this.#add(given))
  }

  get(name: string): ProviderInfo | null {
    const found = this.#registered.get(name)
    return found === undefined ? null : infoOf(found)
  }

  list(): readonly ProviderInfo[] {
    return Array.from(this.#registered.values(), infoOf)
  }

  isConfigured(name: string): boolean {
    return isConfigured(this.find(name))
  }

  /** Gives the connector its OAuth client, its scopes or its webhook secret later than at the start. */
  markConfigured(name: string, options: ConnectorOptions): void {
    const { connector, options: before } = this.find(name)
    const next = { ...before, ...options }
    checkOptions(connector, next)
    this.#registered.set(name, { connector, options: next })
  }

  /** The registration; throws `sdk_connector_unknown`. */
  find(name: string): RegisteredConnector {
    const found = this.#registered.get(name)
    if (found !== undefined) return found
    const known = [...this.#registered.keys()].join(', ') || 'none'
    throw sdkError(
      'sdk_connector_unknown',
      `There is no connector "${name}" here; createPlugwork was given: ${known}. Add it to \`connectors\`, or correct the name.`,
      { data: { connector: name } },
    )
  }

  has(name: string): boolean {
    return this.#registered.has(name)
  }

  client(name: string): OAuthClient | null {
    const { clientId, clientSecret, settings } = this.find(name).options
    if (clientId === undefined) return null
    return {
      clientId,
      ...(clientSecret === undefined ? {} : { clientSecret }),
      ...(settings === undefined ? {} : { settings }),
    }
  }

  #add(given: Connectable): Connector {
    const registered = toRegistered(given)
    const { name } = registered.connector
    if (RESERVED.has(name)) {
      throw sdkError('sdk_option_invalid', `A connector cannot be called "${name}": plug.${name} is something else.`)
    }
    if (this.#registered.has(name)) {
      throw sdkError('sdk_option_invalid', `There are two connectors called "${name}". Give each its own name.`)
    }
    this.#registered.set(name, registered)
    return registered.connector
  }
}

/** Somebody can connect in at least one way. */
function isConfigured({ connector, options }: RegisteredConnector): boolean {
  const methods = Object.values(connector.auth ?? {})
  if (methods.length === 0 || options.clientId !== undefined) return true
  return methods.some((method) => method.kind !== 'oauth2')
}

function infoOf(registered: RegisteredConnector): ProviderInfo {
  const { connector, options } = registered
  const { name, title, description, version } = connector
  return {
    name,
    title,
    description,
    version,
    configured: isConfigured(registered),
    methods: Object.entries(connector.auth ?? {})
      .filter(([method]) => options.clientId !== undefined || method !== clientMethod(connector)?.name)
      .map(([method, auth]) => ({
        name: method,
        title: auth.title,
        help: auth.help,
        kind: auth.kind,
        fields: 'fields' in auth ? auth.fields : [],
      })),
    actions: Object.keys(connector.actions),
    triggers: Object.keys(connector.triggers ?? {}),
  }
}
