/** What somebody gives to make or change a connection, checked against its connector before anything is stored. */
import type { Json, JsonObject } from '@plugwork/core'
import type { AuthMethod, Connector } from '@plugwork/core/node'
import { checkSettings } from '../oauth/settings.ts'
import { connectionError } from './errors.ts'
import { secretFields, splitConfig } from './secret-fields.ts'

export interface CheckedInput {
  readonly method: { readonly name: string; readonly auth: AuthMethod } | null
  /** What is stored readable, connection parameters of the auth method included. */
  readonly settings: JsonObject
  /** What is stored encrypted. */
  readonly credential: JsonObject
}

export interface ConnectionFields {
  /** Auth method of the connector; default: its first. */
  readonly method?: string
  /** Config without secrets. One that is given here all the same is encrypted with the others. */
  readonly settings?: JsonObject
  /** The secret fields of the config. */
  readonly credential?: JsonObject
}

/** Throws `connection_invalid` that names each field and its rule. */
export function checkInput(connector: Connector, fields: ConnectionFields): CheckedInput {
  const method = methodOf(connector, fields.method)
  const given = { ...fields.settings, ...fields.credential }
  const { parameters, config } = partition(connector, method?.auth ?? null, given)
  checkConfig(connector, config, method !== null && makesTokens(method.auth))
  const missing =
    method !== null && isStatic(method.auth) ? method.auth.fields.filter((name) => !isGiven(config[name])) : []
  if (missing.length > 0) {
    throw invalid(
      connector,
      missing.map((field) => ({ field, rule: `is needed for ${method!.auth.title}` })),
    )
  }
  const { settings, credential } = splitConfig(config, secretFields(connector, method?.auth ?? null))
  return { method, settings: { ...settings, ...parameters }, credential }
}

/** The connector's config out of what is stored; connection parameters that are no config stay behind. */
export function configOf(connector: Connector, settings: JsonObject, credential: JsonObject): JsonObject {
  const known = connector.config.shape
  return Object.fromEntries(Object.entries({ ...settings, ...credential }).filter(([name]) => name in known))
}

/** All fields as text, for templates of auth methods. */
export function textsOf(fields: JsonObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value === null || typeof value === 'object' ? [] : [[name, String(value)]],
    ),
  )
}

export function methodOf(
  connector: Connector,
  name: string | null | undefined,
): { readonly name: string; readonly auth: AuthMethod } | null {
  const methods = connector.auth ?? {}
  const wanted = name ?? Object.keys(methods)[0]
  if (wanted === undefined) return null
  const auth = Object.hasOwn(methods, wanted) ? methods[wanted] : undefined
  if (auth !== undefined) return { name: wanted, auth }
  const known = Object.keys(methods)
  const rule = known.length === 0 ? 'the connector has none' : `must be one of ${known.join(', ')}`
  throw invalid(connector, [{ field: 'method', rule }])
}

/** Tokens are made or got for it; else its config says all. */
export function makesTokens(auth: AuthMethod): boolean {
  return auth.kind === 'oauth2' || auth.kind === 'jwt'
}

function isStatic(auth: AuthMethod): auth is Extract<AuthMethod, { readonly fields: readonly string[] }> {
  return 'fields' in auth
}

const isGiven = (value: Json | undefined): boolean => value !== undefined && value !== null && value !== ''

function partition(
  connector: Connector,
  auth: AuthMethod | null,
  given: JsonObject,
): { readonly parameters: JsonObject; readonly config: JsonObject } {
  if (auth?.kind !== 'oauth2') return { parameters: {}, config: given }
  const parameters = checkSettings(auth, textsOf(given))
  const known = connector.config.shape
  const config = Object.fromEntries(Object.entries(given).filter(([name]) => name in known || !(name in parameters)))
  return { parameters, config }
}

interface Problem {
  readonly field: string
  readonly rule: string
}

/** What a method that makes tokens puts in place of a secret may be missing. */
function checkConfig(connector: Connector, config: JsonObject, lenient: boolean): void {
  const parsed = connector.config.safeParse(config)
  if (parsed.success) return
  const problems = parsed.error.issues
    .map((issue) => ({ field: issue.path.map(String).join('.') || 'config', rule: issue.message, path: issue.path }))
    .filter(({ path }) => !(lenient && path.length === 1 && !(String(path[0]) in config)))
  if (problems.length > 0) throw invalid(connector, problems)
}

function invalid(connector: Connector, problems: readonly Problem[]): Error {
  const text = problems.map(({ field, rule }) => `${field}: ${rule}`).join('; ')
  return connectionError('connection_invalid', `The connection does not fit connector ${connector.name}. ${text}.`, {
    data: { connector: connector.name, problems: problems.map(({ field, rule }) => ({ field, rule })) },
  })
}
