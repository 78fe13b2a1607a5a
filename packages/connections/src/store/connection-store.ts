/**
 * The adapter contract: where connections, their data keys, OAuth states and the SDK's workflows are kept, and the
 * webhooks of services. Plain rows and a compare-and-set, so that an application's own database can be one: six tables of
 * the same nine columns, six methods.
 * `describeConnectionStore` of `@plugwork/connections/testing` says whether an implementation keeps the promises below.
 *
 * Secrets arrive here encrypted; an adapter sees nothing that it would have to protect beyond its own access rules.
 */
import type { JsonObject } from '@plugwork/core'

/** `auth_states` are sign-ins under way; `workflows` belong to the SDK; `events` are those of services' webhooks. */
export const CONNECTION_TABLES = [
  'connections',
  'data_keys',
  'auth_states',
  'workflows',
  'webhook_endpoints',
  'events',
] as const
export type ConnectionTable = (typeof CONNECTION_TABLES)[number]

/** A row as it is written. Texts compare by their bytes. */
export interface NewRow {
  /** Unique in its table; up to 200 characters. */
  readonly id: string
  readonly tenant: string
  /** Whose it is inside the tenant; null: the tenant's. */
  readonly owner: string | null
  /** What kind of thing it is: the connector of a connection, the wrapping key of a data key. */
  readonly kind: string | null
  readonly name: string | null
  /** No two rows of a table have the same; null does not count. */
  readonly slot: string | null
  /** Epoch ms at which somebody has to look at the row: a token to be kept alive, a state that expires. */
  readonly due: number | null
  /** Everything else. */
  readonly data: JsonObject
}

export interface StoredRow extends NewRow {
  /** 1 when inserted, and one more with every replacement. */
  readonly version: number
}

/** Equality on what is given (null is a value too); ordered by id. */
export interface RowQuery {
  readonly tenant?: string
  readonly owner?: string | null
  readonly kind?: string
  readonly name?: string
  /** Rows with a `due` at or before this. */
  readonly dueBefore?: number
  /** Rows whose id is greater: the last one of the page before. */
  readonly after?: string
  readonly limit: number
}

/** `stale`: the row is gone or has another version. `taken`: another row has the slot. Nothing was written in both cases. */
export type Replaced = 'done' | 'stale' | 'taken'

export interface ConnectionStore {
  get(table: ConnectionTable, id: string): Promise<StoredRow | null>
  /** False when the id or the slot is taken; nothing was written then. */
  insert(table: ConnectionTable, row: NewRow): Promise<boolean>
  /** Replaces the whole row if it still has `version`. Of concurrent calls with one version exactly one is `done`. */
  replace(table: ConnectionTable, row: NewRow, version: number): Promise<Replaced>
  /** Removes the row, with `version` only if it still has it. Of concurrent calls exactly one answers true. */
  remove(table: ConnectionTable, id: string, version?: number): Promise<boolean>
  list(table: ConnectionTable, query: RowQuery): Promise<readonly StoredRow[]>
  /** What was answered with success before is durable; later calls fail. */
  close(): Promise<void>
}
