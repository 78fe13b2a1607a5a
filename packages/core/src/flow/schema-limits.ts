/** The rules of a schema for a value that is written out, beyond its type: ranges, lengths, patterns, formats. */
import { RE2JS } from 're2js'
import type { JsonSchema } from '../json.ts'

/** How a fixed scalar breaks the limits of its schema, as the end of a sentence; null when it does not. */
export function checkLimits(value: boolean | number | string | null, schema: JsonSchema): string | null {
  if (typeof value === 'number') return numberLimits(value, schema)
  if (typeof value !== 'string') return null
  return (
    countLimits([...value].length, 'characters', schema['minLength'], schema['maxLength']) ??
    patternLimit(value, schema['pattern']) ??
    formatLimit(value, schema['format'])
  )
}

function numberLimits(value: number, schema: JsonSchema): string | null {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  if (typeof minimum === 'number' && value < minimum) return `is at least ${minimum}, not ${value}`
  if (typeof maximum === 'number' && value > maximum) return `is at most ${maximum}, not ${value}`
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum)
    return `is more than ${exclusiveMinimum}, not ${value}`
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum)
    return `is less than ${exclusiveMaximum}, not ${value}`
  if (typeof multipleOf === 'number' && multipleOf > 0 && !isMultiple(value, multipleOf))
    return `is a multiple of ${multipleOf}, not ${value}`
  return null
}

/** 0.3 is a multiple of 0.1, whatever binary fractions say. */
function isMultiple(value: number, of: number): boolean {
  const ratio = value / of
  return Math.abs(ratio - Math.round(ratio)) <= Number.EPSILON * Math.max(1, Math.abs(ratio))
}

/** How a number of characters, items or keys breaks its limits; null when it does not. */
export function countLimits(count: number, unit: string, least: unknown, most: unknown): string | null {
  if (typeof least === 'number' && count < least) return `has at least ${least} ${unit}, not ${count}`
  if (typeof most === 'number' && count > most) return `has at most ${most} ${unit}, not ${count}`
  return null
}

function patternLimit(value: string, pattern: unknown): string | null {
  return typeof pattern === 'string' && matches(pattern, value) === false
    ? `matches the pattern \`${pattern}\`, which this text does not`
    : null
}

/** Whether a text matches a pattern; null where the linear-time engine does not know the pattern's language. */
export function matches(pattern: string, text: string): boolean | null {
  try {
    return RE2JS.compile(pattern).matcher(text).find()
  } catch {
    return null
  }
}

/** Formats of JSON Schema (2020-12, section 7.3) that a text can plainly miss; others are not judged. */
const FORMATS: { readonly [format: string]: { readonly words: string; readonly pattern: RegExp } } = {
  'date-time': {
    words: 'a date and time such as `2026-01-31T09:00:00Z`',
    pattern: /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?$/,
  },
  date: { words: 'a date such as `2026-01-31`', pattern: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/ },
  email: { words: 'an e-mail address', pattern: /^[^\s@]+@[^\s@]+$/ },
  uri: { words: 'an address such as `https://example.com`', pattern: /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/ },
  uuid: { words: 'a UUID', pattern: /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/ },
  ipv4: { words: 'an IPv4 address', pattern: /^\d{1,3}(\.\d{1,3}){3}$/ },
}

function formatLimit(value: string, format: unknown): string | null {
  const known = typeof format === 'string' && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  return known === undefined || known.pattern.test(value) ? null : `is ${known.words}, which this text is not`
}
