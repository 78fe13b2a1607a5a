/** What the connector of a database server supplies: one open session, and what its SQL looks like. */
import type { Json, PlugworkError } from '@plugwork/core'
import type { Operation } from './operation.ts'
import type { PoolSession } from './pool.ts'
import type { Excess, ResultRows } from './result-rows.ts'
import type { StatementText } from './statement-text.ts'

export interface StatementOutcome {
  /** Rows that the server says it changed. */
  readonly affected: number
  readonly lastInsertId: Json
}

/** What a statement answers with when its rows are past a limit. The session is spent then. */
export class RowsExceeded extends Error {
  readonly excess: Excess

  constructor(excess: Excess) {
    super(excess)
    this.excess = excess
  }
}

/** One connection to the server, as the pool lends it. */
export interface ServerSession extends PoolSession {
  /** Runs one statement with bound values; rows go to `rows`. Throws the driver's error, or `RowsExceeded`. */
  run(text: string, values: readonly unknown[], rows: ResultRows | null): Promise<StatementOutcome>
  /** Asks the server, over another connection, to cancel what this one does. */
  cancel(): Promise<void>
}

/** Runs one statement of a batch; answers how many rows it changed. */
export type RunStatement = (text: string, values: readonly unknown[]) => Promise<StatementOutcome>

export interface BatchContext {
  readonly run: RunStatement
  /** Rows of a statement of our own. */
  readonly rows: (text: string, values: readonly unknown[]) => Promise<Json>
  /** Throws once the step is aborted. */
  readonly check: () => void
}

export interface Dialect {
  readonly name: 'postgres' | 'mysql'
  readonly title: string
  readonly beginRead: string
  readonly begin: string
  /** The table of keys: whether it is there, making it, and dropping old keys. */
  readonly keys: {
    readonly exists: string
    readonly create: string
    readonly clean: string
    /** Claims a key: changes one row, or none where somebody had it. */
    readonly claim: string
    readonly store: string
    readonly find: string
  }
  /** A value as the driver binds it. Throws `<name>_params`. */
  bind(value: Json, where: string): unknown
  /** Why a statement is refused; null when it may run. */
  refuses(text: StatementText): string | null
  /** Whether the statement ends a transaction, or cannot run in one. */
  standsAlone(text: StatementText): boolean
  batchInsert(operation: Extract<Operation, { kind: 'batch_insert' }>, context: BatchContext): Promise<number>
  batchUpdate(operation: Extract<Operation, { kind: 'batch_update' }>, context: BatchContext): Promise<number>
  /** The driver's or server's error as one of ours. */
  failure(error: unknown): PlugworkError
}
