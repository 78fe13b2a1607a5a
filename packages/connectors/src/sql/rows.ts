/** Rows as JSON objects. */
import type { Json } from '@plugwork/core'
import type { Row } from './operation.ts'

/** Columns of the same name would hide each other: the second `id` is `id_2`. */
export function uniqueNames(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let count = 2; seen.has(unique); count += 1) unique = `${name}_${count}`
    seen.add(unique)
    return unique
  })
}

/** Assigning to `__proto__` would replace the prototype instead. */
export function setOwn(row: Row, column: string, value: Json): void {
  if (column === '__proto__')
    Object.defineProperty(row, column, { value, writable: true, enumerable: true, configurable: true })
  else row[column] = value
}
