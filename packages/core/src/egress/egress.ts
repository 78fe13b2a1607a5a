import type { Socket } from 'node:net'

/**
 * The one way out. Every outbound connection of the product goes through an `Egress`: addresses are resolved once,
 * checked and pinned; private ranges are denied unless allowed; redirects are checked again; sizes and times are bounded.
 */
export interface EgressPolicy {
  /** Hosts, `host:port`, `*.host`, or CIDRs that are allowed although private (`PLUGWORK_EGRESS_ALLOW`). */
  readonly allow: readonly string[]
  /** When given, only these hosts may be reached at all (per connection or plugin). */
  readonly onlyHosts?: readonly string[]
  readonly maxResponseBytes: number
  /** Limit of a request, redirects included, that names none itself. */
  readonly timeoutMs: number
  /** What a request may ask for at most. Default 15 minutes. */
  readonly maxTimeoutMs?: number
  readonly maxRedirects: number
}

/**
 * What an `AbortSignal` tells, for callers that make many requests: making a signal and listening to it costs as much as
 * the rest of a short request. The signal itself is made when somebody asks for it.
 */
export interface Cancellation {
  readonly aborted: boolean
  readonly reason: unknown
  readonly signal: AbortSignal
  /** Calls back when it is aborted later; the answered function takes that back. */
  onAbort(listener: (reason: unknown) => void): () => void
}

export interface EgressRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
  readonly maxResponseBytes?: number
  /** `manual` returns the redirect itself. Default `follow`; on a change of origin only harmless headers go along. */
  readonly redirect?: 'follow' | 'manual'
  readonly signal?: AbortSignal | Cancellation
}

export interface EgressResponse {
  readonly status: number
  /** Names in lower case; repeated ones joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** Decompressed. */
  readonly body: Uint8Array
  /** Address after redirects. */
  readonly url: string
}

export interface EgressConnect {
  /** Name or address, without port. */
  readonly host: string
  readonly port: number
  /** How long resolving and opening may take. Default 10 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Egress {
  request(request: EgressRequest): Promise<EgressResponse>
  /** WHATWG `fetch` over the same guard, for task authors (`ctx.fetch`) and vendors' clients. */
  readonly fetch: typeof globalThis.fetch
  /**
   * An open TCP socket to a server that speaks no HTTP (a database, SSH, mail), under the same rules: resolved once,
   * checked, pinned; private addresses are denied unless allowed. For TLS pass it to `tls.connect({ socket, servername })`.
   * The socket is the caller's from then on, and has no listeners; closing the egress destroys it. Rejects with
   * `egress_denied`, `egress_dns`, `egress_connect`, `egress_timeout`, `egress_url`, `egress_closed`, or the signal's reason.
   */
  connect(request: EgressConnect): Promise<Socket>
  /**
   * The same dialer under a narrower policy: what it allows must be allowed here too. Cheap, shares the connections;
   * closing it does nothing.
   */
  restrict(policy: Partial<EgressPolicy>): Egress
  /** Closes every connection; requests under way fail with `egress_closed`. */
  close(): Promise<void>
}
