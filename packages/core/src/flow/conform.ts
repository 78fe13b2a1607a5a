/**
 * Whether a value fits a JSON Schema (2020-12), as far as the value is known: what is certain to be refused is found, at the
 * place of the very part that is wrong; what depends on a computed part is not judged by it.
 */
import { closest } from '../expression/suggest.ts'
import {
  NULL,
  STRING,
  describeType,
  isAssignable,
  mayBeNull,
  membersOf,
  overlaps,
  typeFromJsonSchema,
  union,
  withoutNull,
  type Type,
} from '../expression/type.ts'
import type { JsonSchema } from '../json.ts'
import { resolveReference } from './parameters.ts'
import { isPlainMap, wordOf, type Place } from './place.ts'
import { list } from './read.ts'
import { checkLimits, countLimits, matches } from './schema-limits.ts'
import { knownValue, shapeOfObject, typeOfShape, type ListShape, type MapShape, type Shape } from './shape.ts'

export interface Finding {
  readonly code: string
  readonly place: Place
  /** A sentence without its end: "`url` of `http.get` is string, not 5". */
  readonly message: string
  readonly suggestion?: string | undefined
  /** Points at the key instead of the value. */
  readonly key?: boolean
  readonly severity: 'error' | 'warning'
  /** The value is of another type altogether: of several forms, this is not the one that is meant. */
  readonly otherType?: boolean
}

/** What a value is given for. */
export interface Conformity {
  /** The whole schema, for `$ref`. */
  readonly root: JsonSchema
  /** The value in words, where it has no path: "the config". */
  readonly what: string
  /** Way to the value below that: `order.lines[0].sku`. */
  readonly path?: string
  /** What it belongs to: "`http.get`", "the task `Charge`". */
  readonly of: string
  /** Whether secrets may be given. */
  readonly accepts?: 'secret' | undefined
  /** Keys that the schema does not list are reported even where it is open. */
  readonly strict?: boolean
  /** Keys that are given in another way. */
  readonly given?: ReadonlySet<string>
  readonly depth?: number
}

/** Deeper than any schema nests that is not a circle of references. */
const MAX_DEPTH = 40

/** Everything in a value that its schema refuses. */
export function conform(shape: Shape, schema: unknown, target: Conformity): readonly Finding[] {
  const depth = (target.depth ?? 0) + 1
  if (schema === false) return [finding(shape, target, 'cannot be given here')]
  if (!isPlainMap(schema) || depth > MAX_DEPTH) return []
  const inner = { ...target, depth }
  if (typeof schema['$ref'] === 'string') {
    const { $ref: _, ...beside } = schema
    return [...conform(shape, resolveReference(schema, target.root), inner), ...conform(shape, beside, inner)]
  }
  if (shape.kind === 'typed') return conformType(shape.type, shape.place, schema, inner)
  const own = typeFinding(shape, schema, inner) ?? fixedFinding(shape, schema, inner)
  if (own !== null) return [own]
  return [...members(shape, schema, inner), ...combined(shape, schema, inner)]
}

function members(shape: Exclude<Shape, { kind: 'typed' }>, schema: JsonSchema, target: Conformity): readonly Finding[] {
  switch (shape.kind) {
    case 'literal': {
      const broken = checkLimits(shape.value, schema)
      return broken === null ? [] : [finding(shape, target, broken)]
    }
    case 'list':
      return conformList(shape, schema, target)
    case 'map':
      return conformMap(shape, schema, target)
  }
}

/** The value in words. */
const nameOf = ({ path, what }: Conformity): string => (path === undefined ? what : `\`${path}\``)

/** What has keys, or lacks them. */
const ownerOf = (target: Conformity): string =>
  target.path === undefined ? target.of : `${nameOf(target)} of ${target.of}`

/** What a part of a value is given for. */
function below(target: Conformity, key: string | number): Conformity {
  const { path = '', given: _, ...rest } = target
  const step = typeof key === 'number' ? `[${key}]` : path === '' ? key : `.${key}`
  return { ...rest, path: path + step, strict: false }
}

function finding(shape: Shape, target: Conformity, rule: string, more: Partial<Finding> = {}): Finding {
  return {
    code: 'PW1062',
    place: shape.place,
    message: `${nameOf(target)} of ${target.of} ${rule}.`,
    severity: 'error',
    ...more,
  }
}

export const isError = (found: Finding): boolean => found.severity === 'error'
const fits = (found: readonly Finding[]): boolean => !found.some(isError)

/** `type`, for a value of which at least the kind is known. */
function typeFinding(shape: Exclude<Shape, { kind: 'typed' }>, schema: JsonSchema, target: Conformity): Finding | null {
  const { type } = schema
  if (type === undefined) return null
  const names = (Array.isArray(type) ? type : [type]).map(wordOf)
  if (names.some((name) => hasType(shape, name)) || (shape.kind === 'literal' && acceptsNull(shape.value, schema)))
    return null
  if (shape.kind === 'literal' && typeof shape.value === 'number' && names.includes('integer')) {
    return finding(shape, target, `is a whole number, not ${shape.value}`)
  }
  return mismatch(shape, schema, target)
}

const acceptsNull = (value: unknown, schema: JsonSchema): boolean => value === null && schema['nullable'] === true

function hasType(shape: Exclude<Shape, { kind: 'typed' }>, name: string): boolean {
  switch (name) {
    case 'object':
      return shape.kind === 'map'
    case 'array':
      return shape.kind === 'list'
    case 'null':
      return shape.kind === 'literal' && shape.value === null
    case 'integer':
      return shape.kind === 'literal' && Number.isInteger(shape.value)
    case 'string':
    case 'number':
    case 'boolean':
      return shape.kind === 'literal' && typeof shape.value === name
    default:
      return true
  }
}

function mismatch(shape: Shape, schema: JsonSchema, target: Conformity, given = typeOfShape(shape)): Finding {
  const expected = typeFromJsonSchema(inlineReferences(schema, target.root))
  const choices = membersOf(expected).flatMap((each) => (each.kind === 'literal' ? [String(each.value)] : []))
  const near = shape.kind === 'literal' ? closest(String(shape.value), choices) : undefined
  return finding(shape, target, `is ${describeType(expected)}, not ${describeType(given)}`, {
    otherType: true,
    suggestion:
      near === undefined ? conversion(expected, given, shape.kind === 'literal') : `did you mean \`${near}\`?`,
  })
}

/** How a value of one type becomes one of the other; undefined where nothing general can be said. */
export function conversion(expected: Type, given: Type, written: boolean): string | undefined {
  const wants = (kind: Type['kind'], base: string): boolean =>
    membersOf(expected).some((each) => each.kind === kind || (each.kind === 'literal' && typeof each.value === base))
  const only = membersOf(expected).every((each) => each.kind !== 'literal')
  const is = (base: string): boolean =>
    membersOf(given).every((each) => each.kind === base || (each.kind === 'literal' && typeof each.value === base))
  if (membersOf(expected).some((each) => each.kind === 'array') && !is('array')) return 'give a list: `[ … ]`'
  if (wants('string', 'string') && only && (is('number') || is('boolean'))) {
    return written ? 'put it into quotes' : 'convert it: `String(…)`'
  }
  if (wants('number', 'number') && only && is('string'))
    return written ? 'write a number, without quotes' : 'convert it: `Number(…)`'
  return undefined
}

/** `const` and `enum`. */
function fixedFinding(shape: Shape, schema: JsonSchema, target: Conformity): Finding | null {
  const known = knownValue(shape)
  if (known === null) return null
  const some = schema['enum']
  const isOneOf = (choices: readonly unknown[]): boolean => choices.some((choice) => isSame(choice, known.value))
  if ((!('const' in schema) || isOneOf([schema['const']])) && (!Array.isArray(some) || isOneOf(some))) return null
  return { ...mismatch(shape, schema, target), otherType: false }
}

function isSame(left: unknown, right: unknown): boolean {
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, at) => isSame(item, right[at]))
  }
  if (!isPlainMap(left)) return left === right
  if (!isPlainMap(right)) return false
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name]))
  )
}

/** A value that is computed: its type says what it cannot be. */
function conformType(type: Type, place: Place, schema: JsonSchema, target: Conformity): readonly Finding[] {
  const shape: Shape = { kind: 'typed', type, place }
  if (type.kind === 'any' || type.kind === 'never') return []
  const expected = typeFromJsonSchema(inlineReferences(schema, target.root))
  const secret = membersOf(type).some((member) => member.kind === 'secret')
  if (secret && target.accepts !== 'secret') {
    if (schema['x-plugwork'] === 'secret' || schema['writeOnly'] === true) return []
    const message = `${nameOf(target)} of ${target.of} would be stored with a secret in it.`
    return [{ code: 'PW1067', place, message, suggestion: 'give the input `type: secret`', severity: 'error' }]
  }
  const bare = secret ? union(...membersOf(type).map((each) => (each.kind === 'secret' ? STRING : each))) : type
  if (!overlaps(withoutNull(bare), expected) && !(bare.kind === 'null' && mayBeNull(expected))) {
    return [mismatch(shape, schema, target, bare)]
  }
  const present = membersOf(withoutNull(bare))
  const each = present.map((member) => structure(member, place, schema, target))
  // Of several types that it may have, one that fits is enough.
  const [first] = each
  if (first !== undefined && each.every((found) => !fits(found))) return first
  if (!mayBeNull(bare) || isAssignable(NULL, expected)) return []
  const message = `${nameOf(target)} of ${target.of} is ${describeType(expected)}, but this may be null.`
  const suggestion = 'give a value for null with `??`'
  return [{ code: 'PW1068', place, message, suggestion, severity: 'warning' }]
}

/** What is inside a computed value of a known type. */
function structure(type: Type, place: Place, schema: JsonSchema, target: Conformity): readonly Finding[] {
  if (type.kind === 'literal') return conform({ kind: 'literal', value: type.value, place }, schema, target)
  if (type.kind === 'object') {
    const shape = shapeOfObject(type, place)
    return [...conformMap(shape, schema, { ...target, strict: false }), ...combined(shape, schema, target)].filter(
      isError,
    )
  }
  const { items } = schema
  if (type.kind !== 'array' || type.items.kind === 'never' || !isPlainMap(items)) return []
  const inner = { ...target, path: `${target.path ?? ''}[…]` }
  return conform({ kind: 'typed', type: type.items, place }, items, inner).filter(isError)
}

function conformList(shape: ListShape, schema: JsonSchema, target: Conformity): readonly Finding[] {
  const { prefixItems, items, minItems, maxItems, uniqueItems, contains } = schema
  const found: Finding[] = []
  const count = countLimits(shape.items.length, 'items', minItems, maxItems)
  if (count !== null) found.push(finding(shape, target, count))
  const prefix: readonly unknown[] = Array.isArray(prefixItems) ? prefixItems : []
  for (const [index, item] of shape.items.entries()) {
    found.push(...conform(item, index < prefix.length ? prefix[index] : items, below(target, index)))
  }
  if (uniqueItems === true) {
    const known = shape.items.map(knownValue)
    const twin = known.findIndex(
      (one, at) => one !== null && known.slice(0, at).some((other) => other !== null && isSame(one.value, other.value)),
    )
    const item = shape.items[twin]
    if (item !== undefined) found.push(finding(item, below(target, twin), 'is there twice'))
  }
  const refused = (item: Shape): boolean => !fits(conform(item, contains, target))
  if (contains !== undefined && schema['minContains'] !== 0 && shape.items.every(refused)) {
    found.push(finding(shape, target, 'lacks an item that it has to contain'))
  }
  return found
}

function conformMap(shape: MapShape, schema: JsonSchema, target: Conformity): readonly Finding[] {
  const found: Finding[] = []
  const properties = isPlainMap(schema['properties']) ? schema['properties'] : {}
  const patterns = Object.entries(isPlainMap(schema['patternProperties']) ? schema['patternProperties'] : {})
  for (const [key, entry] of shape.entries) {
    const inner = below(target, key)
    const schemas = patterns.flatMap(([pattern, each]) => (matches(pattern, key) === true ? [each] : []))
    if (Object.hasOwn(properties, key)) schemas.push(properties[key])
    const unsure = patterns.some(([pattern]) => matches(pattern, key) === null)
    if (schemas.length === 0 && !unsure) {
      const rest = schema['additionalProperties']
      if (isPlainMap(rest)) schemas.push(rest)
      else found.push(...unknownKey(key, entry, schema, target))
    }
    const required = namesIn(schema['required']).includes(key)
    for (const each of schemas) {
      const problems = conform(entry, each, inner)
      // Null where something may be missing is most often taken for missing.
      const absent = !required && entry.kind === 'literal' && entry.value === null
      found.push(...(absent ? problems.map((problem) => nullWarning(problem, inner)) : problems))
    }
    if (schema['propertyNames'] !== undefined) {
      const name = conform({ kind: 'literal', value: key, place: entry.place }, schema['propertyNames'], {
        ...below(target, key),
      })
      found.push(...name.map((each) => ({ ...each, key: true })))
    }
  }
  return [...found, ...missing(shape, schema, properties, target), ...keyCount(shape, schema, target)]
}

function nullWarning(found: Finding, target: Conformity): Finding {
  if (!isError(found)) return found
  const message = `${nameOf(target)} of ${target.of} is null here, which it does not accept.`
  return { code: 'PW1068', place: found.place, message, severity: 'warning', suggestion: 'leave it out' }
}

function unknownKey(key: string, entry: Shape, schema: JsonSchema, target: Conformity): readonly Finding[] {
  const { additionalProperties, unevaluatedProperties } = schema
  const { properties } = schema
  const own = isPlainMap(properties) ? Object.keys(properties) : []
  const known = additionalProperties === false ? own : [...namesOf(schema, target.root)]
  const closed = additionalProperties === false || (unevaluatedProperties === false && !known.includes(key))
  const doubtful =
    target.strict === true && additionalProperties === undefined && known.length > 0 && !known.includes(key)
  if (!closed && !doubtful) return []
  const near = closest(key, known)
  const has =
    known.length === 0 ? 'there are none' : `there are ${list(known.slice(0, 12))}${known.length > 12 ? ', …' : ''}`
  const owner = ownerOf(target)
  return [
    {
      code: 'PW1061',
      place: entry.place,
      message: `${owner} has no \`${key}\`; ${has}.`,
      key: true,
      suggestion: near === undefined ? undefined : `did you mean \`${near}\`?`,
      severity: closed ? 'error' : 'warning',
    },
  ]
}

/** Names of the properties that a schema knows, those of its alternatives included. */
function namesOf(schema: JsonSchema, root: JsonSchema, depth = 0): ReadonlySet<string> {
  const names = new Set(isPlainMap(schema['properties']) ? Object.keys(schema['properties']) : [])
  if (depth > 8) return names
  const { dependentSchemas } = schema
  const nested = [
    ...['allOf', 'anyOf', 'oneOf'].flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : [])),
    ...['if', 'then', 'else'].map((key) => schema[key]),
    ...(isPlainMap(dependentSchemas) ? Object.values(dependentSchemas) : []),
  ]
  for (const each of nested) {
    if (!isPlainMap(each)) continue
    for (const name of namesOf(resolveReference(each, root), root, depth + 1)) names.add(name)
  }
  return names
}

const namesIn = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(wordOf) : [])

function missing(
  shape: MapShape,
  schema: JsonSchema,
  properties: { readonly [key: string]: unknown },
  target: Conformity,
): readonly Finding[] {
  if (shape.open === true) return []
  const has = (key: string): boolean =>
    shape.entries.has(key) || shape.maybe?.has(key) === true || target.given?.has(key) === true
  const { dependentRequired } = schema
  const dependent = Object.entries(isPlainMap(dependentRequired) ? dependentRequired : {})
    .filter(([key]) => shape.entries.has(key))
    .flatMap(([, names]) => namesIn(names))
  const owner = ownerOf(target)
  return [...new Set([...namesIn(schema['required']), ...dependent])].flatMap((key) => {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (has(key) || (isPlainMap(property) && 'default' in property)) return []
    const about =
      isPlainMap(property) && typeof property['description'] === 'string' ? `: ${property['description']}` : ''
    const message = `${owner} needs \`${key}\`${about.replace(/\.$/, '')}.`
    const given =
      shape.place.container === null ? [] : [...shape.entries.keys()].filter((name) => !Object.hasOwn(properties, name))
    const near = closest(key, given)
    const suggestion = near === undefined ? `add \`${key}: …\`` : `rename \`${near}\``
    return [{ code: 'PW1060', place: shape.place, message, suggestion, key: true, severity: 'error' as const }]
  })
}

function keyCount(shape: MapShape, schema: JsonSchema, target: Conformity): readonly Finding[] {
  if (shape.open === true || (shape.maybe?.size ?? 0) > 0) return []
  const broken = countLimits(shape.entries.size, 'keys', schema['minProperties'], schema['maxProperties'])
  return broken === null ? [] : [finding(shape, target, broken)]
}

/** The keywords that put schemas together. */
function combined(shape: Exclude<Shape, { kind: 'typed' }>, schema: JsonSchema, whole: Conformity): readonly Finding[] {
  // Which keys are listed is a question to the whole.
  const target = { ...whole, strict: false }
  const { allOf, anyOf, oneOf, not, dependentSchemas } = schema
  const found: Finding[] = []
  if (Array.isArray(allOf)) for (const each of allOf) found.push(...conform(shape, each, target))
  if (Array.isArray(anyOf)) found.push(...alternatives(shape, anyOf, target))
  if (Array.isArray(oneOf)) found.push(...alternatives(shape, oneOf, target), ...onlyOne(shape, oneOf, target))
  const isKnown = knownValue(shape) !== null
  if (not !== undefined && isKnown && fits(conform(shape, not, target))) {
    found.push(finding(shape, target, 'is a value that is excluded'))
  }
  if (schema['if'] !== undefined) {
    if (!fits(conform(shape, schema['if'], target))) found.push(...conform(shape, schema['else'], target))
    else if (isKnown) found.push(...conform(shape, schema['then'], target))
  }
  if (shape.kind === 'map' && isPlainMap(dependentSchemas)) {
    for (const [key, each] of Object.entries(dependentSchemas)) {
      if (shape.entries.has(key)) found.push(...conform(shape, each, target))
    }
  }
  return found
}

/** What is wrong with a value that fits none of several schemas: that which the nearest of them refuses. */
function alternatives(shape: Shape, schemas: readonly unknown[], target: Conformity): readonly Finding[] {
  const each = schemas.map((schema) => conform(shape, schema, target))
  const fitting = each.filter(fits).toSorted((a, b) => a.length - b.length)[0]
  if (fitting !== undefined) return fitting
  const ofType = each.filter((found) => !found.some((one) => one.otherType === true && one.place === shape.place))
  if (ofType.length === 0) return [mismatch(shape, { anyOf: schemas }, target)]
  const lacking = ofType.map((found) => found.filter(isError))
  const needs = lacking.flat().map((one) => /^(.* needs )(`[^`]+`)/.exec(one.message))
  if (lacking.length > 1 && lacking.every((found) => found.length === 1 && found[0]?.code === 'PW1060')) {
    const names = [...new Set(needs.map((match) => match?.[2] ?? ''))]
    return [{ ...lacking[0]![0]!, message: `${needs[0]?.[1] ?? ''}${names.join(' or ')}.` }]
  }
  if (
    shape.kind === 'literal' &&
    lacking.every((found) => found.every((one) => one.place === shape.place)) &&
    lacking.length > 1
  ) {
    const expected = typeFromJsonSchema(inlineReferences({ anyOf: schemas }, target.root))
    if (membersOf(expected).every((member) => member.kind === 'literal'))
      return [mismatch(shape, { anyOf: schemas }, target)]
  }
  // A property with one fixed value says which form is meant; then the form with the fewest faults is the likeliest.
  const meant = ofType.filter((found) => !found.some((one) => one.code === 'PW1062' && isError(one)))
  return (meant.length > 0 ? meant : ofType).toSorted((a, b) => a.length - b.length)[0] ?? []
}

function onlyOne(shape: Shape, schemas: readonly unknown[], target: Conformity): readonly Finding[] {
  if (knownValue(shape) === null) return []
  const count = schemas.filter((schema) => fits(conform(shape, schema, target))).length
  return count > 1
    ? [finding(shape, target, `has to be one of ${schemas.length} forms, but fits ${count} of them`)]
    : []
}

/** `typeFromJsonSchema` resolves references against the schema it is given. */
function inlineReferences(schema: JsonSchema, root: JsonSchema): JsonSchema {
  return schema === root || root['$defs'] === undefined ? schema : { ...schema, $defs: root['$defs'] }
}
