/** Requests to token, revocation and introspection endpoints, and the token sets that come out of them. */
import type { Json } from '@plugwork/core'
import * as oauth from 'oauth4webapi'
import { isRecord, pick, pickAll } from './dotted-path.ts'
import type { Endpoint } from './endpoint.ts'
import { oauthError } from './errors.ts'
import { tokenFields } from './normalise-response.ts'
import { fillAll } from './settings.ts'
import type { OtherToken, TokenSet } from './token-set.ts'

/** A grant at the token endpoint. `parameters` are those of the grant; the provider's own ones are added. */
export async function requestToken(
  endpoint: Endpoint,
  what: string,
  grant: { readonly type: string; readonly parameters: Readonly<Record<string, string>> },
  now: () => number,
): Promise<TokenSet> {
  const { auth, server, client, authentication, values } = endpoint
  const { grant_type = grant.type, ...own } = fillAll(auth, auth.tokenParameters, values)
  return readTokens(endpoint, what, now, () =>
    oauth.genericTokenEndpointRequest(
      server,
      client,
      authentication,
      grant_type,
      { ...own, ...grant.parameters },
      endpoint.request('token'),
    ),
  )
}

/** Exchanges the code of a callback that `validateAuthResponse` accepted. */
export function requestCodeToken(
  endpoint: Endpoint,
  callback: URLSearchParams,
  redirectUri: string,
  codeVerifier: string | null,
  now: () => number,
): Promise<TokenSet> {
  const { auth, server, client, authentication, values } = endpoint
  return readTokens(endpoint, 'exchange the code', now, () =>
    oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      callback,
      redirectUri,
      codeVerifier ?? oauth.nopkce,
      endpoint.request('token', { parameters: fillAll(auth, auth.tokenParameters, values) }),
    ),
  )
}

export function requestRefresh(
  endpoint: Endpoint,
  refreshUrl: string,
  refreshToken: string,
  now: () => number,
): Promise<TokenSet> {
  const { auth, server, client, authentication, values } = endpoint
  const { grantType = 'refresh_token', parameter = 'refresh_token' } = auth.refreshGrant ?? {}
  return readTokens(endpoint, 'refresh the token', now, () =>
    oauth.genericTokenEndpointRequest(
      { ...server, token_endpoint: refreshUrl },
      client,
      authentication,
      grantType,
      { ...fillAll(auth, auth.refreshParameters, values), [parameter]: refreshToken },
      endpoint.request('token'),
    ),
  )
}

export async function readTokens(
  endpoint: Endpoint,
  what: string,
  now: () => number,
  send: () => Promise<Response>,
): Promise<TokenSet> {
  const { auth } = endpoint
  // Counted from before the request: a token is never believed to live longer than it does.
  const sent = now()
  const json = await endpoint.attempt(what, async () =>
    oauth.processGenericTokenEndpointResponse(endpoint.server, endpoint.client, await send(), {
      recognizedTokenTypes: Object.fromEntries((auth.tokenTypes ?? []).map((type) => [type.toLowerCase(), () => {}])),
    }),
  )
  const raw = endpoint.raw()
  const tokens = {
    ...tokenOf(endpoint, json, sent),
    metadata: pickAll(raw, auth.metadata),
  }
  const others = otherTokens(endpoint, raw, sent)
  if (tokens.expiresAt !== null || auth.introspectionUrl === undefined) return { ...tokens, ...others }
  return { ...tokens, ...others, expiresAt: await introspectExpiry(endpoint, tokens.accessToken) }
}

function tokenOf(
  endpoint: Endpoint,
  json: oauth.TokenEndpointResponse | Record<string, Json>,
  now: number,
): OtherToken {
  const { auth } = endpoint
  const accessToken = String(json['access_token'])
  const refreshToken = auth.refreshGrant?.from === 'access_token' ? accessToken : json['refresh_token']
  const { expires_in: expiresIn, scope } = json
  return {
    accessToken,
    ...(typeof refreshToken === 'string' ? { refreshToken } : {}),
    expiresAt: typeof expiresIn === 'number' ? now + Math.floor(expiresIn * 1000) : null,
    ...(typeof scope === 'string' ? { scopes: splitScopes(endpoint, scope) } : {}),
    tokenType: String(json['token_type']).toLowerCase(),
  }
}

/** Providers answer with spaces, with commas, or with what they are asked in. */
function splitScopes(endpoint: Endpoint, scope: string): readonly string[] {
  const separator = endpoint.auth.scopeSeparator === '+' ? /[\s,+]+/ : /[\s,]+/
  return scope.split(separator).filter((one) => one !== '')
}

function otherTokens(endpoint: Endpoint, raw: Json, now: number): Pick<TokenSet, 'otherTokens'> {
  const found: Record<string, OtherToken> = {}
  for (const [name, path] of Object.entries(endpoint.auth.otherTokens ?? {})) {
    const fields = tokenFields(endpoint.auth, pick(raw, path))
    if (typeof fields['access_token'] === 'string') found[name] = tokenOf(endpoint, fields, now)
  }
  return Object.keys(found).length === 0 ? {} : { otherTokens: found }
}

/** RFC 7662. Answers what the provider says of a token. */
export async function introspect(endpoint: Endpoint, token: string): Promise<oauth.IntrospectionResponse> {
  return endpoint.attempt('introspect a token', async () =>
    oauth.processIntrospectionResponse(
      endpoint.server,
      endpoint.client,
      await oauth.introspectionRequest(
        endpoint.server,
        endpoint.client,
        endpoint.authentication,
        token,
        endpoint.request('introspection', { parameters: { token_type_hint: 'access_token' } }),
      ),
    ),
  )
}

/** Epoch ms; null when that cannot be learnt: the token works all the same, and a 401 has it refreshed. */
async function introspectExpiry(endpoint: Endpoint, token: string): Promise<number | null> {
  try {
    const { active, exp } = await introspect(endpoint, token)
    return active && typeof exp === 'number' ? exp * 1000 : null
  } catch {
    return null
  }
}

/** RFC 7009. */
export async function revoke(endpoint: Endpoint, token: string, kind: 'access_token' | 'refresh_token'): Promise<void> {
  await endpoint.attempt('revoke a token', async () =>
    oauth.processRevocationResponse(
      await oauth.revocationRequest(
        endpoint.server,
        endpoint.client,
        endpoint.authentication,
        token,
        endpoint.request('revocation', { parameters: { token_type_hint: kind } }),
      ),
    ),
  )
}

/** What `auth.metadataRequest` tells: one GET with the new token. */
export function readMetadata(
  answer: unknown,
  provider: string,
  paths: Readonly<Record<string, string>>,
): Record<string, Json> {
  if (!isRecord(answer) && !Array.isArray(answer)) {
    throw oauthError(
      'oauth_response_invalid',
      `${provider} answered the request for the connection's metadata with no JSON object or list.`,
    )
  }
  const found = pickAll(answer as Json, paths)
  const missing = Object.keys(paths).find((name) => found[name] === undefined)
  if (missing !== undefined) {
    throw oauthError(
      'oauth_response_invalid',
      `${provider} did not say "${missing}" of this connection: the account may have no site or organisation that was granted.`,
      { data: { provider, metadata: missing } },
    )
  }
  return found
}
