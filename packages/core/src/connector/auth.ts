/**
 * How somebody authenticates with a service, as data: everything that the field's providers are known to differ in, and
 * no code. `@plugwork/connections` carries it out; `docs/oauth.md` explains the keys with an example each.
 *
 * `{name}` in a text stands for a setting. Which settings a text may use is said with each key.
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

/** What is signed, with which key. */
export interface JwtSigning {
  readonly algorithm: 'RS256' | 'ES256' | 'HS256'
  /** Config field that holds the key: PEM (PKCS#8 or PKCS#1) for RS256 and ES256, the shared secret for HS256. */
  readonly keyField: string
  /** Config field whose text becomes the header's `kid`. */
  readonly keyIdField?: string
  /** Claims; `{name}` is a config field. `iat` and `exp` are added. A claim whose text comes out empty is left out. */
  readonly claims: Readonly<Record<string, string>>
  /** Seconds. Default 600. */
  readonly lifetime?: number
  /** Seconds by which `iat` lies in the past, for providers that refuse clocks ahead of theirs (GitHub: 60). Default 0. */
  readonly backdate?: number
}

/** A JWT that we sign for each period (GitHub App, Zoom, App Store). */
export interface JwtAuth extends AuthMethodBase, JwtSigning {
  readonly kind: 'jwt'
  /**
   * A second request exchanges the JWT for a token (GitHub App installation tokens); it carries the JWT as
   * `Authorization: Bearer`. `{name}` in `url` and `body` is a config field, encoded as a part of the path.
   */
  readonly exchange?: {
    readonly url: string
    readonly method: 'POST' | 'GET'
    /** Dotted path of the token in the answer. */
    readonly tokenPath: string
    /** Dotted path of when it expires: an ISO 8601 time, or epoch seconds. */
    readonly expiresAtPath?: string
    readonly headers?: Readonly<Record<string, string>>
    /** Sent as JSON. */
    readonly body?: Readonly<Record<string, string>>
    /** Name -> dotted path in the answer, kept as metadata of the connection. */
    readonly metadata?: Readonly<Record<string, string>>
  }
}

export type TokenParameters = Readonly<Record<string, string>>

/** A setting of the connection that URLs and parameters may use. Its whole text must match `pattern`. */
export interface ConnectionParameter {
  readonly title: string
  /** Regular expression for the whole text: a host is not taken from strangers. */
  readonly pattern: string
  readonly default?: string
  readonly example?: string
  /**
   * Who decides: whoever makes the connection, or whoever registered the app (`OAuthClient.settings`; else the default). It
   * must be `client` for a host that the pattern does not limit to the provider's: the client secret is sent there.
   */
  readonly setBy?: 'connection' | 'client'
}

/**
 * OAuth 2 (RFC 6749, 7636, 8628, 7523, 7009, 7662, 9207). In URLs and parameters `{name}` is a setting of the connection
 * (`connectionParameters`), as in `https://{subdomain}.example.com`. Parameters and headers of token requests know
 * `{client_id}` and `{client_secret}` too.
 */
export interface OAuth2Auth extends AuthMethodBase {
  readonly kind: 'oauth2'
  readonly grant: 'authorization_code' | 'client_credentials' | 'device_code' | 'jwt_bearer'
  readonly authorizationUrl?: string
  readonly tokenUrl: string
  /** Where another one than `tokenUrl` refreshes. */
  readonly refreshUrl?: string
  readonly revocationUrl?: string
  /** Where given, a token without `expires_in` is introspected once to learn when it expires (Salesforce). */
  readonly introspectionUrl?: string
  readonly deviceAuthorizationUrl?: string
  /** Compared with `iss` of the callback (RFC 9207) when the provider sends one; required when it says it always does. */
  readonly issuer?: string
  /** A callback without `iss` is refused. Needs `issuer`. Default: false. */
  readonly issRequired?: boolean
  readonly defaultScopes?: readonly string[]
  /** Default: a space. */
  readonly scopeSeparator?: ' ' | ',' | '+'
  /** Name of the parameter that carries the scopes (Slack's user tokens: `user_scope`). Default: `scope`. */
  readonly scopeParameter?: string
  /** PKCE with S256 (RFC 7636). Off only for providers that refuse it. Default: true. */
  readonly pkce?: boolean
  /**
   * How the client proves itself at the token endpoint. `basic`: id and secret form-encoded as RFC 6749, 2.3.1 says.
   * `header`: the header's value is `template`, by default `{client_secret}`; the id goes into the body.
   * Default: `body`, or `none` for a client without a secret.
   */
  readonly clientAuth?: 'basic' | 'body' | 'none' | { readonly header: string; readonly template?: string }
  /**
   * How the parameters of a token request are sent. `query` puts them into the URL. `xml` makes an element of each below
   * `xmlRoot`, a dotted name nests them. Default: `form`.
   */
  readonly bodyFormat?: 'form' | 'json' | 'query' | 'xml'
  /** Name of the outermost element with `bodyFormat: 'xml'`. Default: `request`. */
  readonly xmlRoot?: string
  /** Method of token requests; `GET` goes with `bodyFormat: 'query'`. Default: `POST`. */
  readonly tokenMethod?: 'POST' | 'GET'
  readonly authorizationParameters?: TokenParameters
  /** Added to every token request but a refresh. `grant_type` here replaces the usual one (Zoom: `account_credentials`). */
  readonly tokenParameters?: TokenParameters
  readonly refreshParameters?: TokenParameters
  readonly tokenHeaders?: TokenParameters
  /** Settings of the connection that URLs and parameters use, each with its pattern. */
  readonly connectionParameters?: Readonly<Record<string, ConnectionParameter>>
  /** Dotted path of the object that holds the tokens (`authed_user`). */
  readonly tokenPath?: string
  /** Further tokens of the same answer: name -> dotted path of the object that holds them (Slack: `user: 'authed_user'`). */
  readonly otherTokens?: Readonly<Record<string, string>>
  /** Name -> dotted path in the token response, kept as metadata of the connection. Never a secret. */
  readonly metadata?: Readonly<Record<string, string>>
  /**
   * Name -> parameter of the callback that is kept as metadata (QuickBooks: `realmId`), and what it must match: it comes
   * through somebody's browser.
   */
  readonly callbackMetadata?: Readonly<Record<string, { readonly parameter: string; readonly pattern: string }>>
  /** Parameters of the callback that must have exactly this text (Shopify: `shop`); `{name}` is a connection parameter. */
  readonly callbackMustEqual?: TokenParameters
  /**
   * A GET request with the new access token that tells more about the connection (Atlassian's cloud id, Xero's tenant).
   * `metadata`: name -> dotted path in its JSON; `0` is the first of a list, `*` all of them.
   */
  readonly metadataRequest?: { readonly url: string; readonly metadata: Readonly<Record<string, string>> }
  /** Seconds that a token lives where the response does not say. */
  readonly fixedLifetime?: number
  /** Unit of `expires_in`. Default: `s`. */
  readonly expiresInUnit?: 's' | 'ms'
  /** `token_type`s that are accepted beside `bearer`. */
  readonly tokenTypes?: readonly string[]
  /**
   * How this provider refreshes, where it is not RFC 6749, 6. `from: 'access_token'`: the access token itself is exchanged
   * for a longer one (Facebook), and is kept as the refresh token. `atOnce`: also directly after the authorization.
   */
  readonly refreshGrant?: {
    readonly grantType?: string
    readonly parameter?: string
    readonly from?: 'access_token'
    readonly atOnce?: boolean
  }
  /** The provider's own error codes -> those of RFC 6749, 5.2 (`bad_refresh_token` -> `invalid_grant`). */
  readonly errorCodes?: Readonly<Record<string, string>>
  /**
   * What is put into URLs without percent-encoding: connection parameters that are hosts or paths, and parameters of the
   * authorization URL (`scope`).
   */
  readonly rawParameters?: readonly string[]
  /** Refresh at least this often even when unused, so that the provider does not drop it. Duration (`24h`). */
  readonly keepAlive?: string
  /** What `jwt_bearer` asserts (RFC 7523); `{name}` is a config field, `{client_id}` and `{scopes}` are known too. */
  readonly assertion?: JwtSigning
}

/** One way to authenticate. A connector names its methods; the first is the default. */
export type AuthMethod = StaticAuth | JwtAuth | OAuth2Auth
