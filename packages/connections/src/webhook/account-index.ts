/**
 * Which connections belong to an account at a service (a team, an installation): one address of an application takes in the
 * events of all of its users. A connection belongs to the accounts that stand in its
 * metadata, under the keys that the connector names.
 */
import type { Clock, WebhookSource } from '@plugwork/core/node'
import { fromRow, type ConnectionRow } from '../connection/connection.ts'
import type { ConnectionStore } from '../store/connection-store.ts'

export interface AccountConnection {
  readonly id: string
  readonly tenant: string
  readonly owner: string | null
  readonly name: string
}

/** How old the index may be: a new connection is found after this. */
const FRESH_MS = 2_000
const PAGE = 500
const DEFAULT_KEYS = ['account', 'account_id']

interface Index {
  readonly byAccount: ReadonlyMap<string, readonly AccountConnection[]>
  readonly until: number
}

export class AccountIndex {
  readonly #store: ConnectionStore
  readonly #clock: Clock
  readonly #indexes = new Map<string, Promise<Index>>()

  constructor(store: ConnectionStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Connections to the account; `tenant` null: of every tenant. Those that were disconnected are left out. */
  async find(
    connector: { readonly name: string; readonly webhooks: WebhookSource },
    account: string,
    tenant: string | null,
  ): Promise<readonly AccountConnection[]> {
    const { accountKeys = DEFAULT_KEYS } = connector.webhooks
    const found = (await this.#fresh(connector.name, accountKeys)).byAccount.get(account) ?? []
    return tenant === null ? found : found.filter((one) => one.tenant === tenant)
  }

  async #fresh(connector: string, keys: readonly string[]): Promise<Index> {
    const known = this.#indexes.get(connector)
    if (known !== undefined) {
      const index = await known
      if (index.until > this.#clock.now()) return index
      // Of callers that find it old, the first reads anew and the others wait for that.
      if (this.#indexes.get(connector) !== known) return this.#fresh(connector, keys)
    }
    const reading = this.#read(connector, keys)
    this.#indexes.set(connector, reading)
    reading.catch(() => this.#indexes.delete(connector))
    return reading
  }

  async #read(connector: string, keys: readonly string[]): Promise<Index> {
    const byAccount = new Map<string, AccountConnection[]>()
    let after: string | undefined
    for (;;) {
      const query = { kind: connector, limit: PAGE }
      const rows = await this.#store.list('connections', after === undefined ? query : { ...query, after })
      for (const row of rows.map(fromRow)) {
        if (row.data.status === 'revoked') continue
        const { id, tenant, owner, name } = row
        for (const account of accountsOf(row, keys)) {
          byAccount.set(account, [...(byAccount.get(account) ?? []), { id, tenant, owner, name }])
        }
      }
      if (rows.length < PAGE) return { byAccount, until: this.#clock.now() + FRESH_MS }
      after = rows.at(-1)!.id
    }
  }
}

/** Only what the connector names as an account: a display name that its user chose must not open another's events. */
function accountsOf({ data }: ConnectionRow, keys: readonly string[]): ReadonlySet<string> {
  const values = keys.map((key) => data.metadata[key])
  return new Set(values.filter((value) => typeof value === 'string' || typeof value === 'number').map(String))
}
