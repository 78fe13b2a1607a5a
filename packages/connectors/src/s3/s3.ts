/** The s3 connector: objects in buckets of Amazon S3 and of services with its API. */
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { receive, withSource } from '../content/transfer.ts'
import { loadPackage } from '../optional-package.ts'
import { asking, bucketOf, checkKey, CLIENT, openS3, PRESIGNER, STORAGE, type S3Connection } from './client.ts'
import {
  copyInput,
  copyOutput,
  deleteInput,
  deleteOutput,
  getInput,
  getOutput,
  headInput,
  headOutput,
  listBucketsInput,
  listBucketsOutput,
  listInput,
  listOutput,
  presignInput,
  presignOutput,
  putInput,
  putOutput,
  s3Config,
} from './schemas.ts'
import { ranges, upload } from './transfer.ts'

type Context = ActionContext<S3Connection>

const time = (date: Date | undefined): string | null => date?.toISOString() ?? null
const nameOf = (key: string): string => key.slice(key.replace(/\/$/, '').lastIndexOf('/') + 1).replace(/\/$/, '')

const listBuckets = defineAction({
  description: 'Lists the buckets of the account.',
  input: listBucketsInput,
  output: listBucketsOutput,
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context) {
    const { aws, s3 } = client
    const { Buckets = [] } = await asking(client, 'The list of buckets', () =>
      s3.send(new aws.ListBucketsCommand({}), { abortSignal: signal }),
    )
    return { buckets: Buckets.map(({ Name = '', CreationDate }) => ({ name: Name, created_at: time(CreationDate) })) }
  },
})

const list = defineAction({
  description: 'Lists objects, sorted by key, page by page.',
  input: listInput,
  output: listOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- s3.list:
    id: reports
    connection: main
    prefix: reports/\${inputs.year}/
    outputs: [entries, next_cursor]`,
  pages: {
    items: 'entries',
    next: (input, output) => (output.next_cursor === null ? null : { ...input, cursor: output.next_cursor }),
  },
  async run({ client, signal }: Context, { bucket: given, prefix, delimiter, limit, cursor }) {
    const bucket = bucketOf(client, given)
    const { aws, s3 } = client
    const command = new aws.ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      MaxKeys: limit,
      ContinuationToken: cursor,
    })
    const page = await asking(client, `The bucket ${bucket}`, () => s3.send(command, { abortSignal: signal }))
    const objects = (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified, ETag, StorageClass }) => ({
      name: nameOf(Key),
      path: Key,
      type: 'file' as const,
      size: Size,
      modified_at: time(LastModified),
      etag: ETag ?? null,
      storage_class: StorageClass ?? null,
    }))
    const folders = (page.CommonPrefixes ?? []).map(({ Prefix = '' }) => ({
      name: nameOf(Prefix),
      path: Prefix,
      type: 'folder' as const,
      size: null,
      modified_at: null,
      etag: null,
      storage_class: null,
    }))
    const entries = [...objects, ...folders].toSorted((a, b) => (a.path < b.path ? -1 : 1))
    return { entries, next_cursor: page.IsTruncated === true ? (page.NextContinuationToken ?? null) : null }
  },
})

interface Description {
  readonly key: string
  readonly size: number
  readonly modified_at: string | null
  readonly etag: string | null
  readonly content_type: string | null
  readonly metadata: Record<string, string>
}

async function describe({ client, signal }: Context, bucket: string, key: string): Promise<Description> {
  const { aws, s3 } = client
  const command = new aws.HeadObjectCommand({ Bucket: bucket, Key: checkKey(key) })
  const found = await asking(client, `The object ${key} of ${bucket}`, () => s3.send(command, { abortSignal: signal }))
  return {
    key,
    size: found.ContentLength ?? 0,
    modified_at: time(found.LastModified),
    etag: found.ETag ?? null,
    content_type: found.ContentType ?? null,
    metadata: found.Metadata ?? {},
  }
}

const head = defineAction({
  description: 'Says size, type, time and metadata of an object.',
  input: headInput,
  output: headOutput,
  effect: 'read',
  idempotency: 'natural',
  run: (context: Context, { bucket, key }) => describe(context, bucketOf(context.client, bucket), key),
})

const get = defineAction({
  description: 'Reads an object: as content, or into a local file of any size.',
  input: getInput,
  output: getOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- s3.get:
    id: report
    connection: main
    key: reports/\${inputs.day}.csv
    outputs: [content, etag]`,
  async run(context: Context, { bucket: given, key, ...target }) {
    const { client, signal } = context
    const bucket = bucketOf(client, given)
    const found = await describe(context, bucket, key)
    const version = { size: found.size, etag: found.etag ?? undefined, signal }
    const stream = ranges(client, { bucket, key }, version)
    const received = await receive(stream, target, { local: client.local, what: `The object ${key}`, signal })
    return { ...found, ...received }
  },
})

const put = defineAction({
  description:
    'Writes an object, replacing one that is there: from content, or from a local file of any size (in parts).',
  input: putInput,
  output: putOutput,
  effect: 'write',
  idempotency: 'natural',
  example: `
- s3.put:
    connection: main
    key: reports/\${inputs.day}.json
    content: \${JSON.stringify(inputs.report)}
    content_type: application/json`,
  async run({ client, signal }: Context, input) {
    const bucket = bucketOf(client, input.bucket)
    const key = checkKey(input.key)
    signal.throwIfAborted()
    const headers = {
      ...(input.content_type === undefined ? {} : { ContentType: input.content_type }),
      ...(input.cache_control === undefined ? {} : { CacheControl: input.cache_control }),
      ...(input.metadata === undefined ? {} : { Metadata: input.metadata }),
    }
    return withSource(input, client.local, async (stream, size) => {
      const etag = await upload(client, { bucket, key, stream, headers, signal })
      return { key, size, etag }
    })
  },
})

const del = defineAction({
  description: 'Deletes an object. One that is not there is deleted already.',
  input: deleteInput,
  output: deleteOutput,
  effect: 'destructive',
  idempotency: 'natural',
  async run({ client, signal }: Context, { bucket: given, key }) {
    const bucket = bucketOf(client, given)
    const { aws, s3 } = client
    const command = new aws.DeleteObjectCommand({ Bucket: bucket, Key: checkKey(key) })
    await asking(client, `The object ${key} of ${bucket}`, () => s3.send(command, { abortSignal: signal }))
    return { key }
  },
})

const copy = defineAction({
  description: 'Copies an object inside the service (at most 5 GiB), replacing one that is there.',
  input: copyInput,
  output: copyOutput,
  effect: 'write',
  idempotency: 'natural',
  async run({ client, signal }: Context, { from, to, from_bucket, bucket: given }) {
    const bucket = bucketOf(client, given)
    const { aws, s3 } = client
    const command = new aws.CopyObjectCommand({
      Bucket: bucket,
      Key: checkKey(to),
      CopySource: [bucketOf(client, from_bucket), ...checkKey(from).split('/')].map(encodeURIComponent).join('/'),
    })
    const done = await asking(client, `The object ${from}`, () => s3.send(command, { abortSignal: signal }))
    return { key: to, etag: done.CopyObjectResult?.ETag ?? null }
  },
})

const presign = defineAction({
  description: 'Makes a URL with which somebody without credentials may read or write one object for a while.',
  input: presignInput,
  output: presignOutput,
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, { bucket: given, key, method, expires_in, content_type }) {
    signal.throwIfAborted()
    const { getSignedUrl } = await loadPackage(
      's3',
      PRESIGNER,
      client.directory,
      () => import('@aws-sdk/s3-request-presigner'),
    )
    const target = { Bucket: bucketOf(client, given), Key: checkKey(key) }
    const { aws, s3 } = client
    const now = new Date()
    const command =
      method === 'get'
        ? new aws.GetObjectCommand(target)
        : new aws.PutObjectCommand({ ...target, ...(content_type === undefined ? {} : { ContentType: content_type }) })
    const options = {
      expiresIn: expires_in,
      signingDate: now,
      // Otherwise the type would be a wish that an upload may ignore.
      ...(content_type === undefined ? {} : { signableHeaders: new Set(['host', 'content-type']) }),
    }
    const url = await getSignedUrl(s3, command, options)
    return { url, expires_at: new Date(now.getTime() + expires_in * 1_000).toISOString() }
  },
})

const NOTES = `
**Credentials** are those of the config, and no others: the AWS client's own search through variables, files and the metadata
service of a machine is switched off. \`anonymous: true\` reads public buckets. Every request goes through the guarded egress; a
service on a private address must be allowed (\`PLUGWORK_EGRESS_ALLOW\`).

**Sizes.** Content in a flow has at most 16 MiB. With \`file\` and \`to_file\` objects of any size go from and to local files below
\`local_root\`: up in parts of 8 MiB (what an error leaves unfinished is removed), down in ranges of one version (\`s3_changed\` when
it is replaced meanwhile). Objects stored with \`content-encoding: gzip\` arrive decompressed; beyond 8 MiB they cannot be read.

**Presigned URLs are secrets.** Whoever has one may read or write the object until it expires, and it stands in the run's outputs
and journal like any value: keep \`expires_in\` short.

**Repeating.** All actions can be repeated: the same object is written, copied or deleted again. A temporary error of the service is
tried three times inside an action.

**Keys** with a part \`.\` or \`..\` cannot be used: URLs resolve them to other keys.`

/** Objects in buckets: `s3.list_buckets`, `list`, `get`, `put`, `head`, `delete`, `copy`, `presign`. */
export const s3 = defineConnector({
  name: 's3',
  title: 'S3',
  description: 'Reads and writes objects of Amazon S3 and of services with its API.',
  version: '1.0.0',
  prefixes: ['s3'],
  packages: [CLIENT, STORAGE, PRESIGNER],
  config: s3Config,
  notes: NOTES,
  connect: openS3,
  disconnect({ s3: client }) {
    client.destroy()
    return Promise.resolve()
  },
  async test(connection, { signal }) {
    const { aws, s3: client, bucket } = connection
    if (bucket === undefined) {
      const { Buckets = [] } = await asking(connection, 'The list of buckets', () =>
        client.send(new aws.ListBucketsCommand({}), { abortSignal: signal }),
      )
      return { message: `The account has ${Buckets.length} buckets.` }
    }
    await asking(connection, `The bucket ${bucket}`, () =>
      client.send(new aws.HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal }),
    )
    return { message: `The bucket ${bucket} can be reached.` }
  },
  actions: { list_buckets: listBuckets, list, get, put, head, delete: del, copy, presign },
  scaffold: ({ name }) => `  ${name}:
    type: s3
    region: eu-central-1
    bucket: my-bucket
    access_key_id: "\${secrets.S3_ACCESS_KEY_ID}"
    secret_access_key: "\${secrets.S3_SECRET_ACCESS_KEY}"
`,
  example: ({ name }) => ({
    fileName: 's3_example.flow.yaml',
    source: `flow: S3Example
description: Stores a report as an object, reads it back and lists its folder.
inputs:
  - { name: bucket, type: string, default: my-bucket }
  - { name: title, type: string, default: Figures }
connections:
  ${name}:
    type: s3
    endpoint: http://127.0.0.1:9000
    access_key_id: "\${secrets.S3_ACCESS_KEY_ID}"
    secret_access_key: "\${secrets.S3_SECRET_ACCESS_KEY}"
steps:
  - s3.put:
      connection: ${name}
      bucket: \${inputs.bucket}
      key: reports/latest.json
      content: '\${JSON.stringify({ title: inputs.title })}'
      content_type: application/json
      retry: { max_attempts: 3, delay: 1s }
  - s3.get:
      id: report
      connection: ${name}
      bucket: \${inputs.bucket}
      key: reports/latest.json
      outputs: [content, size]
  - s3.list:
      id: folder
      connection: ${name}
      bucket: \${inputs.bucket}
      prefix: reports/
      outputs: [entries]
outputs:
  - { name: report, value: "\${JSON.parse(report.content)}" }
  - { name: keys, value: "\${folder.entries.map(entry => entry.path)}" }
`,
  }),
})
