/** A value of the expression language: JSON, or text that holds secrets. */
export type Value = null | boolean | number | string | SecretText | readonly Value[] | ValueObject

/** A JSON object. Only own properties count; `__proto__` is a key like any other. */
export type ValueObject = { readonly [key: string]: Value }

/** A secret that is read when it is used: the journal holds this reference, never the secret. */
export interface SecretReference {
  /** `sealed`: an input of `type: secret`; `name` is then its encrypted text, which only the runtime can open. */
  readonly source: 'secret' | 'env' | 'sealed'
  readonly name: string
}

/**
 * Text with secrets in it. It can be concatenated and handed on, nothing else; it prints as `***`. Its parts are the
 * literal text and the references between, resolved where the text leaves the system.
 */
export class SecretText {
  readonly #parts: readonly (string | SecretReference)[]

  constructor(parts: readonly (string | SecretReference)[]) {
    this.#parts = parts
  }

  /** Literal text and references in order. */
  get parts(): readonly (string | SecretReference)[] {
    return this.#parts
  }

  /** Length of the literal text, for budgets: what the secrets add is not known here. */
  get literalLength(): number {
    return this.#parts.reduce((length, part) => length + (typeof part === 'string' ? part.length : 1), 0)
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  /** What Node's `console.log` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***'
  }
}

/** Joins two texts of which at least one is secret; neighbouring literal parts become one. */
export function concatSecret(left: string | SecretText, right: string | SecretText): SecretText {
  const parts: (string | SecretReference)[] = typeof left === 'string' ? [left] : [...left.parts]
  for (const part of typeof right === 'string' ? [right] : right.parts) {
    const last = parts.at(-1)
    if (typeof part === 'string' && typeof last === 'string') parts[parts.length - 1] = last + part
    else parts.push(part)
  }
  return new SecretText(parts.filter((part) => part !== ''))
}

export type Kind = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object' | 'secret' | 'unknown'

/** The kind of a value, in the words that messages use. `unknown` is what is no value at all (a host function, say). */
export function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'null'
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'string':
      return typeof value as Kind
    case 'object':
      return Array.isArray(value) ? 'array' : value instanceof SecretText ? 'secret' : 'object'
    default:
      return 'unknown'
  }
}

/** The kind with its article: "an array", "null", "a secret". */
export function describeKind(value: unknown): string {
  const kind = kindOf(value)
  if (kind === 'null') return 'null'
  return kind === 'array' || kind === 'object' || kind === 'unknown' ? `an ${kind}` : `a ${kind}`
}

export function isObject(value: unknown): value is ValueObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof SecretText)
}

/** Sets an own property; assigning to `__proto__` would replace the prototype instead. */
export function setOwn(object: { [key: string]: Value }, key: string, value: Value): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else {
    object[key] = value
  }
}

/** Reads an own property; what is missing is null. */
export function getOwn(object: ValueObject, key: string): Value {
  return Object.hasOwn(object, key) ? (object[key] ?? null) : null
}
