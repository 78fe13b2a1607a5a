import { createHash, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Json, SignatureProvider } from '@plugwork/core'
import type { SignedRequest } from './signature-scheme.ts'
import { SIGNATURE_SCHEMES } from './signature-schemes.ts'
import { verifySignature } from './verify-signature.ts'
import type { Verdict } from './verify-signature.ts'

interface Sent {
  readonly provider: SignatureProvider
  readonly secrets: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly now?: number
  readonly url?: string
  readonly method?: string
  readonly toleranceMs?: number
  readonly certificate?: KeyObject
}

function requestOf(sent: Omit<Sent, 'secrets'>): SignedRequest {
  const { headers, body, url = 'https://x.example/hook', method = 'POST' } = sent
  const json = () => {
    try {
      return JSON.parse(body) as Json
    } catch {
      return null
    }
  }
  return { method, url, body: Buffer.from(body), header: (name) => headers[name], json }
}

function judge(sent: Sent): Verdict {
  const { provider, secrets, now = 0, toleranceMs, certificate } = sent
  return verifySignature({
    scheme: SIGNATURE_SCHEMES[provider],
    request: requestOf(sent),
    secrets,
    now,
    ...(toleranceMs === undefined ? null : { toleranceMs }),
    ...(certificate === undefined ? null : { certificate }),
  })
}

const hmac = (algorithm: 'sha1' | 'sha256', key: string, text: string, encoding: 'hex' | 'base64') =>
  createHmac(algorithm, key).update(text).digest(encoding)

const SLACK_BODY =
  'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'

// Published vectors: docs.github.com and octokit, docs.slack.dev, standard-webhooks (its JavaScript library's tests),
// Stripe's own library, Shopify's documented construction checked by a third party.
const github: Sent = {
  provider: 'github',
  secrets: ["It's a Secret to Everybody"],
  headers: {
    'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    'x-github-delivery': 'd-1',
  },
  body: 'Hello, World!',
}
const slack: Sent = {
  provider: 'slack',
  secrets: ['8f742231b10e8888abcd99yyyzzz85a5'],
  headers: {
    'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    'x-slack-request-timestamp': '1531420618',
  },
  body: SLACK_BODY,
  now: 1_531_420_618_000,
}
const standard: Sent = {
  provider: 'standard_webhooks',
  secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  headers: {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  body: '{"test": 2432232314}',
  now: 1_614_265_330_000,
}
const stripe: Sent = {
  provider: 'stripe',
  secrets: ['whsec_test_secret'],
  headers: {
    'stripe-signature': 't=1700000000,v1=4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150',
  },
  body: '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}',
  now: 1_700_000_000_000,
}
const shopify: Sent = {
  provider: 'shopify',
  secrets: ['shop-secret'],
  headers: { 'x-shopify-hmac-sha256': 'plW8VGqq0nDMIEhDqaNNW99asdUCy7EIqLZVcQwtAZ0=' },
  body: '{"id":1}',
}

const discordKeys = generateKeyPairSync('ed25519')
const rawKey = Buffer.from(discordKeys.publicKey.export({ format: 'jwk' }).x!, 'base64url')
const discord: Sent = {
  provider: 'discord',
  secrets: [rawKey.toString('hex')],
  headers: {
    'x-signature-ed25519': sign(null, Buffer.from('1700000000{"id":"7","type":2}'), discordKeys.privateKey).toString(
      'hex',
    ),
    'x-signature-timestamp': '1700000000',
  },
  body: '{"id":"7","type":2}',
  now: 1_700_000_000_000,
}
// Published vectors: the tests of sendgrid-nodejs and twilio-node, HubSpot's pages on validating requests.
const sendgrid: Sent = {
  provider: 'sendgrid',
  secrets: [
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==',
  ],
  headers: {
    'x-twilio-email-event-webhook-signature':
      'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
    'x-twilio-email-event-webhook-timestamp': '1600112502',
  },
  body: '[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n',
  now: 1_600_112_502_000,
}
const twilio: Sent = {
  provider: 'twilio',
  secrets: ['12345'],
  headers: { 'x-twilio-signature': 'RSOYDt4T1cUTdK1PDd93/VVr8B8=' },
  url: 'https://mycompany.com/myapp.php?foo=1&bar=2',
  body: 'Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%2B14158675309&From=%2B14158675309',
}
const HUBSPOT_KEY = 'yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy'
const hubspotLegacy: Sent = {
  provider: 'hubspot_legacy',
  secrets: [HUBSPOT_KEY],
  headers: {
    'x-hubspot-signature': '232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de',
    'x-hubspot-signature-version': 'v1',
  },
  body: '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]',
}

const paypalKeys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PAYPAL_BODY = '{"id":"WH-1"}'
const paypal: Sent = {
  provider: 'paypal',
  secrets: ['4JH86294D6297924G'],
  certificate: paypalKeys.publicKey,
  headers: {
    'paypal-transmission-id': 't-1',
    'paypal-transmission-time': '2023-11-14T22:13:20Z',
    'paypal-auth-algo': 'SHA256withRSA',
    'paypal-transmission-sig': sign(
      'sha256',
      Buffer.from(`t-1|2023-11-14T22:13:20Z|4JH86294D6297924G|${crc32(PAYPAL_BODY)}`),
      paypalKeys.privateKey,
    ).toString('base64'),
  },
  body: PAYPAL_BODY,
  now: 1_700_000_000_000,
}

// The construction that each service documents, made here with the platform's own functions.
const JSON_BODY = '{"id":"e1"}'
const made: readonly Sent[] = [
  { provider: 'gitlab', secrets: ['tok'], headers: { 'x-gitlab-token': 'tok' }, body: '{}' },
  {
    provider: 'telegram',
    secrets: ['tok_1'],
    headers: { 'x-telegram-bot-api-secret-token': 'tok_1' },
    body: '{"update_id":9}',
  },
  ...(['bitbucket', 'jira'] as const).map((provider): Sent => ({
    provider,
    secrets: ['k'],
    headers: { 'x-hub-signature': `sha256=${hmac('sha256', 'k', '{}', 'hex')}` },
    body: '{}',
  })),
  {
    provider: 'intercom',
    secrets: ['k'],
    headers: { 'x-hub-signature': `sha1=${hmac('sha1', 'k', JSON_BODY, 'hex')}` },
    body: JSON_BODY,
  },
  {
    provider: 'typeform',
    secrets: ['k'],
    headers: { 'typeform-signature': `sha256=${hmac('sha256', 'k', '{}', 'base64')}` },
    body: '{}',
  },
  {
    provider: 'notion',
    secrets: ['k'],
    headers: { 'x-notion-signature': `sha256=${hmac('sha256', 'k', '{}', 'hex')}` },
    body: '{}',
  },
  {
    provider: 'zendesk',
    secrets: ['k'],
    headers: {
      'x-zendesk-webhook-signature': hmac('sha256', 'k', '2023-11-14T22:13:20Z{}', 'base64'),
      'x-zendesk-webhook-signature-timestamp': '2023-11-14T22:13:20Z',
    },
    body: '{}',
    now: 1_700_000_000_000,
  },
  {
    provider: 'linear',
    secrets: ['k'],
    headers: { 'linear-signature': hmac('sha256', 'k', '{"webhookTimestamp":1700000000000}', 'hex') },
    body: '{"webhookTimestamp":1700000000000}',
    now: 1_700_000_000_000,
  },
  {
    provider: 'hubspot',
    secrets: ['k'],
    headers: {
      'x-hubspot-signature-v3': hmac('sha256', 'k', 'POSThttps://x.example/hook?u=a:b{}1700000000000', 'base64'),
      'x-hubspot-request-timestamp': '1700000000000',
    },
    url: 'https://x.example/hook?u=a%3Ab',
    body: '{}',
    now: 1_700_000_000_000,
  },
  // developer.squareup.com/docs/webhooks/step3validate
  {
    provider: 'square',
    secrets: ['asdf1234'],
    headers: { 'x-square-hmacsha256-signature': '2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=' },
    url: 'https://example.com/webhook',
    body: '{"hello":"world"}',
  },
  {
    provider: 'meta',
    secrets: ['k'],
    headers: { 'x-hub-signature-256': `sha256=${hmac('sha256', 'k', '{}', 'hex')}` },
    body: '{}',
  },
]

/** Schemes whose proof is in the body, which is not signed itself. */
const inBody: readonly Sent[] = [
  {
    provider: 'mailgun',
    secrets: ['k'],
    headers: {},
    body: JSON.stringify({
      signature: { timestamp: '1700000000', token: 'tk', signature: hmac('sha256', 'k', '1700000000tk', 'hex') },
    }),
    now: 1_700_000_000_000,
  },
  { provider: 'microsoft_graph', secrets: ['s1'], headers: {}, body: '{"value":[{"clientState":"s1","id":1}]}' },
]

const all = [
  ...[github, slack, standard, stripe, shopify, discord, sendgrid, twilio, hubspotLegacy, paypal],
  ...made,
  ...inBody,
]

const hasPublicKey = ({ provider }: Sent): boolean => provider === 'discord' || provider === 'sendgrid'

test('each provider of the language has a vector here', () => {
  expect(all.map(({ provider }) => provider).toSorted()).toEqual(Object.keys(SIGNATURE_SCHEMES).toSorted())
})

describe.each(all.map((sent) => [sent.provider, sent] as const))('%s', (_, sent) => {
  test('accepts what it signed, also while the secret is replaced', () => {
    expect(judge(sent).kind).toBe('valid')
    if (!hasPublicKey(sent)) expect(judge({ ...sent, secrets: ['another', ...sent.secrets] }).kind).toBe('valid')
  })

  test('refuses another body, another secret, and headers that are missing, empty, truncated or doubled', () => {
    const unsigned = sent.provider === 'gitlab' || sent.provider === 'telegram' || inBody.includes(sent)
    if (!unsigned) expect(judge({ ...sent, body: `${sent.body} ` }).kind).not.toBe('valid')
    if (!hasPublicKey(sent)) expect(judge({ ...sent, secrets: ['whsec_another'] }).kind).toBe('mismatch')
    const names = Object.keys(sent.headers).filter((name) => !name.includes('delivery'))
    for (const name of names) {
      const value = sent.headers[name]!
      const { [name]: removed, ...others } = sent.headers
      for (const headers of [
        others,
        ...['', value.slice(0, -3), value.slice(1)].map((text) => ({ ...others, [name]: text })),
      ])
        expect([name, headers[name], judge({ ...sent, headers }).kind]).not.toContain('valid')
      expect(removed).toBe(value)
    }
  })
})

const timed = all.filter(({ now }) => now !== undefined)
test.each(timed.map((sent) => [sent.provider, sent] as const))(
  '%s: a right signature of another time is refused, early or late',
  (_, sent) => {
    const { toleranceMs } = SIGNATURE_SCHEMES[sent.provider]
    for (const by of [toleranceMs + 1, -toleranceMs - 1])
      expect(judge({ ...sent, now: sent.now! + by })).toEqual({ kind: 'stale', toleranceMs })
    for (const by of [toleranceMs, -toleranceMs]) expect(judge({ ...sent, now: sent.now! + by }).kind).toBe('valid')
    expect(judge({ ...sent, now: sent.now! + 2_000, toleranceMs: 1_000 }).kind).toBe('stale')
  },
)

test.each(['+1531420618', ' 1531420618', '1531420618.0', '1.5e9', ''])('"%s" is no time, whoever signed it', (time) => {
  const signature = `v0=${hmac('sha256', 'k', `v0:${time}:{}`, 'hex')}`
  const headers = { 'x-slack-signature': signature, 'x-slack-request-timestamp': time }
  expect(judge({ provider: 'slack', secrets: ['k'], headers, body: '{}', now: slack.now! }).kind).toBe('malformed')
})

test('one right signature among others is enough, of another version it is not', () => {
  const right = standard.headers['webhook-signature']!
  const decoy = 'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc='
  const with_ = (list: string) => judge({ ...standard, headers: { ...standard.headers, 'webhook-signature': list } })
  expect(with_(`${decoy} ${right} v3,x`).kind).toBe('valid')
  expect(with_(`${decoy} ${right.replace('v1', 'v2')}`).kind).toBe('mismatch')
  expect(with_(right.replace('v1', 'v2')).kind).toBe('malformed')
  const signature = stripe.headers['stripe-signature']!
  const more = { 'stripe-signature': `${signature.replace(',', `,v1=${'00'.repeat(32)},v0=00,`)}` }
  expect(judge({ ...stripe, headers: more }).kind).toBe('valid')
})

test('a second time in the header of Stripe is refused', () => {
  const headers = { 'stripe-signature': `t=1700000000,${stripe.headers['stripe-signature']!}` }
  expect(judge({ ...stripe, headers }).kind).toBe('malformed')
})

test('a signature of version v1a is one of a public key', () => {
  const { 'webhook-id': id, 'webhook-timestamp': time } = standard.headers
  const signature = sign(null, Buffer.from(`${id}.${time}.${standard.body}`), discordKeys.privateKey).toString('base64')
  const headers = { ...standard.headers, 'webhook-signature': `v1a,${signature}` }
  expect(judge({ ...standard, headers, secrets: [`whpk_${rawKey.toString('base64')}`] }).kind).toBe('valid')
})

test('Svix sends the same under its older names', () => {
  const headers = Object.fromEntries(
    Object.entries(standard.headers).map(([name, value]) => [name.replace('webhook-', 'svix-'), value]),
  )
  expect(judge({ ...standard, headers })).toMatchObject({ kind: 'valid', delivery: 'msg_p5jXN8AQM9LWM0D4loKWxJek' })
})

test('Twilio puts the hash of a JSON body into the address', () => {
  const url = `https://x.example/hook?bodySHA256=${createHash('sha256').update('{}').digest('hex')}`
  const headers = { 'x-twilio-signature': hmac('sha1', 'k', url, 'base64') }
  const sent: Sent = { provider: 'twilio', secrets: ['k'], headers, url, body: '{}' }
  expect(judge(sent).kind).toBe('valid')
  expect(judge({ ...sent, body: '{ }' }).kind).toBe('malformed')
})

test('deliveries have names, and tests of an address their answer', () => {
  expect(judge(github)).toEqual({ kind: 'valid', delivery: 'd-1' })
  expect(judge(stripe)).toMatchObject({ kind: 'valid', delivery: 'evt_test_webhook' })
  expect(judge(made[1]!)).toEqual({ kind: 'valid', delivery: '9' })
  const body = '{"type":"url_verification","challenge":"c1"}'
  const headers = {
    ...slack.headers,
    'x-slack-signature': `v0=${hmac('sha256', 'k', `v0:1531420618:${body}`, 'hex')}`,
  }
  expect(judge({ ...slack, secrets: ['k'], headers, body })).toMatchObject({
    kind: 'valid',
    handshake: { challenge: 'c1' },
  })
})

test('HubSpot signed the method and the address in its second version', () => {
  const v2 = { 'x-hubspot-signature-version': 'v2' }
  const get: Sent = {
    ...hubspotLegacy,
    method: 'GET',
    url: 'https://www.example.com/webhook_uri',
    headers: { ...v2, 'x-hubspot-signature': 'eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e' },
    body: '',
  }
  expect(judge(get).kind).toBe('valid')
  expect(judge({ ...get, method: 'POST' }).kind).toBe('mismatch')
  expect(
    judge({
      ...get,
      method: 'POST',
      headers: { ...v2, 'x-hubspot-signature': '9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900' },
      body: '{"example_field":"example_value"}',
    }).kind,
  ).toBe('valid')
})

test('PayPal: without a certificate, by another one, or for another webhook nothing is right', () => {
  const { certificate: _, ...without } = paypal
  expect(judge(without).kind).toBe('mismatch')
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  expect(judge({ ...paypal, certificate: other }).kind).toBe('mismatch')
  expect(judge({ ...paypal, headers: { ...paypal.headers, 'paypal-auth-algo': 'none' } }).kind).toBe('malformed')
  expect(judge(paypal)).toMatchObject({ kind: 'valid', delivery: 'WH-1' })
})

test.each([
  ['https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270', true],
  ['https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1', true],
  ['http://api.paypal.com/v1/notifications/certs/CERT-1', false],
  ['https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1', false],
  ['https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1', false],
  ['https://api.paypal.com:444/v1/notifications/certs/CERT-1', false],
  ['https://api.paypal.com/v1/notifications/certs/../../x', false],
  ['https://api.paypal.com/v1/notifications/certs/CERT-1?x=https://evil.example', false],
  ['', false],
])('a certificate of PayPal lies at PayPal: %s', (url, trusted) => {
  expect(SIGNATURE_SCHEMES.paypal.certificateUrl?.(requestOf({ ...paypal, headers: { 'paypal-cert-url': url } }))).toBe(
    trusted ? url : null,
  )
})

test('Microsoft Graph: one notification without the secret makes all of them doubtful, and nobody sees the secret', () => {
  const graph = (body: string): Sent => ({ provider: 'microsoft_graph', secrets: ['s1'], headers: {}, body })
  for (const body of ['{"value":[{"clientState":"s1"},{}]}', '{"value":[]}', '{}', 'no json']) {
    expect(judge(graph(body)).kind).toBe('malformed')
  }
  expect(judge(graph('{"value":[{"clientState":"s2"}]}')).kind).toBe('mismatch')
  expect(SIGNATURE_SCHEMES.microsoft_graph.redact?.({ value: [{ clientState: 's1', id: 1 }, 2], x: 1 })).toEqual({
    value: [{ id: 1 }, 2],
    x: 1,
  })
})

test('Mailgun: a time or token of another kind is malformed', () => {
  const mailgun = (signature: object): Sent => ({ ...inBody[0]!, body: JSON.stringify({ signature }) })
  const right = { timestamp: '1700000000', token: 'tk', signature: hmac('sha256', 'k', '1700000000tk', 'hex') }
  expect(judge(mailgun(right))).toMatchObject({ kind: 'valid', delivery: 'tk' })
  for (const wrong of [{ timestamp: 1_700_000_000 }, { token: '' }, { token: undefined }, { signature: 'zz' }]) {
    expect(judge(mailgun({ ...right, ...wrong })).kind).toBe('malformed')
  }
  expect(judge(mailgun({ ...right, token: 'other' })).kind).toBe('mismatch')
})

test('requests that only ask whether the address is ours', () => {
  const challenge = (provider: SignatureProvider, sent: Partial<Sent>) =>
    SIGNATURE_SCHEMES[provider].challenge?.(requestOf({ provider, secrets: [], headers: {}, body: '', ...sent }))
  const hub = 'https://x.example/h?hub.mode=subscribe&hub.verify_token=v1&hub.challenge=42'
  expect(challenge('meta', { method: 'GET', url: hub })).toEqual({ kind: 'verify', token: 'v1', text: '42' })
  expect(challenge('meta', { url: hub })).toBeUndefined()
  expect(challenge('meta', { method: 'GET', url: hub.replace('subscribe', 'x') })).toBeUndefined()
  const graph = { url: 'https://x.example/h?validationToken=Validation%3A+a%3Cb%3E' }
  expect(challenge('microsoft_graph', graph)).toEqual({ kind: 'echo', text: 'Validation: a<b>' })
  expect(challenge('microsoft_graph', { ...graph, body: '{}' })).toBeUndefined()
  expect(challenge('notion', { body: '{"verification_token":"secret_1"}' })).toEqual({
    kind: 'secret',
    secret: 'secret_1',
  })
  expect(challenge('notion', { body: '{"type":"page.created"}' })).toBeUndefined()
  const signed = { headers: { 'x-notion-signature': 'sha256=00' }, body: '{"verification_token":"secret_1"}' }
  expect(challenge('notion', signed)).toBeUndefined()
})

test('Discord asks with a signed ping', () => {
  const body = '{"id":"7","type":1}'
  const signature = sign(null, Buffer.from(`1700000000${body}`), discordKeys.privateKey).toString('hex')
  const headers = { ...discord.headers, 'x-signature-ed25519': signature }
  expect(judge({ ...discord, headers, body })).toMatchObject({ kind: 'valid', handshake: { type: 1 } })
})
