/**
 * Secrets in JSON. A `SecretText` stands in the journal as its parts, kept beside the value under the JSON pointer of
 * its place, where the value itself holds null: so no data can be taken for a secret.
 */
import { SecretText, setOwn } from '../expression/value.ts'
import type { SecretReference, Value } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'

/** Parts of secret texts by JSON pointer. */
export type SecretParts = { readonly [pointer: string]: readonly (string | SecretReference)[] }

/** A value as JSON, and the secrets that were in it. */
export interface Sealed {
  readonly json: Json
  readonly secrets: SecretParts | null
}

/** Whether a secret is somewhere in the value. */
export function holdsSecret(value: Value): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof SecretText) return true
  if (Array.isArray(value)) return value.some(holdsSecret)
  const object = value as { readonly [key: string]: Value }
  for (const key in object) if (holdsSecret(object[key] ?? null)) return true
  return false
}

/** Takes the secrets out of a value. Without any, the value itself is answered. */
export function seal(value: Value): Sealed {
  // A value without secrets is JSON: that is what `holdsSecret` has found out.
  if (!holdsSecret(value)) return { json: value as Json, secrets: null }
  const secrets: { [pointer: string]: readonly (string | SecretReference)[] } = {}
  return { json: takeOut(value, '', secrets), secrets }
}

function takeOut(
  value: Value,
  pointer: string,
  secrets: { [pointer: string]: readonly (string | SecretReference)[] },
): Json {
  if (value instanceof SecretText) {
    secrets[pointer] = value.parts
    return null
  }
  if (Array.isArray(value)) return value.map((item: Value, index) => takeOut(item, `${pointer}/${index}`, secrets))
  if (typeof value !== 'object' || value === null) return value as Json
  const copy: { [key: string]: Json } = {}
  for (const [key, item] of Object.entries(value as { readonly [key: string]: Value })) {
    setOwn(copy, key, takeOut(item, `${pointer}/${escapeToken(key)}`, secrets))
  }
  return copy
}

/** Puts the secrets back. */
export function unseal({ json, secrets }: Sealed): Value {
  return secrets === null ? json : putBack(json, '', secrets)
}

function putBack(value: Json, pointer: string, secrets: SecretParts): Value {
  if (value === null) {
    const parts = Object.hasOwn(secrets, pointer) ? secrets[pointer] : undefined
    return parts === undefined ? null : new SecretText(parts)
  }
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item, index) => putBack(item, `${pointer}/${index}`, secrets))
  const copy: { [key: string]: Value } = {}
  for (const [key, item] of Object.entries(value))
    setOwn(copy, key, putBack(item, `${pointer}/${escapeToken(key)}`, secrets))
  return copy
}

function escapeToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** The value as JSON; throws when a secret is in it, for places where secrets would be stored or shown. */
export function plainJson(value: Value, place: string): Json {
  if (holdsSecret(value)) {
    throw new PlugworkError(
      'secret_not_allowed',
      `A secret cannot be used in ${place}: it would be stored. Pass it to a connector's parameter, or to an input of type secret.`,
    )
  }
  // Proved free of secrets just above.
  return value as Json
}
