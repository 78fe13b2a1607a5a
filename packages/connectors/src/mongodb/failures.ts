/** What the driver throws as errors of this connector. Values of documents never appear in their messages. */
import type * as Mongo from 'mongodb'
import type { Json, PlugworkError } from '@plugwork/core'
import { mongodbError, type MongodbErrorCode } from './errors.ts'

type Driver = typeof Mongo

export interface FailureContext {
  readonly driver: Driver
  readonly name: string
  readonly where: string
  /** For messages: the operation and its collection. */
  readonly what: string
}

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const CODES: { readonly [code: number]: MongodbErrorCode } = {
  2: 'mongodb_query',
  9: 'mongodb_query',
  13: 'mongodb_denied',
  14: 'mongodb_query',
  18: 'mongodb_auth',
  20: 'mongodb_query',
  28: 'mongodb_query',
  40: 'mongodb_query',
  50: 'mongodb_timeout',
  52: 'mongodb_query',
  59: 'mongodb_failed',
  66: 'mongodb_query',
  72: 'mongodb_query',
  112: 'mongodb_unavailable',
  121: 'mongodb_validation',
  189: 'mongodb_unavailable',
  10_107: 'mongodb_unavailable',
  10_334: 'mongodb_too_large',
  11_000: 'mongodb_duplicate',
  11_600: 'mongodb_unavailable',
  11_602: 'mongodb_unavailable',
  13_435: 'mongodb_unavailable',
  91: 'mongodb_unavailable',
}

const REMEDIES: { readonly [code in MongodbErrorCode]?: string } = {
  mongodb_auth: 'Check `username`, `password` and `auth_source` of the connection.',
  mongodb_denied: 'Grant the user a role for it.',
  mongodb_timeout: 'Raise `timeout` of the connection, or make the operation cheaper with an index or a `limit`.',
  mongodb_unavailable: 'Try again in a moment.',
  mongodb_validation: 'Compare the document with the rules of the collection (collMod, $jsonSchema).',
  mongodb_too_large: 'MongoDB stores documents of up to 16 MiB; keep large data in files.',
}

/** Anything but errors of the driver is given back as it is. */
export function asFailure(thrown: unknown, context: FailureContext): unknown {
  const { driver, name, where, what } = context
  const subject = `${what} of the mongodb connection "${name}"`
  if (thrown instanceof driver.MongoServerError) {
    // What broke a bulk, where it was no answer of the server.
    const inner: unknown = thrown.errorResponse
    const broke = inner instanceof driver.MongoNetworkError || inner instanceof driver.MongoServerSelectionError
    return broke ? asFailure(inner, context) : serverFailure(thrown, subject)
  }
  if (thrown instanceof driver.MongoServerSelectionError)
    return mongodbError(
      'mongodb_connect',
      `The mongodb connection "${name}" finds no server for ${what} at ${where} (${reason(thrown)}). Check \`host\`, \`port\`, \`tls\` and \`replica_set\`, and that the server runs.`,
      { cause: thrown },
    )
  if (
    thrown instanceof driver.MongoNetworkError ||
    thrown instanceof driver.MongoClientClosedError ||
    thrown instanceof driver.MongoNotConnectedError ||
    thrown instanceof driver.MongoTopologyClosedError
  )
    return mongodbError(
      'mongodb_lost',
      `The connection to ${where} broke before ${subject} was answered; the server may have done it. The next operation connects again.`,
      { cause: thrown },
    )
  if (thrown instanceof driver.MongoInvalidArgumentError || thrown instanceof driver.MongoAPIError)
    return mongodbError('mongodb_input', `The driver refuses ${subject}: ${thrown.message.slice(0, 200)}.`, {
      cause: thrown,
    })
  if (thrown instanceof driver.BSON.BSONError)
    return mongodbError('mongodb_value', `A value in ${subject} cannot be stored: ${thrown.message.slice(0, 200)}.`, {
      cause: thrown,
    })
  return thrown
}

interface ServerError {
  readonly code?: unknown
  readonly message: string
  readonly errorLabels?: unknown
  readonly keyPattern?: unknown
  readonly writeErrors?: unknown
  readonly insertedCount?: unknown
  hasErrorLabel(label: string): boolean
}

function serverFailure(thrown: ServerError, subject: string): PlugworkError {
  const number = typeof thrown.code === 'number' ? thrown.code : 0
  // Codes above 10,000 that are not in the table are places in the server's source: what it did not accept.
  const code = CODES[number] ?? (number > 15_000 ? 'mongodb_query' : 'mongodb_failed')
  const data: { [name: string]: Json } = { server_code: number }
  if (typeof thrown.insertedCount === 'number') data['inserted_count'] = thrown.insertedCount
  if (code === 'mongodb_duplicate') {
    const index = /index: (\S+)/.exec(thrown.message)?.[1] ?? 'unknown'
    const fields = /dup key: \{ (.*) \}/.exec(thrown.message)?.[1] ?? ''
    data['index'] = index
    data['fields'] = [...fields.matchAll(/(?:^|, )([\w.$]+):/g)].map(([, field]) => field!)
    return mongodbError(
      code,
      `${subject} was refused: the unique index ${index} has such a document already. Update that one, or give other values.`,
      { data },
    )
  }
  const said = thrown.message
    .replaceAll(/"[^"]*"|'[^']*'/g, '…')
    .slice(0, 200)
    .replace(/\.$/, '')
  const remedy = REMEDIES[code]
  return mongodbError(code, `The server refused ${subject}: ${said}.${remedy === undefined ? '' : ` ${remedy}`}`, {
    data,
    ...(thrown.hasErrorLabel('RetryableWriteError') ? { retryable: true } : {}),
  })
}

/** Why no server was found: the cause that the driver keeps for one of them. */
function reason(thrown: Error): string {
  const { servers } = (thrown as { reason?: { servers?: Map<string, { error: Error | null }> } }).reason ?? {}
  const errors = [...(servers?.values() ?? [])].flatMap(({ error }) => (error === null ? [] : [error]))
  const deepest = errors[0]?.cause instanceof Error ? errors[0].cause : errors[0]
  return (deepest?.message ?? thrown.message).replace(/\.$/, '').slice(0, 200)
}
