/** The redis connector on ioredis: one multiplexed connection, bounded waits, values that survive the way there and back. */
import { defineConnector } from '@plugwork/core/node'
import { hdel, hget, hgetall, hset, llen, lpop, lpush, lrange, rpop, rpush } from './collection-actions.ts'
import { sadd, sismember, smembers, srem } from './collection-actions.ts'
import { redisConfig, settingsOf } from './config.ts'
import {
  exists,
  expire,
  get,
  incr,
  mget,
  mset,
  persist,
  publish,
  remove,
  scan,
  set,
  timeToLive,
} from './key-actions.ts'
import { bytesOf } from './replies.ts'
import { PACKAGE, RedisSession } from './session.ts'
import { xack, xadd, xlen, xrange, xread, xreadgroup } from './stream-actions.ts'

const NOTES = `
**Values.** A text is stored as UTF-8, a number and \`true\`/\`false\` as their text, \`{ base64 }\` as the bytes it encodes. With
\`json: true\` any value is stored as JSON and parsed when it is read. What is read comes back as text, or as \`{ base64 }\` where the
bytes are not UTF-8 (always with \`base64: true\`). Integers beyond 2^53 are text.

**Connection.** The steps of a process share one socket per connection: Redis answers in order, so commands are pipelined and a
pool would gain nothing. Commands with \`block\` wait on a socket of their own. When the server goes away, what is under way fails with
\`redis_lost\`, nothing is queued or sent twice, and the next command connects again; a server that does not answer within
\`command_timeout\` is treated the same. Private addresses, this machine included, must be allowed with \`PLUGWORK_EGRESS_ALLOW\`.

**Repeating.** \`incr\`, \`lpush\`, \`rpush\`, \`lpop\`, \`rpop\`, \`xadd\`, \`xreadgroup\` and \`publish\` may happen twice when an attempt is
interrupted. The others may be repeated; but the second attempt sees what the first one did: \`set\` with \`nx\` answers \`set: false\`, and
\`get\` answers the new value as \`previous\`. For a lock, store a value of your own (such as the run's id) and compare it with \`redis_get\`.

**Limits.** 32 MiB for one answer; 100,000 elements of a hash or set; lists and streams by \`limit\` and \`count\`; waiting at most a
minute, so that a step never waits for ever. One server per connection: Redis Cluster and Sentinel are not supported (a cluster's
\`MOVED\` is the error \`redis_cluster\`); a proxy in front of them is.`

/** Redis: `redis_get`, `redis_set` and further actions on keys, hashes, lists, sets and streams. */
export const redis = defineConnector({
  name: 'redis',
  title: 'Redis',
  description:
    'Reads and writes Redis (6.2 or later) and what speaks its protocol: keys, hashes, lists, sets, streams.',
  version: '1.0.0',
  prefixes: ['redis'],
  config: redisConfig,
  notes: NOTES,
  packages: [PACKAGE],
  async connect(config, { name, egress, directory, signal }) {
    const session = new RedisSession(settingsOf(config, name), { egress, directory })
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
    const info = bytesOf(await session.command('info', ['server'], { signal }))?.toString() ?? ''
    const version = /^(?:redis|valkey)_version:(\S+)/m.exec(info)?.[1] ?? 'of unknown version'
    const { host, port, db } = session.settings
    return { message: `Redis ${version} answers at ${host}:${port}, database ${db}` }
  },
  actions: {
    get,
    set,
    delete: remove,
    exists,
    expire,
    persist,
    ttl: timeToLive,
    incr,
    mget,
    mset,
    scan,
    hget,
    hgetall,
    hset,
    hdel,
    lpush,
    rpush,
    lpop,
    rpop,
    lrange,
    llen,
    sadd,
    srem,
    smembers,
    sismember,
    xadd,
    xlen,
    xrange,
    xread,
    xreadgroup,
    xack,
    publish,
  },
  scaffold: ({ name }) => `  ${name}:
    type: redis
    host: redis.example.com
    port: 6379
    password: \${secrets.REDIS_PASSWORD}
    key_prefix: "app:"
`,
  example: ({ name }) => ({
    fileName: 'redis_example.flow.yaml',
    source: `flow: RedisExample
description: Counts the visits of a page, and remembers the last visitor for an hour.
connections:
  ${name}: { type: redis, url: "\${secrets.REDIS_URL}", key_prefix: "plugwork-example:" }
inputs:
  - { name: page, type: string, default: home }
  - { name: visitor, type: string, default: ann }
steps:
  - redis_incr:
      id: visits
      connection: ${name}
      key: visits:\${inputs.page}
      outputs: [value]
  - redis_set:
      connection: ${name}
      key: last:\${inputs.page}
      value: { name: "\${inputs.visitor}", visit: "\${visits.value}" }
      json: true
      ttl: 1h
  - redis_get:
      id: last
      connection: ${name}
      key: last:\${inputs.page}
      json: true
      outputs: [value]
outputs:
  - { name: visits, value: "\${visits.value}" }
  - { name: last, value: "\${last.value.name}" }
`,
  }),
})
