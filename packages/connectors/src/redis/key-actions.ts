/** Actions on keys and on plain values. */
import { parseDuration, type Json } from '@plugwork/core'
import { defineAction } from '@plugwork/core/node'
import { z } from 'zod'
import { base64Flag, jsonFlag, valueToStore } from '../stored-value.ts'
import { redisError } from './errors.ts'
import {
  bytesOf,
  countOf,
  listOf,
  MAX_BYTES,
  nameOf,
  stored,
  tooLarge,
  valueOf,
  valuesOf,
  wholeOf,
  type Context,
} from './replies.ts'
import { count, key, keys, limit, listOfKeys, record, ttl, value, values, whole } from './schemas.ts'
import type { Argument } from './session.ts'

export const get = defineAction({
  description: 'Reads the value of a key.',
  input: z.strictObject({ key, json: jsonFlag, base64: base64Flag }),
  output: z.object({ value, found: z.boolean().describe('Whether the key exists.') }),
  effect: 'read',
  idempotency: 'natural',
  example: `
- redis_get:
    id: session
    connection: main
    key: session:\${inputs.id}
    json: true
    outputs: [value, found]`,
  async run({ client, signal }: Context, input) {
    const name = client.key(input.key)
    const what = `the value of ${input.key}`
    // A bounded read, so that a value of 512 MB is refused and not held. It answers '' for a key that is not there.
    let bytes = bytesOf(await client.command('getrange', [name, 0, MAX_BYTES], { signal }))
    if (bytes?.length === 0) bytes = bytesOf(await client.command('get', [name], { signal }))
    if (bytes !== null && bytes.length > MAX_BYTES) throw tooLarge(`${what} has more than 32 MiB`, 'Store it in parts')
    return { value: valueOf(bytes, input, what), found: bytes !== null }
  },
})

export const set = defineAction({
  description: 'Stores a value under a key; its time to live, if any, is replaced or removed.',
  input: z.strictObject({
    key,
    value: valueToStore,
    json: jsonFlag,
    base64: base64Flag,
    ttl: ttl.optional(),
    keep_ttl: z.boolean().default(false).describe('Keeps the time to live that the key has.'),
    nx: z.boolean().default(false).describe('Only if the key does not exist.'),
    xx: z.boolean().default(false).describe('Only if the key exists.'),
    get: z.boolean().default(false).describe('Answers the value that was there, as `previous`.'),
  }),
  output: z.object({
    set: z.boolean().describe('False when `nx` or `xx` kept it from being stored.'),
    previous: value.describe('With `get`: the value that was there, or null.'),
  }),
  effect: 'write',
  idempotency: 'natural',
  example: `
- redis_set:
    connection: main
    key: session:\${inputs.id}
    value: { user: "\${inputs.user}" }
    json: true
    ttl: 30m`,
  async run({ client, signal }: Context, input) {
    const { nx, xx, get: old, keep_ttl, ttl: lives } = input
    if (nx && xx) throw conflict('nx', 'xx')
    if (nx && old) throw conflict('nx', 'get', 'Redis before 7 refuses both; read the key with redis_get')
    if (keep_ttl && lives !== undefined) throw conflict('keep_ttl', 'ttl')
    const args: Argument[] = [client.key(input.key), stored(input.value, input.json, 'The `value` of redis_set')]
    if (lives !== undefined) args.push('PX', parseDuration(lives) ?? 0)
    if (keep_ttl) args.push('KEEPTTL')
    if (nx) args.push('NX')
    if (xx) args.push('XX')
    if (old) args.push('GET')
    const reply = await client.command('set', args, { signal })
    if (!old) return { set: reply !== null, previous: null }
    const previous = valueOf(reply, input, `the value that ${input.key} had`)
    return { set: !xx || reply !== null, previous }
  },
})

const conflict = (one: string, other: string, remedy = 'Leave one of them out'): Error =>
  redisError('redis_input', `redis_set cannot have both \`${one}\` and \`${other}\`. ${remedy}.`)

export const remove = defineAction({
  description: 'Deletes keys, whatever they hold.',
  input: z.strictObject({ key: keys }),
  output: z.object({ deleted: count.describe('How many of them existed.') }),
  effect: 'destructive',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const names = listOfKeys(input.key).map((name) => client.key(name))
    return { deleted: countOf(await client.command('del', names, { signal })) }
  },
})

export const exists = defineAction({
  description: 'Tells whether keys exist.',
  input: z.strictObject({ key: keys }),
  output: z.object({
    exists: z.boolean().describe('Whether all of them exist.'),
    count: count.describe('How many exist.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const names = [...new Set(listOfKeys(input.key))].map((name) => client.key(name))
    const found = countOf(await client.command('exists', names, { signal }))
    return { exists: found === names.length, count: found }
  },
})

export const expire = defineAction({
  description: 'Lets a key expire after a time, counted from now.',
  input: z.strictObject({ key, ttl }),
  output: z.object({ set: z.boolean().describe('False when the key does not exist.') }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const reply = await client.command('pexpire', [client.key(input.key), parseDuration(input.ttl) ?? 0], { signal })
    return { set: countOf(reply) === 1 }
  },
})

export const persist = defineAction({
  description: "Removes a key's time to live.",
  input: z.strictObject({ key }),
  output: z.object({ removed: z.boolean().describe('False when the key does not exist or has no time to live.') }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    return { removed: countOf(await client.command('persist', [client.key(input.key)], { signal })) === 1 }
  },
})

export const timeToLive = defineAction({
  description: 'Tells how long a key still lives.',
  input: z.strictObject({ key }),
  output: z.object({
    ttl: z.number().nullable().describe('Seconds, with milliseconds after the point; null when it does not expire.'),
    exists: z.boolean(),
  }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const ms = countOf(await client.command('pttl', [client.key(input.key)], { signal }))
    return { ttl: ms < 0 ? null : ms / 1000, exists: ms !== -2 }
  },
})

export const incr = defineAction({
  description: 'Adds to the integer that a key holds; a key that is not there counts as 0.',
  input: z.strictObject({
    key,
    by: whole.default(1).describe('What is added; negative takes away. Text for more than 2^53.'),
  }),
  output: z.object({ value: whole.describe('The sum; text beyond 2^53.') }),
  effect: 'write',
  idempotency: 'none',
  async run({ client, signal }: Context, input) {
    return { value: wholeOf(await client.command('incrby', [client.key(input.key), String(input.by)], { signal })) }
  },
})

export const mget = defineAction({
  description: 'Reads several keys at one moment.',
  input: z.strictObject({ keys: z.array(key).min(1).max(10_000), json: jsonFlag, base64: base64Flag }),
  output: z.object({
    values: values.describe('In the order of `keys`; null for one that does not exist.'),
    found: count.describe('How many exist.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const names = input.keys.map((name) => client.key(name))
    const replies = listOf(await client.command('mget', names, { signal }))
    return {
      values: valuesOf(replies, input, 'the values'),
      found: replies.filter((reply) => reply !== null).length,
    }
  },
})

export const mset = defineAction({
  description: 'Stores several values at one moment, without a time to live.',
  input: z.strictObject({ values: record.describe('Values by key.'), json: jsonFlag }),
  output: z.object({ count: count.describe('How many were stored.') }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const pairs = Object.entries(input.values)
    if (pairs.length === 0) return { count: 0 }
    const args = pairs.flatMap(([name, each]): Argument[] => [
      client.key(name),
      stored(each, input.json, `The value of ${name} in redis_mset`),
    ])
    await client.command('mset', args, { signal })
    return { count: pairs.length }
  },
})

/** Rounds of one page: with few matches among millions of keys a page ends early instead of scanning for minutes. */
const MAX_ROUNDS = 1_000

export const scan = defineAction({
  description: 'Lists keys by pattern, a page at a time and without blocking the server.',
  input: z.strictObject({
    match: z.string().min(1).default('*').describe('Pattern with `*`, `?` and `[…]`, after `key_prefix`.'),
    type: z.enum(['string', 'list', 'set', 'zset', 'hash', 'stream']).optional().describe('Only keys of this type.'),
    limit: limit(1_000).describe('A page ends when it has this many keys; it may have a few more, or fewer.'),
    cursor: z.string().regex(/^\d+$/).optional().describe('Where an earlier page ended: its `cursor`.'),
  }),
  output: z.object({
    keys: z.array(z.string()).describe('Without `key_prefix`. A key may come again on a later page.'),
    count,
    cursor: z.string().nullable().describe('Where the next page begins; null at the end.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  pages: {
    items: 'keys',
    next: (input, output) => (output.cursor === null ? null : { ...input, cursor: output.cursor }),
  },
  async run({ client, signal }: Context, input) {
    const { keyPrefix } = client.settings
    const found = new Set<string>()
    const pattern = keyPrefix.replaceAll(/[\\*?[\]]/g, '\\$&') + input.match
    const rest = input.type === undefined ? [] : ['TYPE', input.type]
    let cursor = input.cursor ?? '0'
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const wanted = Math.min(Math.max(input.limit - found.size, 10), 1_000)
      const [next = null, page = null] = listOf(
        await client.command('scan', [cursor, 'MATCH', pattern, 'COUNT', wanted, ...rest], { signal }),
      )
      for (const each of listOf(page)) found.add(nameOf(each, 'a key').slice(keyPrefix.length))
      cursor = nameOf(next, 'a cursor')
      if (cursor === '0' || found.size >= input.limit) break
    }
    return { keys: [...found], count: found.size, cursor: cursor === '0' ? null : cursor }
  },
})

export const publish = defineAction({
  description: 'Sends a message to those who listen to a channel now.',
  input: z.strictObject({
    channel: z.string().min(1).describe('The channel as it is: `key_prefix` is for keys.'),
    message: valueToStore,
    json: jsonFlag,
  }),
  output: z.object({ receivers: count.describe('How many received it, on this server.') }),
  effect: 'write',
  idempotency: 'none',
  async run({ client, signal }: Context, input: { channel: string; message: Json; json: boolean }) {
    const message = stored(input.message, input.json, 'The `message` of redis_publish')
    return { receivers: countOf(await client.command('publish', [input.channel, message], { signal })) }
  },
})
