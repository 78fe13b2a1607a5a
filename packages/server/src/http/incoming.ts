/** A request as handlers see it, independent of where it came from (a socket, a `Request`). */
export interface Incoming {
  readonly method: string
  /** As sent: percent-encoded, without the query. */
  readonly path: string
  /** Query without `?`; '' when there is none. */
  readonly search: string
  readonly requestId: string
  readonly remoteAddress: string
  /** Came through the local control socket, which only the owner of the data folder can open. */
  readonly local: boolean
  /** Value of a header by its lower-case name; repeated headers are joined by `, `. */
  header(name: string): string | undefined
  /** All headers, names in lower case. */
  headers(): Readonly<Record<string, string>>
  /** The exact bytes sent. Throws `body_too_large`; reading stops there. */
  body(maxBytes: number): Promise<Uint8Array>
  /** Fires when the client has gone. */
  readonly signal: AbortSignal
}

const SAFE_ID = /^[A-Za-z0-9._-]{1,64}$/

/** Makes request ids: the client's own when it is harmless, else the process's prefix and a counter. */
export function requestIds(prefix: string): (sent: string | undefined) => string {
  let next = 0
  return (sent) => (sent !== undefined && SAFE_ID.test(sent) ? sent : `${prefix}-${(next++).toString(36)}`)
}
