import { fail, overBudget, secretError, spend, spendCharacters } from './frame.ts'
import type { Frame } from './frame.ts'
import { SecretText, describeKind, getOwn, isObject, kindOf, setOwn } from './value.ts'
import type { Value, ValueObject } from './value.ts'

/**
 * About the characters of a value's JSON. Stops as soon as the size goes over `most`, so a value that repeats itself a
 * million times through shared parts costs no more than one that is large.
 */
export function measure(frame: Frame, value: Value, most: number, secrets: 'allowed' | 'forbidden'): number {
  let size = 0
  const visit = (part: Value, depth: number): void => {
    if (depth > frame.limits.depth && typeof part === 'object' && part !== null) throw overBudget(frame, 'depth')
    if (typeof part === 'string') {
      size += part.length + 2
    } else if (Array.isArray(part)) {
      size += part.length + 1
      for (const item of part as readonly Value[]) visit(item, depth + 1)
    } else if (isObject(part)) {
      spend(frame, 1)
      for (const key of Object.keys(part)) {
        size += key.length + 4
        visit(part[key] ?? null, depth + 1)
      }
      size += 1
    } else if (part instanceof SecretText) {
      if (secrets === 'forbidden') throw secretError('inside a value that is turned into text', frame.node)
      size += part.literalLength
    } else {
      if (kindOf(part) === 'unknown') throw fail(frame, 'expression_value', { what: typeof part })
      if (typeof part === 'number' && !Number.isFinite(part))
        throw fail(frame, 'expression_value', { what: String(part) })
      size += 5
    }
    spend(frame, 1)
    if (size > most) throw overBudget(frame, most === frame.limits.resultSize ? 'result' : 'string')
  }
  visit(value, 1)
  spendCharacters(frame, size)
  return size
}

/** The JSON of a value, within the budgets; `indent` spaces for each level. */
export function toJson(frame: Frame, value: Value, indent = 0): string {
  measure(frame, value, frame.limits.stringLength, 'forbidden')
  return JSON.stringify(value, null, indent)
}

/** A value as text inside longer text: null is nothing, arrays and objects are JSON. */
export function toText(frame: Frame, value: Value): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'boolean':
      return String(value)
    default:
      if (value === null || value === undefined) return ''
      if (value instanceof SecretText) throw secretError('as plain text', frame.node)
      return toJson(frame, value)
  }
}

/** Whether two values are the same: by content, never by identity, and never across types. */
export function equals(frame: Frame, left: Value, right: Value, depth = 1): boolean {
  if (left === right) {
    if (left instanceof SecretText) throw secretError('in a comparison', frame.node)
    return true
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    if (left instanceof SecretText || right instanceof SecretText) throw secretError('in a comparison', frame.node)
    return false
  }
  if (left instanceof SecretText || right instanceof SecretText) throw secretError('in a comparison', frame.node)
  if (depth > frame.limits.depth) throw overBudget(frame, 'depth')
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false
    spend(frame, left.length)
    return left.every((item: Value, index) =>
      equals(frame, item, (right as readonly Value[])[index] ?? null, depth + 1),
    )
  }
  if (!isObject(left) || !isObject(right)) return false
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  spend(frame, keys.length)
  return keys.every(
    (key) => Object.hasOwn(right, key) && equals(frame, getOwn(left, key), getOwn(right, key), depth + 1),
  )
}

/**
 * What a value is known by in a `Map` or `Set`: equal values have the same key, whatever the order of their properties.
 */
export function identity(frame: Frame, value: Value): string | number | boolean | null {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'string') return `"${value}`
  measure(frame, value, frame.limits.stringLength, 'forbidden')
  return JSON.stringify(value, (_key, part: Value) => (isObject(part) ? sorted(part) : part))
}

function sorted(object: ValueObject): ValueObject {
  const copy: { [key: string]: Value } = {}
  for (const key of Object.keys(object).toSorted()) setOwn(copy, key, object[key] ?? null)
  return copy
}

/** Order of two numbers or two texts (by code unit: no locale). Anything else has none. */
export function compare(frame: Frame, left: Value, right: Value): number {
  if (
    (typeof left === 'number' && typeof right === 'number') ||
    (typeof left === 'string' && typeof right === 'string')
  ) {
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (left instanceof SecretText || right instanceof SecretText) throw secretError('in a comparison', frame.node)
  throw fail(frame, 'expression_type', { operator: '<', types: `${describeKind(left)} and ${describeKind(right)}` })
}
