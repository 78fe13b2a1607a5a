/** Values between JSON and SQLite. */
import type { Json } from '@plugwork/core'
import { Failure } from './protocol.ts'

export type Binding = null | number | bigint | string | Uint8Array

/** A parameter. Integers are bound as integers, booleans as 1 and 0, `{ base64 }` as a blob. Throws `sqlite_params`. */
export function toBinding(value: Json, where: string): Binding {
  switch (typeof value) {
    case 'string':
      return value
    case 'boolean':
      return value ? 1n : 0n
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : value
    default:
      if (value === null) return null
  }
  if (isBlob(value)) return Buffer.from(value.base64, 'base64')
  const what = Array.isArray(value) ? 'a list' : value === undefined ? 'missing' : 'an object'
  throw new Failure(
    'sqlite_params',
    `${where} is ${what}, which SQLite has no type for. Write in (\${list}) for a list, JSON.stringify(value) to store it as text, or { base64 } for a blob.`,
  )
}

/** A column. Integers beyond 2^53 and infinities become strings, blobs `{ base64 }`. */
export function fromColumn(value: unknown): Json {
  switch (typeof value) {
    case 'bigint':
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'string':
      return value
    default:
      if (value instanceof Uint8Array) {
        return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
      }
      return null
  }
}

function isBlob(value: Json): value is { base64: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    typeof value['base64'] === 'string' &&
    Object.keys(value).length === 1
  )
}
