import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createLog } from './log.ts'
import { OWNER_TOKEN, openHarness, until } from './testing/harness.ts'
import type { Harness } from './testing/harness.ts'

const FLOW = `
flow: Park
inputs: [{ name: token, type: string }]
triggers: [{ webhook: { path: /park, auth: none, respond: when_finished } }]
steps:
  - { id: gate, wait: { event: gate.open, timeout: 1h } }
`

/** Sends bytes as they are and reads what comes back until the server closes. */
async function raw(harness: Harness, text: string): Promise<string> {
  const { hostname, port } = new URL(harness.url)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => (answer += chunk))
  socket.write(text)
  await once(socket, 'close')
  return answer
}

describe('addresses', () => {
  test('unknown ones are 404, known ones with another method 405, as problem documents', async () => {
    await using harness = await openHarness()
    const unknown = await harness.request('GET', '/api/v1/nothing')
    expect([unknown.status, unknown.json()]).toMatchObject([
      404,
      { code: 'not_found', status: 404, type: 'urn:plugwork:error:not_found' },
    ])
    const method = await harness.request('DELETE', '/api/v1/runs')
    expect([method.status, method.json().code, method.headers.get('allow')]).toEqual([
      405,
      'method_not_allowed',
      'GET, HEAD',
    ])
    const head = await harness.request('HEAD', '/healthz')
    expect([head.status, head.text]).toEqual([200, ''])
    const odd = await harness.request('GET', '/api/v1/flows/%E0%A4%A')
    expect([odd.status, odd.json().code]).toEqual([400, 'request_invalid'])
  })

  test('every answer carries the security headers and a request id; a harmless one of the client is kept', async () => {
    await using harness = await openHarness()
    for (const path of ['/healthz', '/api/v1/nothing', '/api/v1/docs']) {
      const { headers } = await harness.request('GET', path, undefined, { 'x-request-id': 'mine-1' })
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('x-request-id')).toBe('mine-1')
      expect(headers.get('access-control-allow-origin')).toBeNull()
    }
    const other = await harness.request('GET', '/healthz', undefined, { 'x-request-id': 'bad id <x>' })
    expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-/)
  })

  test('a Host that this server is not is refused on loopback, before anything else', async () => {
    await using harness = await openHarness({ files: { 'flow.yaml': FLOW } })
    const request = (path: string, host: string) =>
      raw(
        harness,
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${OWNER_TOKEN}\r\nConnection: close\r\n\r\n`,
      )
    expect(await request('/api/v1/runs', 'evil.example')).toMatch(/^HTTP\/1\.1 403 [\s\S]*host_not_allowed/)
    expect(await request('/webhooks/park', 'evil.example')).toMatch(/^HTTP\/1\.1 403 /)
    expect(await request('/api/v1/runs', 'localhost:7420')).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('what is not HTTP is answered with 400, headers without end with 431', async () => {
    await using harness = await openHarness()
    expect(await raw(harness, 'NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await raw(harness, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    )
  })

  test('a body that grows past the limit is cut off while it is sent', async () => {
    await using harness = await openHarness({ settings: { maxBodyBytes: 1_000 } })
    const head = `POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${OWNER_TOKEN}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
    const chunk = `400\r\n${'x'.repeat(1024)}\r\n`
    expect(await raw(harness, head + chunk + chunk)).toMatch(/^HTTP\/1\.1 413 [\s\S]*body_too_large/)
  })
})

test('the fetch handler serves the same API without a socket', async () => {
  await using harness = await openHarness({ files: { 'flow.yaml': FLOW } })
  const ask = (path: string, init: RequestInit = {}) =>
    harness.server.fetch(new Request(`http://localhost${path}`, init))
  const headers = { authorization: `Bearer ${OWNER_TOKEN}`, 'content-type': 'application/json' }
  const health = await ask('/healthz')
  expect([health.status, health.headers.get('x-content-type-options')]).toEqual([200, 'nosniff'])
  const start = await ask('/api/v1/flows/Park/runs', { method: 'POST', headers, body: '{}' })
  const { id } = (await start.json()) as { id: string }
  expect(start.status).toBe(202)
  const stream = await ask(`/api/v1/runs/${id}/events`, { headers })
  const reader = stream.body!.getReader()
  expect(new TextDecoder().decode((await reader.read()).value)).toContain('retry: 2000')
  await reader.cancel()
  const large = await ask('/api/v1/events', { method: 'POST', headers, body: 'x'.repeat(5 * 1024 * 1024) })
  expect(large.status).toBe(413)
})

describe('health', () => {
  test('ready says what is not, once the server stops', async () => {
    const harness = await openHarness({ files: { 'flow.yaml': FLOW } })
    const id = (await harness.request('POST', '/api/v1/flows/Park/runs', {})).json().id as string
    await until(
      () => harness.store.findRun('default', id),
      (row) => row?.status === 'waiting',
    )
    const waiting = harness.request('POST', '/api/v1/flows/Park/runs?wait=60s', {})
    await until(
      () => harness.store.countRuns('default', ['waiting']),
      (count) => count === 2,
    )
    const ready = () => harness.server.fetch(new Request('http://localhost/readyz'))
    expect((await ready()).status).toBe(200)
    const closing = harness.close({ keep: true, graceMs: 1_000 })
    const state = await ready()
    expect([state.status, await state.json()]).toMatchObject([
      503,
      { ready: false, checks: { accepting: { ok: false } } },
    ])
    const refused = await harness.server.fetch(
      new Request('http://localhost/api/v1/runs', { headers: { authorization: `Bearer ${OWNER_TOKEN}` } }),
    )
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    // Who waits for a run is told where it stands, instead of being cut off.
    const answer = await waiting
    expect([answer.status, answer.json().status]).toEqual([202, 'waiting'])
    await closing
    await expect(fetch(harness.url)).rejects.toThrow('fetch failed')

    await using again = await openHarness({ folder: harness.folder })
    await again.request('POST', '/api/v1/events', { name: 'gate.open' })
    await until(
      () => again.store.findRun('default', id),
      (row) => row?.status === 'succeeded',
    )
  })

  test('streams end when the server stops', async () => {
    const harness = await openHarness({ files: { 'flow.yaml': FLOW } })
    const id = (await harness.request('POST', '/api/v1/flows/Park/runs', {})).json().id as string
    const stream = await fetch(`${harness.url}/api/v1/runs/${id}/events`, {
      headers: { authorization: `Bearer ${OWNER_TOKEN}` },
    })
    await harness.close()
    expect(await stream.text()).toContain('event: status')
  })

  test('metrics count requests, runs and commits', async () => {
    await using harness = await openHarness({
      files: { 'flow.yaml': 'flow: Quick\nsteps: [{ id: s, set: { a: 1 } }]\n' },
    })
    await harness.request('POST', '/api/v1/flows/Quick/execute', {})
    await harness.request('GET', '/nothing/at/all')
    const answer = await harness.request('GET', '/metrics')
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(answer.text).toContain('plugwork_runs_total{status="succeeded"} 1')
    expect(answer.text).toMatch(/^plugwork_store_commits_total [1-9]/m)
    expect(answer.text).toContain(
      'plugwork_http_request_duration_seconds_count{method="POST",route="/api/v1/flows/:flow/execute",status="200"} 1',
    )
    expect(answer.text).toContain('route="unmatched",status="404"')
    expect(answer.text).not.toContain('/nothing')
  })
})

test('the log has every request, and no secret', async () => {
  const lines: string[] = []
  const log = createLog({ level: 'debug', format: 'json', write: (line) => lines.push(line) })
  await using harness = await openHarness({ files: { 'flow.yaml': FLOW }, log })
  await harness.request('GET', '/resume/x/y?token=very-secret', undefined, { cookie: 'session=very-secret' })
  await harness.request('POST', '/api/v1/tokens', { name: 'n', permissions: ['admin'] })
  const facts = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(facts).toContainEqual(
    expect.objectContaining({ method: 'GET', path: '/resume/x/y', status: 404, requestId: expect.any(String) }),
  )
  expect(lines.join('')).not.toMatch(new RegExp(`very-secret|pwk_|${OWNER_TOKEN}`))
})

test('the log cuts out secrets that somebody hands to it', () => {
  const lines: string[] = []
  const json = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line) })
  json.info(
    { authorization: 'Bearer s3cret', headers: { cookie: 's3cret', 'x-api-key': 's3cret' }, token: 's3cret' },
    'hello',
  )
  json.debug('too quiet')
  const text = createLog({ level: 'info', format: 'text', write: (line) => lines.push(line) })
  text.error({ err: new Error('broken'), flow: 'A' }, 'failed')
  expect(lines).toHaveLength(2)
  expect(lines[0]).not.toContain('s3cret')
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}error {2}failed {2}flow=A\n {2}Error: broken\n/)
})

test('without a base address, links name the port that the server got', async () => {
  const source =
    'flow: Linked\nsteps: [{ id: link, set: { url: "${wait_url(\'ok\')}" } }, { id: ok, wait: { webhook: {} } }]\n'
  await using own = await openHarness({ files: { 'flow.yaml': source }, settings: { baseUrl: null } })
  const { id } = (await own.request('POST', '/api/v1/flows/Linked/runs', {})).json()
  const run = await until(
    async () => (await own.request('GET', `/api/v1/runs/${String(id)}`)).json(),
    ({ status }) => status === 'waiting',
  )
  expect(JSON.stringify(run.steps)).toContain(`${own.url}/resume/${String(id)}/ok?token=`)
  expect((await own.request('GET', '/api/v1/openapi.json')).json().servers).toEqual([{ url: own.url }])
})
