/** Replies of the server as JSON. Their shapes are fixed by the protocol; anything else is a server that is no Redis. */
import type { Json } from '@plugwork/core'
import type { ActionContext } from '@plugwork/core/node'
import { fromBytes, integerOf, textOf, toBytes, ValueProblem, type ReadOptions } from '../stored-value.ts'
import { redisError } from './errors.ts'
import type { RedisSession, Reply } from './session.ts'

export type Context = ActionContext<RedisSession>

/** What an action may answer at most, in bytes and in elements. */
export const MAX_BYTES = 32 * 1024 * 1024
export const MAX_ELEMENTS = 100_000

export function bytesOf(reply: Reply): Buffer | null {
  if (reply === null || Buffer.isBuffer(reply)) return reply
  throw unexpected('a text')
}

export function listOf(reply: Reply): readonly Reply[] {
  if (Array.isArray(reply)) return reply as readonly Reply[]
  if (reply === null) return []
  throw unexpected('a list')
}

export function countOf(reply: Reply): number {
  if (typeof reply === 'string') return Number(reply)
  throw unexpected('a number')
}

/** An integer of 64 bits: a number, or its digits where a number would damage it. */
export function wholeOf(reply: Reply): number | string {
  if (typeof reply === 'string') return integerOf(reply)
  throw unexpected('a number')
}

/** Keys, field names, ids: what a flow can only handle as text. */
export function nameOf(reply: Reply, what: string): string {
  const bytes = bytesOf(reply)
  const text = bytes === null ? null : textOf(bytes)
  if (text !== null) return text
  throw redisError('redis_value', `Redis answered ${what} that is not text (UTF-8), which a flow cannot name.`)
}

/** A stored value as its reader wants it; null for none. */
export function valueOf(reply: Reply, options: ReadOptions, what: string): Json {
  const bytes = bytesOf(reply)
  if (bytes === null) return null
  try {
    return fromBytes(bytes, options)
  } catch (error) {
    throw problem(error, what)
  }
}

/** The bytes to store for a value. Throws `redis_value`. */
export function stored(value: Json, asJson: boolean, what: string): Buffer {
  try {
    return toBytes(value, asJson)
  } catch (error) {
    throw problem(error, what)
  }
}

/** Several values; refuses more bytes than an action may answer. */
export function valuesOf(replies: readonly Reply[], options: ReadOptions, what: string): Json[] {
  let bytes = 0
  return replies.map((reply, index) => {
    if (Buffer.isBuffer(reply)) bytes += reply.length
    if (bytes > MAX_BYTES) throw tooLarge(`${what} has more than 32 MiB`, 'Read fewer at a time')
    return valueOf(reply, options, `element ${index} of ${what}`)
  })
}

/** `[name, value, name, value]` as an object. */
export function recordOf(reply: Reply, options: ReadOptions, what: string): Record<string, Json> {
  const flat = listOf(reply)
  const names = flat.filter((_, index) => index % 2 === 0).map((name) => nameOf(name, `a field of ${what}`))
  const values = valuesOf(
    flat.filter((_, index) => index % 2 === 1),
    options,
    what,
  )
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]))
}

export const tooLarge = (what: string, remedy: string): Error => redisError('redis_too_large', `${what}. ${remedy}.`)

function problem(error: unknown, what: string): unknown {
  return error instanceof ValueProblem ? redisError('redis_value', `${what} ${error.message}.`) : error
}

const unexpected = (wanted: string): Error =>
  redisError('redis_failed', `The server did not answer with ${wanted}, as Redis does. Check what listens on the port.`)
