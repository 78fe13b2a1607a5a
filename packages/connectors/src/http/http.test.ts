import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PlugworkError, type Json } from '@plugwork/core'
import { createEgress, type ActionContext, type Egress } from '@plugwork/core/node'
import { afterEach, expect, test } from 'vitest'
import type { HttpClient } from './client.ts'
import { http } from './http.ts'
import { retryAfter } from './response.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

async function service(
  handler: (request: IncomingMessage, response: ServerResponse, body: string) => void = (_request, response) =>
    void response.setHeader('content-type', 'application/json').end('{"ok":true}'),
): Promise<{ readonly origin: string; readonly host: string; readonly seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    request.on('end', () => {
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body })
      handler(request, response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin: `http://${host}`, host, seen }
}

function egress(): Egress {
  const made = createEgress({ allow: ['127.0.0.1'] })
  closing.push(() => made.close())
  return made
}

type Name = keyof typeof http.actions

/** Calls an action as the runtime does: config and input through the schemas. */
async function call(name: Name, input: Json, config?: Json, through = egress()): Promise<Record<string, unknown>> {
  const signal = new AbortController().signal
  const log = (): void => undefined
  const shared = { tenant: 'default', egress: through, signal, log }
  const client =
    config === undefined
      ? undefined
      : await http.connect(http.config.parse(config), { ...shared, name: 'api', directory: '/' })
  const context: ActionContext<HttpClient | undefined> = {
    ...shared,
    client,
    connection: config === undefined ? '' : 'api',
    idempotencyKey: 'key-1',
    attempt: 1,
  }
  const action = http.actions[name]
  const run = action.run.bind(action) as (context: unknown, input: unknown) => Promise<unknown>
  return action.output.parse(await run(context, action.input.parse(input)))
}

const failure = async (promise: Promise<unknown>): Promise<PlugworkError> => {
  const error: unknown = await promise.then(
    () => new Error('it was expected to fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}

test('get with a connection: path below base_url, query, headers and credentials', async () => {
  const { origin, seen } = await service()
  const output = await call(
    'get',
    {
      path: '/users/a%2Fb?x=1',
      query: { tag: ['a', 'b c'], page: 2, all: true, none: null },
      headers: { 'X-More': 'm' },
    },
    { base_url: `${origin}/v1/`, headers: { 'X-Own': 'o', 'x-more': 'hidden' }, auth: { type: 'bearer', token: 't' } },
  )
  expect(output).toMatchObject({ status: 200, body: { ok: true }, body_encoding: 'json' })
  expect(seen[0]!.url).toBe('/v1/users/a%2Fb?x=1&tag=a&tag=b+c&page=2&all=true')
  expect(seen[0]!.headers).toMatchObject({ 'x-own': 'o', 'x-more': 'm', authorization: 'Bearer t' })
})

test('every kind of credentials', async () => {
  const { origin, seen } = await service()
  await call('get', { path: '' }, { base_url: origin, auth: { type: 'basic', username: 'ü', password: 'p:w' } })
  expect(seen[0]!.headers.authorization).toBe(`Basic ${Buffer.from('ü:p:w').toString('base64')}`)
  await call('get', { path: 'x' }, { base_url: origin, auth: { type: 'api_key', key: 'k' } })
  expect([seen[1]!.url, seen[1]!.headers['x-api-key']]).toEqual(['/x', 'k'])
})

test('the headers of a connection go to its own origin only: not to another url, not along a redirect', async () => {
  const other = await service()
  const own = await service((request, response) => {
    if (request.url === '/away') response.writeHead(307, { location: `${other.origin}/redirected` })
    response.end()
  })
  const config = {
    base_url: own.origin,
    headers: { 'X-Key': 'secret-header' },
    auth: { type: 'bearer', token: 'secret-token' },
  }
  await call('get', { url: `${own.origin}/same` }, config)
  expect(own.seen[0]!.headers).toMatchObject({ 'x-key': 'secret-header', authorization: 'Bearer secret-token' })
  for (const url of [`${other.origin}/other`, `${own.origin}/away`, own.origin.replace('127.0.0.1', 'localhost')]) {
    await call('post', { url, json: {} }, config).catch(() => undefined)
  }
  expect(other.seen.map(({ url }) => url)).toEqual(['/other', '/redirected'])
  const elsewhere = [...other.seen, ...own.seen.filter(({ headers }) => headers.host?.startsWith('localhost'))]
  for (const { headers } of elsewhere) expect(JSON.stringify(headers)).not.toContain('secret')
})

test('allow_hosts closes every other host, but never the own one', async () => {
  const other = await service()
  const own = await service()
  const config = { base_url: own.origin, allow_hosts: ['api.example.com'] }
  expect(await call('get', { path: '/' }, config)).toMatchObject({ status: 200 })
  expect((await failure(call('get', { url: other.origin }, config))).code).toBe('egress_denied')
  expect(other.seen).toEqual([])
})

test('a path cannot leave base_url, however it is spelt', async () => {
  const { origin, seen } = await service()
  for (const path of ['/../admin', '/a/../../admin', '/%2e%2e/admin', '/.%2E/x', '..', '/a\\..\\b', '/./a']) {
    expect([path, (await failure(call('get', { path }, { base_url: `${origin}/v1` }))).code]).toEqual([
      path,
      'http_target',
    ])
  }
  expect(seen).toEqual([])
  await call('get', { path: '//evil.test/x' }, { base_url: `${origin}/v1` })
  await call('get', { path: '@evil.test' }, { base_url: `${origin}/v1` })
  await call('get', { path: '/a?redirect=../b' }, { base_url: `${origin}/v1` })
  expect(seen.map(({ url }) => url)).toEqual(['/v1//evil.test/x', '/v1/@evil.test', '/v1/a?redirect=../b'])
})

test('without a connection a url is enough; a path is not', async () => {
  const { origin, seen } = await service()
  expect(await call('get', { url: `${origin}/x?a=1`, query: { b: 2 } })).toMatchObject({ status: 200 })
  expect(seen[0]!.url).toBe('/x?a=1&b=2')
  expect((await failure(call('get', { path: '/x' }))).message).toContain('base_url')
  expect((await failure(call('get', { url: '/x' }))).message).toContain('Use `path`')
})

test('bodies: json, form, text and binary; each with its content type', async () => {
  const { origin, seen } = await service()
  await call('post', { url: origin, json: { a: [1, 'ü'] } })
  await call('put', { url: origin, form: { a: 'b c', list: [1, 2] } })
  await call('patch', { url: origin, body: 'ü' })
  await call('request', {
    method: 'PUT',
    url: origin,
    body: { base64: '//79' },
    headers: { 'Content-Type': 'image/x' },
  })
  await call('delete', { url: origin })
  await call('post', { url: origin, json: null })
  expect(seen.map(({ method, headers, body }) => [method, headers['content-type'], body])).toEqual([
    ['POST', 'application/json', Buffer.from('{"a":[1,"ü"]}').toString('latin1')],
    ['PUT', 'application/x-www-form-urlencoded', 'a=b+c&list=1&list=2'],
    ['PATCH', 'text/plain; charset=utf-8', Buffer.from('ü').toString('latin1')],
    ['PUT', 'image/x', '\xff\xfe\xfd'],
    ['DELETE', undefined, ''],
    ['POST', 'application/json', 'null'],
  ])
})

test('the idempotency key of the step goes along with POST and PATCH, under the header the service knows', async () => {
  const { origin, seen } = await service()
  for (const name of ['get', 'post', 'put', 'patch', 'delete'] as const) await call(name, { url: origin })
  await call('request', { method: 'POST', url: origin })
  await call('post', { path: '' }, { base_url: origin, idempotency_header: 'X-Request-Id' })
  await call('post', { url: origin, headers: { 'idempotency-key': 'mine' } })
  expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual([
    undefined,
    'key-1',
    undefined,
    'key-1',
    undefined,
    'key-1',
    undefined,
    'mine',
  ])
  expect(seen[6]!.headers['x-request-id']).toBe('key-1')
})

test.each([
  ['application/json', '{"a":1}', { a: 1 }, 'json'],
  ['application/problem+json; charset=utf-8', '[1]', [1], 'json'],
  ['application/json', '\ufeff"bom"', 'bom', 'json'],
  [
    'application/json',
    '{"id":12345678901234567890,"f":1.5,"s":"12345678901234567"}',
    { id: '12345678901234567890', f: 1.5, s: '12345678901234567' },
    'json',
  ],
  ['text/plain', 'hällo', 'hällo', 'text'],
  ['text/plain; charset=iso-8859-1', Buffer.from([0x68, 0xe4]), 'hä', 'text'],
  ['application/xml', '<a/>', '<a/>', 'text'],
  ['image/png', Buffer.from([0x89, 0x50]), 'iVA=', 'base64'],
  ['', 'plain', 'plain', 'text'],
  ['', Buffer.from([0xff, 0xfe, 0x00]), '//4A', 'base64'],
  ['application/json', '', null, 'none'],
  ['text/plain', '', '', 'none'],
])('a body of type "%s" is read', async (type, sent, body, encoding) => {
  const { origin } = await service((_request, response) => {
    if (type !== '') response.setHeader('content-type', type)
    response.end(sent)
  })
  expect(await call('get', { url: origin })).toMatchObject({ body, body_encoding: encoding })
})

test('a body that is not what it says is an error', async () => {
  const { origin } = await service((_request, response) =>
    response.setHeader('content-type', 'application/json').end('{"a'),
  )
  expect(await failure(call('get', { url: `${origin}/x?key=s3cret` }))).toMatchObject({
    code: 'http_body',
    retryable: false,
  })
})

test.each([
  [400, false],
  [401, false],
  [404, false],
  [408, true],
  [409, false],
  [425, true],
  [429, true],
  [500, true],
  [503, true],
])('status %i is the error of its code', async (status, retryable) => {
  const { origin } = await service((_request, response) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'retry-after': '7' })
      .end('{"error":{"message":"no\\n such thing"},"more":1}'),
  )
  const error = await failure(call('get', { url: `${origin}/items?token=s3cret` }))
  expect(error).toMatchObject({
    code: `http_${status}`,
    retryable,
    data: { status, retryAfterMs: 7_000, body: { error: { message: 'no\n such thing' }, more: 1 } },
  })
  expect(error.message).toContain(`GET ${origin}/items answered ${status}`)
  expect(error.message).toContain('no such thing')
  expect(error.message).not.toContain('s3cret')
  expect(await call('get', { url: origin, fail_on_status: false })).toMatchObject({ status })
  expect(await call('get', { path: '' }, { base_url: origin, fail_on_status: false })).toMatchObject({ status })
  const strict = call('get', { path: '', fail_on_status: true }, { base_url: origin, fail_on_status: false })
  expect((await failure(strict)).code).toBe(`http_${status}`)
})

test('Retry-After is seconds or a date, bounded', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(retryAfter(undefined, now)).toBeUndefined()
  expect(retryAfter('3', now)).toBe(3_000)
  expect(retryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000)
  expect(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0)
  expect(retryAfter('soon', now)).toBeUndefined()
  expect(retryAfter('999999999', now)).toBe(86_400_000)
})

test('limits of the connection and of the request hold', async () => {
  const { origin } = await service((request, response) => {
    if (request.url === '/large') response.end('x'.repeat(2_000))
  })
  const config = { base_url: origin, max_response_bytes: 1_000, timeout: '50ms' }
  expect((await failure(call('get', { path: '/large' }, config))).code).toBe('egress_too_large')
  expect((await failure(call('get', { path: '/silent' }, config))).message).toContain('50 ms')
  expect((await failure(call('get', { path: '/silent', timeout: 0.02 }, config))).message).toContain('20 ms')
  expect((await failure(call('get', { url: `${origin}/silent`, timeout: '30ms' }))).code).toBe('egress_timeout')
})

test("without the operator's consent private addresses stay closed", async () => {
  const { origin, seen } = await service()
  const strict = createEgress()
  closing.push(() => strict.close())
  expect((await failure(call('get', { url: origin }, undefined, strict))).code).toBe('egress_denied')
  expect((await failure(call('get', { path: '/' }, { base_url: origin }, strict))).code).toBe('egress_denied')
  expect(seen).toEqual([])
})

test.each([
  ['get', {}],
  ['get', { path: '/', url: 'http://x' }],
  ['get', { url: 'http://x', json: 1 }],
  ['get', { url: 'http://x', timeout: '20m' }],
  ['get', { url: 'http://x', timeout: 'soon' }],
  ['post', { url: 'http://x', json: 1, body: 'x' }],
  ['post', { url: 'http://x', body: { base64: '!' } }],
  ['request', { url: 'http://x', method: 'TRACE' }],
  ['request', { url: 'http://x', headers: { a: 1 } }],
] as const)('%s refuses %j', (name, input) => {
  expect(http.actions[name].input.safeParse(input).success).toBe(false)
})

test('a config that sends credentials nowhere, or hides some in base_url, is refused by name', async () => {
  const config = (value: Json): Promise<unknown> => call('get', { path: '/' }, value)
  expect((await failure(config({ headers: { a: 'b' } }))).message).toContain('"api"')
  expect((await failure(config({ base_url: 'http://u:p@x' }))).code).toBe('http_config')
  expect((await failure(config({ base_url: 'http://x/?key=1' }))).code).toBe('http_config')
  for (const wrong of [
    { base_url: 'ftp://x' },
    { base_url: 'x' },
    { unknown: 1 },
    { auth: { type: 'bearer' } },
    { timeout: '1d' },
  ]) {
    expect([wrong, http.config.safeParse(wrong).success]).toEqual([wrong, false])
  }
})

test('test() proves that the service is there and takes the credentials', async () => {
  const { origin, seen } = await service((request, response) =>
    response.writeHead(request.headers.authorization === 'Bearer good' ? 404 : 401).end(),
  )
  const check = async (config: Json): Promise<string> => {
    const context = {
      name: 'api',
      tenant: 'default',
      egress: egress(),
      directory: '/',
      signal: new AbortController().signal,
      log: () => undefined,
    }
    return (await http.test!(await http.connect(http.config.parse(config), context), context)).message
  }
  expect(await check({ base_url: origin, auth: { type: 'bearer', token: 'good' } })).toContain('answered 404')
  expect((await failure(check({ base_url: origin, auth: { type: 'bearer', token: 'bad' } }))).code).toBe('http_401')
  expect(await check({})).toContain('no base_url')
  expect(seen.map(({ method }) => method)).toEqual(['HEAD', 'HEAD'])
})
