/**
 * Group commit: many operations in one transaction, and what happens when one of them cannot be done.
 *
 * An operation that throws takes its whole transaction back. The batch is then cut at that operation: those before it
 * are committed, it is tried alone (and fails alone), and those after it follow. When it is not one operation's fault (the
 * disk is full, the commit itself fails) the batch is halved until what can be stored is stored.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

import { PlugworkError } from '../../error.ts'
import { crashPoint } from '../crash-point.ts'
import { storeError } from '../errors.ts'
import { mutated } from '../mutation.ts'
import { Op, RECORD_WIDTH, textLength, type Answers, type Failure, type SmallOp } from './messages.ts'
import { fromSqlite } from './open-database.ts'
import type { Prepared } from './prepared.ts'
import { applyPut } from './small-tables.ts'
import type { RunTables } from './run-tables.ts'
import { WRITE } from './statements.ts'

/** Thrown when the owner row names another epoch than ours. */
export class FencedError extends Error {}

export class Committer {
  readonly #db: DatabaseSync
  readonly #prepared: Prepared
  readonly #tables: RunTables
  readonly #file: string
  readonly #epoch: number
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #ownerEpoch: StatementSync

  constructor(options: {
    readonly db: DatabaseSync
    readonly prepared: Prepared
    readonly tables: RunTables
    readonly file: string
    readonly epoch: number
  }) {
    this.#db = options.db
    this.#prepared = options.prepared
    this.#tables = options.tables
    this.#file = options.file
    this.#epoch = options.epoch
    this.#begin = options.db.prepare(WRITE.begin)
    this.#commit = options.db.prepare(WRITE.commit)
    this.#ownerEpoch = options.db.prepare(WRITE.ownerEpoch)
  }

  /**
   * Commits a batch and adds an answer per operation to `answers`, in order. Throws `FencedError` when this process is no
   * longer the owner; operations without an answer have then not been stored. `beforeCommit` is for faults of tests.
   */
  commit(batch: readonly SmallOp[], answers: Answers, beforeCommit?: (answers: Answers) => void): void {
    if (batch.length === 0) return
    const own: Answers = []
    let at = 0
    try {
      this.transaction(() => {
        for (; at < batch.length; at++) {
          const op = batch[at] as SmallOp
          own.push(op[1], this.#apply(op))
        }
        beforeCommit?.(own)
      })
    } catch (error) {
      if (error instanceof FencedError) throw error
      this.#split(batch, at, error, answers)
      return
    }
    // One by one: a spread of some thousand arguments would overflow the stack.
    for (const answer of own) answers.push(answer)
  }

  /** Runs `work` in a transaction of this owner; rolls back and throws when it fails. */
  transaction<T>(work: () => T): T {
    crashPoint('store.begin')
    this.#begin.run()
    try {
      const owner = this.#ownerEpoch.get()
      if (owner?.['epoch'] !== this.#epoch && !mutated('no_fence')) throw new FencedError()
      const result = work()
      crashPoint('store.commit.before')
      this.#commit.run()
      crashPoint('store.commit.after')
      return result
    } catch (error) {
      this.#tables.forget()
      // SQLite itself rolls back when the disk is full.
      if (this.#db.isTransaction) this.#db.exec(WRITE.rollback)
      throw error
    }
  }

  /** What a failure means, as an answer. */
  failure(error: unknown): Failure {
    const known = fromSqlite(error, this.#file)
    if (known instanceof PlugworkError) return { failed: true, code: known.code, message: known.message }
    return { failed: true, code: 'store_failed', message: `${this.#file}: ${String(known)}` }
  }

  #split(batch: readonly SmallOp[], at: number, error: unknown, answers: Answers): void {
    crashPoint('store.bisect')
    const only = batch[0] as SmallOp
    if (batch.length === 1) {
      answers.push(only[1], this.failure(error))
      return
    }
    const itsFault = at < batch.length && !isOutOfSpace(this.failure(error))
    if (!itsFault) {
      const half = batch.length >> 1
      this.commit(batch.slice(0, half), answers)
      this.commit(batch.slice(half), answers)
      return
    }
    this.commit(batch.slice(0, at), answers)
    this.commit(batch.slice(at, at + 1), answers)
    this.commit(batch.slice(at + 1), answers)
  }

  #apply(op: SmallOp): unknown {
    switch (op[0]) {
      case Op.append:
        return this.#tables.append(op)
      case Op.accept:
        return this.#tables.accept(op)
      case Op.claim:
        return this.#tables.claim(op)
      case Op.deliver:
        return this.#tables.deliver(op)
      case Op.publish:
        return this.#tables.publish(op)
      case Op.put:
        return applyPut(this.#prepared, op[2])
      default:
        throw storeError('store_failed', `The writer got an operation that it does not know: ${JSON.stringify(op)}.`)
    }
  }
}

/** Records and bytes of an operation, for the caps of a batch and the figures. */
export function weigh(op: SmallOp): { readonly records: number; readonly bytes: number } {
  if (op[0] === Op.append) return weighRecords(op[5], op[7]?.snapshot?.state.length ?? 0)
  if (op[0] === Op.accept) {
    const start = op[3] === null ? NOTHING : weighRecords(op[3][0], 0)
    return { records: start.records, bytes: start.bytes + textLength(op[2]) }
  }
  return NOTHING
}

const NOTHING = { records: 0, bytes: 0 }

function weighRecords(records: readonly unknown[], extra: number): { records: number; bytes: number } {
  let bytes = extra
  for (let i = RECORD_WIDTH - 1; i < records.length; i += RECORD_WIDTH) bytes += (records[i] as string).length
  return { records: records.length / RECORD_WIDTH, bytes }
}

function isOutOfSpace(failure: Failure): boolean {
  return failure.code === 'store_full' || failure.code === 'store_busy'
}
