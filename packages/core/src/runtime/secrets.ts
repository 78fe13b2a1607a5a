import type { Json } from '../json.ts'
import { PlugworkError } from '../error.ts'
import { SecretText, type SecretReference, type Value } from '../expression/value.ts'
import type { KeyRing } from './key-ring.ts'
import type { Definitions } from './runtime.ts'
import { unseal } from './seal.ts'

/** Whose secrets are meant: `env` depends on where the flow comes from. */
export interface SecretOwner {
  readonly tenant: string
  readonly flow: string
}

/** A rendered value with its secrets filled in, and those secrets for the redactor. */
export interface ResolvedValue {
  readonly value: Json
  readonly secrets: readonly string[]
}

const NONE: readonly string[] = []

/** Fills in secret texts, at each attempt anew: a rotated secret reaches the next attempt, and none is kept. */
export class Secrets {
  readonly #definitions: Definitions
  readonly #keys: KeyRing

  constructor(definitions: Definitions, keys: KeyRing) {
    this.#definitions = definitions
    this.#keys = keys
  }

  /**
   * Copies `value` with every secret text as plain text. Answers at once where there is none. Throws `secret_missing`,
   * `env_missing`, `secret_unreadable`.
   */
  resolve(value: Value, owner: SecretOwner): ResolvedValue | Promise<ResolvedValue> {
    const references = new Map<string, SecretReference>()
    collect(value, references)
    if (references.size === 0) return { value: copy(value, noSecrets), secrets: NONE }
    return this.#resolve(value, owner, references)
  }

  async #resolve(value: Value, owner: SecretOwner, references: Map<string, SecretReference>): Promise<ResolvedValue> {
    const texts = new Map<string, string>()
    await Promise.all(
      Array.from(references, async ([key, reference]) => texts.set(key, await this.#read(reference, owner))),
    )
    const text = (reference: SecretReference) => texts.get(keyOf(reference)) ?? ''
    return { value: copy(value, text), secrets: [...texts.values()] }
  }

  async #read(reference: SecretReference, owner: SecretOwner): Promise<string> {
    const { name } = reference
    switch (reference.source) {
      case 'secret': {
        const secret = await this.#definitions.secret(owner.tenant, name)
        if (secret !== null) return secret
        throw new PlugworkError(
          'secret_missing',
          `The secret "${name}" is not set. Set PLUGWORK_SECRET_${name}, or write it into secrets.env, then retry the run.`,
        )
      }
      case 'env': {
        const variable = this.#definitions.env(owner.tenant, owner.flow, name)
        if (variable !== null) return variable
        throw new PlugworkError(
          'env_missing',
          `The environment variable ${name} is not set, or not allowed for flow ${owner.flow}. Set it (and name it in ` +
            'PLUGWORK_ENV_ALLOW where that is set), then retry the run.',
        )
      }
      case 'sealed':
        return unseal(this.#keys, owner.tenant, name)
    }
  }
}

function keyOf(reference: SecretReference): string {
  return `${reference.source}:${reference.name}`
}

function noSecrets(): string {
  return ''
}

function collect(value: Value, into: Map<string, SecretReference>): void {
  if (typeof value !== 'object' || value === null) return
  if (value instanceof SecretText) {
    for (const part of value.parts) if (typeof part !== 'string') into.set(keyOf(part), part)
  } else if (Array.isArray(value)) {
    for (const item of value as readonly Value[]) collect(item, into)
  } else {
    const members = value as { readonly [key: string]: Value }
    for (const key of Object.keys(members)) collect(members[key] ?? null, into)
  }
}

/** Always a copy: what a task does to its inputs must not reach the run's state. */
function copy(value: Value, text: (reference: SecretReference) => string): Json {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof SecretText)
    return value.parts.map((part) => (typeof part === 'string' ? part : text(part))).join('')
  if (Array.isArray(value)) return (value as readonly Value[]).map((item) => copy(item, text))
  const members = value as { readonly [key: string]: Value }
  const result: { [key: string]: Json } = {}
  for (const key of Object.keys(members)) {
    const member = copy(members[key] ?? null, text)
    if (key === '__proto__') {
      Object.defineProperty(result, key, { value: member, writable: true, enumerable: true, configurable: true })
    } else {
      result[key] = member
    }
  }
  return result
}
