/** Gives connectors the credential of a stored connection: from memory for a moment, else from the store, refreshed in time. */
import type { Clock, Credential, CredentialSource } from '@plugwork/core/node'
import type { ConnectionRow } from '../connection/connection.ts'
import { assertConnected, needsToken, type Refresher } from './refresher.ts'
import { isUsable } from './token-times.ts'

/** How long a credential is believed without looking at the store: a disconnect in another process is heard after this. */
const BELIEVE_MS = 1_000
/** A token that is refused this soon after it was made will not be better the next time. */
const REJECTED_AGAIN_MS = 30_000

export interface StoredCredentialOptions {
  readonly id: string
  readonly refresher: Refresher
  readonly clock: Clock
  read(): Promise<ConnectionRow>
  credentialOf(row: ConnectionRow): Promise<Credential>
  /** Called when a token that nobody can renew has expired; throws. */
  expired(row: ConnectionRow): Promise<never>
}

export class StoredCredentialSource implements CredentialSource {
  readonly #options: StoredCredentialOptions
  /** Of which set of tokens a credential that was given out is. */
  readonly #versions = new WeakMap<Credential, number>()
  #believed: { readonly credential: Credential; readonly row: ConnectionRow; readonly until: number } | null = null

  constructor(options: StoredCredentialOptions) {
    this.#options = options
  }

  async current(signal: AbortSignal): Promise<Credential> {
    signal.throwIfAborted()
    const { clock, id, refresher } = this.#options
    const believed = this.#believed
    if (believed !== null && clock.now() < believed.until && !needsToken(believed.row, clock.now())) {
      return believed.credential
    }
    const row = await this.#options.read()
    assertConnected(row)
    if (needsToken(row, clock.now())) {
      return this.#give(await heeding(refresher.refresh(id, row.data.tokenVersion, true), signal))
    }
    if (!isUsable(row.data, clock.now())) await this.#options.expired(row)
    return this.#give(row)
  }

  async rejected(credential: Credential, signal: AbortSignal): Promise<Credential | null> {
    signal.throwIfAborted()
    this.#believed = null
    const { clock, id, refresher } = this.#options
    const row = await this.#options.read()
    assertConnected(row)
    const version = this.#versions.get(credential)
    // Refreshed since, by whomever: that token has not been refused yet.
    if (version !== undefined && row.data.tokenVersion > version) return this.#give(row)
    const fresh = row.data.refreshedAt !== null && clock.now() - row.data.refreshedAt < REJECTED_AGAIN_MS
    if (!row.data.renewable || fresh) return null
    return this.#give(await heeding(refresher.refresh(id, row.data.tokenVersion, false), signal))
  }

  /** The connection was changed: what is in memory counts no more. */
  forget(): void {
    this.#believed = null
  }

  async #give(row: ConnectionRow): Promise<Credential> {
    const { clock } = this.#options
    if (this.#believed !== null && this.#believed.row.data.tokenVersion === row.data.tokenVersion) {
      // The same object, so that pools keyed by it are kept.
      this.#believed = { ...this.#believed, row, until: clock.now() + BELIEVE_MS }
      return this.#believed.credential
    }
    const credential = await this.#options.credentialOf(row)
    this.#versions.set(credential, row.data.tokenVersion)
    this.#believed = { credential, row, until: clock.now() + BELIEVE_MS }
    return credential
  }
}

/** Gives up waiting when the signal fires; the work goes on for others. */
async function heeding<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
