/**
 * Slots of concurrency keys, as in the embedded store: who holds one is a query over open runs, a slot belongs to a tree of
 * runs, and a queued run that found its key full is set aside. Whoever looks at a key or changes who holds it has its advisory
 * lock until the end of the transaction, so that two processes never count the same slot.
 */
import type { FlatRun } from '../sqlite/messages.ts'
import type { Queryable } from './database.ts'
import { WRITE } from './statements.ts'

export interface Holder {
  readonly rid: number
  readonly id: string
}

export class Slots {
  readonly #tx: Queryable
  readonly #schema: string

  constructor(tx: Queryable, schema: string) {
    this.#tx = tx
    this.#schema = schema
  }

  /** Keeps others from this key until the transaction ends. */
  async lock(tenant: string, key: string): Promise<void> {
    await this.#tx.query(WRITE.lockKey, [JSON.stringify([this.#schema, tenant, key])])
  }

  /** Runs that hold the slots which `run` needs; empty when there is one for it, or its tree holds one. */
  async blockers(run: FlatRun): Promise<readonly Holder[]> {
    if (run.key === null) return []
    await this.lock(run.tenant, run.key)
    const holders = await this.#holdersBeside(run.tenant, run.key, run.rootRid)
    return holders.length >= (run.limit ?? 1) ? holders : []
  }

  /** Whether a run of the tree `root` may have a slot of `limit`. */
  async isFree(tenant: string, key: string, limit: number, root: number): Promise<boolean> {
    await this.lock(tenant, key)
    return (await this.#holdersBeside(tenant, key, root)).length < limit
  }

  /** Whether others of its key queue already: a newcomer must not overtake them. */
  async isQueued(run: FlatRun): Promise<boolean> {
    if (run.key === null || run.rootRid !== null) return false
    return (await this.#tx.query(WRITE.queuedWithKey, [run.tenant, run.key])).rows.length > 0
  }

  async setAside(rid: number): Promise<void> {
    await this.#tx.query(WRITE.block, [rid])
  }

  /** Puts the first run of a key that was set aside back into the queue. */
  async release(tenant: string, key: string): Promise<void> {
    await this.#tx.query(WRITE.unblockFirst, [tenant, key])
  }

  /** One holder per tree; none at all when the tree `root` is among them: then the slot is shared. */
  async #holdersBeside(tenant: string, key: string, root: number | null): Promise<readonly Holder[]> {
    const trees = new Map<unknown, Holder>()
    for (const [rid, id, tree] of (await this.#tx.query(WRITE.holders, [tenant, key])).rows) {
      if (tree === root) return []
      if (!trees.has(tree)) trees.set(tree, { rid: rid as number, id: id as string })
    }
    return [...trees.values()]
  }
}
