/** An open s3 connection: the AWS client on the guarded egress, and what its errors mean here. */
import type * as Aws from '@aws-sdk/client-s3'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { PlugworkError } from '@plugwork/core'
import type { ConnectContext, PackageNeed } from '@plugwork/core/node'
import { LocalFolder } from '../content/transfer.ts'
import { milliseconds } from '../network-settings.ts'
import { loadPackage } from '../optional-package.ts'
import { EgressHandler } from './egress-handler.ts'
import { ERRORS, type S3ErrorCode } from './errors.ts'
import type { S3Config } from './schemas.ts'

export const CLIENT: PackageNeed = { name: '@aws-sdk/client-s3', range: '^3.1000.0' }
export const STORAGE: PackageNeed = { name: '@aws-sdk/lib-storage', range: '^3.1000.0' }
export const PRESIGNER: PackageNeed = { name: '@aws-sdk/s3-request-presigner', range: '^3.1000.0' }

export interface S3Connection {
  readonly s3: S3Client
  readonly aws: typeof Aws
  readonly name: string
  readonly bucket: string | undefined
  readonly local: LocalFolder
  /** Where packages are looked for first. */
  readonly directory: string
}

export function s3Error(code: S3ErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Makes the client; nothing is sent. Throws `s3_config` and `s3_package`. */
export async function openS3(config: S3Config, context: ConnectContext): Promise<S3Connection> {
  const { name, egress, directory } = context
  const identity = identityOf(config, name)
  const aws = await loadPackage('s3', CLIENT, directory, () => import('@aws-sdk/client-s3'))
  const handler = new EgressHandler(egress, milliseconds(config.timeout))
  const own = config.endpoint !== undefined
  const s3 = new aws.S3Client({
    region: config.region,
    // Without it the client would take addresses from variables and files of the machine.
    ...(own ? { endpoint: config.endpoint } : { ignoreConfiguredEndpointUrls: true }),
    forcePathStyle: config.force_path_style ?? own,
    // Handlers are interchangeable by their shape; the client's type asks for its own request class.
    requestHandler: handler as unknown as NonNullable<S3ClientConfig['requestHandler']>,
    // Many services with this API know no trailing checksums.
    ...(own ? { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } : {}),
    ...(identity === null ? unsigned : { credentials: identity }),
  })
  return {
    s3,
    aws,
    name,
    bucket: config.bucket,
    local: new LocalFolder({ directory, root: config.local_root, connection: name }),
    directory,
  }
}

const unsigned: Pick<S3ClientConfig, 'credentials' | 'signer'> = {
  credentials: { accessKeyId: 'anonymous', secretAccessKey: 'anonymous' },
  signer: { sign: (request) => Promise.resolve(request) },
}

interface Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Keys of the config, null for anonymous. The client's own search (variables, files, metadata service) is never asked. */
function identityOf(config: S3Config, name: string): Identity | null {
  const { access_key_id: id, secret_access_key: secret, session_token: token, anonymous } = config
  const given = Object.entries({ access_key_id: id, secret_access_key: secret, session_token: token })
    .filter(([, value]) => value !== undefined)
    .map(([setting]) => setting)
  if (anonymous) {
    if (given.length === 0) return null
    throw s3Error(
      's3_config',
      `The connection "${name}" is anonymous, but has ${given.join(' and ')}. Remove one of them.`,
    )
  }
  if (id !== undefined && secret !== undefined) {
    return { accessKeyId: id, secretAccessKey: secret, ...(token === undefined ? {} : { sessionToken: token }) }
  }
  const missing = id === undefined ? 'access_key_id' : 'secret_access_key'
  throw s3Error(
    's3_config',
    `The connection "${name}" has no ${missing}. Credentials are never looked for on the machine: give access_key_id and ` +
      'secret_access_key (${secrets.NAME}, or ${env.NAME} where the operator allows it), or anonymous: true for public buckets.',
  )
}

/** Bucket of an action. Throws `s3_key`. */
export function bucketOf({ bucket, name }: S3Connection, given: string | undefined): string {
  const found = given ?? bucket
  if (found !== undefined) return found
  throw s3Error(
    's3_key',
    `The action names no bucket, and the connection "${name}" has none. Add bucket to one of them.`,
  )
}

/** Throws `s3_key` for a key that a URL would change on its way. */
export function checkKey(key: string): string {
  if (!key.split('/').some((part) => part === '.' || part === '..')) return key
  throw s3Error(
    's3_key',
    `The key "${key}" has a part "." or "..", which URLs resolve to another key. Choose another key.`,
  )
}

interface ServiceError {
  readonly name?: unknown
  readonly message?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** Runs a request; its errors become this connector's. `what` names the object in messages. */
export async function asking<Result>(
  connection: S3Connection,
  what: string,
  request: () => Promise<Result>,
): Promise<Result> {
  try {
    return await request()
  } catch (error) {
    throw translated(connection, what, error)
  }
}

function translated(connection: S3Connection, what: string, error: unknown): unknown {
  if (error instanceof PlugworkError) return error
  const { name: kind, message, $metadata } = error as ServiceError
  const status = $metadata?.httpStatusCode
  if (status === undefined) return error
  const said = `${String(kind)}${typeof message === 'string' && message !== '' && message !== kind ? `: ${message}` : ''}`
  const subject = `${what} on connection "${connection.name}"`
  if (status === 404) return s3Error('s3_not_found', `${subject} was not found (${said}). Check bucket and key.`, error)
  if (status === 401 || status === 403) {
    return s3Error('s3_denied', `${subject} was denied (${said}). Check the credentials and what they may do.`, error)
  }
  if (status === 412) {
    return s3Error('s3_changed', `${subject} was replaced while it was read. Read it again.`, error)
  }
  if (status === 301 || status === 307) {
    return s3Error('s3_config', `${subject} is in another region (${said}). Set region to that of the bucket.`, error)
  }
  if (status === 429 || status >= 500) return s3Error('s3_busy', `${subject} failed with ${status} (${said}).`, error)
  return s3Error('s3_refused', `${subject} was refused with ${status} (${said}).`, error)
}
