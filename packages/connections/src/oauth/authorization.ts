/**
 * The authorization code grant: start, and the callback. Everything that can be checked is checked before the first token
 * call, and a state is used up by its first callback, whatever becomes of it.
 */
import type { Json } from '@plugwork/core'
import type { Egress, OAuth2Auth } from '@plugwork/core/node'
import * as oauth from 'oauth4webapi'
import { openEndpoint, TOKEN_TIMEOUT_MS, type Endpoint } from './endpoint.ts'
import { oauthError } from './errors.ts'
import { errorCode, printable } from './failure.ts'
import { checkReturnTo, type ReturnToRules } from './return-to.ts'
import { sameDigest, sessionHash, sha256, type OAuthSession } from './session.ts'
import { checkSettings, fillAll, fillText, fillUrl, isProtected, type Settings } from './settings.ts'
import type { AuthState, AuthStateStore } from './state-store.ts'
import { readMetadata, requestCodeToken, requestRefresh } from './token-requests.ts'
import type { OAuthClient, TokenSet } from './token-set.ts'

/** How long somebody has to log in and agree. */
export const STATE_LIFETIME_MS = 10 * 60_000

export interface AuthorizationParts {
  readonly egress: Egress
  readonly states: AuthStateStore
  readonly now: () => number
  readonly randomBytes: (size: number) => Uint8Array
  readonly returnTo: ReturnToRules
}

export interface StartAuthorization {
  /** Name under which `finishAuthorization` asks for the provider again. */
  readonly provider: string
  readonly auth: OAuth2Auth
  readonly client: OAuthClient
  readonly settings: Settings
  /** Registered with the provider, letter by letter. One per provider where two providers do not send `iss`. */
  readonly redirectUri: string
  readonly session: OAuthSession
  /** Default: `auth.defaultScopes`. */
  readonly scopes?: readonly string[]
  /** Page to go to afterwards; see `ReturnToRules`. */
  readonly returnTo?: string
  /** Comes back from `finishAuthorization`. No secrets: it is stored as it is. */
  readonly context?: Json
}

export interface StartedAuthorization {
  /** Where the browser is sent. */
  readonly url: string
  /** What `url` holds as `state`; only its hash is stored. */
  readonly state: string
}

export interface FinishAuthorization {
  /** The whole URL of the callback as the browser asked for it. */
  readonly callbackUrl: string
  readonly session: OAuthSession
  /** The provider that `startAuthorization` was given under this name; null when it is no longer there. */
  provider(name: string, context: Json): Promise<{ readonly auth: OAuth2Auth; readonly client: OAuthClient } | null>
  readonly signal?: AbortSignal
}

export interface AuthorizationContext {
  readonly provider: string
  readonly settings: Settings
  /** Scopes that were asked for; `tokens.scopes` are the granted ones. */
  readonly scopes: readonly string[]
  readonly returnTo: string | null
  readonly context: Json
}

export interface FinishedAuthorization {
  readonly tokens: TokenSet
  readonly context: AuthorizationContext
}

export async function startAuthorization(
  parts: AuthorizationParts,
  input: StartAuthorization,
): Promise<StartedAuthorization> {
  const { auth, client, redirectUri } = input
  checkGrant(auth)
  const redirect = URL.parse(redirectUri)
  if (redirect === null || !isProtected(redirect) || redirect.username !== '' || redirectUri.includes('#')) {
    throw oauthError(
      'oauth_redirect_invalid',
      'The redirect URI must be an absolute https URL (http only on this machine) without fragment. Check the base URL.',
    )
  }
  const returnTo = input.returnTo === undefined ? null : checkReturnTo(input.returnTo, parts.returnTo)
  const settings = checkSettings(auth, input.settings, client)
  const scopes = input.scopes ?? auth.defaultScopes ?? []
  const state = base64url(parts.randomBytes(32))
  const codeVerifier = auth.pkce === false ? null : base64url(parts.randomBytes(32))
  const url = await authorizationUrl({ auth, client, settings, redirectUri, scopes, state, codeVerifier })
  await parts.states.put({
    hash: sha256(state),
    provider: input.provider,
    registration: registrationOf(auth, client, settings),
    session: sessionHash(input.session),
    redirectUri,
    codeVerifier,
    settings,
    scopes,
    returnTo,
    context: input.context ?? null,
    expiresAt: parts.now() + STATE_LIFETIME_MS,
  })
  return { url, state }
}

export async function finishAuthorization(
  parts: AuthorizationParts,
  input: FinishAuthorization,
): Promise<FinishedAuthorization> {
  const callback = URL.parse(input.callbackUrl)
  const given = callback?.searchParams.getAll('state') ?? []
  const [text] = given
  const state = given.length === 1 && text !== undefined && text !== '' ? await parts.states.take(sha256(text)) : null
  if (callback === null || state === null) {
    throw oauthError(
      'oauth_state_invalid',
      'This callback belongs to no authorization that was started here, or it was used before. Start again.',
    )
  }
  if (state.expiresAt <= parts.now()) {
    throw oauthError('oauth_state_expired', 'The authorization took longer than ten minutes. Start again.', {
      data: whereTo(state),
    })
  }
  if (!sameDigest(state.session, sessionHash(input.session))) {
    throw oauthError(
      'oauth_session_mismatch',
      'This authorization was started by somebody else or in another session. Start again from your own.',
    )
  }
  const provider = await input.provider(state.provider, state.context)
  if (
    provider === null ||
    !sameDigest(state.registration, registrationOf(provider.auth, provider.client, state.settings))
  ) {
    throw oauthError(
      'oauth_state_invalid',
      `The registration of "${state.provider}" changed since this authorization was started. Start again.`,
      { data: whereTo(state) },
    )
  }
  const { auth, client } = provider
  checkPlace(callback, state)
  const code = callback.searchParams.get('code')
  const signal = input.signal ?? AbortSignal.timeout(3 * TOKEN_TIMEOUT_MS)
  const endpoint = openEndpoint({
    egress: parts.egress,
    auth,
    client,
    settings: state.settings,
    signal,
    secrets: [text, code, state.codeVerifier],
  })
  const accepted = acceptCallback(endpoint, callback, text!, state)
  const callbackMetadata = readCallback(auth, callback, state)
  let tokens = await requestCodeToken(endpoint, accepted, state.redirectUri, state.codeVerifier, parts.now)
  if (auth.refreshGrant?.atOnce === true && tokens.refreshToken !== undefined) {
    const longer = await requestRefresh(endpoint, refreshUrl(endpoint), tokens.refreshToken, parts.now)
    tokens = { ...longer, metadata: { ...tokens.metadata, ...longer.metadata } }
  }
  const asked = await askMetadata(parts.egress, endpoint, tokens, signal)
  return {
    tokens: {
      ...tokens,
      // RFC 6749, 5.1: left out where what is granted is what was asked for.
      scopes: tokens.scopes ?? state.scopes,
      metadata: { ...tokens.metadata, ...callbackMetadata, ...asked },
    },
    context: {
      provider: state.provider,
      settings: state.settings,
      scopes: state.scopes,
      returnTo: state.returnTo,
      context: state.context,
    },
  }
}

export function refreshUrl({ auth, settings, server }: Endpoint): string {
  return auth.refreshUrl === undefined
    ? server.token_endpoint!
    : fillUrl(auth, 'refreshUrl', auth.refreshUrl, settings).href
}

function checkGrant(auth: OAuth2Auth): void {
  if (auth.grant !== 'authorization_code') {
    throw oauthError(
      'oauth_provider_invalid',
      `${auth.title} uses the grant ${auth.grant}, which has no authorization page.`,
    )
  }
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** What a callback must find unchanged: a code is sent to the very endpoint that the browser's provider has. */
function registrationOf(auth: OAuth2Auth, client: OAuthClient, settings: Settings): string {
  const page = fillUrl(auth, 'authorizationUrl', auth.authorizationUrl, settings).href
  const token = fillUrl(auth, 'tokenUrl', auth.tokenUrl, settings).href
  return sha256(JSON.stringify(['registration', client.clientId, page, token]))
}

async function authorizationUrl(input: {
  readonly auth: OAuth2Auth
  readonly client: OAuthClient
  readonly settings: Settings
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly state: string
  readonly codeVerifier: string | null
}): Promise<string> {
  const { auth, client, settings, scopes } = input
  if (client.clientId === '') {
    throw oauthError(
      'oauth_client_missing',
      `No client id of an application registered with ${auth.title} is configured.`,
    )
  }
  const url = fillUrl(auth, 'authorizationUrl', auth.authorizationUrl, settings)
  const parameters: Record<string, string> = {
    ...fillAll(auth, auth.authorizationParameters, settings),
    ...(scopes.length === 0 ? {} : { [auth.scopeParameter ?? 'scope']: scopes.join(auth.scopeSeparator ?? ' ') }),
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: input.redirectUri,
    state: input.state,
    ...(input.codeVerifier === null
      ? {}
      : { code_challenge: await oauth.calculatePKCECodeChallenge(input.codeVerifier), code_challenge_method: 'S256' }),
  }
  const raw = new Set(auth.rawParameters)
  for (const [name, value] of Object.entries(parameters)) {
    // Empty: made of an optional setting that is not set.
    if (!raw.has(name) && value !== '') url.searchParams.set(name, value)
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (!raw.has(name)) continue
    if (/[\s&#?]/.test(value)) {
      throw oauthError(
        'oauth_provider_invalid',
        `"${name}" is sent to ${auth.title} unencoded and must not contain spaces, "&", "?" or "#".`,
      )
    }
    url.search += `${url.search === '' ? '?' : '&'}${name}=${value}`
  }
  return url.href
}

/** A callback comes to the redirect URI and nowhere else. */
function checkPlace(callback: URL, state: AuthState): void {
  const expected = new URL(state.redirectUri)
  const same =
    callback.origin === expected.origin &&
    callback.pathname === expected.pathname &&
    [...expected.searchParams].every(([name, value]) => callback.searchParams.get(name) === value)
  if (!same) {
    throw oauthError(
      'oauth_callback_invalid',
      'This callback did not come to the redirect URI of its authorization. Check the base URL.',
      {
        data: whereTo(state),
      },
    )
  }
}

/** Checks `iss`, errors and doubled parameters; answers what the code can be exchanged with. */
function acceptCallback(endpoint: Endpoint, callback: URL, text: string, state: AuthState): URLSearchParams {
  const { auth, server } = endpoint
  const parameters = new URLSearchParams(callback.searchParams)
  const issuers = parameters.getAll('iss')
  if (auth.issuer === undefined) {
    // RFC 9207, 2.4: a client that does not know the issuer cannot compare it.
    parameters.delete('iss')
  } else if (issuers.length > 1 || (issuers.length === 0 ? auth.issRequired === true : issuers[0] !== server.issuer)) {
    throw oauthError(
      'oauth_issuer_mismatch',
      `This callback does not come from ${auth.title} (its "iss" is ${issuers.length === 0 ? 'missing' : 'another'}). Start again, and only there.`,
      {
        data: whereTo(state),
      },
    )
  }
  const said = parameters.get('error')
  if (said !== null) throw providerError(auth, said, parameters.get('error_description'), text, state)
  try {
    const accepted = oauth.validateAuthResponse(server, endpoint.client, parameters, text)
    if ((accepted.get('code') ?? '') !== '') return accepted
  } catch {
    // Told below; the library's error holds the parameters.
  }
  throw oauthError('oauth_callback_invalid', `The callback of ${auth.title} has no code, or a parameter twice.`, {
    data: whereTo(state),
  })
}

const DENIED: ReadonlySet<string> = new Set(['access_denied', 'consent_required', 'user_denied'])

function providerError(
  auth: OAuth2Auth,
  said: string,
  description: string | null,
  text: string,
  state: AuthState,
): Error {
  const own = errorCode(said, [text])
  const error = Object.hasOwn(auth.errorCodes ?? {}, own) ? auth.errorCodes![own]! : own
  const detail = description === null ? '' : `: ${printable(description, [text, state.codeVerifier])}`
  const data = { ...whereTo(state), error }
  return DENIED.has(error)
    ? oauthError('oauth_denied', `Access to ${auth.title} was not granted (${error}${detail}). Nothing was stored.`, {
        data,
      })
    : oauthError('oauth_provider_error', `${auth.title} answered the authorization with ${error}${detail}.`, { data })
}

/** What an error page needs: whose authorization it was, and where to go on. */
function whereTo({ provider, returnTo }: AuthState): { provider: string; return_to: string | null } {
  return { provider, return_to: returnTo }
}

/** Metadata that came with the callback. It went through a browser, so each must match its pattern. */
function readCallback(auth: OAuth2Auth, callback: URL, state: AuthState): Record<string, Json> {
  for (const [parameter, template] of Object.entries(auth.callbackMustEqual ?? {})) {
    if (callback.searchParams.get(parameter) !== fillText(auth, template, state.settings)) {
      throw oauthError(
        'oauth_callback_invalid',
        `The callback of ${auth.title} has another "${parameter}" than the connection. Start again.`,
        {
          data: whereTo(state),
        },
      )
    }
  }
  const found: Record<string, Json> = {}
  for (const [name, { parameter, pattern }] of Object.entries(auth.callbackMetadata ?? {})) {
    const [value, second] = callback.searchParams.getAll(parameter)
    if (value === undefined) continue
    if (second !== undefined || value.length > 512 || !new RegExp(`^(?:${pattern})$`, 'u').test(value)) {
      throw oauthError(
        'oauth_callback_invalid',
        `"${parameter}" of the callback of ${auth.title} must match ${pattern}.`,
        { data: whereTo(state) },
      )
    }
    found[name] = value
  }
  return found
}

async function askMetadata(
  egress: Egress,
  endpoint: Endpoint,
  tokens: TokenSet,
  signal: AbortSignal,
): Promise<Record<string, Json>> {
  const { auth, settings } = endpoint
  const request = auth.metadataRequest
  if (request === undefined) return {}
  const url = fillUrl(auth, 'metadataRequest.url', request.url, settings)
  const { in: place, name, template } = auth.send ?? { in: 'header', name: 'authorization', template: 'Bearer {token}' }
  const credential = template.replaceAll('{token}', () => tokens.accessToken)
  if (place === 'query') url.searchParams.set(name, credential)
  const response = await egress.request({
    method: 'GET',
    url: url.href,
    headers: { accept: 'application/json', ...(place === 'header' ? { [name]: credential } : {}) },
    redirect: 'manual',
    timeoutMs: TOKEN_TIMEOUT_MS,
    maxResponseBytes: 1024 * 1024,
    signal,
  })
  if (response.status !== 200) {
    throw oauthError(
      'oauth_response_invalid',
      `${auth.title} did not tell the connection's metadata (HTTP ${response.status}). Check the scopes.`,
      {
        data: { provider: auth.title, status: response.status },
      },
    )
  }
  let answer: unknown
  try {
    answer = JSON.parse(new TextDecoder().decode(response.body))
  } catch {
    answer = null
  }
  return readMetadata(answer, auth.title, request.metadata)
}
