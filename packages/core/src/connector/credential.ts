/**
 * What a connector is given to authenticate with. Long-lived secrets that belong to the exchange with the provider
 * (refresh tokens, client secrets, private keys) never reach a connector; it gets what goes into a request.
 */
import type { Json } from '../json.ts'

/** What goes into a request now. */
export interface Credential {
  /** Name of the connector's auth method that it belongs to. */
  readonly method: string
  /** The text that `AuthMethod.send` puts into requests: access token, API key, signed JWT. */
  readonly token: string
  /** What the provider said beside the token: `instance_url`, `team`, `cloud_id`. No secrets. */
  readonly metadata: { readonly [name: string]: Json }
  /** Epoch ms; null when the provider does not say, or when it does not expire. */
  readonly expiresAt: number | null
}

/** Where a client gets its credential, at each request anew: a token is refreshed under a pooled client. */
export interface CredentialSource {
  /** The credential to use now, refreshed where it is about to expire. Throws `connection_needs_reauth` and the like. */
  current(signal: AbortSignal): Promise<Credential>
  /**
   * The service refused `credential` (401). Answers another one to try once, or null when there is none; concurrent
   * calls cause one refresh.
   */
  rejected(credential: Credential, signal: AbortSignal): Promise<Credential | null>
}
