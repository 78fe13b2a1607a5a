/**
 * How services sign the webhooks they send, one row each: the one table that flows' webhooks, services' webhooks and the
 * reference page are made of. Sources are the services' own documentation and client libraries; the tests hold their
 * published vectors.
 */
import { hash } from 'node:crypto'
import type { SignatureProvider } from '@plugwork/core'
import {
  graphChallenge,
  hubspotLegacy,
  hubspotUrl,
  linear,
  mailgun,
  metaChallenge,
  microsoftGraph,
  notionChallenge,
  paypal,
  paypalCertificate,
  signedTimeAndBody,
  standardKey,
  standardWebhooks,
  stripe,
  twilio,
  withoutClientState,
} from './service-claims.ts'
import { byField, byHeader, field, hmacHeader, token, type SignatureScheme } from './signature-scheme.ts'

const SECONDS = 1_000
const MINUTES = 60 * SECONDS
const HOURS = 60 * MINUTES

const HUB = { header: 'x-hub-signature', encoding: 'hex', prefix: 'sha256=' } as const

/** One scheme for each service that the language names. */
export const SIGNATURE_SCHEMES: { readonly [provider in SignatureProvider]: SignatureScheme } = {
  github: {
    notes: {
      title: 'GitHub',
      carriedBy: '`X-Hub-Signature-256: sha256=`',
      algorithm: 'HMAC-SHA256, hex',
      signed: 'body',
      secret: "the webhook's secret",
    },
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-hub-signature-256', encoding: 'hex', prefix: 'sha256=' }),
    toleranceMs: 0,
    delivery: byHeader('x-github-delivery'),
  },
  // Its deliveries carry `Idempotency-Key`, which every webhook follows.
  gitlab: {
    notes: {
      title: 'GitLab (token)',
      carriedBy: '`X-Gitlab-Token`',
      algorithm: 'the secret itself',
      signed: 'nothing',
      secret: 'the secret token; a signing token (`whsec_`) is `standard_webhooks`',
    },
    secretHeaders: ['x-gitlab-token'],
    claim: token('x-gitlab-token'),
    toleranceMs: 0,
  },
  bitbucket: {
    notes: {
      title: 'Bitbucket Cloud',
      carriedBy: '`X-Hub-Signature: sha256=`',
      algorithm: 'HMAC-SHA256, hex',
      signed: 'body',
      secret: "the webhook's secret",
    },
    secretHeaders: [],
    claim: hmacHeader(HUB),
    toleranceMs: 0,
    delivery: byHeader('x-request-uuid'),
  },
  jira: {
    notes: {
      title: 'Jira Cloud',
      carriedBy: '`X-Hub-Signature: sha256=`',
      algorithm: 'HMAC-SHA256, hex',
      signed: 'body',
      secret: "the webhook's secret",
    },
    secretHeaders: [],
    claim: hmacHeader(HUB),
    toleranceMs: 0,
    delivery: byHeader('x-atlassian-webhook-identifier'),
  },
  slack: {
    notes: {
      title: 'Slack',
      carriedBy: '`X-Slack-Signature: v0=`, `X-Slack-Request-Timestamp`',
      algorithm: 'HMAC-SHA256, hex',
      signed: '`v0:{time}:{body}`',
      secret: "the app's signing secret",
    },
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
    notes: {
      title: 'Discord',
      carriedBy: '`X-Signature-Ed25519`, `X-Signature-Timestamp`',
      algorithm: 'Ed25519, hex',
      signed: '`{time}{body}`',
      secret: "the app's public key, hex",
    },
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
  stripe: {
    notes: {
      title: 'Stripe',
      carriedBy: '`Stripe-Signature: t=,v1=`',
      algorithm: 'HMAC-SHA256, hex',
      signed: '`{time}.{body}`',
      secret: "the endpoint's signing secret",
    },
    secretHeaders: [],
    claim: stripe,
    toleranceMs: 5 * MINUTES,
    delivery: byField('id'),
  },
  shopify: {
    notes: {
      title: 'Shopify',
      carriedBy: '`X-Shopify-Hmac-Sha256`',
      algorithm: 'HMAC-SHA256, base64',
      signed: 'body',
      secret: "the app's client secret",
    },
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-shopify-hmac-sha256', encoding: 'base64' }),
    toleranceMs: 0,
    delivery: byHeader('x-shopify-webhook-id'),
  },
  square: {
    notes: {
      title: 'Square',
      carriedBy: '`X-Square-HmacSha256-Signature`',
      algorithm: 'HMAC-SHA256, base64',
      signed: '`{address}{body}`',
      secret: "the subscription's signature key",
    },
    secretHeaders: [],
    claim: hmacHeader({
      header: 'x-square-hmacsha256-signature',
      encoding: 'base64',
      signed: ({ url, body }) => [url, body],
    }),
    toleranceMs: 0,
    delivery: byField('event_id'),
  },
  twilio: {
    notes: {
      title: 'Twilio',
      carriedBy: '`X-Twilio-Signature`',
      algorithm: 'HMAC-SHA1, base64',
      signed: 'address and sorted form fields; of JSON the address with `bodySHA256`',
      secret: "the account's auth token",
    },
    secretHeaders: [],
    claim: twilio,
    toleranceMs: 0,
    delivery: byHeader('i-twilio-idempotency-token'),
  },
  sendgrid: {
    notes: {
      title: 'SendGrid',
      carriedBy: '`X-Twilio-Email-Event-Webhook-Signature`, `…-Timestamp`',
      algorithm: 'ECDSA P-256, base64',
      signed: '`{time}{body}`',
      secret: 'the verification key, base64',
    },
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
  linear: {
    notes: {
      title: 'Linear',
      carriedBy: '`Linear-Signature`, `webhookTimestamp` of the body',
      algorithm: 'HMAC-SHA256, hex',
      signed: 'body',
      secret: "the webhook's signing secret",
    },
    secretHeaders: [],
    claim: linear,
    toleranceMs: MINUTES,
    delivery: byHeader('linear-delivery'),
  },
  zendesk: {
    notes: {
      title: 'Zendesk',
      carriedBy: '`X-Zendesk-Webhook-Signature`, `…-Timestamp`',
      algorithm: 'HMAC-SHA256, base64',
      signed: '`{time}{body}`',
      secret: "the webhook's signing secret",
    },
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
    notes: {
      title: 'Intercom',
      carriedBy: '`X-Hub-Signature: sha1=`',
      algorithm: 'HMAC-SHA1, hex',
      signed: 'body',
      secret: "the app's client secret",
    },
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-hub-signature', algorithm: 'sha1', encoding: 'hex', prefix: 'sha1=' }),
    toleranceMs: 0,
    delivery: byField('id'),
  },
  hubspot: {
    notes: {
      title: 'HubSpot, v3',
      carriedBy: '`X-HubSpot-Signature-V3`, `X-HubSpot-Request-Timestamp`',
      algorithm: 'HMAC-SHA256, base64',
      signed: '`{method}{address}{body}{time}`',
      secret: "the app's client secret",
    },
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
    notes: {
      title: 'Typeform',
      carriedBy: '`Typeform-Signature: sha256=`',
      algorithm: 'HMAC-SHA256, base64',
      signed: 'body',
      secret: "the webhook's secret",
    },
    secretHeaders: [],
    claim: hmacHeader({ header: 'typeform-signature', encoding: 'base64', prefix: 'sha256=' }),
    toleranceMs: 0,
    delivery: byField('event_id'),
  },
  notion: {
    notes: {
      title: 'Notion',
      carriedBy: '`X-Notion-Signature: sha256=`',
      algorithm: 'HMAC-SHA256, hex',
      signed: 'body',
      secret: 'the verification token of the first request',
    },
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-notion-signature', encoding: 'hex', prefix: 'sha256=' }),
    toleranceMs: 0,
    delivery: byField('id'),
    challenge: notionChallenge,
  },
  telegram: {
    notes: {
      title: 'Telegram',
      carriedBy: '`X-Telegram-Bot-Api-Secret-Token`',
      algorithm: 'the secret itself',
      signed: 'nothing',
      secret: '`secret_token` of `set_webhook`',
    },
    secretHeaders: ['x-telegram-bot-api-secret-token'],
    claim: token('x-telegram-bot-api-secret-token'),
    toleranceMs: 0,
    delivery: byField('update_id'),
  },
  standard_webhooks: {
    notes: {
      title: 'Standard Webhooks, Svix',
      carriedBy: '`webhook-id`, `webhook-timestamp`, `webhook-signature` (or `svix-…`)',
      algorithm: 'HMAC-SHA256 (`v1`) or Ed25519 (`v1a`), base64',
      signed: '`{id}.{time}.{body}`',
      secret: '`whsec_…`, or `whpk_…` for `v1a`',
    },
    secretHeaders: [],
    claim: standardWebhooks,
    toleranceMs: 5 * MINUTES,
    key: standardKey,
    delivery: (request) => request.header('webhook-id') ?? request.header('svix-id'),
  },
  hubspot_legacy: {
    notes: {
      title: 'HubSpot, v1 and v2',
      carriedBy: '`X-HubSpot-Signature`, `X-HubSpot-Signature-Version`',
      algorithm: 'SHA-256, hex',
      signed: '`{secret}{body}`, or `{secret}{method}{address}{body}`',
      secret: "the app's client secret",
    },
    secretHeaders: [],
    claim: hubspotLegacy,
    toleranceMs: 0,
  },
  mailgun: {
    notes: {
      title: 'Mailgun',
      carriedBy: '`signature` of the body',
      algorithm: 'HMAC-SHA256, hex',
      signed: '`{time}{token}`, not the body',
      secret: 'the HTTP webhook signing key',
    },
    secretHeaders: [],
    claim: mailgun,
    // It delivers for 8 hours. A token counts once, and is remembered for longer than this.
    toleranceMs: 9 * HOURS,
    delivery: (request) => field(field(request.json(), 'signature') ?? null, 'token'),
  },
  meta: {
    notes: {
      title: 'Meta (Facebook, Instagram, WhatsApp)',
      carriedBy: '`X-Hub-Signature-256: sha256=`',
      algorithm: 'HMAC-SHA256, hex',
      signed: 'body',
      secret: "the app's secret",
    },
    secretHeaders: [],
    claim: hmacHeader({ header: 'x-hub-signature-256', encoding: 'hex', prefix: 'sha256=' }),
    toleranceMs: 0,
    // Bodies hold the time of what happened; a delivery that is tried again is the same to the byte.
    delivery: ({ body }) => hash('sha256', body),
    challenge: metaChallenge,
  },
  microsoft_graph: {
    notes: {
      title: 'Microsoft Graph',
      carriedBy: '`clientState` of each notification',
      algorithm: 'the secret itself',
      signed: 'nothing',
      secret: '`clientState` of the subscription',
    },
    secretHeaders: [],
    claim: microsoftGraph,
    toleranceMs: 0,
    challenge: graphChallenge,
    redact: withoutClientState,
  },
  paypal: {
    notes: {
      title: 'PayPal',
      carriedBy: '`PayPal-Transmission-Id`, `-Time`, `-Sig`, `PayPal-Cert-Url`, `PayPal-Auth-Algo`',
      algorithm: 'RSA-SHA256 by a certificate of PayPal, base64',
      signed: '`{id}|{time}|{webhook id}|{CRC-32 of the body}`',
      secret: 'the id of the webhook',
    },
    secretHeaders: [],
    claim: paypal,
    // It delivers for three days.
    toleranceMs: 73 * HOURS,
    delivery: byField('id'),
    certificateUrl: paypalCertificate,
  },
}
