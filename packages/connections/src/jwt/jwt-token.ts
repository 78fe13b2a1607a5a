import type { Json } from '@plugwork/core'
import type { Egress, EgressResponse, JwtAuth } from '@plugwork/core/node'
import { isRecord, pick, pickAll } from '../oauth/dotted-path.ts'
import { oauthError } from '../oauth/errors.ts'
import { printable } from '../oauth/failure.ts'
import { isProtected } from '../oauth/settings.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { jwtError } from './errors.ts'
import { signJwt } from './sign-jwt.ts'

export interface JwtTokenInput {
  readonly egress: Egress
  readonly auth: JwtAuth
  readonly fields: Readonly<Record<string, string>>
  readonly now: () => number
  readonly signal: AbortSignal
}

const TIMEOUT_MS = 20_000
const MOST_BYTES = 1024 * 1024

/** The token of a `JwtAuth`: the JWT itself, or what the service exchanges it for. */
export async function jwtToken({ egress, auth, fields, now, signal }: JwtTokenInput): Promise<TokenSet> {
  const { jwt, expiresAt } = await signJwt({ signing: auth, title: auth.title, fields, now: now() })
  const { exchange } = auth
  if (exchange === undefined) return { accessToken: jwt, expiresAt, tokenType: 'bearer', metadata: {} }
  const fill = (template: string, encode: (text: string) => string): string =>
    template.replaceAll(/\{([A-Za-z_]\w*)\}/g, (_, name: string) => {
      const value = Object.hasOwn(fields, name) ? fields[name]! : ''
      if (value === '')
        throw jwtError(
          'jwt_field_missing',
          `"${name}" of the connection to ${auth.title} is missing; the token exchange needs it.`,
        )
      // A segment of dots would climb out of the path.
      if (/^\.+$/.test(value))
        throw jwtError('jwt_field_missing', `"${name}" of the connection to ${auth.title} is not an id.`)
      return encode(value)
    })
  const url = URL.parse(fill(exchange.url, encodeURIComponent))
  if (url === null || !isProtected(url)) {
    throw oauthError(
      'oauth_provider_invalid',
      `The exchange URL of ${auth.title} must be an https URL (http only on this machine).`,
    )
  }
  const body =
    exchange.body === undefined
      ? undefined
      : JSON.stringify(
          Object.fromEntries(Object.entries(exchange.body).map(([name, text]) => [name, fill(text, String)])),
        )
  const response = await egress.request({
    method: exchange.method,
    url: url.href,
    headers: {
      accept: 'application/json',
      'user-agent': 'plugwork',
      ...exchange.headers,
      authorization: `Bearer ${jwt}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
    redirect: 'manual',
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: MOST_BYTES,
    signal,
  })
  return readExchange(auth, exchange, response, jwt)
}

function readExchange(
  auth: JwtAuth,
  exchange: NonNullable<JwtAuth['exchange']>,
  response: EgressResponse,
  jwt: string,
): TokenSet {
  const { status } = response
  const { title } = auth
  const answer = parse(response.body)
  if (status === 429 || status >= 500) {
    throw oauthError(
      'oauth_unavailable',
      `${title} could not exchange the JWT for a token now (HTTP ${status}). Try again later.`,
      { data: { provider: title, status } },
    )
  }
  if (status >= 400) {
    const said = isRecord(answer) ? (answer['message'] ?? answer['error_description'] ?? answer['error']) : undefined
    const reason = typeof said === 'string' ? `: ${printable(said, [jwt])}` : ''
    throw oauthError(
      'oauth_refused',
      `${title} did not exchange the JWT for a token (HTTP ${status})${reason}. Check the key, the ids and the clock of this machine.`,
      { data: { provider: title, status, error: refusalOf(status) } },
    )
  }
  const token = pick(answer, exchange.tokenPath)
  if (status < 200 || status >= 300 || typeof token !== 'string' || token === '') {
    throw oauthError(
      'oauth_response_invalid',
      `${title} was asked for a token and answered with none (HTTP ${status}).`,
      {
        data: { provider: title, status },
      },
    )
  }
  return {
    accessToken: token,
    expiresAt: exchange.expiresAtPath === undefined ? null : timeOf(pick(answer, exchange.expiresAtPath)),
    tokenType: 'bearer',
    metadata: pickAll(answer, exchange.metadata),
  }
}

/** In the terms of RFC 6749, 5.2: the key is not accepted; what the ids name is gone or not ours; anything else. */
function refusalOf(status: number): string {
  if (status === 401) return 'invalid_client'
  return status === 403 || status === 404 || status === 410 ? 'unauthorized_client' : `http_${status}`
}

function parse(body: Uint8Array): Json | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(body)) as Json
  } catch {
    return undefined
  }
}

/** Epoch ms of an ISO 8601 time or of epoch seconds. */
function timeOf(value: Json | undefined): number | null {
  const ms = typeof value === 'number' ? value * 1000 : typeof value === 'string' ? Date.parse(value) : NaN
  return Number.isFinite(ms) ? ms : null
}
