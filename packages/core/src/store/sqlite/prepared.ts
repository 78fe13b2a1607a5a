import type { DatabaseSync, StatementSync } from 'node:sqlite'

import type { Column } from './rows.ts'

/** The statements of one connection, prepared at their first use; rows are arrays of columns. */
export class Prepared {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      statement.setReturnArrays(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Rows changed. */
  run(sql: string, ...values: Column[]): number {
    return Number(this.statement(sql).run(...values).changes)
  }

  first(sql: string, ...values: Column[]): readonly Column[] | undefined {
    // `setReturnArrays` is not reflected in the types.
    return this.statement(sql).get(...values) as unknown as readonly Column[] | undefined
  }

  all(sql: string, ...values: Column[]): (readonly Column[])[] {
    return this.statement(sql).all(...values) as unknown as (readonly Column[])[]
  }

  /** First column of the first row. */
  value(sql: string, ...values: Column[]): Column | undefined {
    return this.first(sql, ...values)?.[0]
  }

  /** First column of every row. */
  column(sql: string, ...values: Column[]): Column[] {
    return this.all(sql, ...values).map((row) => row[0] as Column)
  }
}
