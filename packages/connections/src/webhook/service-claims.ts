/** What the requests of particular services claim, where that is more than one header. */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Json, JsonObject } from '@plugwork/core'
import {
  field,
  queryOf,
  signatureBytes,
  type Challenge,
  type Claim,
  type Signature,
  type SignatureScheme,
  type SignedRequest,
} from './signature-scheme.ts'

/** docs.stripe.com/webhooks/signature: `t=…,v1=…[,v1=…]`. */
export function stripe(request: SignedRequest): Claim | null {
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
export function standardWebhooks(request: SignedRequest): Claim | null {
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
export function standardKey(secret: string): Buffer {
  return Buffer.from(secret.replace(/^(?:whsec_|whpk_)/, ''), 'base64')
}

/** A public-key signature of time and body in hex or base64. */
export function signedTimeAndBody(options: {
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
export function twilio(request: SignedRequest): Claim | null {
  const value = signatureBytes(request.header('x-twilio-signature'), 'base64')
  if (value === null) return null
  const bodyHash = /[?&]bodySHA256=([0-9a-f]+)/i.exec(request.url)?.[1]
  if (bodyHash !== undefined) {
    if (hash('sha256', request.body) !== bodyHash.toLowerCase()) return null
    return { signatures: [{ kind: 'hmac', algorithm: 'sha1', value, signed: [request.url] }] }
  }
  const fields = new URLSearchParams(request.body.toString('utf8'))
  const text = [...new Set(fields.keys())].toSorted().flatMap((name) =>
    // A name that occurs more than once counts with each of its values once.
    [...new Set(fields.getAll(name))].toSorted().map((one) => name + one),
  )
  return { signatures: [{ kind: 'hmac', algorithm: 'sha1', value, signed: [request.url, ...text] }] }
}

/** Linear puts the time into the signed body (`webhookTimestamp`, milliseconds). */
export function linear(request: SignedRequest): Claim | null {
  const value = signatureBytes(request.header('linear-signature'), 'hex')
  const sentAt = field(request.json(), 'webhookTimestamp')
  if (value === null || typeof sentAt !== 'number') return null
  return {
    signatures: [{ kind: 'hmac', algorithm: 'sha256', value, signed: [request.body] }],
    time: { text: String(sentAt), unit: 'ms' },
  }
}

/** developers.hubspot.com, signature v3: these escapes of the URL are undone before it is signed. */
export function hubspotUrl(url: string): string {
  return url.replaceAll(/%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (escape) => decodeURIComponent(escape))
}

/** developers.hubspot.com, signatures v1 and v2: a hash that begins with the secret. The version is named beside it. */
export function hubspotLegacy(request: SignedRequest): Claim | null {
  const value = signatureBytes(request.header('x-hubspot-signature'), 'hex')
  const version = request.header('x-hubspot-signature-version')
  if (value === null || (version !== 'v1' && version !== 'v2')) return null
  const { method, url, body } = request
  return { signatures: [{ kind: 'hash', value, signed: version === 'v1' ? [body] : [method, url, body] }] }
}

/** documentation.mailgun.com: the signature is in the body, and is one of a time and a token, not of the body. */
export function mailgun(request: SignedRequest): Claim | null {
  const part = (name: string) => field(field(request.json(), 'signature') ?? null, name)
  const [text, nonce, signature] = [part('timestamp'), part('token'), part('signature')]
  if (typeof text !== 'string' || typeof nonce !== 'string' || nonce === '' || typeof signature !== 'string')
    return null
  const value = signatureBytes(signature, 'hex')
  if (value === null) return null
  return {
    signatures: [{ kind: 'hmac', algorithm: 'sha256', value, signed: [text, nonce] }],
    time: { text, unit: 's' },
  }
}

/** developer.paypal.com/api/rest/webhooks/rest: the secret is the id of the webhook; the key is that of a certificate. */
export function paypal(request: SignedRequest): Claim | null {
  const part = (name: string) => request.header(`paypal-${name}`)
  const value = signatureBytes(part('transmission-sig'), 'base64')
  const [id, text] = [part('transmission-id'), part('transmission-time')]
  if (value === null || !id || text === undefined || part('auth-algo') !== 'SHA256withRSA') return null
  return {
    signatures: [
      { kind: 'rsa', value, signed: (webhookId) => [id, '|', text, '|', webhookId, '|', String(crc32(request.body))] },
    ],
    time: { text, unit: 'iso' },
  }
}

/** Only PayPal's own hosts hold PayPal's certificates. */
export function paypalCertificate(request: SignedRequest): string | null {
  const text = request.header('paypal-cert-url') ?? ''
  return /^https:\/\/api(?:\.sandbox)?\.paypal\.com\/v1\/notifications\/certs\/[A-Za-z0-9_-]+$/.test(text) ? text : null
}

/** learn.microsoft.com/graph/change-notifications-delivery-webhooks: each notification carries the `clientState` of its subscription. */
export function microsoftGraph(request: SignedRequest): Claim | null {
  const list = field(request.json(), 'value')
  if (!Array.isArray(list) || list.length === 0) return null
  const states = new Set(list.map((one) => field(one, 'clientState')))
  const [state] = states
  // One that lacks the secret makes all of them doubtful.
  if (states.size !== 1 || typeof state !== 'string') return null
  return { signatures: [{ kind: 'token', value: Buffer.from(state) }] }
}

/** The notifications without the secret in them. */
export function withoutClientState(body: Json): Json {
  const list = field(body, 'value')
  if (!isObject(body) || !Array.isArray(list)) return body
  return {
    ...body,
    value: list.map((one) => {
      if (!isObject(one)) return one
      const { clientState: _, ...rest } = one
      return rest
    }),
  }
}

/** Graph asks for the token of its query, as plain text. */
export function graphChallenge(request: SignedRequest): Challenge | undefined {
  const text = request.body.length === 0 ? queryOf(request, 'validationToken') : undefined
  return text === undefined ? undefined : { kind: 'echo', text }
}

/** developers.facebook.com/docs/graph-api/webhooks/getting-started */
export function metaChallenge(request: SignedRequest): Challenge | undefined {
  if (request.method !== 'GET' || queryOf(request, 'hub.mode') !== 'subscribe') return undefined
  const [sent, text] = [queryOf(request, 'hub.verify_token'), queryOf(request, 'hub.challenge')]
  return sent === undefined || text === undefined ? undefined : { kind: 'verify', token: sent, text }
}

/** developers.notion.com/reference/webhooks: the one request without a signature names what later ones are signed with. */
export function notionChallenge(request: SignedRequest): Challenge | undefined {
  const secret = field(request.json(), 'verification_token')
  if (request.header('x-notion-signature') !== undefined || typeof secret !== 'string' || secret === '')
    return undefined
  return { kind: 'secret', secret }
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
