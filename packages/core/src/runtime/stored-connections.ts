/**
 * Stored connections as flows use them (`connections: { gh: { type: github, use: work-github } }`). Who keeps them is no
 * business of the runtime: whoever composes a process hands in something that opens one by its name
 * (`storedConnections` of `@plugwork/connections`).
 */
import type { Credential, CredentialSource } from '../connector/credential.ts'
import { PlugworkError } from '../error.ts'
import type { JsonObject } from '../json.ts'

/** Which stored connection a step asks for, and on whose behalf. */
export interface StoredConnectionRequest {
  readonly tenant: string
  /** The run's user; null: the run acts for its tenant. */
  readonly user: string | null
  readonly connector: string
  readonly name: string
  readonly flow: string
  /** `github.issues.create`; absent where a task asks for the connection. */
  readonly action?: string
}

/** A stored connection as it stands now. */
export interface StoredConnection {
  readonly id: string
  /** Another one after every change but the renewal of a token: clients of the old one are closed. */
  readonly version: string
  /** Secrets included; without those that `credentials` takes the place of. */
  readonly config: JsonObject
  readonly credentials?: CredentialSource
  /** Texts in `config` that appear in no journal and no log. Tokens of `credentials` are added by the runtime. */
  readonly secrets: readonly string[]
  /** Where relative paths of the config begin. Default: the folder of the flow. */
  readonly directory?: string
}

export interface StoredConnections {
  /**
   * Finds a connection and allows its use. Throws `connection_not_found`, `connection_forbidden`, and, where a person has to
   * sign in again, `connection_needs_reauth` or `connection_revoked`: those hold the step.
   */
  open(request: StoredConnectionRequest): Promise<StoredConnection>
}

/** Codes by which a connection says that only a person can mend it; the step waits for that, its run is not lost. */
const WANT_A_PERSON: ReadonlySet<string> = new Set(['connection_needs_reauth', 'connection_revoked'])

/** Whether an error is cured by somebody who connects again. */
export function wantsPerson(error: unknown): error is PlugworkError {
  return error instanceof PlugworkError && WANT_A_PERSON.has(error.code)
}

/** Tokens remembered per connection; older ones have been renewed since, and no attempt that had them runs any more. */
const KEPT_TOKENS = 8

/** What has to be taken out of everything that an attempt with this connection leaves behind. */
export class ConnectionSecrets {
  readonly #fixed: readonly string[]
  #tokens: readonly string[] = []
  /** Another list after each new token, so that it can be known by identity. */
  list: readonly string[]

  constructor(fixed: readonly string[]) {
    this.#fixed = fixed
    this.list = fixed
  }

  add(token: string): void {
    if (this.#tokens.includes(token)) return
    this.#tokens = [...this.#tokens, token].slice(-KEPT_TOKENS)
    this.list = [...this.#fixed, ...this.#tokens]
  }
}

/** The same source, whose tokens become secrets before anybody has them. */
export function withKnownTokens(source: CredentialSource, secrets: ConnectionSecrets): CredentialSource {
  const known = <T extends Credential | null>(credential: T): T => {
    if (credential !== null) secrets.add(credential.token)
    return credential
  }
  return {
    current: async (signal) => known(await source.current(signal)),
    rejected: async (credential, signal) => known(await source.rejected(credential, signal)),
  }
}
