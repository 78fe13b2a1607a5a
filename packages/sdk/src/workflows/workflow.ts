/** A workflow: a flow that an application or one of its users stored. */
import type { FlowDocument, JsonObject } from '@plugwork/core'
import type { ConnectionStore, NewRow, StoredRow } from '@plugwork/connections'

export interface Workflow {
  readonly id: string
  readonly tenant: string
  /** Runs use this user's connections; null: the tenant's own. */
  readonly owner: string | null
  /** The name in `flow:`, unique in the tenant. */
  readonly name: string
  readonly description: string | null
  /** YAML, or the document that `defineFlow` gave; a secret has no place in it. */
  readonly source: string | JsonObject
  readonly enabled: boolean
  readonly createdAt: number
  readonly updatedAt: number
}

/** A workflow as it lies in the store. */
export interface StoredWorkflow extends Workflow {
  readonly version: number
}

type Data = Pick<Workflow, 'description' | 'source' | 'enabled' | 'createdAt' | 'updatedAt'>

export function toRow({ id, tenant, owner, name, ...rest }: Workflow): NewRow {
  const { description, source, enabled, createdAt, updatedAt } = rest
  const data: Data = { description, source, enabled, createdAt, updatedAt }
  // Plain JSON by its type, which as an interface has no index signature.
  return {
    id,
    tenant,
    owner,
    kind: null,
    name,
    slot: slotOf(tenant, name),
    due: null,
    data: data as unknown as JsonObject,
  }
}

export function fromRow({ id, tenant, owner, name, version, data }: StoredRow): StoredWorkflow {
  // `toRow` is the only writer of the table.
  return { id, tenant, owner, name: name!, version, ...(data as unknown as Data) }
}

/** What the checker reads. A document was one when it was stored. */
export const sourceOf = ({ source }: Workflow): string | FlowDocument =>
  typeof source === 'string' ? source : (source as unknown as FlowDocument)

export const viewOf = ({ version: _, ...workflow }: StoredWorkflow): Workflow => workflow

const slotOf = (tenant: string, name: string): string => [tenant, name].map(encodeURIComponent).join('/')

/** The workflow of a name in a tenant, whoever's it is. */
export async function findByName(store: ConnectionStore, tenant: string, name: string): Promise<StoredWorkflow | null> {
  const [row] = await store.list('workflows', { tenant, name, limit: 1 })
  return row === undefined ? null : fromRow(row)
}
