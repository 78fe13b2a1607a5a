/** Shapes of the http connector: what a connection is configured with, what its actions take and answer. */
import { z } from 'zod'
import { parseDuration } from '@plugwork/core'

const MAX_TIMEOUT_MS = 15 * 60_000
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024

const duration = z.union([z.number().positive(), z.string()]).refine((value) => {
  const ms = parseDuration(value)
  return ms !== null && ms > 0 && ms <= MAX_TIMEOUT_MS
}, 'must be a duration of at most 15 minutes, such as 10s, or a number of seconds')

const headers = z.record(z.string(), z.string())

const auth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('bearer'), token: z.string().min(1).meta({ 'x-plugwork': 'secret' }) }),
  z.strictObject({
    type: z.literal('basic'),
    username: z.string(),
    password: z.string().meta({ 'x-plugwork': 'secret' }),
  }),
  z.strictObject({
    type: z.literal('api_key'),
    header: z.string().default('X-Api-Key'),
    key: z.string().min(1).meta({ 'x-plugwork': 'secret' }),
  }),
])

export const httpConfig = z.strictObject({
  base_url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Where `path` begins, as in `https://api.example.com/v1`.'),
  headers: headers.optional().describe('Sent with each request to the origin of `base_url`, and nowhere else.'),
  auth: auth
    .optional()
    .describe(
      'Credentials: `{ type: bearer, token }`, `{ type: basic, username, password }` or `{ type: api_key, header, key }`. Sent to the origin of `base_url` only.',
    ),
  timeout: duration
    .optional()
    .describe('Limit of a request, redirects included: `10s`, or seconds. Default 30 s, at most 15 minutes.'),
  fail_on_status: z.boolean().default(true).describe('Whether a status of 400 or more is an error (`http_<status>`).'),
  max_response_bytes: z
    .int()
    .positive()
    .max(MAX_RESPONSE_BYTES)
    .default(MAX_RESPONSE_BYTES)
    .describe('A larger response is an error; counted after decompression.'),
  allow_hosts: z
    .array(z.string())
    .optional()
    .describe(
      'When given, the connection reaches these hosts (`host`, `host:port`, `*.host`) and that of `base_url` only.',
    ),
  idempotency_header: z
    .string()
    .default('Idempotency-Key')
    .describe("Header that carries the step's idempotency key in `post` and `patch`."),
})

export type HttpConfig = z.output<typeof httpConfig>

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])
const values = z.record(z.string(), z.union([scalar, z.array(scalar)]))

const target = {
  path: z.string().optional().meta({
    'x-plugwork': 'path',
    description: "Path below the connection's `base_url`; each expression in it is encoded as one segment.",
  }),
  url: z.string().optional().describe('Full URL, instead of `path`. Needs no connection.'),
  query: values.optional().describe('Query parameters; a list repeats its name, null leaves it out.'),
  headers: headers.optional(),
  timeout: duration
    .optional()
    .describe("Limit of this request; stands under `with:`, because `timeout` is also the step's."),
  fail_on_status: z.boolean().optional().describe("Overrides the connection's."),
}

const content = {
  json: z.unknown().optional().describe('Sent as JSON.'),
  form: values.optional().describe('Sent as `application/x-www-form-urlencoded`.'),
  body: z
    .union([z.string(), z.strictObject({ base64: z.base64() })])
    .optional()
    .describe('Sent as it is; `{ base64 }` for binary. Name its `content-type` in `headers`.'),
}

interface Fields {
  readonly path?: unknown
  readonly url?: unknown
  readonly json?: unknown
  readonly form?: unknown
  readonly body?: unknown
}

const oneTarget = ({ path, url }: Fields): boolean => (path === undefined) !== (url === undefined)
const oneContent = ({ json, form, body }: Fields): boolean =>
  [json, form, body].filter((part) => part !== undefined).length <= 1
const NEED_ONE_TARGET = 'needs `path` or `url`, and not both'
const NEED_ONE_CONTENT = 'takes one of `json`, `form` and `body`'

export const getInput = z.strictObject(target).refine(oneTarget, NEED_ONE_TARGET)

export const sendInput = z
  .strictObject({ ...target, ...content })
  .refine(oneTarget, NEED_ONE_TARGET)
  .refine(oneContent, NEED_ONE_CONTENT)

export const requestInput = z
  .strictObject({
    method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).default('GET'),
    ...target,
    ...content,
  })
  .refine(oneTarget, NEED_ONE_TARGET)
  .refine(oneContent, NEED_ONE_CONTENT)

export type HttpRequest = z.output<typeof requestInput>

export const httpOutput = z.object({
  status: z.int(),
  headers: z.record(z.string(), z.string()).describe('Names in lower case; repeated ones joined by `, `.'),
  body: z.unknown().describe('JSON by content type; else text, or base64 for binary content; null when there is none.'),
  body_encoding: z.enum(['json', 'text', 'base64', 'none']).describe('What `body` is.'),
})

export type HttpResult = z.output<typeof httpOutput>
