import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { SignatureProvider } from '@plugwork/core'
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
}

function judge(sent: Sent): Verdict {
  const { provider, secrets, headers, body, now = 0, url = 'https://x.example/hook', method = 'POST' } = sent
  const json = () => {
    try {
      return JSON.parse(body) as null
    } catch {
      return null
    }
  }
  return verifySignature({
    scheme: SIGNATURE_SCHEMES[provider],
    request: { method, url, body: Buffer.from(body), header: (name) => headers[name], json },
    secrets,
    now,
    ...(sent.toleranceMs === undefined ? null : { toleranceMs: sent.toleranceMs }),
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
const sendgridKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const sendgrid: Sent = {
  provider: 'sendgrid',
  secrets: [sendgridKeys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')],
  headers: {
    'x-twilio-email-event-webhook-signature': sign(
      'sha256',
      Buffer.from('1700000000[{}]\r\n'),
      sendgridKeys.privateKey,
    ).toString('base64'),
    'x-twilio-email-event-webhook-timestamp': '1700000000',
  },
  body: '[{}]\r\n',
  now: 1_700_000_000_000,
}

// The construction that each service documents, made here with the platform's own functions.
const TWILIO_URL = 'https://x.example/hook?a=1'
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
  {
    provider: 'square',
    secrets: ['k'],
    headers: { 'x-square-hmacsha256-signature': hmac('sha256', 'k', 'https://x.example/hook{}', 'base64') },
    body: '{}',
  },
  {
    provider: 'twilio',
    secrets: ['k'],
    headers: { 'x-twilio-signature': hmac('sha1', 'k', `${TWILIO_URL}Bodyhi thereFrom+1`, 'base64') },
    url: TWILIO_URL,
    body: 'From=%2B1&Body=hi+there',
  },
]

const all = [github, slack, standard, stripe, shopify, discord, sendgrid, ...made]

test('each provider of the language has a vector here', () => {
  expect(all.map(({ provider }) => provider).toSorted()).toEqual(Object.keys(SIGNATURE_SCHEMES).toSorted())
})

describe.each(all.map((sent) => [sent.provider, sent] as const))('%s', (_, sent) => {
  test('accepts what it signed, also while the secret is replaced', () => {
    expect(judge(sent).kind).toBe('valid')
    if (sent.provider !== 'discord' && sent.provider !== 'sendgrid')
      expect(judge({ ...sent, secrets: ['another', ...sent.secrets] }).kind).toBe('valid')
  })

  test('refuses another body, another secret, and headers that are missing, empty, truncated or doubled', () => {
    const token = sent.provider === 'gitlab' || sent.provider === 'telegram'
    if (!token) expect(judge({ ...sent, body: `${sent.body} ` }).kind).not.toBe('valid')
    if (sent.provider !== 'discord' && sent.provider !== 'sendgrid')
      expect(judge({ ...sent, secrets: ['whsec_another'] }).kind).toBe('mismatch')
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
  expect(judge({ ...standard, headers })).toEqual({ kind: 'valid', delivery: 'msg_p5jXN8AQM9LWM0D4loKWxJek' })
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
  expect(judge(stripe)).toEqual({ kind: 'valid', delivery: 'evt_test_webhook' })
  expect(judge(made[1]!)).toEqual({ kind: 'valid', delivery: '9' })
  const body = '{"type":"url_verification","challenge":"c1"}'
  const headers = {
    ...slack.headers,
    'x-slack-signature': `v0=${hmac('sha256', 'k', `v0:1531420618:${body}`, 'hex')}`,
  }
  expect(judge({ ...slack, secrets: ['k'], headers, body })).toEqual({ kind: 'valid', handshake: { challenge: 'c1' } })
})
