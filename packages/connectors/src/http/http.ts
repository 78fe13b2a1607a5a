/**
 * The http connector: requests through the guarded egress. With a connection, `path` goes below its `base_url` with its
 * headers and credentials; with `url` a step needs no connection, and credentials never go to another origin.
 */
import { PlugworkError } from '@plugwork/core'
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { openClient, send, withoutConnection, type HttpClient } from './client.ts'
import {
  getInput,
  httpConfig,
  httpOutput,
  requestInput,
  sendInput,
  type HttpRequest,
  type HttpResult,
} from './schemas.ts'

type Context = ActionContext<HttpClient | undefined>

/** The step's key goes along where a service may recognise it: repeating these methods is not the same as doing it once. */
const KEYED: ReadonlySet<string> = new Set(['POST', 'PATCH'])

function call(context: Context, method: string, request: Omit<HttpRequest, 'method'>): Promise<HttpResult> {
  return send(context.client ?? withoutConnection(context.egress), request, {
    method,
    signal: context.cancellation ?? context.signal,
    ...(KEYED.has(method) ? { idempotencyKey: context.idempotencyKey } : null),
  })
}

const get = defineAction({
  description: 'Reads a resource with GET.',
  input: getInput,
  output: httpOutput,
  effect: 'read',
  idempotency: 'natural',
  connectionOptional: true,
  example: `
- http.get:
    id: user
    connection: main
    path: /users/\${inputs.user_id}
    query: { expand: profile }
    outputs: [status, body]`,
  run: (context: Context, input) => call(context, 'GET', input),
})

const post = defineAction({
  description: 'Sends data with POST, and with it the idempotency key of the step.',
  input: sendInput,
  output: httpOutput,
  effect: 'write',
  idempotency: 'key',
  connectionOptional: true,
  example: `
- http.post:
    id: order
    connection: main
    path: /orders
    json: { sku: "\${inputs.sku}", quantity: 1 }
    outputs: [status, body]`,
  run: (context: Context, input) => call(context, 'POST', input),
})

const put = defineAction({
  description: 'Replaces a resource with PUT.',
  input: sendInput,
  output: httpOutput,
  effect: 'write',
  idempotency: 'natural',
  connectionOptional: true,
  run: (context: Context, input) => call(context, 'PUT', input),
})

const patch = defineAction({
  description: 'Changes a resource with PATCH, sending the idempotency key of the step.',
  input: sendInput,
  output: httpOutput,
  effect: 'write',
  idempotency: 'key',
  connectionOptional: true,
  run: (context: Context, input) => call(context, 'PATCH', input),
})

const del = defineAction({
  description: 'Removes a resource with DELETE.',
  input: sendInput,
  output: httpOutput,
  effect: 'write',
  idempotency: 'natural',
  connectionOptional: true,
  run: (context: Context, input) => call(context, 'DELETE', input),
})

const request = defineAction({
  description: 'Sends a request with any method.',
  input: requestInput,
  output: httpOutput,
  effect: 'write',
  idempotency: 'key',
  connectionOptional: true,
  run: (context: Context, { method, ...input }) => call(context, method, input),
})

const NOTES = `
Requests go to public addresses only; private ones must be allowed by whoever runs Plugwork (\`PLUGWORK_EGRESS_ALLOW\`). Names are
resolved once and the checked address is connected to. Up to 10 redirects are followed, each checked again; another origin gets
no headers but harmless ones. A URL never carries a user name or password.

A status of 400 or more is the error \`http_<status>\`, whose \`data\` has \`status\`, \`headers\` and \`body\`; 408, 425, 429 and 5xx are
retryable, after the pause that \`Retry-After\` asks for. Integers beyond 2^53 in JSON arrive as strings.

Limits: 32 MiB a response (after decompression), 15 minutes a request, 64 KiB of response headers.`

/** HTTP APIs: `http.get`, `http.post`, `http.put`, `http.patch`, `http.delete`, `http.request`. */
export const http = defineConnector({
  name: 'http',
  title: 'HTTP',
  description: 'Calls HTTP APIs and web pages.',
  version: '1.0.0',
  prefixes: ['http'],
  config: httpConfig,
  notes: NOTES,
  connect: (config, context) =>
    Promise.resolve<HttpClient | undefined>(openClient(config, context.egress, context.name)),
  async test(client, context) {
    if (client?.base == null) return { message: 'There is no base_url, so there is nothing to reach.' }
    const { status } = await send(
      client,
      { url: client.base.href, fail_on_status: false },
      { method: 'HEAD', signal: context.signal },
    )
    const message = `HEAD ${client.base.href} answered ${status}`
    if (status === 401 || status === 403)
      throw new PlugworkError(`http_${status}`, `${message}: the credentials were not accepted.`)
    if (status >= 500)
      throw new PlugworkError(`http_${status}`, `${message}: the service does not work.`, { retryable: true })
    return { message }
  },
  actions: { get, post, put, patch, delete: del, request },
  scaffold: ({ name }) => `  ${name}:
    type: http
    base_url: https://api.example.com
    auth: { type: bearer, token: "\${secrets.API_TOKEN}" }
    timeout: 30s
`,
  example: ({ name }) => ({
    fileName: 'http_example.flow.yaml',
    source: `flow: HttpExample
description: Reads a repository's figures from a public API.
connections:
  ${name}:
    type: http
    base_url: https://api.github.com
    headers: { accept: application/vnd.github+json }
inputs:
  - { name: owner, type: string, default: nodejs }
  - { name: repository, type: string, default: node }
steps:
  - http.get:
      id: repository
      connection: ${name}
      path: /repos/\${inputs.owner}/\${inputs.repository}
      outputs: [status, body]
      retry: { max_attempts: 3, delay: 1s }
outputs:
  - { name: stars, value: "\${repository.body.stargazers_count}" }
`,
  }),
})
