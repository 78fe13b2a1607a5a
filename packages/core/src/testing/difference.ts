/** Where two values differ, in words. */
import type { Json } from '../json.ts'

/** `at: expected …, but got …` for each place; empty when they are equal. At most ten. */
export function differences(expected: Json, actual: Json, options: { readonly partial: boolean }): string[] {
  const found: string[] = []
  compare(expected, actual, '', options.partial, found)
  return found.length > MOST ? [...found.slice(0, MOST), `and ${found.length - MOST} more differences`] : found
}

const MOST = 10

function compare(expected: Json, actual: Json, at: string, partial: boolean, found: string[]): void {
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) {
      found.push(`${at || 'the list'}: expected ${expected.length} items, but got ${actual.length}: ${show(actual)}`)
      return
    }
    for (const [index, item] of expected.entries()) compare(item, actual[index]!, `${at}[${index}]`, partial, found)
  } else if (isMap(expected) && isMap(actual)) {
    for (const [key, item] of Object.entries(expected)) {
      const inner = at === '' ? key : `${at}.${key}`
      if (Object.hasOwn(actual, key)) compare(item, actual[key]!, inner, partial, found)
      else found.push(`${inner}: expected ${show(item)}, but there is none`)
    }
    if (partial) return
    for (const key of Object.keys(actual)) {
      if (!Object.hasOwn(expected, key))
        found.push(`${at === '' ? key : `${at}.${key}`}: not expected, but got ${show(actual[key]!)}`)
    }
  } else if (!Object.is(expected, actual)) {
    found.push(`${at || 'the value'}: expected ${show(expected)}, but got ${show(actual)}`)
  }
}

function isMap(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value on one line, short enough for a message. */
export function show(value: Json): string {
  const text = JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 299)}…` : text
}
