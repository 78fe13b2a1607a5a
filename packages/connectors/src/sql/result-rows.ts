/** Rows of an operation as they arrive: counted and measured, so that what is past a limit is never held. */
import type { Json } from '@plugwork/core'
import type { Row } from './operation.ts'
import { setOwn, uniqueNames } from './rows.ts'

/** Of all rows that one operation answers. */
export const MAX_RESULT_CHARACTERS = 32 * 1024 * 1024
/** Rows that the statements of one write may return. */
export const MAX_RETURNED_ROWS = 100_000

export type Excess = 'too_many_rows' | 'too_large'

export class ResultRows {
  readonly maxRows: number
  #rows: Row[] = []
  #count = 0
  #characters = 0
  #columns: readonly string[] | null = null

  constructor(maxRows: number) {
    this.maxRows = maxRows
  }

  /** Whether the statement under way has rows at all. */
  get hasColumns(): boolean {
    return this.#columns !== null
  }

  /** A statement begins to answer. */
  columns(names: readonly string[]): void {
    this.#columns = uniqueNames(names)
  }

  /** Takes one row; answers why it is one too many, and then keeps nothing. */
  add(values: readonly Json[]): Excess | null {
    if (this.#count >= this.maxRows) return 'too_many_rows'
    this.#count += 1
    const row: Row = {}
    for (const [index, column] of this.#columns!.entries()) {
      const value = values[index] ?? null
      this.#characters += column.length + lengthOf(value)
      setOwn(row, column, value)
    }
    if (this.#characters > MAX_RESULT_CHARACTERS) {
      this.#rows = []
      return 'too_large'
    }
    this.#rows.push(row)
    return null
  }

  /** The rows of the statement that ended. */
  take(): Row[] {
    const rows = this.#rows
    this.#rows = []
    this.#columns = null
    return rows
  }
}

function lengthOf(value: Json): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 8
  let length = 2
  for (const [key, item] of Object.entries(value)) length += key.length + lengthOf(item as Json)
  return length
}
