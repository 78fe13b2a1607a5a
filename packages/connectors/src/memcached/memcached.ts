/** The memcached connector: values as bytes, keys and times checked before anything is sent, compare-and-swap. */
import { parseDuration, type Json } from '@plugwork/core'
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { z } from 'zod'
import {
  fromBytes,
  base64Flag,
  integerOf,
  jsonFlag,
  storedValue,
  toBytes,
  ValueProblem,
  valueToStore,
  type ReadOptions,
} from '../stored-value.ts'
import { memcachedConfig, settingsOf } from './config.ts'
import { memcachedError } from './errors.ts'
import { casCommand, lineCommand, storageCommand, type Item } from './protocol.ts'
import { MemcachedSession } from './session.ts'

type Context = ActionContext<MemcachedSession>

const MAX_KEY = 250
/** Up to this memcached reads a number as seconds from now, beyond it as a date. */
const MAX_RELATIVE = 30 * 86_400
const LAST_TIME = 2 ** 31 - 1

const key = z
  .string()
  .min(1)
  .describe('The key, without `key_prefix`: with it at most 250 bytes, no spaces, no control characters.')
const ttl = z
  .union([z.number().positive(), z.string()])
  .refine((value) => (parseDuration(value) ?? 0) > 0, 'must be a duration such as 90s, 5m, 60d, or a number of seconds')
  .optional()
  .describe('How long it lives: `90s`, `5m`, `60d`, or seconds, rounded up. Default: until it is evicted.')
const value = storedValue.describe('What is stored; null when there is nothing.')
const cas = z.string().regex(/^\d+$/)
const whole = z.union([z.int().nonnegative(), z.string().regex(/^\d+$/)])

/** A key as the server knows it. Throws `memcached_key`. */
function keyOf({ settings }: MemcachedSession, given: string): string {
  const full = settings.keyPrefix + given
  const refuse = (why: string): Error =>
    memcachedError(
      'memcached_key',
      `The key ${JSON.stringify(given.slice(0, 60))} of the memcached connection "${settings.name}" ${why}.`,
    )
  const bytes = Buffer.byteLength(full)
  if (bytes > MAX_KEY)
    throw refuse(
      `has ${bytes} bytes${settings.keyPrefix === '' ? '' : ' with its prefix'}; memcached takes 250. Shorten it, or use a hash of it`,
    )
  // oxlint-disable-next-line no-control-regex -- control characters are what a key must not have
  if (/[\u0000-\u0020\u007F]/.test(full))
    throw refuse(
      'has a space or a control character, which memcached does not take. Encode it, as with encodeURIComponent',
    )
  return full
}

/** Seconds as the protocol wants them: beyond 30 days a number would be read as a date long past, and the value be gone. */
function expiry(lives: string | number | undefined, now: number): number {
  if (lives === undefined) return 0
  const seconds = Math.ceil((parseDuration(lives) ?? 0) / 1000)
  if (seconds <= MAX_RELATIVE) return seconds
  const end = Math.floor(now / 1000) + seconds
  if (end <= LAST_TIME) return end
  throw memcachedError(
    'memcached_ttl',
    `The time to live ${lives} ends after January 2038, the last time that memcached knows. Give a duration, not a date; leave \`ttl\` out to keep the value.`,
  )
}

/** The bytes of a value. Throws `memcached_value`, and `memcached_too_large` before the server would drop the old value. */
function bytesOf({ settings }: MemcachedSession, given: Json, asJson: boolean): Buffer {
  let bytes: Buffer
  try {
    bytes = toBytes(given, asJson)
  } catch (error) {
    throw error instanceof ValueProblem ? memcachedError('memcached_value', `The \`value\` ${error.message}.`) : error
  }
  if (bytes.length <= settings.maxValue) return bytes
  throw memcachedError(
    'memcached_too_large',
    `The \`value\` has ${bytes.length} bytes; the memcached connection "${settings.name}" takes ${settings.maxValue}. Store it in parts, or raise \`max_value_size\` where the server was started with a larger -I.`,
  )
}

function read(item: Item, options: ReadOptions, name: string): Json {
  try {
    return fromBytes(item.value, options)
  } catch (error) {
    throw error instanceof ValueProblem
      ? memcachedError('memcached_value', `The value of ${name} ${error.message}.`)
      : error
  }
}

const get = defineAction({
  description: 'Reads the value of a key, with the token that `memcached_cas` takes.',
  input: z.strictObject({ key, json: jsonFlag, base64: base64Flag }),
  output: z.object({
    value,
    found: z.boolean(),
    cas: z.string().nullable().describe('Changes with every change of the value; null when there is none.'),
    flags: z.int().describe('What another client stored beside the value; this one stores 0.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  example: `
- memcached_get:
    id: page
    connection: main
    key: page:\${inputs.id}
    json: true
    outputs: [value, found]`,
  async run({ client, signal }: Context, input) {
    const bytes = lineCommand(['gets', keyOf(client, input.key)])
    const [item] = await client.items({ name: 'get', bytes, signal })
    if (item === undefined) return { value: null, found: false, cas: null, flags: 0 }
    return { value: read(item, input, input.key), found: true, cas: item.cas, flags: item.flags }
  },
})

const getMany = defineAction({
  description: 'Reads several keys at once.',
  input: z.strictObject({ keys: z.array(key).min(1).max(1_000), json: jsonFlag, base64: base64Flag }),
  output: z.object({
    values: z.record(z.string(), storedValue).describe('Values by key, of those that were found.'),
    missing: z.array(z.string()).describe('Keys that were not.'),
    count: z.int().describe('How many were found.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const keys = [...new Set(input.keys)]
    const bytes = lineCommand(['get', ...keys.map((each) => keyOf(client, each))])
    const items = await client.items({ name: 'get_many', bytes, signal })
    const found = new Map(items.map((item) => [item.key.slice(client.settings.keyPrefix.length), item]))
    return {
      values: Object.fromEntries([...found].map(([name, item]) => [name, read(item, input, name)])),
      missing: keys.filter((each) => !found.has(each)),
      count: found.size,
    }
  },
})

const storing = { key, value: valueToStore, json: jsonFlag, ttl }

function store(command: 'set' | 'add' | 'replace', description: string) {
  return defineAction({
    description,
    input: z.strictObject(storing),
    output: z.object({ stored: z.boolean().describe('False when the condition kept it from being stored.') }),
    effect: 'write',
    idempotency: 'natural',
    async run({ client, signal }: Context, input) {
      const words = [command, keyOf(client, input.key), 0, expiry(input.ttl, Date.now())]
      const bytes = storageCommand(words, bytesOf(client, input.value, input.json))
      return { stored: (await client.line({ name: command, bytes, signal })) === 'STORED' }
    },
  })
}

const compareAndSwap = defineAction({
  description: 'Stores a value only if nobody has changed it since it was read.',
  input: z.strictObject({ ...storing, cas: cas.describe('The `cas` that memcached_get answered.') }),
  output: z.object({
    stored: z.boolean(),
    outcome: z.enum(['stored', 'changed', 'missing']).describe('`changed` by somebody since, or `missing` by now.'),
  }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const words = ['cas', keyOf(client, input.key), 0, expiry(input.ttl, Date.now())]
    const bytes = casCommand(words, bytesOf(client, input.value, input.json), input.cas)
    const line = await client.line({ name: 'cas', bytes, signal })
    const outcome = line === 'STORED' ? 'stored' : line === 'NOT_FOUND' ? 'missing' : 'changed'
    return { stored: outcome === 'stored', outcome } as const
  },
})

const remove = defineAction({
  description: 'Deletes a key.',
  input: z.strictObject({ key }),
  output: z.object({ deleted: z.boolean().describe('False when there was none.') }),
  effect: 'destructive',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const bytes = lineCommand(['delete', keyOf(client, input.key)])
    return { deleted: (await client.line({ name: 'delete', bytes, signal })) === 'DELETED' }
  },
})

function count(command: 'incr' | 'decr', description: string) {
  return defineAction({
    description,
    input: z.strictObject({
      key,
      by: whole.default(1).describe('Unsigned; text for more than 2^53.'),
      initial: whole.optional().describe('Stored when the key is not there. Default: then nothing is done.'),
      ttl,
    }),
    output: z.object({
      value: whole.nullable().describe('The new value; text beyond 2^53; null when the key is not there.'),
      found: z.boolean().describe('Whether the key was there.'),
    }),
    effect: 'write',
    idempotency: 'none',
    async run({ client, signal }: Context, input) {
      const name = keyOf(client, input.key)
      const bytes = lineCommand([command, name, String(input.by)])
      // Twice when somebody else stores the first value between our two commands.
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const line = await client.line({ name: command, bytes, signal })
        if (line !== 'NOT_FOUND') return { value: integerOf(line.trim()), found: true }
        if (input.initial === undefined) break
        const first = Buffer.from(String(input.initial))
        const words = ['add', name, 0, expiry(input.ttl, Date.now())]
        const added = await client.line({ name: command, bytes: storageCommand(words, first), signal })
        if (added === 'STORED') return { value: integerOf(String(input.initial)), found: false }
      }
      return { value: null, found: false }
    },
  })
}

const touch = defineAction({
  description: 'Gives a key another time to live, counted from now.',
  input: z.strictObject({ key, ttl }),
  output: z.object({ touched: z.boolean().describe('False when the key is not there.') }),
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const bytes = lineCommand(['touch', keyOf(client, input.key), expiry(input.ttl, Date.now())])
    return { touched: (await client.line({ name: 'touch', bytes, signal })) === 'TOUCHED' }
  },
})

const NOTES = `
**Values.** A text is stored as UTF-8, a number and \`true\`/\`false\` as their text, \`{ base64 }\` as the bytes it encodes. With
\`json: true\` any value is stored as JSON and parsed when it is read. What is read comes back as text, or as \`{ base64 }\` where the
bytes are not UTF-8 (always with \`base64: true\`). Counters are unsigned and of 64 bits: text beyond 2^53; \`decr\` stops at 0, \`incr\` goes
round after 2^64.

**Times.** memcached reads a time beyond 30 days as a date; this connector turns a longer \`ttl\` into the date that is meant. A cache
forgets: a value may be gone before its time.

**Connection.** The steps of a process share one socket per connection. When the server goes away, what is under way fails with
\`memcached_lost\`, nothing is queued or sent twice, and the next command connects again; a server that does not answer within
\`command_timeout\` is treated the same. Private addresses, this machine included, must be allowed with \`PLUGWORK_EGRESS_ALLOW\`. One
server per connection; put a proxy (mcrouter, the server's own) in front of several.

**Repeating.** \`incr\` and \`decr\` may happen twice when an attempt is interrupted. The others may be repeated; but the second attempt
of \`add\` or \`cas\` finds what the first one stored, and answers \`stored: false\`.

**Limits.** 250 bytes for a key with its prefix, 1 MiB for a value (\`max_value_size\`), 1,000 keys and 32 MiB for one \`get_many\`. A value
that is too large is refused before it is sent: memcached would drop the old one.`

/** memcached: `memcached_get`, `memcached_set`, `memcached_cas` and further actions. */
export const memcached = defineConnector({
  name: 'memcached',
  title: 'memcached',
  description: 'Reads and writes a memcached server, with nothing to install.',
  version: '1.0.0',
  prefixes: ['memcached'],
  config: memcachedConfig,
  notes: NOTES,
  async connect(config, { name, egress, signal }) {
    const session = new MemcachedSession(settingsOf(config, name), egress)
    try {
      await session.open(signal)
      return session
    } catch (error) {
      // Who gave up waiting leaves no socket behind that opens later.
      void session.close()
      throw error
    }
  },
  disconnect: (session) => session.close(),
  healthy: (session) => session.healthy,
  async test(session, { signal }) {
    const line = await session.line({ name: 'version', bytes: lineCommand(['version']), signal })
    const { host, port } = session.settings
    return { message: `memcached ${line.replace(/^VERSION /, '')} answers at ${host}:${port}` }
  },
  actions: {
    get,
    get_many: getMany,
    set: store('set', 'Stores a value.'),
    add: store('add', 'Stores a value only if the key is not there.'),
    replace: store('replace', 'Stores a value only if the key is there.'),
    cas: compareAndSwap,
    delete: remove,
    incr: count('incr', 'Adds to an unsigned integer that is stored as text.'),
    decr: count('decr', 'Takes away from an unsigned integer that is stored as text; stops at 0.'),
    touch,
  },
  scaffold: ({ name }) => `  ${name}:
    type: memcached
    host: memcached.example.com
    port: 11211
    key_prefix: "app:"
`,
  example: ({ name }) => ({
    fileName: 'memcached_example.flow.yaml',
    source: `flow: MemcachedExample
description: Keeps a greeting for ten minutes, and counts how often it was asked for.
connections:
  ${name}: { type: memcached, host: 127.0.0.1, port: 11211, key_prefix: "plugwork-example:" }
inputs:
  - { name: visitor, type: string, default: ann }
steps:
  - memcached_set:
      connection: ${name}
      key: greeting:\${inputs.visitor}
      value: { text: "Hello \${inputs.visitor}" }
      json: true
      ttl: 10m
  - memcached_get:
      id: greeting
      connection: ${name}
      key: greeting:\${inputs.visitor}
      json: true
      outputs: [value]
  - memcached_incr:
      id: visits
      connection: ${name}
      key: visits:\${inputs.visitor}
      initial: 1
      ttl: 60d
      outputs: [value]
outputs:
  - { name: greeting, value: "\${greeting.value.text}" }
  - { name: visits, value: "\${visits.value}" }
`,
  }),
})
