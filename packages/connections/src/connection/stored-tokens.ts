/** The secret parts of a connection, encrypted in its row. */
import type { JsonObject } from '@plugwork/core'
import { parseDuration } from '@plugwork/core'
import type { AuthMethod } from '@plugwork/core/node'
import type { TokenSet } from '../oauth/token-set.ts'
import type { Vault } from '../vault/vault.ts'
import type { ConnectionData, ConnectionRow } from './connection.ts'
import type { RowChange } from './connection-rows.ts'

/** What of a token set is encrypted: everything but what may be shown. */
export type SecretTokens = Omit<TokenSet, 'metadata' | 'expiresAt' | 'scopes'>

type Owned = Pick<ConnectionRow, 'id' | 'tenant'>

export async function readCredential(vault: Vault, row: ConnectionRow): Promise<JsonObject> {
  const { credential } = row.data
  if (credential === null) return {}
  const text = await vault.decrypt({ tenant: row.tenant, connectionId: row.id, field: 'credential' }, credential)
  // `sealCredential` wrote it.
  return JSON.parse(text.reveal()) as JsonObject
}

export async function sealCredential(vault: Vault, { id, tenant }: Owned, fields: JsonObject): Promise<string | null> {
  if (Object.keys(fields).length === 0) return null
  return vault.encrypt({ tenant, connectionId: id, field: 'credential' }, JSON.stringify(fields))
}

export async function readTokens(vault: Vault, row: ConnectionRow): Promise<SecretTokens | null> {
  const { tokens } = row.data
  if (tokens === null) return null
  const text = await vault.decrypt({ tenant: row.tenant, connectionId: row.id, field: 'tokens' }, tokens)
  // `tokenChange` wrote it.
  return JSON.parse(text.reveal()) as SecretTokens
}

export interface TokenChangeOptions {
  readonly vault: Vault
  readonly row: Owned & { readonly data: Pick<ConnectionData, 'tokenVersion' | 'metadata' | 'scopes'> }
  readonly method: AuthMethod
  /** Tokens that these replace; a refresh token that is not given anew stays. Null: nothing of them is kept. */
  readonly before: SecretTokens | null
  readonly tokens: TokenSet
  readonly now: number
}

/** What a row gets for new tokens. */
export async function tokenChange(
  options: TokenChangeOptions,
): Promise<RowChange & { readonly data: Partial<ConnectionData> }> {
  const { vault, row, method, before, tokens, now } = options
  const { metadata, expiresAt, scopes, ...given } = tokens
  const refreshToken = given.refreshToken ?? before?.refreshToken
  const otherTokens = { ...before?.otherTokens, ...given.otherTokens }
  const secret: SecretTokens = {
    ...given,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(Object.keys(otherTokens).length === 0 ? {} : { otherTokens }),
  }
  const place = { tenant: row.tenant, connectionId: row.id, field: 'tokens' }
  const keepAlive = refreshToken === undefined ? null : keepAliveOf(method)
  return {
    due: keepAlive === null ? null : now + keepAlive,
    data: {
      tokens: await vault.encrypt(place, JSON.stringify(secret)),
      tokenVersion: row.data.tokenVersion + 1,
      obtainedAt: now,
      refreshedAt: now,
      expiresAt,
      scopes: scopes ?? row.data.scopes,
      metadata: { ...row.data.metadata, ...metadata },
      renewable: refreshToken !== undefined || needsNoPerson(method),
    },
  }
}

/** Methods whose tokens are made or got without anybody's consent. */
export function needsNoPerson(method: AuthMethod): boolean {
  if (method.kind === 'jwt') return true
  return method.kind === 'oauth2' && (method.grant === 'client_credentials' || method.grant === 'jwt_bearer')
}

function keepAliveOf(method: AuthMethod): number | null {
  if (method.kind !== 'oauth2' || method.keepAlive === undefined) return null
  const ms = parseDuration(method.keepAlive)
  if (ms === null) throw new TypeError(`keepAlive "${method.keepAlive}" of ${method.title} is no duration; write 24h`)
  return ms
}
