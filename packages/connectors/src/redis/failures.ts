/** Redis' error replies as errors of this connector. A reply begins with its kind: `WRONGTYPE Operation against …`. */
import type { PlugworkError } from '@plugwork/core'
import { redisError, type RedisErrorCode } from './errors.ts'

const KINDS: { readonly [kind: string]: readonly [code: RedisErrorCode, remedy: string] } = {
  WRONGPASS: ['redis_auth', 'Check `username` and `password` of the connection.'],
  NOAUTH: ['redis_auth', 'Give the connection a `password` (and a `username`, where the server has users).'],
  NOPERM: ['redis_denied', "Grant it with ACL SETUSER, or use another user's credentials."],
  WRONGTYPE: ['redis_wrong_type', 'Use the actions of the type that the key has, or another key.'],
  NOGROUP: ['redis_no_group', 'Say `create: true` in redis_xreadgroup, or create the group first.'],
  MOVED: ['redis_cluster', 'Connect to a proxy of the cluster, or to the node that holds the key.'],
  ASK: ['redis_cluster', 'Connect to a proxy of the cluster, or to the node that holds the key.'],
  CROSSSLOT: ['redis_cluster', 'Use keys with the same {tag}, or one key at a time.'],
  CLUSTERDOWN: ['redis_unavailable', 'Try again when the cluster is up.'],
  LOADING: ['redis_unavailable', 'It is reading its data from disk; try again in a moment.'],
  BUSY: ['redis_unavailable', 'It is busy with a script; try again in a moment.'],
  OOM: ['redis_unavailable', 'Raise `maxmemory`, set an eviction policy or delete keys.'],
  READONLY: ['redis_unavailable', 'It is a replica; connect to the primary.'],
  MASTERDOWN: ['redis_unavailable', 'The replica has lost its primary; try again later.'],
  MISCONF: ['redis_unavailable', "It cannot save its data to disk; see the server's log."],
  TRYAGAIN: ['redis_unavailable', 'Try again in a moment.'],
}

/** Errors whose kind is only `ERR`, by their text. */
const TEXTS: readonly (readonly [text: RegExp, code: RedisErrorCode, remedy: string])[] = [
  [/not an integer|not a valid float|hash value is not/i, 'redis_value', 'The stored value is no integer of 64 bits.'],
  [/would overflow/i, 'redis_value', 'The result would not be an integer of 64 bits.'],
  [/invalid (password|username)|without any password configured/i, 'redis_auth', 'Check `password` of the connection.'],
  [/DB index is out of range/i, 'redis_config', 'Give `db` a number that the server has (16 unless configured).'],
  [
    /stream ID specified|smaller than the target stream/i,
    'redis_input',
    'Ids of a stream only grow; leave `entry_id` out.',
  ],
  [/exceeds maximum allowed size/i, 'redis_too_large', 'Store it in parts.'],
  [/max number of clients/i, 'redis_unavailable', 'Raise `maxclients` or close connections.'],
]

/** An error reply of the server. `what` is the command, for the message; values never appear in it. */
export function failureOf(reply: string, connection: string, what: string): PlugworkError {
  const kind = /^[A-Z]+(?= |$)/.exec(reply)?.[0] ?? 'ERR'
  const [, code, remedy] = TEXTS.find(([text]) => kind === 'ERR' && text.test(reply)) ?? [
    null,
    ...(KINDS[kind] ?? (['redis_failed', 'See the documentation of the command.'] as const)),
  ]
  // The rest of some replies repeats arguments; the kinds that are known need none of it.
  const said = code === 'redis_failed' ? `: ${reply.slice(0, 200)}` : ` (${withoutArguments(reply)})`
  return redisError(code, `Redis refused ${what} of the connection "${connection}"${said}. ${remedy}`, {
    data: { kind },
  })
}

const withoutArguments = (reply: string): string => reply.replaceAll(/'[^']*'|"[^"]*"/g, '…').slice(0, 120)
