/** Shapes of the s3 connector. */
import { z } from 'zod'
import { cursorInput, entryOutput } from '../content/entry.ts'
import {
  localRootSetting,
  NEED_ONE_SOURCE,
  oneSource,
  receivedOutput,
  sourceInput,
  targetInput,
} from '../content/transfer.ts'
import { durationSetting } from '../network-settings.ts'

const WEEK_SECONDS = 7 * 24 * 3_600

export const s3Config = z.strictObject({
  region: z.string().min(1).default('us-east-1').describe('Region of the bucket; other services often take any.'),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address of another service with this API (MinIO, R2, Ceph). Default: AWS, by region.'),
  force_path_style: z
    .boolean()
    .optional()
    .describe('The bucket is the first part of the path, not of the host name. Default: true with `endpoint`.'),
  bucket: z.string().min(3).optional().describe('Bucket of actions that name none.'),
  access_key_id: z.string().min(1).optional().describe('Key id. Left out with `anonymous: true` only.'),
  secret_access_key: z.string().min(1).optional().describe('Its secret.').meta({ 'x-plugwork': 'secret' }),
  session_token: z.string().min(1).optional().describe('Of temporary credentials.').meta({ 'x-plugwork': 'secret' }),
  anonymous: z.boolean().default(false).describe('Sends requests without a signature, for public buckets.'),
  timeout: durationSetting('15m').default('60s').describe('Limit of one request; a large object takes several.'),
  local_root: localRootSetting,
})

export type S3Config = z.output<typeof s3Config>

const bucket = z.string().min(3).optional().describe("Default: the connection's.")
const key = z.string().min(1).max(1_024).describe('Key of the object, as in `reports/2026.csv`.')

export const listBucketsInput = z.strictObject({})
export const listBucketsOutput = z.object({
  buckets: z.array(z.object({ name: z.string(), created_at: z.string().nullable() })),
})

const MAX_KEYS = 1_000
export const listInput = z.strictObject({
  bucket,
  prefix: z.string().default('').describe('Only keys that begin so.'),
  delimiter: z.string().min(1).optional().describe('Keys are shown up to this only; with `/` as in a folder.'),
  limit: z.int().positive().max(MAX_KEYS).default(MAX_KEYS).describe('Entries of one page, at most 1,000.'),
  cursor: cursorInput,
})
export const listOutput = z.object({
  entries: z.array(entryOutput.extend({ etag: z.string().nullable(), storage_class: z.string().nullable() })),
  next_cursor: z.string().nullable().describe('Give it as `cursor` to read on; null at the end.'),
})

export const getInput = z.strictObject({ bucket, key, ...targetInput })
export const headInput = z.strictObject({ bucket, key })
const description = {
  key: z.string(),
  size: z.int(),
  modified_at: z.string().nullable(),
  etag: z.string().nullable(),
  content_type: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
}
export const headOutput = z.object(description)
export const getOutput = z.object({ ...description, ...receivedOutput })

export const putInput = z
  .strictObject({
    bucket,
    key,
    ...sourceInput,
    content_type: z.string().optional(),
    cache_control: z.string().optional(),
    metadata: z.record(z.string(), z.string()).optional().describe('User metadata, sent as `x-amz-meta-…`.'),
  })
  .refine(oneSource, NEED_ONE_SOURCE)
export const putOutput = z.object({ key: z.string(), size: z.int(), etag: z.string().nullable() })

export const deleteInput = z.strictObject({ bucket, key })
export const deleteOutput = z.object({ key: z.string() })

export const copyInput = z.strictObject({
  from: key,
  to: key,
  from_bucket: bucket,
  bucket: bucket.describe("Bucket of `to`. Default: the connection's."),
})
export const copyOutput = z.object({ key: z.string(), etag: z.string().nullable() })

export const presignInput = z.strictObject({
  bucket,
  key,
  method: z.enum(['get', 'put']).default('get'),
  expires_in: z.int().positive().max(WEEK_SECONDS).default(3_600).describe('Seconds, at most a week. Default an hour.'),
  content_type: z.string().optional().describe('With `put`: the type that the upload must have.'),
})
export const presignOutput = z.object({
  url: z.string().describe('A secret: whoever has it may do this until it expires.'),
  expires_at: z.string(),
})
