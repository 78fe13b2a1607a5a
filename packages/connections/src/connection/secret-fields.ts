/** Which fields of a connector's config are kept encrypted. */
import type { JsonObject, JsonSchema } from '@plugwork/core'
import { describeConnector, type AuthMethod, type Connector } from '@plugwork/core/node'

/**
 * Fields that the schema marks `x-plugwork: secret`, those that hold such a field somewhere inside, and those that the auth
 * method names.
 */
export function secretFields(connector: Connector, method: AuthMethod | null): ReadonlySet<string> {
  const properties = (describeConnector(connector).config['properties'] ?? {}) as {
    readonly [name: string]: JsonSchema
  }
  const marked = Object.keys(properties).filter((name) => holdsSecret(properties[name]))
  return new Set([...marked, ...(method === null ? [] : namedBy(method))])
}

/** Takes the secret fields out of a config. */
export function splitConfig(
  config: JsonObject,
  secrets: ReadonlySet<string>,
): { readonly settings: JsonObject; readonly credential: JsonObject } {
  const entries = Object.entries(config)
  return {
    settings: Object.fromEntries(entries.filter(([name]) => !secrets.has(name))),
    credential: Object.fromEntries(entries.filter(([name]) => secrets.has(name))),
  }
}

function namedBy(method: AuthMethod): readonly string[] {
  switch (method.kind) {
    case 'jwt':
      return [method.keyField]
    case 'oauth2':
      return method.assertion === undefined ? [] : [method.assertion.keyField]
    default:
      return method.fields
  }
}

function holdsSecret(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false
  if (Array.isArray(schema)) return schema.some(holdsSecret)
  const members = schema as { readonly [key: string]: unknown }
  return members['x-plugwork'] === 'secret' || Object.values(members).some(holdsSecret)
}
