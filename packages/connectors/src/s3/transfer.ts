/** Objects in parts: downloads as ranges of one version, uploads of any size in parts. */
import type { Readable } from 'node:stream'
import { loadPackage } from '../optional-package.ts'
import { asking, STORAGE, type S3Connection } from './client.ts'

/** One response of the egress has at most 32 MiB. */
const PART_BYTES = 8 * 1024 * 1024
const PARTS_AT_ONCE = 2

export interface ObjectRef {
  readonly bucket: string
  readonly key: string
}

/** The object's bytes, range by range; `s3_changed` when it is replaced in between. */
export async function* ranges(
  connection: S3Connection,
  { bucket, key }: ObjectRef,
  { size, etag, signal }: { readonly size: number; readonly etag: string | undefined; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { aws, s3 } = connection
  for (let start = 0; start < size; start += PART_BYTES) {
    const command = new aws.GetObjectCommand({
      Bucket: bucket,
      Key: key,
      Range: `bytes=${start}-${Math.min(start + PART_BYTES, size) - 1}`,
      ...(etag === undefined ? {} : { IfMatch: etag }),
    })
    yield await asking(connection, `The object ${key}`, async () => {
      const { Body } = await s3.send(command, { abortSignal: signal })
      return Body!.transformToByteArray()
    })
  }
}

export interface Upload extends ObjectRef {
  readonly stream: Readable
  readonly headers: {
    readonly ContentType?: string
    readonly CacheControl?: string
    readonly Metadata?: Record<string, string>
  }
  readonly signal: AbortSignal
}

/** Uploads a stream, in parts where it is larger than one; what is not finished is removed. Answers the ETag. */
export async function upload(
  connection: S3Connection,
  { bucket, key, stream, headers, signal }: Upload,
): Promise<string | null> {
  const { Upload: ManagedUpload } = await loadPackage(
    's3',
    STORAGE,
    connection.directory,
    () => import('@aws-sdk/lib-storage'),
  )
  signal.throwIfAborted()
  const managed = new ManagedUpload({
    client: connection.s3,
    params: { Bucket: bucket, Key: key, Body: stream, ...headers },
    partSize: PART_BYTES,
    queueSize: PARTS_AT_ONCE,
    leavePartsOnError: false,
  })
  const stop = (): void => void managed.abort()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const done = await asking(connection, `The object ${key}`, () => managed.done())
    return done.ETag ?? null
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
