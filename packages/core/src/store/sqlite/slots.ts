/**
 * Slots of concurrency keys. Nothing is counted in a table: who holds a slot is a query over open runs. A slot belongs to a
 * tree of runs, so that a child shares the one of its ancestor.
 *
 * A queued run that found its key full is set aside (`blocked`), so that claiming never looks at it again before a slot of
 * its key may be free: then the first of its key is put back.
 */
import type { FlatRun } from './messages.ts'
import type { Prepared } from './prepared.ts'
import { WRITE } from './statements.ts'

export interface Holder {
  readonly rid: number
  readonly id: string
}

export class Slots {
  readonly #db: Prepared

  constructor(db: Prepared) {
    this.#db = db
  }

  /** Runs that hold the slots which `run` needs; empty when there is one for it, or its tree holds one. */
  blockers(run: FlatRun): readonly Holder[] {
    if (run.key === null) return []
    const holders = this.#holdersBeside(run.tenant, run.key, run.rootRid)
    return holders.length >= (run.limit ?? 1) ? holders : []
  }

  /** Whether a run of the tree `root` may have a slot of `limit`. */
  isFree(tenant: string, key: string, limit: number, root: number): boolean {
    return this.#holdersBeside(tenant, key, root).length < limit
  }

  /** Whether others of its key queue already: a newcomer must not overtake them. */
  isQueued(run: FlatRun): boolean {
    if (run.key === null || run.rootRid !== null) return false
    return this.#db.value(WRITE.queuedWithKey, run.tenant, run.key) !== undefined
  }

  setAside(rid: number): void {
    this.#db.run(WRITE.block, rid)
  }

  /** Puts the first run of a key that was set aside back into the queue. */
  release(tenant: string, key: string): void {
    this.#db.run(WRITE.unblockFirst, tenant, key)
  }

  /** One holder per tree; none at all when the tree `root` is among them: then the slot is shared. */
  #holdersBeside(tenant: string, key: string, root: number | null): readonly Holder[] {
    const trees = new Map<unknown, Holder>()
    for (const [rid, id, tree] of this.#db.all(WRITE.holders, tenant, key)) {
      if (tree === root) return []
      if (!trees.has(tree)) trees.set(tree, { rid: rid as number, id: id as string })
    }
    return [...trees.values()]
  }
}
