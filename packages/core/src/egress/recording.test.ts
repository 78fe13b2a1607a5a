import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { PlugworkError } from '../error.ts'
import { createEgress } from './guarded-egress.ts'
import { recordEgress, type RecordingEgress } from './record-egress.ts'
import { Scrubber } from './recording.ts'
import { replayEgress } from './replay-egress.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

async function service(handler: Handler): Promise<{ origin: string; seen: string[] }> {
  const seen: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    request.on('end', () => {
      seen.push(`${request.method} ${request.url}`)
      handler(request, response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

function tape(redact?: (text: string) => string): { file: string; record(): RecordingEgress } {
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-tape-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'below', 'tape.http.json')
  const record = () =>
    recordEgress(createEgress({ allow: ['127.0.0.1'] }), file, redact === undefined ? {} : { redact })
  return { file, record }
}

const failure = (promise: Promise<unknown>): Promise<PlugworkError> =>
  promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: unknown) => error as PlugworkError,
  )
const text = (body: Uint8Array): string => Buffer.from(body).toString()

test('what was recorded is answered again, byte for byte where it is no JSON, without any network', async () => {
  const bytes = Buffer.from([0, 255, 1, 254])
  const { origin, seen } = await service((request, response) => {
    if (request.url === '/bytes') response.end(bytes)
    else if (request.url === '/text') response.setHeader('content-type', 'text/plain').end('häl\nlo')
    else if (request.url === '/moved') response.writeHead(302, { location: '/json' }).end()
    else if (request.url === '/none') response.writeHead(204).end()
    else if (request.url === '/big')
      response.setHeader('content-type', 'application/json').end('{"id":12345678901234567890}')
    else
      response
        .setHeader('content-type', 'application/json')
        .setHeader('x-count', `${seen.length}`)
        .end('{ "a": [1, "ü"] }')
  })
  const { file, record } = tape()
  const paths = ['/bytes', '/text', '/moved', '/none', '/big', '/json']
  const live = record()
  const recorded = []
  for (const path of paths) recorded.push(await live.request({ method: 'get', url: origin + path }))
  await live.close()
  const before = seen.length
  const replay = replayEgress(file)
  for (const [index, path] of paths.entries()) {
    const answer = await replay.request({ method: 'GET', url: origin + path })
    const { status, url } = recorded[index]!
    expect(answer).toMatchObject({ status, url })
    expect(answer.headers['content-type']).toBe(recorded[index]!.headers['content-type'])
    if (path === '/json' || path === '/moved') expect(JSON.parse(text(answer.body))).toEqual({ a: [1, 'ü'] })
    else expect(Buffer.from(answer.body).equals(Buffer.from(recorded[index]!.body))).toBe(true)
  }
  expect(seen).toHaveLength(before)
  expect(replay.unused()).toEqual([])
})

test('the same request gets its answers in order; bodies and parameters tell requests apart, their order does not', async () => {
  let count = 0
  const { origin } = await service((_request, response, body) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ count: ++count, body })),
  )
  const { file, record } = tape()
  const live = record()
  const post = (egress: Pick<RecordingEgress, 'request'>, query: string, body: object) =>
    egress.request({
      method: 'POST',
      url: `${origin}/x?${query}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  for (const [query, body] of [
    ['a=1&b=2', { n: 1 }],
    ['a=1&b=2', { n: 1 }],
    ['a=1&b=3', { n: 1 }],
    ['a=1&b=2', { n: 2, m: 3 }],
  ] as const) {
    await post(live, query, body)
  }
  await live.save()
  const replay = replayEgress(file)
  const counts: unknown[] = []
  for (const [query, body] of [
    ['b=2&a=1', { m: 3, n: 2 }],
    ['b=3&a=1', { n: 1 }],
    ['a=1&b=2', { n: 1 }],
    ['b=2&a=1', { n: 1 }],
  ] as const) {
    counts.push((JSON.parse(text((await post(replay, query, body)).body)) as { count: number }).count)
  }
  expect(counts).toEqual([4, 3, 1, 2])
  const again = await failure(post(replay, 'a=1&b=2', { n: 1 }))
  expect(again).toMatchObject({
    code: 'egress_unrecorded',
    message: expect.stringContaining('2 times and has been made more often'),
  })
  expect((await failure(post(replay, 'a=1&b=2', { n: 9 }))).message).toContain('another body')
  expect((await failure(post(replay, 'a=9', { n: 1 }))).message).toContain('other parameters')
  expect((await failure(replay.request({ method: 'GET', url: `${origin}/y?token=abc` }))).message).toMatch(
    /GET http:\/\/127\.0\.0\.1:\d+\/y is not in the recording .*no request of this method goes there/,
  )
})

test('fetch is recorded and replayed too, and so is what a narrowed egress does', async () => {
  const { origin, seen } = await service((request, response, body) =>
    response
      .writeHead(request.url === '/none' ? 204 : 201, { 'content-type': 'text/plain' })
      .end(`${request.method}:${body}`),
  )
  const { file, record } = tape()
  const live = record()
  const use = async (fetch: typeof globalThis.fetch): Promise<unknown[]> => {
    const posted = await fetch(`${origin}/a`, { method: 'POST', body: 'x' })
    const none = await fetch(new Request(`${origin}/none`))
    return [posted.status, posted.url, await posted.text(), none.status, await none.text()]
  }
  const recorded = await use(live.restrict({ timeoutMs: 5_000 }).fetch)
  await live.close()
  expect(recorded).toEqual([201, `${origin}/a`, 'POST:x', 204, ''])
  expect(await use(replayEgress(file).restrict({}).fetch)).toEqual(recorded)
  expect(seen).toHaveLength(2)
})

test('a failure is recorded as one', async () => {
  const { origin } = await service((request) => request.socket.destroy())
  const { file, record } = tape()
  const live = record()
  const first = await failure(live.request({ method: 'POST', url: `${origin}/x` }))
  await live.close()
  const second = await failure(replayEgress(file).request({ method: 'POST', url: `${origin}/x` }))
  expect(second).toMatchObject({ code: first.code, message: first.message, retryable: first.retryable })
  expect(first.code).toBe('egress_broken')
})

test('a recording holds no secret, and is found again with other secrets', async () => {
  const secrets = [
    's-header-1',
    's-cookie-2',
    's-query-3',
    's-json-4',
    's-form-5',
    's-known-6',
    's-setcookie-7',
    's-answer-8',
    's-nested-9',
  ]
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl'
  const { origin } = await service((_request, response) =>
    response
      .setHeader('content-type', 'application/json')
      .setHeader('set-cookie', 'a=s-setcookie-7')
      .end(
        JSON.stringify({
          access_token: 's-answer-8',
          note: `Bearer ${jwt}`,
          deep: [{ clientSecret: 's-nested-9', monkey: 'ape' }],
        }),
      ),
  )
  const { file, record } = tape((value) => value.replaceAll('s-known-6', '***'))
  const live = record()
  const send = async (egress: Pick<RecordingEgress, 'request'>, values: readonly string[]): Promise<void> => {
    await egress.request({
      method: 'POST',
      url: `${origin}/bot123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAA/p?api_key=${values[2]}&q=1`,
      headers: {
        authorization: `Bearer ${values[0]}`,
        'x-own': values[0]!,
        cookie: values[1]!,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ password: values[3], user: 'u', pin: 5 }),
    })
    await egress.request({
      method: 'POST',
      url: `${origin}/form`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `client_secret=${values[4]}&grant=x`,
    })
    await egress.request({ method: 'POST', url: `${origin}/text`, body: `say ${values[5]}` })
  }
  await send(live, secrets)
  await live.close()
  const written = readFileSync(file, 'utf8')
  for (const secret of [...secrets, jwt, '123456:AAAA'])
    expect([secret, written.includes(secret)]).toEqual([secret, false])
  for (const kept of ['ape', '"user": "u"', 'q=1', 'grant=x', 'say ***', '"content-type": "application/json"']) {
    expect(written).toContain(kept)
  }
  const replay = replayEgress(file, { redact: (value) => value.replaceAll('another-known', '***') })
  await send(replay, ['h', 'c', 'another-query', 'another-json', 'another-form', 'another-known'])
  expect(replay.unused()).toEqual([])
})

test('a file that is no recording says so', () => {
  const { file } = tape()
  expect(() => replayEgress(file)).toThrow('cannot be read')
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-tape-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [content, why] of [
    ['{', 'cannot be read'],
    ['null', 'no recording'],
    ['{"format":"plugwork-http/2","exchanges":[]}', 'no recording'],
    [
      '{"format":"plugwork-http/1","exchanges":[{"request":{"method":"GET","url":"http://x/","headers":{}}}]}',
      'Exchange 1',
    ],
  ] as const) {
    const path = join(folder, 'tape.json')
    writeFileSync(path, content)
    expect(() => replayEgress(path)).toThrow(why)
  }
})

test('no socket is opened while a recording is replayed', async () => {
  const { file, record } = tape()
  await record().close()
  const error = await failure(replayEgress(file).connect({ host: 'db.example.com', port: 5432 }))
  expect(error).toMatchObject({ code: 'egress_unrecorded', message: expect.stringContaining('db.example.com:5432') })
})

test.each([
  'token',
  'accessToken',
  'X-Api-Key',
  'apikey',
  'client_secret',
  'PASSWORD',
  'x-hub-signature',
  'sessionId',
  'private_key',
])('a field named %s is a secret', (name) => {
  expect(new Scrubber().json({ [name]: 'abc', other: 1 })).toEqual({ [name]: '***', other: 1 })
})

test.each(['monkey', 'keyboard', 'tokens_used', 'author', 'secretary', 'passwordless', 'signature_count', 'key'])(
  'a field named %s is none',
  (name) => {
    expect(new Scrubber().json({ [name]: 'abc' })).toEqual({ [name]: 'abc' })
  },
)
