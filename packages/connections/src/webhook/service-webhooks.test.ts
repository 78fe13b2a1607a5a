import { createHmac } from 'node:crypto'
import { createEgress, KeyRing, type Connector, type ServiceRequest } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { toRow } from '../connection/connection.ts'
import { ringKeyProvider } from '../keys/key-provider.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import { Vault } from '../vault/vault.ts'
import { MAX_FAILURES } from './attempt-limit.ts'
import type { WebhookRequest } from './read-request.ts'
import type { ReceivedEvent } from './service-event.ts'
import { ServiceWebhooks, type ServiceWebhooksOptions } from './service-webhooks.ts'
import { serviceOf } from './testing/services.ts'

const TENANT = { tenant: 't1', user: null }
const URL_ = 'https://app.example/hooks/acme'
const HOURS = 60 * 60_000

const acme = serviceOf('acme', 'github', { accountKeys: ['team_id'] })
const timed = serviceOf('timed', 'slack')
const notion = serviceOf('notion', 'notion')
const meta = serviceOf('meta', 'meta')
const graph = serviceOf('graph', 'microsoft_graph')
const { webhooks: _, ...withoutWebhooks } = serviceOf('silent', 'github')
const silent: Connector = withoutWebhooks

let clock: VirtualClock
let store: ConnectionStore
let vault: Vault
let open: ServiceWebhooks[]

beforeEach(async () => {
  clock = new VirtualClock(1_700_000_000_000)
  store = createMemoryConnectionStore()
  vault = await Vault.open({
    store,
    keys: ringKeyProvider(new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }])),
  })
  open = []
})
afterEach(async () => {
  for (const one of open) await one.close(0)
})

function service(rest: Partial<ServiceWebhooksOptions> = {}): ServiceWebhooks {
  const made = new ServiceWebhooks({
    store,
    vault,
    connectors: [acme, timed, notion, meta, graph, silent] as readonly Connector[],
    egress: createEgress({}),
    application: (connector) => (connector === 'acme' ? { secrets: ['s3cret'] } : null),
    clock,
    random: () => 0.5,
    ...rest,
  })
  open.push(made)
  return made
}

const sign = (body: string, secret = 's3cret'): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`

function request(
  body: string,
  headers: Record<string, string> = {},
  rest: Partial<WebhookRequest> = {},
): WebhookRequest {
  return { method: 'POST', url: '/hooks/acme', headers, body: Buffer.from(body), remoteAddress: '192.0.2.1', ...rest }
}

const MADE = '{"type":"thing.made","n":1}'

async function deliver(webhooks: ServiceWebhooks, body: string, delivery?: string, endpointId?: string) {
  const headers = {
    'x-hub-signature-256': sign(body),
    'content-type': 'application/json',
    ...(delivery === undefined ? null : { 'x-github-delivery': delivery }),
  }
  const where = endpointId === undefined ? {} : { endpointId }
  const reply = await webhooks.receive({
    connector: 'acme',
    ...where,
    request: request(body, headers),
    publicUrl: URL_,
  })
  await webhooks.idle()
  return reply
}

async function connection(id: string, tenant: string, owner: string | null, metadata: Record<string, string>) {
  const data = {
    settings: {},
    metadata,
    scopes: null,
    status: 'active' as const,
    reason: null,
    secrets: [],
    lease: null,
  }
  const none = { method: null, credential: null, tokens: null, tokenVersion: 0, obtainedAt: null, expiresAt: null }
  const times = {
    renewable: false,
    cooldownUntil: null,
    createdAt: 0,
    updatedAt: 0,
    refreshedAt: null,
    checkedAt: null,
  }
  const row = { id, tenant, owner, connector: 'acme', name: id, due: null }
  await store.insert('connections', toRow({ ...row, data: { ...data, ...none, ...times } }))
}

describe('signatures', () => {
  test.each([
    ['no signature', {}, 'webhook_signature_malformed', 'malformed'],
    [
      'one of another secret',
      { 'x-hub-signature-256': sign(MADE, 'other') },
      'webhook_signature_wrong',
      'wrong_signature',
    ],
    ['a malformed one', { 'x-hub-signature-256': 'sha256=zz' }, 'webhook_signature_malformed', 'malformed'],
    ['one of another body', { 'x-hub-signature-256': sign('{}') }, 'webhook_signature_wrong', 'wrong_signature'],
  ])('a request with %s is refused with 401 and counted, and nothing is stored', async (_, headers, code, reason) => {
    const webhooks = service()
    webhooks.on('acme', '*', () => expect.unreachable())
    const reply = await webhooks.receive({ connector: 'acme', request: request(MADE, headers), publicUrl: URL_ })
    expect(reply).toMatchObject({ status: 401, headers: { 'content-type': expect.stringContaining('problem+json') } })
    expect(JSON.parse(reply.body)).toMatchObject({ code, status: 401 })
    expect(webhooks.metrics()).toMatchObject({ acme: { received: 1, accepted: 0, rejected: { [reason]: 1 } } })
    expect(await store.list('events', { limit: 10 })).toEqual([])
  })

  test('a body that was parsed and written again is refused', async () => {
    const headers = { 'x-hub-signature-256': sign('{"type": "thing.made", "n": 1}') }
    const reply = await service().receive({ connector: 'acme', request: request(MADE, headers), publicUrl: URL_ })
    expect(reply.status).toBe(401)
  })

  test('without a secret nothing is accepted, whatever is sent', async () => {
    for (const application of [() => null, () => ({ secrets: [] }), () => ({ secrets: [''] })]) {
      const webhooks = service({ application })
      const headers = { 'x-hub-signature-256': sign(MADE, '') }
      const reply = await webhooks.receive({ connector: 'acme', request: request(MADE, headers), publicUrl: URL_ })
      expect(reply.status).toBe(503)
      expect(JSON.parse(reply.body)).toMatchObject({ code: 'webhook_not_configured' })
      expect(webhooks.metrics()['acme']).toMatchObject({ rejected: { not_configured: 1 } })
    }
  })

  test('an old and a coming time are refused after the signature was judged', async () => {
    const webhooks = service({ application: () => ({ secrets: ['k'] }) })
    const send = (at: number, secret = 'k') => {
      const time = String(Math.round(at / 1_000))
      const mac = createHmac('sha256', secret).update(`v0:${time}:${MADE}`).digest('hex')
      const headers = { 'x-slack-signature': `v0=${mac}`, 'x-slack-request-timestamp': time }
      return webhooks.receive({ connector: 'timed', request: request(MADE, headers), publicUrl: URL_ })
    }
    const codeOf = async (reply: Promise<{ body: string }>) => (JSON.parse((await reply).body) as { code: string }).code
    expect(await codeOf(send(clock.now() - 301_000))).toBe('webhook_signature_stale')
    expect(await codeOf(send(clock.now() + 301_000))).toBe('webhook_signature_stale')
    expect(await codeOf(send(clock.now() - 301_000, 'other'))).toBe('webhook_signature_wrong')
    expect((await send(clock.now() - 299_000)).status).toBe(200)
    expect(webhooks.metrics()['timed']).toMatchObject({ rejected: { stale: 2, wrong_signature: 1 }, accepted: 1 })
  })

  test('a body past the limit is refused before it is hashed', async () => {
    const webhooks = service({ maxBodyBytes: 10 })
    expect((await deliver(webhooks, MADE)).status).toBe(413)
    expect(webhooks.metrics()['acme']).toMatchObject({ rejected: { too_large: 1 } })
  })

  test('unknown connectors, those without webhooks and unknown addresses do not exist', async () => {
    const webhooks = service()
    for (const connector of ['nothing', 'silent', '__proto__']) {
      const reply = await webhooks.receive({ connector, request: request(MADE), publicUrl: URL_ })
      expect(JSON.parse(reply.body)).toMatchObject({ status: 404, code: 'webhook_not_supported' })
    }
    expect(webhooks.metrics()).toEqual({})
    expect((await deliver(webhooks, MADE, 'd', 'whk_none')).status).toBe(404)
    expect(() => webhooks.on('silent', '*', () => undefined)).toThrow('takes no webhooks')
  })

  test('who guesses is slowed down; who was let in from there is heard', async () => {
    const webhooks = service()
    const bad = async (remoteAddress: string) =>
      (await webhooks.receive({ connector: 'acme', request: request(MADE, {}, { remoteAddress }), publicUrl: URL_ }))
        .status
    for (let n = 0; n < MAX_FAILURES; n += 1) expect(await bad('192.0.2.9')).toBe(401)
    const reply = await webhooks.receive({
      connector: 'acme',
      request: request(MADE, { 'x-hub-signature-256': sign(MADE) }, { remoteAddress: '192.0.2.9' }),
      publicUrl: URL_,
    })
    expect(reply).toMatchObject({ status: 429, headers: { 'retry-after': '60' } })
    expect((await deliver(webhooks, MADE)).status).toBe(200)
    for (let n = 0; n < MAX_FAILURES + 5; n += 1) expect(await bad('192.0.2.1')).toBe(401)
    expect((await deliver(webhooks, MADE)).status).toBe(200)
    await clock.advance(60_001)
    expect(await bad('192.0.2.9')).toBe(401)
  })
})

describe('events', () => {
  test('an event is stored before it is answered, and handed out with its payload and names', async () => {
    const webhooks = service()
    const seen: ReceivedEvent[] = []
    webhooks.on('acme', 'thing.made', (event) => void seen.push(event))
    expect(await deliver(webhooks, MADE, 'd1')).toEqual({ status: 200, headers: {}, body: '' })
    expect(seen).toMatchObject([
      {
        connector: 'acme',
        name: 'thing.made',
        deliveryId: 'd1',
        payload: { n: 1 },
        tenant: null,
        receivedAt: clock.now(),
      },
    ])
    const [row] = await store.list('events', { limit: 10 })
    expect(row).toMatchObject({ id: seen[0]!.id, kind: 'done', name: 'acme', due: clock.now() + 7 * 24 * HOURS })
  })

  test('when it cannot be stored, the service is not told that it was', async () => {
    const webhooks = service({ store: { ...store, insert: async () => Promise.reject(new Error('disk full')) } })
    webhooks.on('acme', '*', () => expect.unreachable())
    await expect(deliver(webhooks, MADE)).rejects.toThrow('disk full')
  })

  test('a delivery that comes again is answered and not handed out', async () => {
    const webhooks = service()
    let runs = 0
    webhooks.on('acme', '*', () => (runs += 1))
    for (let n = 0; n < 3; n += 1) expect((await deliver(webhooks, MADE, 'd1')).status).toBe(200)
    await deliver(webhooks, MADE, 'd2')
    expect(runs).toBe(2)
    expect(webhooks.metrics()['acme']).toMatchObject({ received: 4, accepted: 2, duplicates: 2 })
    // A day later it is still known, also in another process.
    await clock.advance(24 * HOURS)
    const other = service({ timing: { retentionMs: 0 } })
    await other.look()
    await deliver(other, MADE, 'd1')
    expect(other.metrics()['acme']).toMatchObject({ duplicates: 1 })
  })

  test('without a name for the delivery, a signed time makes a replay known', async () => {
    const webhooks = service({ application: () => ({ secrets: ['k'] }) })
    const mac = createHmac('sha256', 'k').update(`v0:1700000000:${MADE}`).digest('hex')
    const headers = { 'x-slack-signature': `v0=${mac}`, 'x-slack-request-timestamp': '1700000000' }
    for (let n = 0; n < 2; n += 1) {
      await webhooks.receive({ connector: 'timed', request: request(MADE, headers), publicUrl: URL_ })
    }
    expect(webhooks.metrics()['timed']).toMatchObject({ accepted: 1, duplicates: 1 })
  })

  test('one request may carry several events, each once', async () => {
    const webhooks = service()
    const seen: unknown[] = []
    webhooks.on('acme', '*', ({ name }) => void seen.push(name))
    await deliver(webhooks, '[{"type":"a.b"},{"type":"a.c"},{"type":"a.b"}]', 'd1')
    expect(seen).toEqual(['a.b', 'a.c', 'a.b'])
  })

  test('handlers get what they asked for', async () => {
    const webhooks = service()
    const seen: string[] = []
    for (const [connector, event] of [
      ['acme', 'a.*'],
      ['acme', 'a.b'],
      ['*', '*'],
      ['timed', '*'],
      ['acme', 'a'],
    ] as const) {
      webhooks.on(connector, event, () => void seen.push(`${connector} ${event}`))
    }
    const remove = webhooks.on('acme', 'a.b', () => expect.unreachable())
    remove()
    await deliver(webhooks, '{"type":"a.b"}')
    expect(seen).toEqual(['acme a.*', 'acme a.b', '* *'])
  })

  test('a payload that does not fit goes only to handlers that check for themselves, and is kept', async () => {
    const webhooks = service()
    const seen: string[] = []
    webhooks.on(acme, 'thing.made', ({ payload }) => {
      expectTypeOf(payload).toMatchTypeOf<{ type: string; n: number }>()
      seen.push('typed')
    })
    webhooks.on('acme', '*', () => seen.push('unchecked'), { unchecked: true })
    await deliver(webhooks, '{"type":"thing.made","n":"one"}', 'd1')
    expect(seen).toEqual(['unchecked'])
    expect(webhooks.metrics()['acme']).toMatchObject({ accepted: 1, misfits: 1 })
    const [row] = await store.list('events', { limit: 1 })
    expect(row).toMatchObject({ kind: 'failed', data: { error: expect.stringContaining('does not fit') } })
  })

  test('credentials do not reach the connector', async () => {
    let headers: Readonly<Record<string, string>> = {}
    const spy = { ...acme, webhooks: { ...acme.webhooks!, events: (r: ServiceRequest) => ((headers = r.headers), []) } }
    const webhooks = service({ connectors: [spy] as readonly Connector[] })
    const sent = { 'x-hub-signature-256': sign(MADE), authorization: 'Bearer x', cookie: 'c', 'x-other': '1' }
    await webhooks.receive({ connector: 'acme', request: request(MADE, sent), publicUrl: URL_ })
    expect(Object.keys(headers)).toEqual(['x-hub-signature-256', 'x-other'])
  })
})

describe('whose an event is', () => {
  const send = (webhooks: ServiceWebhooks, account: string) =>
    deliver(webhooks, JSON.stringify({ type: 'x', account }), `d-${account}`)

  test('the account is looked up among the connections: one event per tenant', async () => {
    await connection('c1', 't1', 'ada', { team_id: 'T1', team_name: 'T3' })
    await connection('c2', 't1', 'bob', { team_id: 'T1' })
    await connection('c3', 't2', 'eve', { team_id: 'T1' })
    await connection('c4', 't2', 'eve', { team_id: 'T2' })
    const webhooks = service()
    const seen: unknown[] = []
    webhooks.on('acme', '*', (event) => {
      const { tenant, user, connectionId } = event
      seen.push([tenant, user, connectionId, event.connections.map(({ id }) => id)])
    })
    await send(webhooks, 'T1')
    await send(webhooks, 'T2')
    // A name that a user chose opens nobody's events.
    await send(webhooks, 'T3')
    expect(seen).toEqual([
      ['t1', null, null, ['c1', 'c2']],
      ['t2', 'eve', 'c3', ['c3']],
      ['t2', 'eve', 'c4', ['c4']],
      [null, null, null, []],
    ])
    expect(await webhooks.list({ actor: { tenant: 't1', user: null } })).toHaveLength(1)
    expect(await webhooks.list({ actor: { tenant: 't2', user: 'bob' } })).toEqual([])
  })

  test('an address of a tenant knows only its own connections; one of a connection is that connection’s', async () => {
    await connection('c1', 't1', 'ada', { team_id: 'T1' })
    await connection('c3', 't2', 'eve', { team_id: 'T1' })
    const webhooks = service()
    const seen: unknown[] = []
    webhooks.on(
      'acme',
      '*',
      ({ tenant, connectionId, endpointId }) => void seen.push([tenant, connectionId, endpointId]),
    )
    const { endpoint } = await webhooks.endpoints.create({ actor: TENANT, connector: 'acme', secret: 's3cret' })
    await deliver(webhooks, '{"type":"x","account":"T1"}', 'd1', endpoint.id)
    const create = { connector: 'acme', connectionId: 'c3', secret: 's3cret' }
    await expect(webhooks.endpoints.create({ actor: TENANT, ...create })).rejects.toMatchObject({
      code: 'webhook_endpoint_invalid',
    })
    const eve = { tenant: 't2', user: 'eve' }
    const own = await webhooks.endpoints.create({ actor: eve, ...create })
    await deliver(webhooks, '{"type":"x","account":"other"}', 'd2', own.endpoint.id)
    expect(seen).toEqual([
      ['t1', 'c1', endpoint.id],
      ['t2', 'c3', own.endpoint.id],
    ])
  })
})

describe('addresses', () => {
  test('secrets are encrypted, may be replaced without a gap, and are nobody else’s', async () => {
    const webhooks = service()
    const { endpoint } = await webhooks.endpoints.create({ actor: TENANT, connector: 'acme', secret: 's3cret' })
    expect(JSON.stringify(await store.list('webhook_endpoints', { limit: 9 }))).not.toContain('s3cret')
    const { endpoints } = webhooks
    await endpoints.rotate(TENANT, endpoint.id, 'newer')
    expect((await deliver(webhooks, MADE, 'd1', endpoint.id)).status).toBe(200)
    await endpoints.retire(TENANT, endpoint.id)
    expect((await deliver(webhooks, MADE, 'd2', endpoint.id)).status).toBe(401)
    const stranger = { tenant: 't2', user: null }
    for (const act of [
      () => endpoints.rotate(stranger, endpoint.id, 'x'),
      () => endpoints.remove(stranger, endpoint.id),
      () => endpoints.retire({ tenant: 't1', user: 'bob' }, endpoint.id),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'webhook_endpoint_not_found' })
    }
    expect(await endpoints.list(stranger)).toEqual([])
    expect(await endpoints.list(TENANT, 'acme')).toMatchObject([{ id: endpoint.id, secrets: 1 }])
    await endpoints.remove(TENANT, endpoint.id)
    expect((await deliver(webhooks, MADE, 'd3', endpoint.id)).status).toBe(404)
    await expect(endpoints.create({ actor: TENANT, connector: 'acme', secret: ' ' })).rejects.toMatchObject({
      code: 'webhook_endpoint_invalid',
    })
    await expect(endpoints.create({ actor: TENANT, connector: 'silent' })).rejects.toMatchObject({
      code: 'webhook_not_supported',
    })
  })

  test('Notion names the secret; it counts once a person has confirmed it', async () => {
    const webhooks = service()
    const { endpoint } = await webhooks.endpoints.create({ actor: TENANT, connector: 'notion' })
    const send = async (body: string, headers = {}) =>
      (
        await webhooks.receive({
          connector: 'notion',
          endpointId: endpoint.id,
          request: request(body, headers),
          publicUrl: URL_,
        })
      ).status
    const signed = { 'x-notion-signature': sign(MADE, 'secret_n') }
    expect(await send(MADE, signed)).toBe(503)
    await expect(webhooks.endpoints.confirm(TENANT, endpoint.id)).rejects.toMatchObject({
      code: 'webhook_endpoint_invalid',
    })
    expect(await send('{"verification_token":"secret_n"}')).toBe(200)
    expect(await send(MADE, signed)).toBe(503)
    expect(await webhooks.endpoints.confirm(TENANT, endpoint.id)).toBe('secret_n')
    expect(await send(MADE, signed)).toBe(200)
    // Nobody replaces it from outside.
    expect(await send('{"verification_token":"secret_evil"}')).toBe(200)
    expect(await send(MADE, { 'x-notion-signature': sign(MADE, 'secret_evil') })).toBe(401)
    expect(await webhooks.endpoints.list(TENANT)).toMatchObject([{ unconfirmed: false, secrets: 1 }])
  })

  test('Meta is told its challenge for the right token only, Microsoft Graph always, as text', async () => {
    const webhooks = service()
    const { endpoint, verifyToken } = await webhooks.endpoints.create({ actor: TENANT, connector: 'meta', secret: 'k' })
    const ask = (token: string) =>
      webhooks.receive({
        connector: 'meta',
        endpointId: endpoint.id,
        request: request(
          '',
          {},
          { method: 'GET', url: `/x?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=42` },
        ),
        publicUrl: URL_,
      })
    expect(await ask(verifyToken)).toMatchObject({ status: 200, body: '42' })
    expect((await ask('wrong')).status).toBe(401)
    const reply = await webhooks.receive({
      connector: 'graph',
      request: request('', {}, { url: '/x?validationToken=%3Cscript%3E' }),
      publicUrl: URL_,
    })
    expect(reply).toMatchObject({ status: 200, body: '<script>' })
    expect(reply.headers).toEqual({ 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  })

  test('Slack is answered its signed challenge, and nothing is stored', async () => {
    const webhooks = service({ application: () => ({ secrets: ['k'] }) })
    const body = '{"type":"url_verification","challenge":"c1"}'
    const mac = createHmac('sha256', 'k').update(`v0:1700000000:${body}`).digest('hex')
    const headers = { 'x-slack-signature': `v0=${mac}`, 'x-slack-request-timestamp': '1700000000' }
    const reply = await webhooks.receive({ connector: 'timed', request: request(body, headers), publicUrl: URL_ })
    expect(JSON.parse(reply.body)).toEqual({ challenge: 'c1' })
    expect(await store.list('events', { limit: 1 })).toEqual([])
    expect(webhooks.metrics()['timed']).toMatchObject({ challenges: 1, accepted: 0 })
  })
})
