/**
 * Answers of token endpoints as RFC 6749 describes them. Providers answer in forms or XML, with status 200 for errors or
 * 201 for tokens, without `token_type`, with `expires_in` as text or in milliseconds, or put the tokens one level down;
 * everything behind this file sees none of that.
 */
import type { Json } from '@plugwork/core'
import type { EgressResponse, OAuth2Auth } from '@plugwork/core/node'
import { isRecord, pick } from './dotted-path.ts'
import { errorCode, printable, type Refusal } from './failure.ts'
import { readXml } from './xml.ts'

export type EndpointKind = 'token' | 'device' | 'revocation' | 'introspection'

export type NormalisedResponse =
  | { readonly kind: 'answer'; readonly json: Record<string, Json>; readonly raw: Record<string, Json> }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
  /** 429 and 5xx, whatever their bodies say. */
  | { readonly kind: 'unavailable'; readonly status: number; readonly retryAfter: string | null }
  | { readonly kind: 'unreadable'; readonly why: string }

/** `secrets` are struck out of what is kept of an error. */
export function normaliseResponse(
  auth: OAuth2Auth,
  endpoint: EndpointKind,
  response: EgressResponse,
  secrets: readonly (string | null | undefined)[],
): NormalisedResponse {
  const { status } = response
  if (status === 429 || status >= 500) {
    return { kind: 'unavailable', status, retryAfter: retryAfter(response.headers['retry-after']) }
  }
  if (status >= 300 && status < 400) return { kind: 'unreadable', why: `a redirect (HTTP ${status})` }
  const raw = readBody(response)
  const refusal = refusalOf(auth, status, raw ?? {}, [...secrets, ...tokensIn(raw)])
  if (refusal !== null) return { kind: 'refusal', refusal }
  if (endpoint === 'revocation') return { kind: 'answer', json: {}, raw: {} }
  if (raw === null) return { kind: 'unreadable', why: 'a body that is neither JSON nor a form' }
  switch (endpoint) {
    case 'token':
      return {
        kind: 'answer',
        json: tokenFields(auth, auth.tokenPath === undefined ? raw : pick(raw, auth.tokenPath)),
        raw,
      }
    case 'device':
      return { kind: 'answer', json: deviceFields(raw), raw }
    case 'introspection':
      return { kind: 'answer', json: raw, raw }
  }
}

function readBody({ headers, body }: EgressResponse): Record<string, Json> | null {
  const text = new TextDecoder().decode(body).trim()
  try {
    const json: unknown = JSON.parse(text)
    return isRecord(json) ? json : null
  } catch {
    // Not JSON, whatever its content type says.
  }
  if (text.startsWith('<')) return /\bhtml\b/i.test(headers['content-type'] ?? '') ? null : readXml(text)
  if (!/^[\w.%+-]+=[^\s<]*$/.test(text)) return null
  return Object.fromEntries(new URLSearchParams(text))
}

/** What a body says went wrong; null for an answer. */
function refusalOf(
  auth: OAuth2Auth,
  status: number,
  raw: Record<string, Json>,
  secrets: readonly (string | null | undefined)[],
): Refusal | null {
  const { error } = raw
  const failed =
    status >= 400 || raw['ok'] === false || (error !== undefined && error !== null && error !== '' && error !== false)
  if (!failed) return null
  const nested = isRecord(error) ? error : {}
  const candidates = isRecord(error)
    ? [error['code'], error['type'], error['status']]
    : [error, raw['code'], raw['status'], raw['errorCode'], raw['type']]
  const codes = candidates
    .filter((code) => (typeof code === 'string' && code !== '') || typeof code === 'number')
    .map((code) => errorCode(String(code), secrets))
  const translated = codes.find((code) => Object.hasOwn(auth.errorCodes ?? {}, code))
  const own = translated ?? codes.find((code) => /^[A-Za-z_]/.test(code)) ?? codes[0] ?? `http_${status}`
  const standard = translated === undefined ? own : auth.errorCodes![translated]!
  const description = [
    raw['error_description'],
    nested['message'],
    raw['message'],
    raw['reason'],
    raw['error_message'],
  ].find((text) => typeof text === 'string' && text !== '')
  return {
    error: standard,
    ...(standard === own ? {} : { providerError: own }),
    ...(description === undefined ? {} : { description: printable(String(description), secrets) }),
  }
}

/** Tokens in a body, so that an error text that repeats them is struck. */
function tokensIn(value: Json | null, depth = 0): string[] {
  if (!isRecord(value) || depth > 3) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === 'string'
      ? /token|secret|code$|assertion/i.test(name) && inner.length >= 16
        ? [inner]
        : []
      : tokensIn(inner, depth + 1),
  )
}

/** The fields of RFC 6749, 5.1, in the types that it says. An `id_token` is left out: nobody is signed in by it. */
export function tokenFields(auth: OAuth2Auth, tokens: Json | undefined): Record<string, Json> {
  if (!isRecord(tokens)) return {}
  const { access_token, refresh_token, token_type, scope } = tokens
  const fields: Record<string, Json> = {
    token_type: typeof token_type === 'string' && token_type !== '' ? token_type : 'bearer',
  }
  if (access_token !== undefined) fields['access_token'] = access_token
  if (typeof refresh_token === 'string' && refresh_token !== '') fields['refresh_token'] = refresh_token
  if (Array.isArray(scope)) fields['scope'] = scope.filter((one) => typeof one === 'string').join(' ')
  else if (typeof scope === 'string') fields['scope'] = scope
  const lifetime = lifetimeOf(auth, tokens['expires_in'])
  if (lifetime !== null) fields['expires_in'] = lifetime
  return fields
}

/** Seconds; null when nobody says how long the token lives. */
function lifetimeOf(auth: OAuth2Auth, expiresIn: Json | undefined): number | null {
  const given = typeof expiresIn === 'string' && expiresIn.trim() !== '' ? Number(expiresIn) : expiresIn
  if (typeof given === 'number' && Number.isFinite(given) && given > 0) {
    return auth.expiresInUnit === 'ms' ? given / 1000 : given
  }
  return auth.fixedLifetime ?? null
}

/** RFC 8628, 3.2, with Google's `verification_url` and intervals as text. */
function deviceFields(raw: Record<string, Json>): Record<string, Json> {
  const { verification_uri, verification_url, interval, ...others } = raw
  const uri = verification_uri ?? verification_url
  const seconds = Number(interval)
  return {
    ...others,
    ...(uri === undefined ? {} : { verification_uri: uri }),
    ...(seconds > 0 ? { interval: seconds } : {}),
  }
}

function retryAfter(header: string | undefined): string | null {
  return header !== undefined && /^[\w ,:]{1,40}$/.test(header) ? header : null
}
