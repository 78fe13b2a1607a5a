/** Cuts the rows of a batch action into runs that one statement can take. */
import type { Json } from '@plugwork/core'
import { sqlError } from './error-table.ts'
import type { Row } from './operation.ts'

export interface Run {
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  /** Index of the first row among all. */
  readonly first: number
}

export interface CutOptions {
  readonly batchSize: number
  /** Values that one statement takes at most; a row has one per column. */
  readonly maxValues?: number
  /** A run ends before a row whose key it has already: later rows win, as they would one by one. */
  readonly keyOf?: (row: Row) => string
}

/** Consecutive rows with the same columns, in order. */
export function cutRuns(rows: readonly Row[], { batchSize, maxValues = Infinity, keyOf }: CutOptions): Run[] {
  const runs: Run[] = []
  let current: Row[] = []
  let columns: readonly string[] = []
  let names = ''
  let first = 0
  const keys = new Set<string>()
  const end = (next: number): void => {
    if (current.length > 0) runs.push({ columns, rows: current, first })
    current = []
    keys.clear()
    first = next
  }
  for (const [index, row] of rows.entries()) {
    const own = Object.keys(row)
    const ownNames =
      own.length === columns.length && own.every((name, at) => name === columns[at]) ? names : keyOfNames(own)
    const key = keyOf?.(row)
    const full = current.length >= batchSize || (current.length + 1) * Math.max(own.length, 1) > maxValues
    if (full || ownNames !== names || (key !== undefined && keys.has(key))) end(index)
    if (current.length === 0) {
      columns = own
      names = ownNames
    }
    current.push(row)
    if (key !== undefined) keys.add(key)
  }
  end(rows.length)
  return runs
}

/** The order of a row's columns does not matter. */
const keyOfNames = (names: readonly string[]): string => JSON.stringify(names.toSorted())

/** Throws `<name>_params` for an update without its key, or with nothing to change. */
export function checkUpdates(name: string, updates: readonly Row[], keyField: string): void {
  for (const [index, update] of updates.entries()) {
    const columns = Object.keys(update).filter((column) => column !== keyField)
    if (Object.hasOwn(update, keyField) && columns.length > 0) continue
    const lacks = columns.length === 0 ? 'no column to change' : `no \`${keyField}\`, the key_field`
    throw sqlError(name, 'params', `updates[${index}] has ${lacks}.`)
  }
}

/** A value as a key of a set. */
export const keyText = (value: Json | undefined): string => JSON.stringify(value ?? null)
