/** What providers say when they refuse, without the secrets that they may repeat in it. */
import type { PlugworkError } from '@plugwork/core/error'
import { oauthError } from './errors.ts'

const LONGEST_DESCRIPTION = 300
/** Shorter texts are words, not secrets: striking them out would garble messages. */
const SHORTEST_SECRET = 4

/** A provider's refusal in the terms of RFC 6749, 5.2. */
export interface Refusal {
  /** Its code, translated by `auth.errorCodes`. */
  readonly error: string
  /** The provider's own code, where it was translated. */
  readonly providerError?: string
  readonly description?: string
}

/** Strikes secrets out of a text, as they are and as they are encoded in requests. */
export function strike(text: string, secrets: readonly (string | null | undefined)[]): string {
  let struck = text
  const forms = new Set<string>()
  for (const secret of secrets) {
    if (typeof secret !== 'string' || secret.length < SHORTEST_SECRET) continue
    forms.add(secret)
    forms.add(encodeURIComponent(secret))
    forms.add(new URLSearchParams([['', secret]]).toString().slice(1))
    forms.add(Buffer.from(secret).toString('base64'))
    forms.add(Buffer.from(secret).toString('base64url'))
  }
  for (const form of [...forms].toSorted((a, b) => b.length - a.length)) struck = struck.replaceAll(form, '***')
  return struck
}

/** One printable line of at most 300 characters. */
export function printable(text: string, secrets: readonly (string | null | undefined)[]): string {
  const line = strike(text, secrets)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
  return line.length > LONGEST_DESCRIPTION ? `${line.slice(0, LONGEST_DESCRIPTION)}…` : line
}

/** A code of a provider, or `unknown` for what does not look like one. */
export function errorCode(text: string, secrets: readonly (string | null | undefined)[]): string {
  const code = strike(text, secrets)
  return /^[\w.:-]{1,80}$/.test(code) ? code : 'unknown'
}

const REMEDIES: Readonly<Record<string, string>> = {
  invalid_grant: 'The connection must be authorised again.',
  invalid_client: 'Check the client id and secret of the application.',
  unauthorized_client: 'Check what the application is registered for, or authorise the connection again.',
  invalid_scope: 'Check the scopes that are asked for.',
  redirect_uri_mismatch: 'Register exactly this redirect URI with the provider.',
}

/** The error for a refusal of an endpoint: `oauth_unavailable` where waiting helps, else `oauth_refused`. */
export function refused(provider: string, what: string, refusal: Refusal): PlugworkError {
  const { error, providerError, description } = refusal
  const reason = [
    error,
    providerError === undefined ? '' : ` (${providerError})`,
    description ? `: ${description}` : '',
  ]
  const data = { provider, error, ...(providerError === undefined ? {} : { provider_error: providerError }) }
  if (error === 'temporarily_unavailable' || error === 'server_error') {
    return oauthError('oauth_unavailable', `${provider} could not ${what} now: ${reason.join('')}. Try again later.`, {
      data,
    })
  }
  const remedy = REMEDIES[error]
  return oauthError(
    'oauth_refused',
    `${provider} refused to ${what}: ${reason.join('')}.${remedy === undefined ? '' : ` ${remedy}`}`,
    { data },
  )
}
