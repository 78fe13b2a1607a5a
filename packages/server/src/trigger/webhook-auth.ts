/** Whether a caller may start a webhook's flow. Comparisons take the same time whatever differs. */
import { createHmac, hash } from 'node:crypto'
import type { Json, Template, WebhookAuth } from '@plugwork/core'
import { ServerError } from '../errors.ts'
import { parseJson } from '../http/body.ts'
import type { Incoming } from '../http/incoming.ts'
import {
  judgeSignedTime,
  sameBytes,
  SIGNATURE_SCHEMES,
  signatureBytes,
  verifySignature,
} from '@plugwork/connections/webhooks'
import type { CertificateSource, SignedRequest, Verdict } from '@plugwork/connections/webhooks'

/** Renders a template of the trigger with its secrets filled in; '' or null where one is missing. */
export type ResolveSecret = (template: Template) => Promise<string>

/** What a signed request says beside being let in. */
export interface Admission {
  /** Names the delivery, the same for each attempt of the service to deliver it. */
  readonly delivery?: string
  /** The request only tests the address: it is answered this, and starts nothing. */
  readonly handshake?: Json
  /** The same, as plain text. */
  readonly challenge?: string
}

const LET_IN: Admission = {}

/** Lets a caller in. Throws `unauthenticated`, or `webhook_secret_missing` when the server lacks what to compare with. */
export async function checkWebhookAuth(options: {
  readonly auth: WebhookAuth
  readonly incoming: Incoming
  readonly now: number
  /** Public address of the server, without a path: some services sign the address that they call. */
  readonly baseUrl: () => string
  /** The exact bytes received; only a signature reads them. */
  readonly body: () => Promise<Uint8Array>
  readonly resolve: ResolveSecret
  readonly certificates: CertificateSource
}): Promise<Admission> {
  const { auth, incoming, resolve } = options
  switch (auth.type) {
    case 'none':
      return LET_IN
    case 'api_key': {
      const expected = await secret(resolve, auth.key)
      const header = auth.header.toLowerCase()
      if (!sameText(incoming.header(header), expected)) throw refused(`The header ${auth.header} has no valid key.`)
      return LET_IN
    }
    case 'bearer': {
      const expected = await secret(resolve, auth.token)
      const given = /^Bearer +(.+)$/i.exec(incoming.header('authorization') ?? '')?.[1]
      if (!sameText(given, expected)) throw refused('The bearer token is not valid.', 'Bearer realm="webhook"')
      return LET_IN
    }
    case 'basic': {
      const username = await secret(resolve, auth.username)
      const password = await secret(resolve, auth.password)
      const given = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(incoming.header('authorization') ?? '')?.[1]
      const decoded = given === undefined ? undefined : Buffer.from(given, 'base64').toString('utf8')
      if (!sameText(decoded, `${username}:${password}`)) {
        throw refused('The user name or password is not valid.', 'Basic realm="webhook", charset="UTF-8"')
      }
      return LET_IN
    }
    case 'hmac':
      return hmac({ ...options, auth })
    case 'signature':
      return signed({ ...options, auth })
  }
}

async function hmac(options: {
  readonly auth: Extract<WebhookAuth, { readonly type: 'hmac' }>
  readonly incoming: Incoming
  readonly now: number
  readonly body: () => Promise<Uint8Array>
  readonly resolve: ResolveSecret
}): Promise<Admission> {
  const { auth, incoming, now } = options
  const { timestamp } = auth
  const key = await secret(options.resolve, auth.secret)
  const given = signatureBytes(incoming.header(auth.header.toLowerCase()), auth.encoding, auth.prefix)
  const time = timestamp === undefined ? '' : incoming.header(timestamp.header.toLowerCase())
  const body = await options.body()
  const expected = createHmac(auth.algorithm, key)
  for (const part of (timestamp?.signed ?? '{body}').split(/(\{timestamp\}|\{body\})/)) {
    expected.update(part === '{body}' ? body : part === '{timestamp}' ? (time ?? '') : part)
  }
  if (given === null || !sameBytes(given, expected.digest())) {
    throw refused(`The header ${auth.header} has no valid signature of the ${timestamp ? 'time and body' : 'body'}.`)
  }
  if (timestamp === undefined) return LET_IN
  const text = time ?? ''
  const unit = text.includes('-') ? 'iso' : text.length > 11 ? 'ms' : 's'
  if (judgeSignedTime({ text, unit }, now, timestamp.toleranceMs) !== 'fresh') {
    throw refused(
      `The header ${timestamp.header} has no time within ${timestamp.toleranceMs / 1_000} s of now: sent again, or a clock is wrong.`,
    )
  }
  // The same time and body are the same request: sent again, it finds the run that it made.
  return { delivery: hash('sha256', `${text} ${hash('sha256', body)}`) }
}

async function signed(options: {
  readonly auth: Extract<WebhookAuth, { readonly type: 'signature' }>
  readonly incoming: Incoming
  readonly now: number
  readonly baseUrl: () => string
  readonly body: () => Promise<Uint8Array>
  readonly resolve: ResolveSecret
  readonly certificates: CertificateSource
}): Promise<Admission> {
  const { auth, incoming, now, resolve } = options
  const { provider, toleranceMs } = auth
  const secrets = [await secret(resolve, auth.secret)]
  const previous = auth.previousSecret === undefined ? '' : await resolve(auth.previousSecret)
  if (previous !== '') secrets.push(previous)
  const request = signedRequest(incoming, await options.body(), auth.url ?? options.baseUrl)
  const scheme = SIGNATURE_SCHEMES[provider]
  const challenge = scheme.challenge?.(request)
  if (challenge?.kind === 'echo') return { challenge: challenge.text }
  const certificateUrl = scheme.certificateUrl?.(request)
  if (certificateUrl === null) throw refused(`The request is not signed in the way of ${provider}.`)
  const certificate = certificateUrl === undefined ? undefined : await options.certificates(certificateUrl)
  let verdict: Verdict
  try {
    verdict = verifySignature({
      scheme,
      request,
      secrets,
      now,
      ...(certificate === undefined ? null : { certificate }),
      ...(toleranceMs === undefined ? null : { toleranceMs }),
    })
  } catch (cause) {
    throw new ServerError('webhook_secret_missing', `The key that guards this webhook is no key of ${provider}.`, {
      cause,
    })
  }
  switch (verdict.kind) {
    case 'valid':
      return verdict
    case 'malformed':
      throw refused(`The request is not signed in the way of ${provider}.`)
    case 'mismatch':
      throw refused(`The signature is not the one of ${provider} for this body.`)
    case 'stale': {
      const seconds = verdict.toleranceMs / 1_000
      throw refused(`The request was signed more than ${seconds} s ago or ahead: sent again, or a clock is wrong.`)
    }
  }
}

/** `address` is what the service was given, or makes the public address of the server. */
function signedRequest(incoming: Incoming, bytes: Uint8Array, address: string | (() => string)): SignedRequest {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const base = typeof address === 'string' ? address : address().replace(/\/+$/, '') + incoming.path
  let parsed: Json | undefined
  return {
    method: incoming.method,
    url: incoming.search === '' || base.includes('?') ? base : `${base}?${incoming.search}`,
    body,
    header: (name) => incoming.header(name),
    json: () => (parsed ??= jsonOrNull(body)),
  }
}

function jsonOrNull(body: Uint8Array): Json {
  try {
    return parseJson(body)
  } catch {
    return null
  }
}

/** The secret's text; an empty one never lets anybody in. */
async function secret(resolve: ResolveSecret, template: Template): Promise<string> {
  const text = await resolve(template)
  if (text !== '') return text
  throw new ServerError(
    'webhook_secret_missing',
    'The secret that guards this webhook is not set on the server, so nobody can be let in.',
  )
}

/** Compares in the same time wherever two texts differ. That they differ in length may show. */
function sameText(given: string | undefined, expected: string): boolean {
  if (given === undefined) return false
  return sameBytes(Buffer.from(given), Buffer.from(expected))
}

function refused(message: string, challenge?: string): ServerError {
  return new ServerError('unauthenticated', message, {
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
  })
}
