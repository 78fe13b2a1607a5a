/** Actions on hashes, lists and sets. A collection is counted before it is read whole, so that none floods a run. */
import { defineAction } from '@plugwork/core/node'
import { z } from 'zod'
import { base64Flag, jsonFlag, valueToStore } from '../stored-value.ts'
import {
  countOf,
  listOf,
  MAX_ELEMENTS,
  recordOf,
  stored,
  tooLarge,
  valueOf,
  valuesOf,
  type Context,
} from './replies.ts'
import { count, field, key, limit, listOfKeys, record, value, values } from './schemas.ts'
import type { Argument } from './session.ts'

async function refuseMore({ client, signal }: Context, command: string, name: string, what: string): Promise<void> {
  const size = countOf(await client.command(command, [client.key(name)], { signal }))
  if (size > MAX_ELEMENTS)
    throw tooLarge(`${what} ${name} has ${size} elements, more than ${MAX_ELEMENTS}`, 'Read it in parts')
}

export const hget = defineAction({
  description: 'Reads one field of a hash.',
  input: z.strictObject({ key, field, json: jsonFlag, base64: base64Flag }),
  output: z.object({ value, found: z.boolean() }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const reply = await client.command('hget', [client.key(input.key), input.field], { signal })
    return { value: valueOf(reply, input, `the field ${input.field} of ${input.key}`), found: reply !== null }
  },
})

export const hgetall = defineAction({
  description: 'Reads all fields of a hash.',
  input: z.strictObject({ key, json: jsonFlag, base64: base64Flag }),
  output: z.object({ values: record.describe('Values by field; empty when there is no such hash.'), count }),
  effect: 'read',
  idempotency: 'natural',
  async run(context: Context, input) {
    const { client, signal } = context
    await refuseMore(context, 'hlen', input.key, 'The hash')
    const reply = await client.command('hgetall', [client.key(input.key)], { signal })
    const found = recordOf(reply, input, input.key)
    return { values: found, count: Object.keys(found).length }
  },
})

export const hset = defineAction({
  description: 'Stores fields of a hash; its other fields stay.',
  input: z.strictObject({ key, values: record.describe('Values by field.'), json: jsonFlag }),
  output: z.object({ added: count.describe('Fields that were new.') }),
  effect: 'write',
  idempotency: 'natural',
  example: `
- redis_hset:
    connection: main
    key: user:\${inputs.id}
    values: { name: "\${inputs.name}", seen: "2026-01-01" }`,
  async run({ client, signal }: Context, input) {
    const pairs = Object.entries(input.values)
    if (pairs.length === 0) return { added: 0 }
    const args = pairs.flatMap(([name, each]): Argument[] => [
      name,
      stored(each, input.json, `The field ${name} in redis_hset`),
    ])
    return { added: countOf(await client.command('hset', [client.key(input.key), ...args], { signal })) }
  },
})

const fields = z.union([field, z.array(field).min(1).max(10_000)]).describe('A field, or a list of them.')

export const hdel = defineAction({
  description: 'Deletes fields of a hash.',
  input: z.strictObject({ key, field: fields }),
  output: z.object({ deleted: count }),
  effect: 'destructive',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const args = [client.key(input.key), ...listOfKeys(input.field)]
    return { deleted: countOf(await client.command('hdel', args, { signal })) }
  },
})

/** Both ends of a list. */
function push(command: 'lpush' | 'rpush', end: string) {
  return defineAction({
    description: `Puts values ${end} of a list, one after the other.`,
    input: z.strictObject({ key, values: z.array(valueToStore).min(1).max(10_000), json: jsonFlag }),
    output: z.object({ length: count.describe('Length of the list now.') }),
    effect: 'write',
    idempotency: 'none',
    async run({ client, signal }: Context, input) {
      const args = input.values.map((each, index) =>
        stored(each, input.json, `Element ${index} of \`values\` of redis_${command}`),
      )
      return { length: countOf(await client.command(command, [client.key(input.key), ...args], { signal })) }
    },
  })
}

function pop(command: 'lpop' | 'rpop', end: string) {
  return defineAction({
    description: `Takes values from the ${end} of a list; does not wait for them.`,
    input: z.strictObject({
      key,
      count: z.int().positive().max(10_000).default(1).describe('How many at most.'),
      json: jsonFlag,
      base64: base64Flag,
    }),
    output: z.object({ value: value.describe('The first of them; null for none.'), values, count }),
    effect: 'destructive',
    idempotency: 'none',
    async run({ client, signal }: Context, input) {
      // Without a count, as Redis before 6.2 knows it.
      const args: Argument[] = input.count === 1 ? [] : [input.count]
      const reply = await client.command(command, [client.key(input.key), ...args], { signal })
      const taken = input.count === 1 && reply !== null ? [reply] : listOf(reply)
      const all = valuesOf(taken, input, `what was taken from ${input.key}`)
      return { value: all[0] ?? null, values: all, count: all.length }
    },
  })
}

export const lpush = push('lpush', 'in front')
export const rpush = push('rpush', 'at the end')
export const lpop = pop('lpop', 'front')
export const rpop = pop('rpop', 'end')

export const lrange = defineAction({
  description: 'Reads a part of a list.',
  input: z.strictObject({
    key,
    start: z.int().default(0).describe('Index of the first; -1 is the last element.'),
    stop: z.int().default(-1).describe('Index of the last, which is included.'),
    limit: limit(10_000).describe('More elements than this are an error.'),
    json: jsonFlag,
    base64: base64Flag,
  }),
  output: z.object({ values, count }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const name = client.key(input.key)
    const length = countOf(await client.command('llen', [name], { signal }))
    const at = (index: number): number => (index < 0 ? Math.max(0, length + index) : index)
    const wanted = Math.min(at(input.stop), length - 1) - at(input.start) + 1
    if (wanted > input.limit)
      throw tooLarge(
        `The part of the list ${input.key} has ${wanted} elements`,
        `Raise \`limit\` (${input.limit}), or read less`,
      )
    const reply = await client.command('lrange', [name, input.start, input.stop], { signal })
    const all = valuesOf(listOf(reply), input, `the list ${input.key}`)
    return { values: all, count: all.length }
  },
})

export const llen = defineAction({
  description: 'Tells the length of a list.',
  input: z.strictObject({ key }),
  output: z.object({ length: count.describe('0 when there is no such list.') }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    return { length: countOf(await client.command('llen', [client.key(input.key)], { signal })) }
  },
})

const members = z.array(valueToStore).min(1).max(10_000).describe('Members of the set.')

export const sadd = defineAction({
  description: 'Adds members to a set.',
  input: z.strictObject({ key, members, json: jsonFlag }),
  output: z.object({ added: count.describe('Members that were new.') }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const args = input.members.map((each, index) => stored(each, input.json, `Member ${index} of redis_sadd`))
    return { added: countOf(await client.command('sadd', [client.key(input.key), ...args], { signal })) }
  },
})

export const srem = defineAction({
  description: 'Removes members from a set.',
  input: z.strictObject({ key, members, json: jsonFlag }),
  output: z.object({ removed: count }),
  effect: 'destructive',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const args = input.members.map((each, index) => stored(each, input.json, `Member ${index} of redis_srem`))
    return { removed: countOf(await client.command('srem', [client.key(input.key), ...args], { signal })) }
  },
})

export const smembers = defineAction({
  description: 'Reads all members of a set.',
  input: z.strictObject({ key, json: jsonFlag, base64: base64Flag }),
  output: z.object({ members: values.describe('In no particular order.'), count }),
  effect: 'read',
  idempotency: 'natural',
  async run(context: Context, input) {
    const { client, signal } = context
    await refuseMore(context, 'scard', input.key, 'The set')
    const reply = await client.command('smembers', [client.key(input.key)], { signal })
    const all = valuesOf(listOf(reply), input, `the set ${input.key}`)
    return { members: all, count: all.length }
  },
})

export const sismember = defineAction({
  description: 'Tells whether a value is a member of a set.',
  input: z.strictObject({ key, member: valueToStore, json: jsonFlag }),
  output: z.object({ member: z.boolean() }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const member = stored(input.member, input.json, 'The `member` of redis_sismember')
    return { member: countOf(await client.command('sismember', [client.key(input.key), member], { signal })) === 1 }
  },
})
