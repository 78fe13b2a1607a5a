/**
 * Values between JSON and servers that store bytes (Redis, memcached). Text is stored as UTF-8, `{ base64 }` as the bytes
 * that it encodes, and with `json: true` any value as its JSON text. What is read back is never damaged: bytes that are no
 * UTF-8 are answered as `{ base64 }`.
 */
import type { Json } from '@plugwork/core'
import { z } from 'zod'
import { json } from './network-settings.ts'

/** Why a value cannot be stored or read; the connector makes an error of its own of it. */
export class ValueProblem extends Error {}

export const jsonFlag = z
  .boolean()
  .default(false)
  .describe('Stores the value as JSON, and parses what is read. Without it text is text.')
export const base64Flag = z
  .boolean()
  .default(false)
  .describe('Answers `{ base64 }` whatever the bytes are. Without it only bytes that are not UTF-8 come so.')
export const valueToStore = json<Json>().describe(
  'A text, a number, `true` or `false` (stored as text), or `{ base64 }`. Anything with `json: true`.',
)
export const storedValue = json<Json>()

export interface ReadOptions {
  readonly json: boolean
  readonly base64: boolean
}

/** The bytes to store. Throws `ValueProblem`. */
export function toBytes(value: Json, asJson: boolean): Buffer {
  if (asJson) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new ValueProblem('is missing')
    return Buffer.from(text)
  }
  switch (typeof value) {
    case 'string':
      return Buffer.from(value)
    case 'number':
    case 'boolean':
      return Buffer.from(String(value))
    default:
      if (isBase64(value)) return decodeBase64(value.base64)
  }
  const what = value === null ? 'null' : Array.isArray(value) ? 'a list' : value === undefined ? 'missing' : 'an object'
  throw new ValueProblem(`is ${what}; say \`json: true\` to store it as JSON, or write { base64 } for bytes`)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What was stored. Throws `ValueProblem` where it is to be JSON and is not. */
export function fromBytes(bytes: Uint8Array, options: ReadOptions): Json {
  if (options.base64) return { base64: encodeBase64(bytes) }
  const text = textOf(bytes)
  if (options.json) {
    try {
      return JSON.parse(text ?? '') as Json
    } catch {
      throw new ValueProblem('is not JSON; read it without `json: true`')
    }
  }
  return text ?? { base64: encodeBase64(bytes) }
}

/** The text of bytes; null when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

/** An integer of 64 bits as text: a number where a number holds it, else the text. */
export function integerOf(digits: string): number | string {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : digits
}

const encodeBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  const bare = (spelling: string): string => spelling.replace(/=+$/, '')
  if (bare(bytes.toString('base64')) !== bare(text)) throw new ValueProblem('has a `base64` that is not base64')
  return bytes
}

function isBase64(value: Json | undefined): value is { base64: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    typeof value['base64'] === 'string' &&
    Object.keys(value).length === 1
  )
}
