import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Space that new runs leave to those that already run, unless the disk is so small that it would be a large part of it. */
const RESERVE_BYTES = 16 * 1024 * 1024
const RESERVE_SHARE = 0.05
/**
 * Watches how much room is left. While it is short, new runs are refused, so that the last of it serves to finish what
 * runs; when it is used up too, every write fails until there is room again.
 */
export class Space {
  readonly #folder: string
  readonly #maxPages: number | null
  readonly #pageCount: StatementSync
  readonly #freeCount: StatementSync

  constructor(db: DatabaseSync, file: string, maxPages: number | null) {
    this.#folder = dirname(file)
    this.#maxPages = maxPages
    this.#pageCount = db.prepare('PRAGMA page_count')
    this.#freeCount = db.prepare('PRAGMA freelist_count')
  }

  /** A look takes some microseconds; the writer takes one per batch that has new runs. */
  isShort(): boolean {
    return this.#pagesShort() || this.#diskShort()
  }

  #diskShort(): boolean {
    const { bavail, blocks, bsize } = statfsSync(this.#folder)
    return bavail * bsize < Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE)
  }

  #pagesShort(): boolean {
    if (this.#maxPages === null) return false
    const pages = Number(this.#pageCount.get()?.['page_count'])
    const free = Number(this.#freeCount.get()?.['freelist_count'])
    return this.#maxPages - pages + free < this.#maxPages * RESERVE_SHARE
  }
}
