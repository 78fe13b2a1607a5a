/**
 * Settings and credentials of a connection from the command line. A credential is never an argument: other users of the
 * machine see those. It is asked for without echo, or comes from stdin, a variable or a file.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Json, JsonObject } from '@plugwork/core'
import { describeConnector, type AuthMethod, type Connector } from '@plugwork/core/node'
import { closest } from '@plugwork/core'
import type { Context } from '../context.ts'
import { UsageError } from '../exit.ts'

interface Field {
  readonly name: string
  readonly description: string
  readonly required: boolean
  /** Somebody who adds a connection by hand is asked for it. */
  readonly asked: boolean
  /** It is itself a secret. */
  readonly secret: boolean
  /** It may have a secret somewhere inside. */
  readonly holdsSecret: boolean
  readonly text: boolean
}

export interface GivenFields {
  readonly settings: JsonObject
  readonly credential: JsonObject
}

export interface FieldFlags {
  /** `key=value`. */
  readonly set: readonly string[]
  /** `key=-`, `key=env:NAME`, `key=file:PATH`. */
  readonly credential: readonly string[]
}

/** Reads what was given, then asks for what is missing where somebody can answer. */
export async function readFields(
  context: Context,
  connector: Connector,
  auth: AuthMethod | null,
  flags: FieldFlags,
): Promise<GivenFields> {
  const fields = fieldsOf(connector, auth)
  const settings: Record<string, Json> = {}
  for (const given of flags.set) {
    const [key, text] = pair('--set', given)
    const field = fieldNamed(fields, key, connector)
    const value = field.text ? text : asJson(text)
    if (field.secret || (field.holdsSecret && typeof value === 'object' && value !== null)) {
      throw new UsageError(
        `${key} of ${connector.name} is a secret, and arguments are seen by others.`,
        `Give it as --credential ${key}=-  (stdin), ${key}=env:NAME or ${key}=file:PATH, or be asked for it.`,
      )
    }
    settings[key] = value
  }
  const credential = await readCredentials(context, connector, fields, flags.credential)
  if (context.canAsk) await ask(context, fields, settings, credential)
  return { settings, credential }
}

async function readCredentials(
  context: Context,
  connector: Connector,
  fields: readonly Field[],
  given: readonly string[],
): Promise<Record<string, Json>> {
  const credential: Record<string, Json> = {}
  const fromInput = given.filter((one) => pair('--credential', one)[1] === '-')
  if (fromInput.length > 1) {
    throw new UsageError(
      'Only one credential can come from stdin.',
      'Give the others as KEY=env:NAME or KEY=file:PATH.',
    )
  }
  for (const one of given) {
    const [key, source] = pair('--credential', one)
    const field = fieldNamed(fields, key, connector)
    const text = await readSource(context, key, source)
    credential[key] = field.text ? text : asJson(text)
  }
  return credential
}

async function readSource(context: Context, key: string, source: string): Promise<string> {
  // The line break that an editor or `echo` adds is not part of a password; those inside (PEM) are.
  if (source === '-') return (await context.readInput()).replace(/\r?\n$/, '')
  const [, kind, rest] = /^(env|file):(.+)$/s.exec(source) ?? []
  if (kind === 'env') {
    const value = context.environment[rest!]
    if (value === undefined || value === '') throw new UsageError(`The variable ${rest} for ${key} is not set.`)
    return value
  }
  if (kind === 'file') {
    try {
      return readFileSync(resolve(context.workingDirectory, rest!), 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      throw new UsageError(`The file ${rest} for ${key} cannot be read: ${(error as NodeJS.ErrnoException).code}.`)
    }
  }
  // What was typed may be the secret itself: it is not shown.
  throw new UsageError(
    `--credential ${key} says where the value comes from, not the value: arguments are seen by others.`,
    `Write ${key}=-  (stdin), ${key}=env:NAME or ${key}=file:PATH. If you typed the secret, take it out of your shell's history.`,
  )
}

async function ask(
  context: Context,
  fields: readonly Field[],
  settings: Record<string, Json>,
  credential: Record<string, Json>,
): Promise<void> {
  const { isCancel, password, text } = await import('@clack/prompts')
  for (const field of fields) {
    const { name, description, required, asked, secret } = field
    if (name in settings || name in credential || !field.text || !asked) continue
    const message = `${name}${required ? '' : ' (may be left empty)'}${description === '' ? '' : `: ${description}`}`
    const validate = (value: string | undefined): string | undefined =>
      required && (value ?? '') === '' ? 'It is needed.' : undefined
    const answer = secret
      ? await password({ message, validate, output: context.stderr })
      : await text({ message, validate, output: context.stderr })
    if (isCancel(answer)) throw new UsageError('Nothing was stored.')
    if (answer === '' || answer === undefined) continue
    if (secret) credential[name] = answer
    else settings[name] = answer
  }
}

function fieldsOf(connector: Connector, auth: AuthMethod | null): readonly Field[] {
  const { properties = {}, required = [] } = describeConnector(connector).config as {
    readonly properties?: { readonly [name: string]: Schema }
    readonly required?: readonly string[]
  }
  const named = auth === null ? [] : secretsOf(auth)
  const others = new Set(Object.values(connector.auth ?? {}).flatMap(secretsOf))
  const fields = Object.entries(properties).map(([name, schema]): Field => {
    const secret = named.includes(name) || others.has(name) || schema['x-plugwork'] === 'secret'
    const needed = named.includes(name) || (required.includes(name) && schema['default'] === undefined)
    return {
      name,
      description: typeof schema['description'] === 'string' ? schema['description'] : '',
      required: needed,
      // A secret of another method is not asked for.
      asked: needed || (secret && !others.has(name)),
      secret,
      holdsSecret: JSON.stringify(schema).includes('"x-plugwork":"secret"'),
      text: schema['type'] === 'string',
    }
  })
  if (auth?.kind !== 'oauth2') return fields
  const parameters = Object.entries(auth.connectionParameters ?? {})
    .filter(([name]) => !(name in properties))
    .map(([name, { title, default: preset, setBy }]): Field => {
      const needed = preset === undefined && setBy !== 'client'
      return {
        name,
        description: title,
        required: needed,
        asked: needed,
        secret: false,
        holdsSecret: false,
        text: true,
      }
    })
  return [...fields, ...parameters]
}

type Schema = { readonly [key: string]: unknown }

function secretsOf(auth: AuthMethod): readonly string[] {
  if (auth.kind === 'jwt') return [auth.keyField]
  if (auth.kind === 'oauth2') return auth.assertion === undefined ? [] : [auth.assertion.keyField]
  return auth.fields
}

function fieldNamed(fields: readonly Field[], key: string, connector: Connector): Field {
  const found = fields.find(({ name }) => name === key)
  if (found !== undefined) return found
  const names = fields.map(({ name }) => name)
  const near = closest(key, names)
  throw new UsageError(
    `${connector.name} has no setting ${key}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    `Settings: ${names.join(', ')}. See plugwork connection info ${connector.name}.`,
  )
}

function pair(option: string, given: string): readonly [string, string] {
  const at = given.indexOf('=')
  if (at <= 0) throw new UsageError(`${option} takes KEY=VALUE.`)
  return [given.slice(0, at), given.slice(at + 1)]
}

function asJson(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
