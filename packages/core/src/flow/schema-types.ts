/** JSON Schemas that authors write: the type names of the language are mapped, and what is no schema is reported. */
import { RE2JS } from 're2js'
import { closest } from '../expression/suggest.ts'
import type { JsonSchema } from '../json.ts'
import type { Compilation } from './compilation.ts'
import { isPlainMap, mapEntries, oneOrMany, wordOf, type Place } from './place.ts'

const JSON_TYPES: { readonly [type: string]: string | null } = {
  string: 'string',
  int: 'integer',
  integer: 'integer',
  number: 'number',
  float: 'number',
  boolean: 'boolean',
  bool: 'boolean',
  object: 'object',
  array: 'array',
  list: 'array',
  null: 'null',
  any: null,
  secret: 'string',
}

/** The JSON Schema type of a type name; null for `any`, undefined for what is no type. */
export function jsonType(name: string): string | null | undefined {
  return Object.hasOwn(JSON_TYPES, name) ? JSON_TYPES[name] : undefined
}

const NESTED = new Set(['items', 'additionalProperties', 'not', 'contains', 'if', 'then', 'else', 'propertyNames'])
const NESTED_LISTS = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems'])
const NESTED_MAPS = new Set(['properties', 'patternProperties', '$defs'])

/** The schema with the type names of the language turned into those of JSON Schema, at every depth. */
export function normaliseSchema(schema: JsonSchema): JsonSchema {
  const result: { [key: string]: unknown } = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'type') {
      const types = (Array.isArray(value) ? value : [value]).map((type) => jsonType(wordOf(type)))
      if (types.includes(null)) continue
      result[key] = Array.isArray(value) ? types : types[0]
    } else if (NESTED.has(key) && isPlainMap(value)) result[key] = normaliseSchema(value)
    else if (NESTED_LISTS.has(key) && Array.isArray(value)) {
      result[key] = value.map((item: unknown) => (isPlainMap(item) ? normaliseSchema(item) : item))
    } else if (NESTED_MAPS.has(key) && isPlainMap(value)) {
      result[key] = Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, isPlainMap(item) ? normaliseSchema(item) : item]),
      )
    } else result[key] = value
  }
  return result
}

/** Reports what in the schema at a place is no JSON Schema. */
export function checkSchema(c: Compilation, place: Place): void {
  if (typeof place.value === 'boolean') return
  if (!isPlainMap(place.value)) {
    c.report('PW1019', place, 'A schema is a map of JSON Schema keywords.')
    return
  }
  for (const [key, child] of mapEntries(place)) checkKeyword(c, key, child)
}

export function checkKeyword(c: Compilation, key: string, place: Place): void {
  const { value } = place
  if (key === 'type') {
    for (const type of oneOrMany(place)) checkType(c, type)
  } else if (NESTED.has(key)) checkSchema(c, place)
  else if (NESTED_LISTS.has(key) || key === 'enum' || key === 'required') {
    if (!Array.isArray(value)) c.report('PW1019', place, `\`${key}\` is a list.`)
    else if (NESTED_LISTS.has(key)) for (const item of oneOrMany(place)) checkSchema(c, item)
  } else if (NESTED_MAPS.has(key)) {
    if (!isPlainMap(value)) c.report('PW1019', place, `\`${key}\` is a map of schemas.`)
    for (const [name, item] of mapEntries(place)) {
      if (key === 'patternProperties') checkPattern(c, item, name)
      checkSchema(c, item)
    }
  } else checkLimit(c, key, place)
}

const NUMBERS = /^(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf)$/
const COUNTS = /^(min|max)(Length|Items|Properties)$/

function checkLimit(c: Compilation, key: string, place: Place): void {
  const { value } = place
  if (NUMBERS.test(key) && typeof value !== 'number') c.report('PW1019', place, `\`${key}\` is a number.`)
  if (COUNTS.test(key) && !(Number.isSafeInteger(value) && Number(value) >= 0)) {
    c.report('PW1019', place, `\`${key}\` is a whole number, at least 0.`)
  }
  if (key === 'pattern') checkPattern(c, place, wordOf(place.value))
}

/** Patterns run on a linear-time engine: look-around and back-references are not in it. */
function checkPattern(c: Compilation, place: Place, pattern: string): void {
  try {
    RE2JS.compile(pattern)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    c.report('PW1019', place, `The pattern \`${pattern}\` does not work: ${reason}.`, {
      suggestion: 'patterns are those of RE2, without look-around and back-references',
    })
  }
}

function checkType(c: Compilation, place: Place): void {
  const name = wordOf(place.value)
  if (jsonType(name) !== undefined) return
  const near = closest(name, Object.keys(JSON_TYPES))
  c.report('PW1019', place, `There is no type \`${name}\`; the types are ${Object.keys(JSON_TYPES).join(', ')}.`, {
    suggestion: near === undefined ? undefined : `did you mean \`${near}\`?`,
  })
}
