/** What a socket gets that does not behave: sent byte by byte, without a client library in between. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHarness, OWNER_TOKEN } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'

const FLOW = `
flow: Echo
triggers:
  - webhook: { path: /echo, auth: none, respond: when_finished, max_body: 100 }
inputs: [{ name: n, type: integer }]
steps: [{ id: s, set: { n: "\${inputs.n}" } }]
outputs: [{ name: n, value: "\${s.n}" }]
`

let harness: Harness
beforeAll(async () => {
  harness = await openHarness({ files: { 'flow.yaml': FLOW } })
})
afterAll(() => harness.close())

/** Sends text as it is; gives what came back until the server closed or `until` is in it. */
async function raw(text: string, until?: string): Promise<string> {
  const { port } = new URL(harness.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.write(text, 'latin1')
  let received = ''
  for await (const chunk of socket) {
    received += String(chunk)
    if (until !== undefined && received.includes(until)) break
  }
  socket.destroy()
  return received
}

const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`
const HOST = 'Host: localhost'
const TOKEN = `Authorization: Bearer ${OWNER_TOKEN}`
const JSON_TYPE = 'Content-Type: application/json'

describe('framing', () => {
  test.each([
    [
      'both lengths',
      head('POST /webhooks/echo HTTP/1.1', HOST, 'Content-Length: 4', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
    ],
    ['two lengths', head('POST /webhooks/echo HTTP/1.1', HOST, 'Content-Length: 2', 'Content-Length: 3') + '{}'],
    ['a signed length', head('POST /webhooks/echo HTTP/1.1', HOST, 'Content-Length: +2') + '{}'],
    [
      'a coding that is not chunked last',
      head('POST /webhooks/echo HTTP/1.1', HOST, 'Transfer-Encoding: chunked, identity') + '0\r\n\r\n',
    ],
    ['an obfuscated coding', head('POST /webhooks/echo HTTP/1.1', HOST, 'Transfer-Encoding : chunked') + '0\r\n\r\n'],
    ['a folded header', head('GET /healthz HTTP/1.1', HOST, 'X-A: 1', ' 2')],
    ['a bare line feed', 'GET /healthz HTTP/1.1\nHost: localhost\n\n'],
    ['no host', head('GET /healthz HTTP/1.1')],
    ['something else', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s is refused and the connection closed', async (_, text) => {
    const answer = await raw(`${text}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
  })

  test('a refusal of the parser is a problem document too', async () => {
    const answer = await raw(head('GET /healthz HTTP/1.1', HOST, 'Content-Length: x'))
    const [headers, body] = answer.split('\r\n\r\n') as [string, string]
    expect(headers).toContain('application/problem+json')
    expect(JSON.parse(body)).toMatchObject({ status: 400, code: 'request_malformed' })
  })

  test('requests sent ahead are answered in order', async () => {
    const one = head('GET /healthz HTTP/1.1', HOST)
    const answer = await raw(one + head('GET /nothing HTTP/1.1', HOST, 'Connection: close'))
    expect(answer.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404'])
  })

  test('an address or headers that are too long are 431', async () => {
    const long = await raw(head(`GET /${'a'.repeat(40_000)} HTTP/1.1`, HOST))
    const many = await raw(head('GET /healthz HTTP/1.1', HOST, `X-A: ${'a'.repeat(40_000)}`))
    for (const answer of [long, many]) {
      expect(answer).toMatch(/^HTTP\/1\.1 431 /)
      expect(answer).toContain('headers_too_large')
    }
  })
})

describe('bodies', () => {
  test('100 Continue is sent once the body is wanted', async () => {
    const before = head('POST /webhooks/echo HTTP/1.1', HOST, JSON_TYPE, 'Expect: 100-continue', 'Content-Length: 7')
    expect(await raw(`${before}{"n":5}`, '{"n":5}')).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  })

  test.each([
    ['without a token', '/api/v1/events', [], 401],
    ['too large', '/webhooks/echo', [], 413],
    ['to nowhere', '/nowhere', [TOKEN], 404],
  ])('one that is refused anyway (%s) is not asked for', async (_, path, headers, status) => {
    const answer = await raw(
      head(`POST ${path} HTTP/1.1`, HOST, JSON_TYPE, ...headers, 'Expect: 100-continue', 'Content-Length: 100000'),
    )
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toMatch(/connection: close/i)
  })

  test('an expectation that nobody knows is 417', async () => {
    expect(await raw(head('POST /webhooks/echo HTTP/1.1', HOST, 'Expect: magic', 'Connection: close'))).toMatch(
      /^HTTP\/1\.1 417 /,
    )
  })

  test('one that grows past the limit in chunks is 413', async () => {
    const chunk = `40\r\n${'1'.repeat(64)}\r\n`
    const answer = await raw(
      head('POST /webhooks/echo HTTP/1.1', HOST, JSON_TYPE, 'Transfer-Encoding: chunked') + chunk.repeat(4),
    )
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('"max_bytes":100')
  })

  test('one that breaks off starts nothing', async () => {
    const { port } = new URL(harness.url)
    const before = (await harness.request('GET', '/api/v1/runs')).json().runs
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.end(head('POST /webhooks/echo HTTP/1.1', HOST, JSON_TYPE, 'Content-Length: 50') + '{"n":')
        socket.resume()
        socket.once('close', () => resolve())
      })
    })
    expect((await harness.request('GET', '/api/v1/runs')).json().runs).toEqual(before)
  })

  test('malformed JSON is 400 with its position', async () => {
    const answer = await harness.request('POST', '/api/v1/events', '{"name": "a", }', {
      'content-type': 'application/json',
    })
    expect([answer.status, answer.json().code]).toEqual([400, 'body_invalid'])
    expect(answer.json().detail).toMatch(/line 1 column 15/)
  })

  test('another type than JSON is 415', async () => {
    const answer = await harness.request('POST', '/api/v1/events', '<a/>', { 'content-type': 'application/xml' })
    expect([answer.status, answer.json().code]).toEqual([415, 'media_type_unsupported'])
  })
})

describe('methods', () => {
  test.each(['/healthz', '/api/v1/openapi.json', '/metrics'])('HEAD %s is GET without a body', async (path) => {
    const [full, bare] = await Promise.all([harness.request('GET', path), harness.request('HEAD', path)])
    expect([bare.status, bare.text, bare.headers.get('content-type')]).toEqual([
      200,
      '',
      full.headers.get('content-type'),
    ])
  })

  test('HEAD of a stream ends at once', async () => {
    const answer = await harness.request('HEAD', '/api/v1/events/stream')
    expect([answer.status, answer.text]).toEqual([200, ''])
  })

  test.each(['OPTIONS', 'PATCH', 'PROPFIND', 'TRACE'])('%s is 405 and names what there is', async (method) => {
    const answer = await raw(head(`${method} /api/v1/events HTTP/1.1`, HOST, TOKEN, 'Connection: close'))
    expect(answer).toMatch(/^HTTP\/1\.1 405 /)
    expect(answer).toMatch(/allow: GET, HEAD, POST/i)
  })

  test('pages of other origins are allowed nothing', async () => {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const preflight = await harness.request('OPTIONS', '/api/v1/events', undefined, headers)
    const plain = await harness.request('GET', '/healthz', undefined, headers)
    for (const answer of [preflight, plain])
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    expect(preflight.status).toBe(405)
    expect(plain.headers.get('cross-origin-resource-policy')).toBe('same-origin')
  })
})
