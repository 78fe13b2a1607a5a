/**
 * The tokens of stored connections: got, kept, renewed, given to connectors, revoked. `Connections` says who may; this does it.
 */
import type { PlugworkError } from '@plugwork/core'
import type { AuthMethod, Clock, Connector, Credential } from '@plugwork/core/node'
import type { OAuthClient, OAuthTokens, TokenSet } from '../oauth/token-set.ts'
import { Refresher, type RefresherOptions, type RefreshTiming } from '../refresh/refresher.ts'
import { StoredCredentialSource } from '../refresh/stored-credential-source.ts'
import type { Vault } from '../vault/vault.ts'
import { viewOf, type Connection, type ConnectionRow, type StatusReason } from './connection.ts'
import { makesTokens, methodOf, textsOf } from './connection-input.ts'
import type { ConnectionRows } from './connection-rows.ts'
import { connectionError, notFound } from './errors.ts'
import { needsNoPerson, readCredential, readTokens, tokenChange } from './stored-tokens.ts'

/** The application's registration with a provider, for a connection. */
export type FindClient = (request: {
  readonly tenant: string
  readonly connector: string
  readonly method: string
}) => OAuthClient | null | Promise<OAuthClient | null>

export interface ConnectionTokensOptions extends Pick<RefresherOptions, 'changed' | 'log'> {
  readonly vault: Vault
  readonly rows: ConnectionRows
  readonly tokens: OAuthTokens
  readonly client: FindClient
  readonly connector: (name: string) => Connector
  readonly clock: Clock
  readonly random?: () => number
  readonly timing?: Partial<RefreshTiming>
}

/** Credential sources kept; whoever holds another one keeps it working. */
const KEEP_SOURCES = 10_000
/** Longest time that a provider may take to revoke. */
const REVOKE_MS = 10_000

export class ConnectionTokens {
  readonly #options: ConnectionTokensOptions
  readonly #refresher: Refresher
  readonly #sources = new Map<string, StoredCredentialSource>()

  constructor(options: ConnectionTokensOptions) {
    const { rows, clock, log, changed, random, timing } = options
    this.#options = options
    this.#refresher = new Refresher({
      rows,
      clock,
      log,
      changed,
      fetchTokens: async (row, signal) => this.#fetchTokens(row, signal),
      storeTokens: async (row, tokens) => this.change(row, tokens, true),
      ...(random === undefined ? {} : { random }),
      ...(timing === undefined ? {} : { timing }),
    })
  }

  /** See `Refresher.refresh`. */
  async refresh(id: string, version: number, serveOld: boolean): Promise<ConnectionRow> {
    return this.#refresher.refresh(id, version, serveOld)
  }

  /** What this process has in memory of the connection counts no more. */
  changed(id: string): void {
    this.#sources.get(id)?.forget()
  }

  /** The one source of a connection in this process. */
  source(id: string, method: string): StoredCredentialSource {
    const known = this.#sources.get(id)
    if (known !== undefined) return known
    const source = new StoredCredentialSource({
      id,
      refresher: this.#refresher,
      clock: this.#options.clock,
      read: async () => this.#read(id),
      credentialOf: async (row) => this.#credentialOf(row, method),
      expired: async (row) => this.#expired(row),
    })
    if (this.#sources.size >= KEEP_SOURCES)
      for (const oldest of this.#sources.keys()) if (this.#sources.delete(oldest)) break
    this.#sources.set(id, source)
    return source
  }

  /** The connection is gone. */
  forget(id: string): void {
    this.#sources.get(id)?.forget()
    this.#sources.delete(id)
  }

  async #credentialOf(row: ConnectionRow, method: string): Promise<Credential> {
    const tokens = await readTokens(this.#options.vault, row)
    if (tokens === null) throw notConnected(viewOf(row, this.#options.clock.now()))
    const { metadata, expiresAt } = row.data
    return { method: row.data.method ?? method, token: tokens.accessToken, metadata, expiresAt }
  }

  async #expired(row: ConnectionRow): Promise<never> {
    const message =
      row.data.tokens === null
        ? 'nobody has signed in yet.'
        : 'its token has expired, and the service gave none to renew it with.'
    const reason: StatusReason = { code: 'token_expired', message, at: this.#options.clock.now() }
    const written = await this.#options.rows.change(row.id, (now) =>
      now.data.tokenVersion === row.data.tokenVersion && now.data.status !== 'revoked'
        ? { data: { status: 'needs_reauth', reason } }
        : null,
    )
    if (written.outcome === 'done') this.#options.changed(written.row, written.before.data.status, false)
    throw connectionError(
      'connection_needs_reauth',
      `The connection "${row.name}" to ${row.connector} has to be connected again: ${message}`,
      { data: { connection: row.id, reason: 'token_expired' } },
    )
  }

  async #fetchTokens(row: ConnectionRow, signal: AbortSignal): Promise<TokenSet> {
    const method = methodOf(this.#options.connector(row.connector), row.data.method)!
    const { auth } = method
    const credential = await readCredential(this.#options.vault, row)
    const settings = textsOf(row.data.settings)
    const fields = { ...settings, ...textsOf(credential) }
    if (auth.kind === 'jwt') return this.#options.tokens.obtain({ auth, client: null, settings, fields, signal })
    if (auth.kind !== 'oauth2') throw new TypeError(`the auth method ${method.name} of ${row.connector} has no tokens`)
    const client = await this.#client(row, method.name)
    if (needsNoPerson(auth)) return this.#options.tokens.obtain({ auth, client, settings, fields, signal })
    const refreshToken = (await readTokens(this.#options.vault, row))?.refreshToken
    if (refreshToken === undefined) throw notConnected(viewOf(row, this.#options.clock.now()))
    return this.#options.tokens.refresh({ auth, client, settings, refreshToken, signal })
  }

  async #client(row: ConnectionRow, method: string): Promise<OAuthClient> {
    const client = await this.#options.client({ tenant: row.tenant, connector: row.connector, method })
    if (client !== null) return client
    throw connectionError(
      'connection_invalid',
      `The application has no OAuth client for ${row.connector} (method ${method}). Register one with the service and configure its id and secret.`,
      { data: { connector: row.connector, method } },
    )
  }

  /** What a row gets for new tokens. With `keepOld` a refresh token that is not given anew stays. */
  async change(
    row: ConnectionRow,
    tokens: TokenSet,
    keepOld: boolean,
    method = methodOf(this.#options.connector(row.connector), row.data.method),
  ): ReturnType<typeof tokenChange> {
    const { vault } = this.#options
    const before = keepOld ? await readTokens(vault, row) : null
    return tokenChange({
      vault,
      row,
      method: tokenMethod(method?.auth),
      before,
      tokens,
      now: this.#options.clock.now(),
    })
  }

  /** What the provider says to it does not matter: here it is over. */
  async revoke(row: ConnectionRow): Promise<void> {
    const method = methodOf(this.#options.connector(row.connector), row.data.method)
    if (method?.auth.kind !== 'oauth2' || row.data.tokens === null) return
    const { auth } = method
    const settings = textsOf(row.data.settings)
    try {
      const tokens = await readTokens(this.#options.vault, row)
      const client = await this.#client(row, method.name)
      const signal = AbortSignal.timeout(REVOKE_MS)
      const { revoke } = this.#options.tokens
      const both = [
        ['refresh_token', tokens?.refreshToken],
        ['access_token', tokens?.accessToken],
      ] as const
      for (const [kind, token] of both) {
        if (token !== undefined)
          await revoke.call(this.#options.tokens, { auth, client, settings, token, kind, signal })
      }
    } catch (error) {
      this.#options.log('warn', `connection ${row.id} could not be revoked at ${row.connector}: ${messageOf(error)}`)
    }
  }

  async #read(id: string): Promise<ConnectionRow> {
    const row = await this.#options.rows.read(id)
    if (row === null) throw notFound(id)
    return row
  }
}

function tokenMethod(auth: AuthMethod | undefined): AuthMethod {
  if (auth !== undefined && makesTokens(auth)) return auth
  throw connectionError('connection_invalid', 'This auth method has no tokens; give its secret fields as `credential`.')
}

function notConnected({ id, name, connector }: Connection): PlugworkError {
  return connectionError(
    'connection_needs_reauth',
    `Nobody has signed in to the connection "${name}" to ${connector} yet. Connect it.`,
    { data: { connection: id, reason: null } },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
