/**
 * The setting `connectors`: the application's own registrations with services, which OAuth needs. Ids may stand in
 * `plugwork.yaml`; a secret is only named there (`${secrets.NAME}`), because the file is committed.
 */
import { PlugworkError } from '../error.ts'
import type { SecretSource } from './secrets.ts'

export interface OAuthClientSetting {
  readonly clientId: string
  /** Name of the secret; null for a client without one. */
  readonly clientSecret: string | null
  /** Connection parameters that belong to the registration (`host` of a self-managed service). */
  readonly settings: Readonly<Record<string, string>>
}

export type OAuthClientSettings = Readonly<Record<string, OAuthClientSetting>>

/** A registration with its secret filled in. */
export interface FoundOAuthClient {
  readonly clientId: string
  readonly clientSecret?: string
  readonly settings?: Readonly<Record<string, string>>
}

/** `PLUGWORK_GITHUB_CLIENT_ID`, `PLUGWORK_GITHUB_CLIENT_SECRET`. */
export const CLIENT_VARIABLE = /^PLUGWORK_[A-Z][A-Z0-9_]*_CLIENT_(?:ID|SECRET)$/

const REFERENCE = /^\$\{\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*\}$/

type Read = { readonly value: OAuthClientSettings } | { readonly problem: string }

/** Reads the map of the file, or JSON of the environment. No message shows a value: it may be a secret. */
export function readOAuthClients(raw: unknown): Read {
  const given = typeof raw === 'string' ? parsed(raw) : raw
  if (!isMap(given)) return { problem: 'a map of connectors to their `client_id` and `client_secret`' }
  const clients: Record<string, OAuthClientSetting> = {}
  for (const [connector, entry] of Object.entries(given)) {
    if (!isMap(entry)) return { problem: `a map in which \`${connector}\` has a \`client_id\`` }
    const { client_id: clientId, client_secret: secret, ...settings } = entry
    if (typeof clientId !== 'string' || clientId.trim() === '') {
      return { problem: `a map in which \`${connector}\` has a \`client_id\` that is text` }
    }
    const name = typeof secret === 'string' ? REFERENCE.exec(secret.trim())?.[1] : undefined
    if (secret !== undefined && name === undefined) {
      return {
        problem: `a map in which the \`client_secret\` of \`${connector}\` is \`\${secrets.NAME}\`; the secret itself belongs into secrets.env`,
      }
    }
    if (!Object.values(settings).every((value) => typeof value === 'string')) {
      return { problem: `a map in which all settings of \`${connector}\` are text` }
    }
    clients[connector] = {
      clientId: clientId.trim(),
      clientSecret: name ?? null,
      // Checked above.
      settings: settings as Record<string, string>,
    }
  }
  return { value: clients }
}

/**
 * The registration with a connector's service: of the environment (`PLUGWORK_GITHUB_CLIENT_ID`), else of the setting. Null
 * when there is none. Throws `settings_invalid` where the secret that is named is not set.
 */
export function findOAuthClient(options: {
  readonly connector: string
  readonly clients: OAuthClientSettings
  readonly environment: { readonly [name: string]: string | undefined }
  readonly secrets: Pick<SecretSource, 'get'>
}): FoundOAuthClient | null {
  const { connector, clients, environment, secrets } = options
  const setting = Object.hasOwn(clients, connector) ? clients[connector] : undefined
  const settings =
    setting === undefined || Object.keys(setting.settings).length === 0 ? {} : { settings: setting.settings }
  const prefix = `PLUGWORK_${connector.toUpperCase()}_CLIENT_`
  const clientId = environment[`${prefix}ID`]
  const clientSecret = environment[`${prefix}SECRET`]
  if (clientId !== undefined && clientId !== '') {
    return { clientId, ...(clientSecret ? { clientSecret } : {}), ...settings }
  }
  if (setting === undefined) return null
  if (setting.clientSecret === null) {
    return { clientId: setting.clientId, ...(clientSecret ? { clientSecret } : {}), ...settings }
  }
  const secret = secrets.get(setting.clientSecret)
  if (secret === null) {
    throw new PlugworkError(
      'settings_invalid',
      `connectors.${connector}.client_secret names the secret ${setting.clientSecret}, which is not set. Write it into ` +
        `secrets.env, or set PLUGWORK_SECRET_${setting.clientSecret}.`,
    )
  }
  return { clientId: setting.clientId, clientSecret: secret, ...settings }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
