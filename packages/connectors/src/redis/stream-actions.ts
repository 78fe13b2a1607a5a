/** Actions on streams. Waiting is bounded and happens on a socket of its own. */
import type { Json } from '@plugwork/core'
import { defineAction } from '@plugwork/core/node'
import { z } from 'zod'
import { durationSetting, milliseconds } from '../network-settings.ts'
import { base64Flag, jsonFlag, type ReadOptions } from '../stored-value.ts'
import { countOf, listOf, nameOf, recordOf, stored, type Context } from './replies.ts'
import { count, key, record } from './schemas.ts'
import type { Argument, Reply } from './session.ts'

interface Entry {
  id: string
  fields: Record<string, Json>
}

const ID = /^\d+(-\d+)?$/
const entries = z
  .array(z.object({ id: z.string(), fields: record }))
  .describe('Entries, oldest first: `{ id, fields }`. The fields of a deleted entry are empty.')
const pageSize = z.int().positive().max(10_000).default(100).describe('How many entries at most.')
const block = durationSetting('1m')
  .optional()
  .describe('How long to wait for an entry when there is none: `10s`, at most `1m`. Default: not at all.')
const name = z.string().min(1)

function entriesOf(reply: Reply, options: ReadOptions, stream: string): Entry[] {
  return listOf(reply).map((each) => {
    const [id = null, flat = null] = listOf(each)
    return { id: nameOf(id, 'an id'), fields: recordOf(flat, options, `an entry of ${stream}`) }
  })
}

/** The entries of the only stream that was asked for; XREAD answers null for none. */
function entriesOfOne(reply: Reply, options: ReadOptions, stream: string): Entry[] {
  const [first = null] = listOf(reply)
  return first === null ? [] : entriesOf(listOf(first)[1] ?? null, options, stream)
}

export const xadd = defineAction({
  description: 'Appends an entry to a stream.',
  input: z.strictObject({
    key,
    fields: record.describe('Values by field; at least one.'),
    json: jsonFlag,
    entry_id: z.string().regex(ID).optional().describe('Id of the entry. Default: the server makes one.'),
    max_length: z.int().positive().optional().describe('Drops the oldest entries beyond about this many.'),
  }),
  output: z.object({ entry_id: z.string().describe('Id of the entry.') }),
  effect: 'write',
  idempotency: 'none',
  async run({ client, signal }: Context, input) {
    const pairs = Object.entries(input.fields).flatMap(([field, each]): Argument[] => [
      field,
      stored(each, input.json, `The field ${field} of redis_xadd`),
    ])
    const trim: Argument[] = input.max_length === undefined ? [] : ['MAXLEN', '~', input.max_length]
    const args = [client.key(input.key), ...trim, input.entry_id ?? '*', ...pairs]
    return { entry_id: nameOf(await client.command('xadd', args, { signal }), 'an id') }
  },
})

export const xlen = defineAction({
  description: 'Tells how many entries a stream has.',
  input: z.strictObject({ key }),
  output: z.object({ length: count }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    return { length: countOf(await client.command('xlen', [client.key(input.key)], { signal })) }
  },
})

const bound = z.string().regex(/^(-|\+|\(?\d+(-\d+)?)$/)

export const xrange = defineAction({
  description: 'Reads the entries of a stream between two ids.',
  input: z.strictObject({
    key,
    start: bound.default('-').describe('First id; `-` is the beginning, `(` before an id leaves it out.'),
    end: bound.default('+').describe('Last id; `+` is the end.'),
    count: pageSize,
    json: jsonFlag,
    base64: base64Flag,
  }),
  output: z.object({ entries, count }),
  effect: 'read',
  idempotency: 'natural',
  pages: {
    items: 'entries',
    next: (input, output) => {
      const last = output.entries.at(-1)
      return last === undefined || output.count < (input.count ?? 100) ? null : { ...input, start: `(${last.id}` }
    },
  },
  async run({ client, signal }: Context, input) {
    const args = [client.key(input.key), input.start, input.end, 'COUNT', input.count]
    const found = entriesOf(await client.command('xrange', args, { signal }), input, input.key)
    return { entries: found, count: found.length }
  },
})

export const xread = defineAction({
  description: 'Reads the entries of a stream after an id, and can wait for them.',
  input: z.strictObject({
    key,
    after: z
      .string()
      .regex(/^(\$|\d+(-\d+)?)$/)
      .default('0')
      .describe('Id after which to read: the `last_id` of the step before. `$`: only what comes while it waits.'),
    count: pageSize,
    block,
    json: jsonFlag,
    base64: base64Flag,
  }),
  output: z.object({
    entries,
    count,
    last_id: z.string().describe('Id of the last entry, or `after` again when there is none.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const tail = ['STREAMS', client.key(input.key), input.after]
    const reply = await waiting({ client, signal }, 'xread', ['COUNT', input.count], input.block, tail)
    const found = entriesOfOne(reply, input, input.key)
    return { entries: found, count: found.length, last_id: found.at(-1)?.id ?? input.after }
  },
})

export const xreadgroup = defineAction({
  description: 'Takes entries of a stream for a consumer of a group; they stay pending until redis_xack.',
  input: z.strictObject({
    key,
    group: name.describe('The consumer group.'),
    consumer: name.describe('Name of this consumer in the group.'),
    after: z
      .string()
      .regex(/^(>|\d+(-\d+)?)$/)
      .default('>')
      .describe(
        '`>`: entries that nobody took. An id, such as `0`: those that this consumer took and has not acknowledged.',
      ),
    create: z
      .boolean()
      .default(false)
      .describe('Makes stream and group when they are missing; the group begins with the first entry.'),
    count: pageSize,
    block,
    json: jsonFlag,
    base64: base64Flag,
  }),
  output: z.object({ entries, count }),
  effect: 'write',
  idempotency: 'none',
  async run({ client, signal }: Context, input) {
    const stream = client.key(input.key)
    if (input.create) {
      try {
        await client.command('xgroup', ['CREATE', stream, input.group, '0', 'MKSTREAM'], { signal })
      } catch (error) {
        // BUSYGROUP: it is there already.
        if ((error as { data?: { kind?: string } }).data?.kind !== 'BUSYGROUP') throw error
      }
    }
    const head = ['GROUP', input.group, input.consumer, 'COUNT', input.count]
    const tail = ['STREAMS', stream, input.after]
    const found = entriesOfOne(
      await waiting({ client, signal }, 'xreadgroup', head, input.block, tail),
      input,
      input.key,
    )
    return { entries: found, count: found.length }
  },
})

export const xack = defineAction({
  description: 'Tells a group that entries are done with.',
  input: z.strictObject({
    key,
    group: name.describe('The consumer group.'),
    ids: z.array(z.string().regex(ID)).min(1).max(10_000).describe('Ids of the entries.'),
  }),
  output: z.object({ acknowledged: count.describe('How many of them were pending.') }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const args = [client.key(input.key), input.group, ...input.ids]
    return { acknowledged: countOf(await client.command('xack', args, { signal })) }
  },
})

function waiting(
  { client, signal }: Pick<Context, 'client' | 'signal'>,
  command: string,
  head: readonly Argument[],
  wait: string | number | undefined,
  tail: readonly Argument[],
): Promise<Reply> {
  if (wait === undefined) return client.command(command, [...head, ...tail], { signal })
  const blockMs = milliseconds(wait)
  return client.blocking(command, [...head, 'BLOCK', blockMs, ...tail], { signal, blockMs })
}
