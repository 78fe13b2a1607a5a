import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { AuthMethod } from '../connector/auth.ts'
import type { Credential, CredentialSource } from '../connector/credential.ts'
import { createEgress } from '../egress/guarded-egress.ts'
import { PlugworkError } from '../error.ts'
import { createApiClient, type ApiClient, type ApiClientOptions } from './api-client.ts'
import { path } from './api-path.ts'
import { staticCredential } from './authorize.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const signal = new AbortController().signal

interface Seen {
  readonly line: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

async function service(handler: Handler): Promise<{ readonly origin: string; readonly seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    request.on('end', () => {
      seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
      handler(request, response, seen.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

function client(baseUrl: string, options: Partial<ApiClientOptions> = {}): ApiClient {
  const egress = createEgress({ allow: ['127.0.0.1'] })
  closing.push(() => egress.close())
  const credentials = staticCredential('token', 'the-secret-token')
  return createApiClient({ service: 'acme', title: 'Acme', baseUrl, egress, credentials, ...options })
}

const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(JSON.stringify(body))

async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}

test('path, query, cursor, JSON and headers arrive as they were meant', async () => {
  const { origin, seen } = await service(answer(200, { id: 1, big: 1 }))
  const api = client(`${origin}/v1/`, { headers: { 'X-Version': '7' } })
  const { data } = await api.read(z.object({ id: z.number() }), {
    method: 'POST',
    path: path`/repos/${'a/../b?c#d'}/contents/${['x y', 'z']}/${7}`,
    query: { q: 'a&b', tag: ['x', 'y'], page: 1, none: undefined, nil: null },
    cursor: 'page=2&after=Y%3D',
    json: { title: 'ä', left: undefined },
    signal,
  })
  expect(data).toEqual({ id: 1 })
  expect(seen[0]!.line).toBe(
    'POST /v1/repos/a%2F..%2Fb%3Fc%23d/contents/x%20y/z/7?q=a%26b&tag=x&tag=y&page=2&after=Y%3D',
  )
  expect(seen[0]!.headers).toMatchObject({
    authorization: 'Bearer the-secret-token',
    'x-version': '7',
    accept: 'application/json',
  })
  expect(Buffer.from(seen[0]!.body, 'latin1').toString()).toBe('{"title":"ä"}')
})

test.each(['', '.', '..'])('a path never has the segment %j', (segment) => {
  expect(() => path`/repos/${segment}/x`).toThrow(expect.objectContaining({ code: 'api_path' }))
})

test.each([
  'ftp://a.example',
  'http://a.example',
  'https://u:p@a.example',
  'https://a.example/?x=1',
  'https://a.example/../b c',
])('the base URL %s is refused', (baseUrl) =>
  expect(() => client(baseUrl)).toThrow(expect.objectContaining({ code: 'api_target' })),
)

test('forms, files and bytes', async () => {
  const { origin, seen } = await service(answer(200, {}))
  const api = client(origin)
  await api.send({ method: 'POST', path: path`/form`, form: { a: '1&2', b: undefined }, signal })
  const file = { name: 'a.txt', bytes: Buffer.from('content'), type: 'text/plain' }
  await api.send({ method: 'POST', path: path`/multi`, multipart: { chat: '7', file }, signal })
  await api.send({ method: 'PUT', path: path`/raw`, bytes: { data: Buffer.from('xyz'), type: 'text/x' }, signal })
  expect(seen.map(({ headers }) => headers['content-type']!.split(';')[0])).toEqual([
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'text/x',
  ])
  expect(seen[0]!.body).toBe('a=1%262')
  expect(seen[1]!.body).toMatch(
    /name="chat"\r\n\r\n7\r\n[^]*filename="a.txt"\r\nContent-Type: text\/plain\r\n\r\ncontent\r\n/,
  )
  expect(seen[2]!.body).toBe('xyz')
})

test('the credential goes where its method says, and its text may hold dollar signs', async () => {
  const { origin, seen } = await service(answer(200, {}))
  const method = (send: AuthMethod['send']): AuthMethod => ({ kind: 'bearer', title: 't', help: 'h', fields: [], send })
  const auth = {
    plain: method({ in: 'header', name: 'X-Api-Key', template: 'key {token}' }),
    query: method({ in: 'query', name: 'api_key', template: '{token}' }),
  }
  for (const name of ['plain', 'query', 'other']) {
    const api = client(origin, { auth, credentials: staticCredential(name, 'a$&b c') })
    await api.send({ path: path`/me`, signal })
  }
  expect(seen[0]!.headers['x-api-key']).toBe('key a$&b c')
  expect(seen[1]!.line).toBe('GET /me?api_key=a%24%26b+c')
  expect(seen[2]!.headers.authorization).toBe('Bearer a$&b c')
})

test('a credential does not follow a redirect to another origin, and a write follows none that would change it', async () => {
  const other = await service(answer(200, { from: 'other' }))
  const { origin, seen } = await service((request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: `${other.origin}/x` }).end()
    else if (request.url === '/kept') response.writeHead(307, { location: `${other.origin}/x` }).end()
    else if (request.url === '/moved') response.writeHead(307, { location: '/new' }).end()
    else if (request.url === '/gone') response.writeHead(301, { location: '/new' }).end()
    else response.end('{"at":"new"}')
  })
  const api = client(origin)
  expect((await api.send({ path: path`/away`, signal })).data).toEqual({ from: 'other' })
  expect(other.seen[0]!.headers.authorization).toBeUndefined()
  expect((await api.send({ method: 'POST', path: path`/moved`, json: { a: 1 }, signal })).data).toEqual({ at: 'new' })
  expect(seen.at(-1)).toMatchObject({ line: 'POST /new', body: '{"a":1}' })
  for (const to of ['away', 'kept', 'gone']) {
    const error = await failure(api.send({ method: 'POST', path: path`/${to}`, json: {}, signal }))
    expect(error).toMatchObject({ code: 'acme_redirected', retryable: false })
  }
  expect(other.seen).toHaveLength(1)
})

function refreshing(tokens: string[]): CredentialSource & { readonly refused: string[] } {
  const refused: string[] = []
  const make = (token: string): Credential => ({ method: 'oauth', token, metadata: {}, expiresAt: null })
  return {
    refused,
    current: () => Promise.resolve(make(tokens[0]!)),
    rejected: (credential) => {
      refused.push(credential.token)
      tokens.shift()
      return Promise.resolve(tokens[0] === undefined ? null : make(tokens[0]))
    },
  }
}

test('a refused token is refreshed once, and the request sent again with its body', async () => {
  const handler: Handler = ({ headers }, response) =>
    void (headers.authorization === 'Bearer good'
      ? response.end('{}')
      : response.writeHead(401).end('{"message":"Bad credentials"}'))
  const { origin, seen } = await service(handler)
  const credentials = refreshing(['old', 'good'])
  await client(origin, { credentials }).send({ method: 'POST', path: path`/x`, json: { a: 1 }, signal })
  expect(credentials.refused).toEqual(['old'])
  expect(seen.map(({ body }) => body)).toEqual(['{"a":1}', '{"a":1}'])

  const bad = refreshing(['old', 'older', 'good'])
  const error = await failure(client(origin, { credentials: bad }).send({ path: path`/x`, signal }))
  expect(error).toMatchObject({
    code: 'acme_unauthorized',
    retryable: false,
    data: { status: 401, message: 'Bad credentials' },
  })
  expect(bad.refused).toEqual(['old'])
  expect(seen).toHaveLength(4)
})

test.each([
  [400, 'acme_invalid', false],
  [401, 'acme_unauthorized', false],
  [403, 'acme_forbidden', false],
  [404, 'acme_not_found', false],
  [409, 'acme_conflict', false],
  [418, 'acme_failed', false],
  [422, 'acme_invalid', false],
  [429, 'acme_rate_limited', true],
  [500, 'acme_unavailable', true],
  [503, 'acme_unavailable', true],
])('status %i is %s', async (status, code, retryable) => {
  const headers = { 'x-request-id': 'r1', ...(status === 403 ? {} : { 'retry-after': '7' }) }
  const { origin } = await service(answer(status, { error: { type: 'T', message: 'no\n the-secret-token' } }, headers))
  const error = await failure(client(origin).send({ path: path`/a/${'b c'}`, query: { q: 'private' }, signal }))
  expect(error).toMatchObject({ code, retryable })
  expect(error.data).toEqual({
    status,
    code: 'T',
    message: 'no ***',
    request_id: 'r1',
    ...(retryable ? { retryAfterMs: 7_000 } : {}),
  })
  expect(error.message).toContain(`GET ${origin}/a/b%20c with ${status}: no *** (T)`)
  expect(error.message).not.toMatch(/private|the-secret/)
})

test('a reply that is no JSON, or not what is documented, names the place', async () => {
  const { origin } = await service(
    ({ url }, response) =>
      void (url === '/html'
        ? response.end('<p>')
        : url === '/down'
          ? response.writeHead(502).end('<html>')
          : response.end('{"a":{"b":"x"}}')),
  )
  const api = client(origin)
  expect(await failure(api.send({ path: path`/html`, signal }))).toMatchObject({ code: 'api_reply' })
  expect(await failure(api.send({ path: path`/down`, signal }))).toMatchObject({
    code: 'acme_unavailable',
    message: `Acme refused GET ${origin}/down with 502.`,
  })
  const error = await failure(api.read(z.object({ a: z.object({ b: z.number() }) }), { path: path`/x`, signal }))
  expect(error).toMatchObject({ code: 'api_reply', data: { status: 200, path: 'a.b' } })
})

test('a credential in the path is in no error: of the service, of the network, of the address', async () => {
  const { origin, seen } = await service(answer(401, { description: 'Unauthorized' }))
  const credentials = staticCredential('token', '12:the-secret-token')
  const api = client(origin, { credentials, pathCredential: 'bot{token}' })
  const refused = await failure(api.send({ method: 'POST', path: path`/getMe`, signal }))
  expect(seen[0]!.line).toBe('POST /bot12:the-secret-token/getMe')
  expect(refused.message).toContain(`POST ${origin}/bot***/getMe`)
  const unreachable = client('http://127.0.0.1:1', { credentials, pathCredential: 'bot{token}' })
  const network = await failure(unreachable.send({ path: path`/getMe`, signal }))
  expect(network.code).toMatch(/^egress_/)
  for (const error of [refused, network]) {
    expect(JSON.stringify([error.message, error.data, error.stack, error.cause])).not.toMatch(/the-secret/)
  }
})

test('an upload goes without the credential, and not to an address that is no URL', async () => {
  const { origin, seen } = await service(
    ({ url }, response) => void response.writeHead(url === '/up' ? 200 : 500).end(),
  )
  const api = client(origin)
  const bytes = { data: Buffer.from('file'), type: 'application/octet-stream' }
  await api.upload(`${origin}/up`, { bytes }, signal)
  expect(seen[0]).toMatchObject({ line: 'POST /up', body: 'file' })
  expect(seen[0]!.headers.authorization).toBeUndefined()
  expect(await failure(api.upload(`${origin}/down`, { bytes }, signal))).toMatchObject({ code: 'acme_unavailable' })
  expect(await failure(api.upload('/up', { bytes }, signal))).toMatchObject({ code: 'api_target' })
  const https = client('https://api.example.com')
  expect(await failure(https.upload('http://files.example.com/up', { bytes }, signal))).toMatchObject({
    code: 'api_target',
  })
})

test('an aborted call sends nothing', async () => {
  const { origin, seen } = await service(answer(200, {}))
  const stopped = AbortSignal.abort(new Error('stop'))
  expect(await failure(client(origin).send({ path: path`/x`, signal: stopped }))).toMatchObject({
    code: 'egress_aborted',
  })
  expect(seen).toEqual([])
})
