/**
 * How services sign the webhooks they send, one row each: what is compared with what. Sources are the services' own
 * documentation and client libraries; the tests hold their published vectors.
 */
import { hash } from 'node:crypto'
import type { Json, SignatureProvider } from '@plugwork/core'
import { parseFields } from '../http/body.ts'

/** A request as a signature sees it. */
export interface SignedRequest {
  readonly method: string
  /** Public address as the service was given it, with the query of this request. */
  readonly url: string
  readonly body: Buffer
  /** Value of a header by its lower-case name. */
  header(name: string): string | undefined
  /** The body as JSON; null where it is none. */
  readonly json: () => Json
}

/** When the request says it was signed: digits of seconds or milliseconds, or ISO 8601. */
export interface SignedTime {
  readonly text: string
  readonly unit: 's' | 'ms' | 'iso'
}

/** What a request claims; null from `claim` when a part is missing or malformed. */
export interface Claim {
  /** Any of them may be the right one. */
  readonly signatures: readonly Signature[]
  readonly time?: SignedTime
}

export type Signature =
  | { readonly kind: 'hmac'; readonly algorithm: 'sha1' | 'sha256'; readonly value: Buffer; readonly signed: Bytes }
  | { readonly kind: 'ed25519' | 'ecdsa'; readonly value: Buffer; readonly signed: Bytes }
  /** The secret itself. */
  | { readonly kind: 'token'; readonly value: Buffer }

type Bytes = readonly (string | Buffer)[]

export interface SignatureScheme {
  /** Headers that carry credentials, and never reach the run. */
  readonly secretHeaders: readonly string[]
  claim(request: SignedRequest): Claim | null
  /** How far the signed time may be from now where the flow does not say; milliseconds. */
  readonly toleranceMs: number
  /** Bytes of the key that a secret's text stands for. Default: its UTF-8. */
  readonly key?: (secret: string) => Buffer
  /** Names this delivery, the same for each attempt of it. */
  readonly delivery?: (request: SignedRequest) => Json | undefined
  /** What a signed request that only tests the address wants to hear; undefined for all others. */
  readonly handshake?: (request: SignedRequest) => Json | undefined
}

const MINUTES = 60_000

/** A signature of the body alone, or of what `signed` makes, in one header. */
function hmacHeader(options: {
  readonly header: string
  readonly algorithm?: 'sha1' | 'sha256'
  readonly encoding: 'hex' | 'base64'
  readonly prefix?: string
  readonly time?: { readonly header: string; readonly unit: SignedTime['unit'] }
  readonly signed?: (request: SignedRequest, time: string) => Bytes
}): SignatureScheme['claim'] {
  const { header, algorithm = 'sha256', encoding, prefix = '', time, signed } = options
  return (request) => {
    const value = signatureBytes(request.header(header), encoding, prefix)
    const sentAt = time === undefined ? '' : request.header(time.header)
    if (value === null || sentAt === undefined) return null
    const bytes = signed === undefined ? [request.body] : signed(request, sentAt)
    return {
      signatures: [{ kind: 'hmac', algorithm, value, signed: bytes }],
      ...(time === undefined ? null : { time: { text: sentAt, unit: time.unit } }),
    }
  }
}

/** The bytes of a signature's text; null when it is missing or malformed. */
export function signatureBytes(text: string | undefined, encoding: 'hex' | 'base64', prefix = ''): Buffer | null {
  if (text === undefined || !text.startsWith(prefix)) return null
  const rest = text.slice(prefix.length).trim()
  const wellFormed = encoding === 'hex' ? /^(?:[0-9a-f]{2})+$/i : /^[A-Za-z0-9+/]+={0,2}$/
  return wellFormed.test(rest) ? Buffer.from(rest, encoding) : null
}

/** The header holds the secret itself. */
function token(header: string): SignatureScheme['claim'] {
  return (request) => {
    const value = request.header(header)
    return value === undefined ? null : { signatures: [{ kind: 'token', value: Buffer.from(value) }] }
  }
}

const byHeader =
  (name: string): NonNullable<SignatureScheme['delivery']> =>
  (request) =>
    request.header(name)

const byField =
  (name: string): NonNullable<SignatureScheme['delivery']> =>
  (request) =>
    field(request.json(), name)

function field(value: Json, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? value[name] : undefined
}

/** docs.stripe.com/webhooks/signature: `t=…,v1=…[,v1=…]`. */
function stripe(request: SignedRequest): Claim | null {
  const pairs = (request.header('stripe-signature') ?? '').split(',').map((pair) => pair.split('='))
  const times = pairs.filter(([name]) => name === 't').map(([, value]) => value)
  const [text] = times
  const values = pairs.filter(([name]) => name === 'v1').map(([, value]) => signatureBytes(value, 'hex'))
  if (times.length !== 1 || text === undefined || values.length === 0) return null
  return {
    signatures: values.flatMap((value) =>
      value === null ? [] : { kind: 'hmac', algorithm: 'sha256', value, signed: [text, '.', request.body] },
    ),
    time: { text, unit: 's' },
  }
}

/** standardwebhooks.com; `svix-…` are the same headers under their older names. */
function standardWebhooks(request: SignedRequest): Claim | null {
  const part = (name: string) => request.header(`webhook-${name}`) ?? request.header(`svix-${name}`)
  const [id, text, list] = [part('id'), part('timestamp'), part('signature')]
  if (id === undefined || text === undefined || list === undefined) return null
  const signed = [id, '.', text, '.', request.body]
  return {
    signatures: list.split(' ').flatMap((entry): Signature[] => {
      const v1 = signatureBytes(entry, 'base64', 'v1,')
      if (v1 !== null) return [{ kind: 'hmac', algorithm: 'sha256', value: v1, signed }]
      const v1a = signatureBytes(entry, 'base64', 'v1a,')
      return v1a === null ? [] : [{ kind: 'ed25519', value: v1a, signed }]
    }),
    time: { text, unit: 's' },
  }
}

/** The key is the base64 after `whsec_`, or a public key after `whpk_`. */
function standardKey(secret: string): Buffer {
  return Buffer.from(secret.replace(/^(?:whsec_|whpk_)/, ''), 'base64')
}

/** A public-key signature of time and body in hex or base64. */
function signedTimeAndBody(options: {
  readonly kind: 'ed25519' | 'ecdsa'
  readonly header: string
  readonly timeHeader: string
  readonly encoding: 'hex' | 'base64'
}): SignatureScheme['claim'] {
  return (request) => {
    const value = signatureBytes(request.header(options.header), options.encoding)
    const text = request.header(options.timeHeader)
    if (value === null || text === undefined) return null
    return {
      signatures: [{ kind: options.kind, value, signed: [text, request.body] }],
      time: { text, unit: 's' },
    }
  }
}

/** twilio.com/docs/usage/security: the URL, then each form field sorted by name; JSON is hashed into the URL's query. */
function twilio(request: SignedRequest): Claim | null {
  const value = signatureBytes(request.header('x-twilio-signature'), 'base64')
  if (value === null) return null
  const bodyHash = /[?&]bodySHA256=([0-9a-f]+)/i.exec(request.url)?.[1]
  if (bodyHash !== undefined) {
    if (hash('sha256', request.body) !== bodyHash.toLowerCase()) return null
    return { signatures: [{ kind: 'hmac', algorithm: 'sha1', value, signed: [request.url] }] }
  }
  const fields = Object.entries(parseFields(request.body.toString('utf8'))).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const text = fields.map(([name, one]) =>
    Array.isArray(one)
      ? [...new Set(one.map(String))]
          .toSorted()
          .map((each) => name + each)
          .join('')
      : name + String(one),
  )
  return { signatures: [{ kind: 'hmac', algorithm: 'sha1', value, signed: [request.url, ...text] }] }
}

/** Linear puts the time into the signed body (`webhookTimestamp`, milliseconds). */
function linear(request: SignedRequest): Claim | null {
  const value = signatureBytes(request.header('linear-signature'), 'hex')
  const sentAt = field(request.json(), 'webhookTimestamp')
  if (value === null || typeof sentAt !== 'number') return null
  return {
    signatures: [{ kind: 'hmac', algorithm: 'sha256', value, signed: [request.body] }],
    time: { text: String(sentAt), unit: 'ms' },
  }
}

/** developers.hubspot.com, signature v3: these escapes of the URL are undone before it is signed. */
function hubspotUrl(url: string): string {
  return url.replaceAll(/%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (escape) => decodeURIComponent(escape))
}

const HUB = { header: 'x-hub-signature', encoding: 'hex', prefix: 'sha256=' } as const

/** One scheme for each provider that the language names. */
export const SIGNATURE_SCHEMES: { readonly [provider in SignatureProvider]: SignatureScheme } = {
  github: {
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-hub-signature-256', encoding: 'hex', prefix: 'sha256=' }),
    toleranceMs: 0,
    delivery: byHeader('x-github-delivery'),
  },
  // Its deliveries carry `Idempotency-Key`, which every webhook follows.
  gitlab: { secretHeaders: ['x-gitlab-token'], claim: token('x-gitlab-token'), toleranceMs: 0 },
  bitbucket: { secretHeaders: [], claim: hmacHeader(HUB), toleranceMs: 0, delivery: byHeader('x-request-uuid') },
  jira: {
    secretHeaders: [],
    claim: hmacHeader(HUB),
    toleranceMs: 0,
    delivery: byHeader('x-atlassian-webhook-identifier'),
  },
  slack: {
    secretHeaders: [],
    claim: hmacHeader({
      header: 'x-slack-signature',
      encoding: 'hex',
      prefix: 'v0=',
      time: { header: 'x-slack-request-timestamp', unit: 's' },
      signed: ({ body }, time) => ['v0:', time, ':', body],
    }),
    toleranceMs: 5 * MINUTES,
    delivery: byField('event_id'),
    // docs.slack.dev: the Events API asks once whether the address is ours.
    handshake: (request) => {
      const body = request.json()
      if (field(body, 'type') !== 'url_verification') return undefined
      const challenge = field(body, 'challenge')
      return challenge === undefined ? undefined : { challenge }
    },
  },
  discord: {
    secretHeaders: [],
    claim: signedTimeAndBody({
      kind: 'ed25519',
      header: 'x-signature-ed25519',
      timeHeader: 'x-signature-timestamp',
      encoding: 'hex',
    }),
    toleranceMs: 5 * MINUTES,
    key: (secret) => Buffer.from(secret, 'hex'),
    delivery: byField('id'),
    handshake: (request) => (field(request.json(), 'type') === 1 ? { type: 1 } : undefined),
  },
  stripe: { secretHeaders: [], claim: stripe, toleranceMs: 5 * MINUTES, delivery: byField('id') },
  shopify: {
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-shopify-hmac-sha256', encoding: 'base64' }),
    toleranceMs: 0,
    delivery: byHeader('x-shopify-webhook-id'),
  },
  square: {
    secretHeaders: [],
    claim: hmacHeader({
      header: 'x-square-hmacsha256-signature',
      encoding: 'base64',
      signed: ({ url, body }) => [url, body],
    }),
    toleranceMs: 0,
    delivery: byField('event_id'),
  },
  twilio: { secretHeaders: [], claim: twilio, toleranceMs: 0, delivery: byHeader('i-twilio-idempotency-token') },
  sendgrid: {
    secretHeaders: [],
    claim: signedTimeAndBody({
      kind: 'ecdsa',
      header: 'x-twilio-email-event-webhook-signature',
      timeHeader: 'x-twilio-email-event-webhook-timestamp',
      encoding: 'base64',
    }),
    toleranceMs: 5 * MINUTES,
    key: (secret) => Buffer.from(secret, 'base64'),
  },
  linear: { secretHeaders: [], claim: linear, toleranceMs: MINUTES, delivery: byHeader('linear-delivery') },
  zendesk: {
    secretHeaders: [],
    claim: hmacHeader({
      header: 'x-zendesk-webhook-signature',
      encoding: 'base64',
      time: { header: 'x-zendesk-webhook-signature-timestamp', unit: 'iso' },
      signed: ({ body }, time) => [time, body],
    }),
    toleranceMs: 5 * MINUTES,
    delivery: byHeader('x-zendesk-webhook-invocation-id'),
  },
  intercom: {
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-hub-signature', algorithm: 'sha1', encoding: 'hex', prefix: 'sha1=' }),
    toleranceMs: 0,
    delivery: byField('id'),
  },
  hubspot: {
    secretHeaders: [],
    claim: hmacHeader({
      header: 'x-hubspot-signature-v3',
      encoding: 'base64',
      time: { header: 'x-hubspot-request-timestamp', unit: 'ms' },
      signed: ({ method, url, body }, time) => [method, hubspotUrl(url), body, time],
    }),
    toleranceMs: 5 * MINUTES,
  },
  typeform: {
    secretHeaders: [],
    claim: hmacHeader({ header: 'typeform-signature', encoding: 'base64', prefix: 'sha256=' }),
    toleranceMs: 0,
    delivery: byField('event_id'),
  },
  notion: {
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-notion-signature', encoding: 'hex', prefix: 'sha256=' }),
    toleranceMs: 0,
    delivery: byField('id'),
  },
  telegram: {
    secretHeaders: ['x-telegram-bot-api-secret-token'],
    claim: token('x-telegram-bot-api-secret-token'),
    toleranceMs: 0,
    delivery: byField('update_id'),
  },
  standard_webhooks: {
    secretHeaders: [],
    claim: standardWebhooks,
    toleranceMs: 5 * MINUTES,
    key: standardKey,
    delivery: (request) => request.header('webhook-id') ?? request.header('svix-id'),
  },
}
