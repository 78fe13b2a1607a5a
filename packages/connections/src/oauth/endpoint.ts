/**
 * A provider as `oauth4webapi` wants it: its metadata, our client authentication, and a `customFetch` that shapes the
 * request, sends it through the guarded egress and normalises the answer. Refusals come out of it as errors of this area,
 * before the library sees them: its own errors hold the response.
 */
import { PlugworkError } from '@plugwork/core/error'
import type { Json } from '@plugwork/core'
import type { Egress, OAuth2Auth } from '@plugwork/core/node'
import * as oauth from 'oauth4webapi'
import { oauthError } from './errors.ts'
import { refused } from './failure.ts'
import { normaliseResponse, type EndpointKind } from './normalise-response.ts'
import { shapeRequest } from './request-form.ts'
import { checkSettings, fillAll, fillText, fillUrl, type Settings } from './settings.ts'
import type { OAuthClient } from './token-set.ts'

/** Shorter than the lease of a refresh (45 s), so that a stalled provider is given up while the lease is held. */
export const TOKEN_TIMEOUT_MS = 20_000
/** Token responses are a few KiB. */
const MOST_BYTES = 1024 * 1024

export interface EndpointOptions {
  readonly egress: Egress
  readonly auth: OAuth2Auth
  /** Null: a grant that needs no client (`jwt_bearer`). */
  readonly client: OAuthClient | null
  readonly settings: Settings
  readonly signal: AbortSignal
  /** Further texts that no error may repeat: codes, verifiers, tokens, assertions. */
  readonly secrets?: readonly (string | null | undefined)[]
}

/** One provider, for one call. */
export interface Endpoint {
  readonly auth: OAuth2Auth
  /** Settings of the connection, checked. */
  readonly settings: Settings
  readonly server: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly authentication: oauth.ClientAuth
  /** What parameters and headers of token requests may use: the settings, `client_id`, `client_secret`. */
  readonly values: Settings
  /** Options of a request of the library. `grantType` replaces what it would send. */
  request(kind: EndpointKind, extra?: RequestExtra): RequestOptions
  /** The answer as it came, before it was normalised: what metadata is taken from. */
  raw(): Record<string, Json>
  /** Runs a step of the library and gives its errors a code of ours. */
  attempt<T>(what: string, step: () => Promise<T>): Promise<T>
}

interface RequestExtra {
  readonly parameters?: Settings
}

interface RequestOptions {
  [oauth.customFetch]: (url: string, init: oauth.CustomFetchOptions<'POST', URLSearchParams>) => Promise<Response>
  [oauth.allowInsecureRequests]: boolean
  readonly signal: AbortSignal
  readonly headers: Record<string, string>
  readonly additionalParameters: Record<string, string>
}

export function openEndpoint(options: EndpointOptions): Endpoint {
  const { egress, auth, client, signal } = options
  const settings = checkSettings(auth, options.settings, client)
  const values: Settings = {
    ...settings,
    ...(client === null ? {} : { client_id: client.clientId, client_secret: client.clientSecret ?? '' }),
  }
  const url = (
    key: 'tokenUrl' | 'revocationUrl' | 'introspectionUrl' | 'deviceAuthorizationUrl',
  ): string | undefined => (auth[key] === undefined ? undefined : fillUrl(auth, key, auth[key], settings).href)
  const tokenUrl = url('tokenUrl')!
  const server: oauth.AuthorizationServer = {
    issuer: auth.issuer === undefined ? new URL(tokenUrl).origin : fillText(auth, auth.issuer, settings),
    token_endpoint: tokenUrl,
    ...(auth.revocationUrl === undefined ? {} : { revocation_endpoint: url('revocationUrl') }),
    ...(auth.introspectionUrl === undefined ? {} : { introspection_endpoint: url('introspectionUrl') }),
    ...(auth.deviceAuthorizationUrl === undefined
      ? {}
      : { device_authorization_endpoint: url('deviceAuthorizationUrl') }),
    authorization_response_iss_parameter_supported: auth.issRequired === true,
  }
  if (auth.issRequired === true && auth.issuer === undefined) {
    throw oauthError('oauth_provider_invalid', `The auth data of ${auth.title} has issRequired, but no issuer.`)
  }
  // The pair is struck as Basic has it, too.
  const pair = client?.clientSecret === undefined ? undefined : `${client.clientId}:${client.clientSecret}`
  const secrets = [client?.clientSecret, pair, ...(options.secrets ?? [])]
  let raw: Record<string, Json> = {}
  let doing = 'answer'

  const send = async (
    kind: EndpointKind,
    target: string,
    init: oauth.CustomFetchOptions<'POST', URLSearchParams>,
  ): Promise<Response> => {
    const plain = kind === 'device' || kind === 'introspection'
    const method = kind === 'token' ? (auth.tokenMethod ?? 'POST') : 'POST'
    const shaped = shapeRequest(plain ? { ...auth, bodyFormat: 'form' } : auth, target, {
      method,
      headers: init.headers,
      parameters: init.body,
    })
    const response = await egress.request({
      ...shaped,
      signal,
      redirect: 'manual',
      timeoutMs: TOKEN_TIMEOUT_MS,
      maxResponseBytes: MOST_BYTES,
    })
    const normalised = normaliseResponse(auth, kind, response, [...secrets, ...secretsIn(init)])
    switch (normalised.kind) {
      case 'refusal':
        throw refused(auth.title, doing, normalised.refusal)
      case 'unavailable':
        throw oauthError(
          'oauth_unavailable',
          `${auth.title} could not ${doing} now (HTTP ${normalised.status}). Try again later.`,
          {
            data: {
              provider: auth.title,
              status: normalised.status,
              ...(normalised.retryAfter === null ? {} : { retry_after: normalised.retryAfter }),
            },
          },
        )
      case 'unreadable':
        throw oauthError(
          'oauth_response_invalid',
          `${auth.title} was asked to ${doing} and answered with ${normalised.why}.`,
          {
            data: { provider: auth.title, status: response.status },
          },
        )
      case 'answer':
        raw = normalised.raw
        return new Response(JSON.stringify(normalised.json), { headers: { 'content-type': 'application/json' } })
    }
  }

  return {
    auth,
    settings,
    server,
    client: { client_id: client?.clientId ?? 'none' },
    authentication: authenticationOf(auth, client, values),
    values,
    request(kind, extra = {}) {
      return {
        [oauth.customFetch]: (target, init) => send(kind, target, init),
        // Every URL went through `fillUrl`, which lets plain http pass on this machine only.
        [oauth.allowInsecureRequests]: true,
        signal,
        headers: kind === 'token' ? fillAll(auth, auth.tokenHeaders, values) : {},
        additionalParameters: { ...extra.parameters },
      }
    },
    raw: () => raw,
    async attempt(what, step) {
      doing = what
      try {
        return await step()
      } catch (error) {
        if (error instanceof PlugworkError || signal.aborted) throw error
        throw oauthError('oauth_response_invalid', `${auth.title} was asked to ${what}: ${sayWhy(error)}.`, {
          data: { provider: auth.title },
        })
      }
    },
  }
}

/** Parameters that messages may repeat; all others may be secrets. */
const HARMLESS: ReadonlySet<string> = new Set(['client_id', 'grant_type', 'redirect_uri', 'scope', 'token_type_hint'])

function secretsIn({ body, headers }: oauth.CustomFetchOptions<'POST', URLSearchParams>): string[] {
  const parameters = [...body].filter(([name]) => !HARMLESS.has(name)).map(([, value]) => value)
  const credential = headers['authorization']?.split(' ').at(-1)
  // Short ones (`expiring=1`, `owner=user`) are words.
  return [...parameters, ...(credential === undefined ? [] : [credential])].filter((text) => text.length >= 12)
}

/** What the library objects to; never its `cause`, which is the answer. */
function sayWhy(error: unknown): string {
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return error.message
  }
  return 'its answer is not the one that OAuth 2 describes'
}

function authenticationOf(auth: OAuth2Auth, client: OAuthClient | null, values: Settings): oauth.ClientAuth {
  if (client === null) {
    if (auth.grant === 'jwt_bearer') return () => {}
    throw oauthError(
      'oauth_client_missing',
      `No client of ${auth.title} is configured. Register an application there and name its client id and secret.`,
    )
  }
  const secret = client.clientSecret
  const method = auth.clientAuth ?? (secret === undefined ? 'none' : 'body')
  if (client.clientId === '') {
    throw oauthError('oauth_client_missing', `The client id of the application registered with ${auth.title} is empty.`)
  }
  if (method === 'none') return oauth.None()
  if (secret === undefined || secret === '') {
    // A public client proves itself by PKCE; without it or a person, only the secret is left.
    if (auth.pkce === false || auth.grant === 'client_credentials') {
      throw oauthError(
        'oauth_client_missing',
        `${auth.title} needs the client secret of the registered application, and none is configured.`,
      )
    }
    return oauth.None()
  }
  if (method === 'basic') return basic(secret)
  if (method === 'body') return oauth.ClientSecretPost(secret)
  const value = fillText(auth, method.template ?? '{client_secret}', values)
  return (_server, { client_id }, body, headers) => {
    body.set('client_id', client_id)
    headers.set(method.header, value)
  }
}

/**
 * RFC 6749, 2.3.1: both parts form-encoded. The library's own encodes `-`, `.` and `_` too, which servers that forget to
 * decode (Notion, whose ids are UUIDs) take for another client.
 */
function basic(secret: string): oauth.ClientAuth {
  const encode = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1)
  return (_server, { client_id }, _body, headers) => {
    headers.set('authorization', `Basic ${btoa(`${encode(client_id)}:${encode(secret)}`)}`)
  }
}
