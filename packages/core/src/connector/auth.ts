/**
 * How somebody authenticates with a service, as data: everything that the field's providers are known to differ in, and
 * no code. `@plugwork/connections` carries it out.
 */

/** Where requests carry the credential; `{token}` stands for it. Default: `Authorization: Bearer {token}`. */
export interface SendCredential {
  readonly in: 'header' | 'query'
  readonly name: string
  readonly template: string
}

interface AuthMethodBase {
  readonly title: string
  /** Markdown: where to get it, which permissions it needs. */
  readonly help: string
  readonly send?: SendCredential
}

/** A secret that a person pastes. `fields` are keys of the connector's config, kept encrypted in a stored connection. */
export interface StaticAuth extends AuthMethodBase {
  readonly kind: 'api_key' | 'bearer' | 'basic' | 'custom'
  readonly fields: readonly string[]
}

/** A JWT that we sign for each period (GitHub App, Zoom, Google service account, App Store). */
export interface JwtAuth extends AuthMethodBase {
  readonly kind: 'jwt'
  readonly algorithm: 'RS256' | 'ES256' | 'HS256'
  /** Config fields that hold the key (PEM, or the shared secret) and its id. */
  readonly keyField: string
  readonly keyIdField?: string
  /** Claims; `{name}` is a config field. `iat` and `exp` are added. */
  readonly claims: Readonly<Record<string, string>>
  /** Seconds. Default 600. */
  readonly lifetime?: number
  /** A second request exchanges the JWT for a token (GitHub App installation tokens). `{name}` is a config field. */
  readonly exchange?: {
    readonly url: string
    readonly method: 'POST' | 'GET'
    readonly tokenPath: string
    readonly expiresAtPath?: string
  }
}

export type TokenParameters = Readonly<Record<string, string>>

/**
 * OAuth 2 (RFC 6749, 7636, 8628, 7523, 9207). In URLs and parameters `{name}` is a setting of the connection
 * (`connectionParameters`), as in `https://{subdomain}.example.com`.
 */
export interface OAuth2Auth extends AuthMethodBase {
  readonly kind: 'oauth2'
  readonly grant: 'authorization_code' | 'client_credentials' | 'device_code' | 'jwt_bearer'
  readonly authorizationUrl?: string
  readonly tokenUrl: string
  /** Where another one than `tokenUrl` refreshes. */
  readonly refreshUrl?: string
  readonly revocationUrl?: string
  readonly introspectionUrl?: string
  readonly deviceAuthorizationUrl?: string
  /** Compared with `iss` of the callback (RFC 9207) when the provider sends one; required when it says it always does. */
  readonly issuer?: string
  readonly issRequired?: boolean
  readonly defaultScopes?: readonly string[]
  readonly scopeSeparator?: ' ' | ',' | '+'
  /** Default: true. */
  readonly pkce?: boolean
  readonly clientAuth?: 'basic' | 'body' | 'none' | { readonly header: string }
  readonly bodyFormat?: 'form' | 'json' | 'query' | 'xml'
  readonly authorizationParameters?: TokenParameters
  readonly tokenParameters?: TokenParameters
  readonly refreshParameters?: TokenParameters
  readonly tokenHeaders?: TokenParameters
  /** Settings of the connection that URLs and parameters use, each with its pattern: a host is not taken from strangers. */
  readonly connectionParameters?: Readonly<
    Record<
      string,
      { readonly title: string; readonly pattern: string; readonly default?: string; readonly example?: string }
    >
  >
  /** Dotted path of the object that holds the tokens (`authed_user`). */
  readonly tokenPath?: string
  /** Name -> dotted path in the token response, kept as metadata of the connection. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Seconds that a token lives where the response does not say. */
  readonly fixedLifetime?: number
  readonly expiresInUnit?: 's' | 'ms'
  /** `token_type`s that are accepted beside `bearer`. */
  readonly tokenTypes?: readonly string[]
  /** Parts of URLs that are put in without encoding. */
  readonly rawParameters?: readonly string[]
  /** Refresh at least this often even when unused, so that the provider does not drop it. Duration (`24h`). */
  readonly keepAlive?: string
  /** Claims of the assertion of `jwt_bearer`; `{name}` is a config field. */
  readonly assertion?: Omit<JwtAuth, 'kind' | 'exchange' | 'title' | 'help' | 'send'>
}

/** One way to authenticate. A connector names its methods; the first is the default. */
export type AuthMethod = StaticAuth | JwtAuth | OAuth2Auth
