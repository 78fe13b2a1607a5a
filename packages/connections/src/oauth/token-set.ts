/**
 * The line between the OAuth protocol (this folder) and stored connections: what a token endpoint gave, and the calls
 * that the refresh of a stored connection needs. Nothing here knows a store, nothing there knows HTTP.
 */
import type { Json } from '@plugwork/core'
import type { JwtAuth, OAuth2Auth } from '@plugwork/core/node'

/** What a provider gave, normalised. Secrets: never logged, never in an error. */
export interface TokenSet extends OtherToken {
  /** What `OAuth2Auth.metadata` names of the response, and what the callback and `metadataRequest` told. No secrets. */
  readonly metadata: { readonly [name: string]: Json }
  /** Further tokens of the same answer (`OAuth2Auth.otherTokens`: Slack's user token beside the bot's). */
  readonly otherTokens?: { readonly [name: string]: OtherToken }
}

export interface OtherToken {
  readonly accessToken: string
  /** Left out when the provider gave none: the one before stays valid then. */
  readonly refreshToken?: string
  /** Epoch ms; null when the provider does not say. */
  readonly expiresAt: number | null
  readonly scopes?: readonly string[]
  /** `bearer`, or what the provider calls it. */
  readonly tokenType: string
}

/** The application's registration with the provider. */
export interface OAuthClient {
  readonly clientId: string
  readonly clientSecret?: string
  /** Connection parameters that the registration decides (`setBy: 'client'`): the host of a self-managed service. */
  readonly settings?: { readonly [name: string]: string }
}

export interface RefreshTokenRequest {
  readonly auth: OAuth2Auth
  readonly client: OAuthClient
  /** Connection parameters, for `{name}` in URLs and parameters. */
  readonly settings: { readonly [name: string]: string }
  readonly refreshToken: string
  readonly signal: AbortSignal
}

export interface ObtainTokenRequest {
  readonly auth: OAuth2Auth | JwtAuth
  /** Null for `kind: 'jwt'`. */
  readonly client: OAuthClient | null
  readonly settings: { readonly [name: string]: string }
  /** Config fields of the connection, secret ones included: keys and claims of assertions are among them. */
  readonly fields: { readonly [name: string]: string }
  /** Default: `auth.defaultScopes`. */
  readonly scopes?: readonly string[]
  readonly signal: AbortSignal
}

export interface RevokeTokenRequest {
  readonly auth: OAuth2Auth
  readonly client: OAuthClient
  readonly settings: { readonly [name: string]: string }
  readonly token: string
  readonly kind: 'access_token' | 'refresh_token'
  readonly signal: AbortSignal
}

/**
 * What stored connections call. A provider's refusal (RFC 6749, 5.2) is thrown as a `PlugworkError` with code
 * `oauth_refused` and `data.error` the provider's code (`invalid_grant`), whatever its HTTP status was; everything else
 * (network, 5xx, an answer that makes no sense) as any other error.
 */
export interface OAuthTokens {
  refresh(request: RefreshTokenRequest): Promise<TokenSet>
  /** A token that needs no person: `client_credentials`, `jwt_bearer`, and the JWTs that we sign. */
  obtain(request: ObtainTokenRequest): Promise<TokenSet>
  /** Does nothing where the provider has no revocation (`auth.revocationUrl`). */
  revoke(request: RevokeTokenRequest): Promise<void>
}
