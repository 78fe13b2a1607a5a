/**
 * Turns what a task or action returned into JSON: a deep copy of plain data, so that the author's object can change
 * afterwards without changing the run. What JSON cannot hold is an error that says where it is and what to do, never a
 * silent null; only properties that are undefined are left out, as `JSON.stringify` does.
 */
import { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'

/** Nesting past which a value is refused; also what ends a cycle. */
export const MAX_DEPTH = 200

export interface JsonValue {
  readonly value: Json
  /** Length of the value's JSON text, estimated from above but for escapes: cheap enough for every result. */
  readonly size: number
}

/**
 * Copies `value` as JSON. Dates become ISO strings, bigints beyond 2^53 strings, `toJSON` is honoured, undefined at the
 * top is null. `redact`, where given, sees every string and key. Throws `value_not_json`.
 */
export function toJsonValue(value: unknown, redact?: (text: string) => string): JsonValue {
  const copier = new Copier(redact)
  return { value: copier.copy(value ?? null, '', 0), size: copier.size }
}

class Copier {
  size = 0
  readonly #redact: ((text: string) => string) | undefined

  constructor(redact: ((text: string) => string) | undefined) {
    this.#redact = redact
  }

  copy(value: unknown, at: string, depth: number): Json {
    switch (typeof value) {
      case 'string': {
        const text = this.#redact === undefined ? value : this.#redact(value)
        this.size += text.length + 2
        return text
      }
      case 'number':
        if (!Number.isFinite(value))
          throw refuse(at, `the number ${value}`, 'JSON has none; return null or text instead')
        this.size += 12
        return value
      case 'boolean':
        this.size += 5
        return value
      case 'bigint':
        this.size += 20
        return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value)
      case 'object':
        if (value === null) {
          this.size += 4
          return null
        }
        return this.#copyObject(value, at, depth)
      case 'undefined':
        this.size += 4
        return null
      default:
        throw refuse(at, `a ${typeof value}`, 'return plain data instead')
    }
  }

  #copyObject(value: object, at: string, depth: number): Json {
    if (depth > MAX_DEPTH) {
      throw refuse(at.slice(0, 80), 'a cycle or data nested too deeply', `return data of at most ${MAX_DEPTH} levels`)
    }
    if (Array.isArray(value)) {
      this.size += 2 + value.length
      return value.map((item, index) => this.copy(item, `${at}[${index}]`, depth + 1))
    }
    const prototype = Object.getPrototypeOf(value) as unknown
    if (prototype !== Object.prototype && prototype !== null) {
      const plain = fromInstance(value, at)
      if (plain !== value) return this.copy(plain, at, depth + 1)
    }
    const copy: { [key: string]: Json } = {}
    this.size += 2
    for (const key of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[key]
      if (member === undefined) continue
      const name = this.#redact === undefined ? key : this.#redact(key)
      this.size += name.length + 4
      setOwn(copy, name, this.copy(member, at === '' ? key : `${at}.${key}`, depth + 1))
    }
    return copy
  }
}

/** What stands for an instance of a class; the value itself where its own properties do. */
function fromInstance(value: object, at: string): unknown {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refuse(at, 'an invalid Date', 'return null or a valid one')
    return value.toISOString()
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw refuse(at, 'binary data', "encode it as text first, for example Buffer.from(bytes).toString('base64')")
  }
  if (value instanceof Map) throw refuse(at, 'a Map', 'return Object.fromEntries(map)')
  if (value instanceof Set) throw refuse(at, 'a Set', 'return [...set]')
  if (value instanceof Promise) throw refuse(at, 'a Promise', 'await it first')
  if (value instanceof Error) throw refuse(at, 'an Error', 'throw it, or return its message')
  if (isWrapper(value)) return value.valueOf()
  const toJSON = (value as { toJSON?: unknown }).toJSON
  return typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value
}

/** `new Number(1)` and its like. */
function isWrapper(value: object): boolean {
  const kind = Object.prototype.toString.call(value)
  return kind === '[object Number]' || kind === '[object String]' || kind === '[object Boolean]'
}

function refuse(at: string, what: string, remedy: string): PlugworkError {
  const where = at === '' ? 'The result' : `The result's ${at}`
  return new PlugworkError('value_not_json', `${where} is ${what}, which cannot be stored: ${remedy}.`)
}

/** Sets an own property; assigning to `__proto__` would replace the prototype instead. */
function setOwn(object: { [key: string]: Json }, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else {
    object[key] = value
  }
}
