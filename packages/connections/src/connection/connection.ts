/** A stored connection: as its users see it, and as it lies in a row. */
import type { Json, JsonObject } from '@plugwork/core'
import type { NewRow, StoredRow } from '../store/connection-store.ts'

/**
 * `active`: it can be used. `refreshing`: it can, and some process is getting a new token. `needs_reauth`: somebody has to
 * connect again. `revoked`: it was disconnected here. `error`: its token has expired and could not be renewed yet, or its
 * last check failed; it is tried again at the next use.
 */
export type ConnectionStatus = 'active' | 'refreshing' | 'needs_reauth' | 'revoked' | 'error'

export type StatusReasonCode =
  | 'invalid_grant'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'token_expired'
  | 'refresh_failed'
  | 'check_failed'
  | 'disconnected'

/** Why a connection is not active, for machines and for people. */
export interface StatusReason {
  readonly code: StatusReasonCode
  readonly message: string
  /** Epoch ms. */
  readonly at: number
}

/** What may be shown of a connection: no secret is in it. */
export interface Connection {
  readonly id: string
  readonly tenant: string
  /** A user's id; null: the tenant's own. */
  readonly owner: string | null
  /** Name of the connector. */
  readonly connector: string
  /** Tells several connections of one owner to one connector apart. */
  readonly name: string
  /** Auth method of the connector; null where it has none (a database). */
  readonly method: string | null
  readonly settings: JsonObject
  /** Names of the fields that are stored encrypted. */
  readonly secrets: readonly string[]
  /** What the provider said, and what the application keeps with it. */
  readonly metadata: JsonObject
  readonly scopes: readonly string[] | null
  readonly status: ConnectionStatus
  readonly reason: StatusReason | null
  /** Epoch ms at which the token expires; null when there is none, or nobody knows. */
  readonly expiresAt: number | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly refreshedAt: number | null
  readonly checkedAt: number | null
}

/** Who refreshes now. */
export interface Lease {
  readonly owner: string
  readonly until: number
}

/** What is in `data` of the row. */
export interface ConnectionData {
  readonly method: string | null
  readonly settings: JsonObject
  readonly metadata: JsonObject
  readonly scopes: readonly string[] | null
  /** `refreshing` is not stored: it is a lease that lasts. */
  readonly status: Exclude<ConnectionStatus, 'refreshing'>
  readonly reason: StatusReason | null
  /** Encrypted JSON of the secret fields, and their names. */
  readonly credential: string | null
  readonly secrets: readonly string[]
  /** Encrypted JSON of the tokens. */
  readonly tokens: string | null
  /** One more with each set of tokens. */
  readonly tokenVersion: number
  readonly obtainedAt: number | null
  readonly expiresAt: number | null
  /** False where a person has to come when the token ends. */
  readonly renewable: boolean
  readonly lease: Lease | null
  /** No refresh before this: the last one failed. */
  readonly cooldownUntil: number | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly refreshedAt: number | null
  readonly checkedAt: number | null
}

/** A row of a connection, read. */
export interface ConnectionRow {
  readonly id: string
  readonly tenant: string
  readonly owner: string | null
  readonly connector: string
  readonly name: string
  /** When to refresh although nobody uses it. */
  readonly due: number | null
  readonly version: number
  readonly data: ConnectionData
}

export function fromRow({ id, tenant, owner, kind, name, due, version, data }: StoredRow): ConnectionRow {
  // `toRow` is the only writer of the table.
  return { id, tenant, owner, connector: kind!, name: name!, due, version, data: data as unknown as ConnectionData }
}

export function toRow({ id, tenant, owner, connector, name, due, data }: Omit<ConnectionRow, 'version'>): NewRow {
  const slot = [tenant, owner === null ? '' : `u:${owner}`, connector, name].map(encodeURIComponent).join('/')
  // Plain JSON by its type, which as an interface has no index signature.
  return { id, tenant, owner, kind: connector, name, slot, due, data: data as unknown as JsonObject }
}

/** What may be shown of a row at a time. */
export function viewOf(row: ConnectionRow, now: number): Connection {
  const { data } = row
  const refreshing = data.lease !== null && data.lease.until > now && data.status !== 'revoked'
  return {
    id: row.id,
    tenant: row.tenant,
    owner: row.owner,
    connector: row.connector,
    name: row.name,
    method: data.method,
    settings: data.settings,
    secrets: data.secrets,
    metadata: data.metadata,
    scopes: data.scopes,
    status: refreshing ? 'refreshing' : data.status,
    reason: data.reason,
    expiresAt: data.expiresAt,
    createdAt: data.createdAt,
    updatedAt: data.updatedAt,
    refreshedAt: data.refreshedAt,
    checkedAt: data.checkedAt,
  }
}

/** Secret fields of a connection, as its author gave them. */
export type SecretFields = { readonly [name: string]: Json }
