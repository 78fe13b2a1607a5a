/** A service's webhook from the socket to a flow, with the real github connector and its documented payload. */
import { createHmac } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteConnectionStore, ringKeyProvider, ServiceWebhooks, Vault } from '@plugwork/connections'
import { builtinConnectors } from '@plugwork/connectors'
import { createEgress, KeyRing } from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHarness, type Harness } from '../testing/harness.ts'
import type { ServiceWebhooksSource } from './service-hooks.ts'

const FLOW = `flow: Triage
inputs:
  - { name: delivery_id, type: string }
  - { name: payload, type: object }
triggers:
  - event: github.issues.opened
steps:
  - { id: note, set: { title: "\${inputs.payload.issue.title}" } }
outputs:
  - { name: title, value: "\${note.title}" }
`

const github = builtinConnectors.find(({ name }) => name === 'github')!
const SAMPLE = JSON.stringify(github.triggers!['issues.opened']!.sample)

let harness: Harness | undefined
let closing: (() => Promise<unknown>)[]
beforeEach(() => {
  closing = []
})
afterEach(async () => {
  await harness?.close()
  harness = undefined
  for (const close of closing.toReversed()) await close()
})

function source(file: string, inUse = false): ServiceWebhooksSource {
  return {
    inUse,
    async open() {
      const store = await openSqliteConnectionStore({ file })
      closing.push(() => store.close())
      const keys = ringKeyProvider(new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }]))
      const vault = await Vault.open({ store, keys })
      return new ServiceWebhooks({
        store,
        vault,
        connectors: builtinConnectors,
        egress: createEgress(),
        timing: { pollMs: 20 },
      })
    },
  }
}

async function opened(): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-hooks-'))
  harness = await openHarness({
    folder,
    files: { 'triage.flow.yaml': FLOW },
    serviceWebhooks: source(join(folder, 'connections.db')),
  })
  return harness
}

const send = (url: string, body: string, headers: Record<string, string>) =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })

const signed = (body: string, secret: string, delivery = 'd1') => ({
  'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  'x-github-event': 'issues',
  'x-github-delivery': delivery,
})

async function hook(of: Harness, secret?: string): Promise<{ id: string; url: string }> {
  const made = await of.request('POST', '/api/v1/hooks', { connector: 'github', ...(secret ? { secret } : {}) })
  expect(made.status).toBe(201)
  const { id, url } = made.json() as { id: string; url: string }
  expect(url).toBe(`http://localhost:7420/hooks/github/${id}`)
  return { id, url: `${of.url}/hooks/github/${id}` }
}

const runs = async (of: Harness) => ((await of.request('GET', '/api/v1/runs')).json()['runs'] as { id: string }[]) ?? []

test('a verified event of a service starts the flow that names it, once per delivery', async () => {
  const server = await opened()
  const { url } = await hook(server, 's3cret')
  for (let n = 0; n < 3; n += 1) expect((await send(url, SAMPLE, signed(SAMPLE, 's3cret'))).status).toBe(200)
  await expect.poll(() => runs(server)).toHaveLength(1)
  const [run] = await runs(server)
  const { outputs } = (await server.request('GET', `/api/v1/runs/${run!.id}`)).json() as { outputs: object }
  expect(outputs).toEqual({ title: (JSON.parse(SAMPLE) as { issue: { title: string } }).issue.title })
  const { events } = (await server.request('GET', '/api/v1/events?name=github.**')).json() as { events: object[] }
  expect(events).toMatchObject([
    { name: 'github.issues.opened', data: { delivery_id: 'd1', connection: null, payload: { action: 'opened' } } },
  ])
  const metrics = (await server.request('GET', '/metrics')).text
  expect(metrics).toContain('plugwork_service_webhook_requests_total{connector="github"} 3')
  expect(metrics).toContain('plugwork_service_webhook_events_total{connector="github",outcome="accepted"} 1')
  expect(metrics).toContain('plugwork_service_webhook_events_total{connector="github",outcome="duplicate"} 2')
})

test('what is not signed rightly is refused as a problem, and counted', async () => {
  const server = await opened()
  const { url } = await hook(server, 's3cret')
  for (const headers of [{}, signed(SAMPLE, 'other'), signed('{}', 's3cret')]) {
    const reply = await send(url, SAMPLE, headers)
    expect(reply.status).toBe(401)
    expect(reply.headers.get('content-type')).toContain('application/problem+json')
  }
  expect((await server.request('GET', '/metrics')).text).toContain(
    'plugwork_service_webhook_rejected_total{connector="github",reason="wrong_signature"} 2',
  )
  const { url: unset } = await hook(server)
  expect((await send(unset, SAMPLE, signed(SAMPLE, ''))).status).toBe(503)
  for (const path of ['/hooks/', '/hooks/github', '/hooks/github/whk_x', '/hooks/nothing/x', '/hooks/github/x/y']) {
    expect([404, 503]).toContain((await send(`${server.url}${path}`, SAMPLE, signed(SAMPLE, ''))).status)
  }
  expect(await runs(server)).toEqual([])
})

test('addresses are listed, their secrets replaced, and removed', async () => {
  const server = await opened()
  const { id, url } = await hook(server, 'old')
  expect((await server.request('POST', `/api/v1/hooks/${id}/rotate`, { secret: 'new' })).json()).toMatchObject({
    secrets: 2,
  })
  expect((await send(url, SAMPLE, signed(SAMPLE, 'old'))).status).toBe(200)
  expect((await server.request('POST', `/api/v1/hooks/${id}/retire`)).status).toBe(200)
  expect((await send(url, SAMPLE, signed(SAMPLE, 'old', 'd2'))).status).toBe(401)
  expect((await server.request('POST', `/api/v1/hooks/${id}/confirm`)).status).toBe(422)
  const list = await server.request('GET', '/api/v1/hooks')
  expect(list.json()['hooks']).toMatchObject([{ id, connector: 'github', secrets: 1 }])
  expect(list.text).not.toContain('new')
  expect((await server.request('DELETE', `/api/v1/hooks/${id}`)).status).toBe(204)
  expect((await server.request('DELETE', `/api/v1/hooks/${id}`)).status).toBe(404)
  const none = await server.request('POST', '/api/v1/hooks', { connector: 'http' })
  expect(none.json()).toMatchObject({ code: 'webhook_not_supported' })
})

test('an event that was stored and not published is published by the next process', async () => {
  const server = await opened()
  const { url } = await hook(server, 's3cret')
  const { publish } = server.server.runtime
  server.server.runtime.publish = async () => Promise.reject(new Error('the process ends here'))
  expect((await send(url, SAMPLE, signed(SAMPLE, 's3cret'))).status).toBe(200)
  server.server.runtime.publish = publish
  const { folder } = server
  await server.close({ keep: true })
  harness = await openHarness({ folder, serviceWebhooks: source(join(folder, 'connections.db'), true) })
  const next = harness
  await expect.poll(() => runs(next), { timeout: 15_000 }).toHaveLength(1)
}, 30_000)

test('without stored connections there are no webhooks', async () => {
  harness = await openHarness()
  expect((await send(`${harness.url}/hooks/github/x`, '{}', {})).status).toBe(404)
  expect((await harness.request('GET', '/api/v1/hooks')).status).toBe(404)
})
