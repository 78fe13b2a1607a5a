/** Whether a caller may start a webhook's flow. Comparisons take the same time whatever differs. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Template, WebhookAuth } from '@plugwork/core'
import { ServerError } from '../errors.ts'
import type { Incoming } from '../http/incoming.ts'

/** Renders a template of the trigger with its secrets filled in; '' or null where one is missing. */
export type ResolveSecret = (template: Template) => Promise<string>

/** Throws `unauthenticated`, or `webhook_secret_missing` when the server lacks what to compare with. */
export async function checkWebhookAuth(options: {
  readonly auth: WebhookAuth
  readonly incoming: Incoming
  /** The exact bytes received; only a signature reads them. */
  readonly body: () => Promise<Uint8Array>
  readonly resolve: ResolveSecret
}): Promise<void> {
  const { auth, incoming, resolve } = options
  switch (auth.type) {
    case 'none':
      return
    case 'api_key': {
      const expected = await secret(resolve, auth.key)
      const header = auth.header.toLowerCase()
      if (!sameText(incoming.header(header), expected)) throw refused(`The header ${auth.header} has no valid key.`)
      return
    }
    case 'bearer': {
      const expected = await secret(resolve, auth.token)
      const given = /^Bearer +(.+)$/i.exec(incoming.header('authorization') ?? '')?.[1]
      if (!sameText(given, expected)) throw refused('The bearer token is not valid.', 'Bearer realm="webhook"')
      return
    }
    case 'basic': {
      const username = await secret(resolve, auth.username)
      const password = await secret(resolve, auth.password)
      const given = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(incoming.header('authorization') ?? '')?.[1]
      const decoded = given === undefined ? undefined : Buffer.from(given, 'base64').toString('utf8')
      if (!sameText(decoded, `${username}:${password}`)) {
        throw refused('The user name or password is not valid.', 'Basic realm="webhook", charset="UTF-8"')
      }
      return
    }
    case 'hmac': {
      const key = await secret(resolve, auth.secret)
      const given = signatureOf(incoming.header(auth.header.toLowerCase()), auth.prefix ?? '', auth.encoding)
      const expected = createHmac(auth.algorithm, key)
        .update(await options.body())
        .digest()
      if (given === null || given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw refused(`The header ${auth.header} has no valid signature of the body.`)
      }
    }
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
  const left = Buffer.from(given)
  const right = Buffer.from(expected)
  return left.length === right.length && timingSafeEqual(left, right)
}

/** The bytes of a signature header; null when it is missing or malformed. */
function signatureOf(header: string | undefined, prefix: string, encoding: 'hex' | 'base64'): Buffer | null {
  if (header === undefined || !header.startsWith(prefix)) return null
  const text = header.slice(prefix.length).trim()
  const wellFormed = encoding === 'hex' ? /^(?:[0-9a-f]{2})+$/i : /^[A-Za-z0-9+/]+={0,2}$/
  return wellFormed.test(text) ? Buffer.from(text, encoding) : null
}

function refused(message: string, challenge?: string): ServerError {
  return new ServerError('unauthenticated', message, {
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
  })
}
