/** Reads a map of a document by its shape: unknown and missing keys, kinds and ranges of values, each reported once. */
import { closest } from '../expression/suggest.ts'
import type { JsonSchema } from '../json.ts'
import type { Compilation } from './compilation.ts'
import { compileCondition } from './condition.ts'
import { parseDuration, parseSize } from './duration.ts'
import type { Field, FieldKind, Shape } from './grammar.ts'
import type { ExpressionOrigin } from './origin.ts'
import { childPlace, describeValue, isPlainMap, mapEntries, oneOrMany, type Place } from './place.ts'
import type { Condition, Template } from './plan.ts'
import { checkKey, compileExpression, compileTemplate } from './template.ts'

interface Values {
  text: string
  note: string
  name: string
  integer: number
  number: number
  boolean: boolean
  /** Milliseconds. */
  duration: number
  duration_template: Template
  /** Bytes. */
  size: number
  names: readonly string[]
  template: Template
  templates: readonly (readonly [string, Template])[]
  expression: ExpressionOrigin
  condition: Condition
  steps: Place
  schema: JsonSchema
  part: Place
  choice: string
}

type ValueOf<F extends Field> = F extends { readonly values: infer V extends readonly string[] }
  ? V[number]
  : Values[F['kind']]

/** What was read: absent keys, and those that were reported, are undefined. */
export type Fields<S extends Shape> = { readonly [K in keyof S]?: ValueOf<S[K]> }

export interface ReadOptions {
  /** Keys that are not of the shape and that somebody else reads. */
  readonly ignore?: (key: string) => boolean
}

/** Reads the map at a place. `what` names it in messages: "a task step". */
export function readFields<const S extends Shape>(
  c: Compilation,
  place: Place,
  shape: S,
  what: string,
  options: ReadOptions = {},
): Fields<S> {
  if (!isPlainMap(place.value)) {
    c.report('PW1012', place, `${capital(what)} is a map, not ${describeValue(place.value)}.`)
    return {}
  }
  const fields: { [key: string]: Values[FieldKind] | undefined } = {}
  for (const [key, child] of mapEntries(place)) {
    const field = Object.hasOwn(shape, key) ? shape[key] : undefined
    if (field !== undefined) fields[key] = readField(c, child, field, key)
    else if (options.ignore?.(key) !== true) reportUnknownKey(c, child, key, Object.keys(shape), what)
  }
  for (const [key, field] of Object.entries(shape)) {
    if (field.required === true && childPlace(place, key) === undefined) {
      c.report('PW1011', place, `${capital(what)} needs \`${key}\`: ${lowerFirst(field.doc)}`, { key: true })
    }
  }
  // Each field was read by the reader of its own kind, which is what the mapped type says.
  return fields as Fields<S>
}

export function reportUnknownKey(
  c: Compilation,
  place: Place,
  key: string,
  known: readonly string[],
  what: string,
): void {
  const near = closest(key, known)
  c.report('PW1010', place, `There is no \`${key}\` in ${what}.`, {
    key: true,
    suggestion: near === undefined ? `the keys are ${list(known)}` : `did you mean \`${near}\`?`,
  })
}

function readField(c: Compilation, place: Place, field: Field, key: string): Values[FieldKind] | undefined {
  switch (field.kind) {
    case 'part':
    case 'steps':
      return place
    case 'template':
      return compileTemplate(c, place)
    case 'templates':
      return readTemplates(c, place, key)
    case 'duration_template':
      return readDurationTemplate(c, place, key)
    case 'expression':
      return compileExpression(c, place)
    case 'condition':
      return compileCondition(c, place)
    case 'schema':
      if (isPlainMap(place.value)) return place.value
      return wrong(c, place, `\`${key}\` is a JSON Schema (a map), not ${describeValue(place.value)}.`)
    case 'names':
      return readNames(c, place, key)
    default:
      return readScalar(c, place, field, key)
  }
}

function readScalar(c: Compilation, place: Place, field: Field, key: string): Values[FieldKind] | undefined {
  const { value } = place
  if (field.kind === 'note') {
    if (typeof value === 'string') return value
    return wrong(c, place, `\`${key}\` is text, not ${describeValue(value)}.`)
  }
  if (typeof value === 'string' && /(^|[^$])\$\{/.test(value)) {
    c.report('PW1016', place, `\`${key}\` is fixed when the flow is loaded; an expression cannot stand here.`)
    return undefined
  }
  switch (field.kind) {
    case 'boolean':
      return typeof value === 'boolean'
        ? value
        : wrong(c, place, `\`${key}\` is true or false, not ${describeValue(value)}.`)
    case 'integer':
    case 'number':
      return readNumber(c, place, field, key)
    case 'choice':
      return readChoice(c, place, field.values ?? [], key)
    case 'duration':
      return readDuration(c, place, key)
    case 'size':
      return (
        parseSize(value) ??
        bad(c, 'PW1014', place, `\`${key}\` is a number of bytes, or text such as \`256kb\` or \`1mb\`.`)
      )
    case 'name':
      return readName(c, place, key)
    default:
      if (typeof value !== 'string') return wrong(c, place, `\`${key}\` is text, not ${describeValue(value)}.`)
      if (value.trim() === '') return bad(c, 'PW1013', place, `\`${key}\` is empty.`)
      return value
  }
}

const wrong = (c: Compilation, place: Place, message: string): undefined => bad(c, 'PW1012', place, message)

function bad(c: Compilation, code: string, place: Place, message: string): undefined {
  c.report(code, place, message)
  return undefined
}

function readNumber(c: Compilation, place: Place, field: Field, key: string): number | undefined {
  const { value } = place
  const { min = -Infinity, max = Infinity } = field
  if (typeof value !== 'number') return wrong(c, place, `\`${key}\` is a number, not ${describeValue(value)}.`)
  if (field.kind === 'integer' && !Number.isInteger(value)) {
    return bad(c, 'PW1013', place, `\`${key}\` is a whole number, not ${value}.`)
  }
  if (value >= min && value <= max) return value
  const range = max === Infinity ? `at least ${min}` : `${min} to ${max}`
  return bad(c, 'PW1013', place, `\`${key}\` is ${range}, not ${value}.`)
}

function readChoice(c: Compilation, place: Place, values: readonly string[], key: string): string | undefined {
  const { value } = place
  if (typeof value === 'string' && values.includes(value)) return value
  const found = typeof value === 'string' ? `\`${value}\`` : describeValue(value)
  const near = typeof value === 'string' ? closest(value, values) : undefined
  c.report('PW1013', place, `\`${key}\` is one of ${list(values)}, not ${found}.`, {
    suggestion: near === undefined ? undefined : `did you mean \`${near}\`?`,
  })
  return undefined
}

export const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ')

function readDuration(c: Compilation, place: Place, key: string): number | undefined {
  return (
    parseDuration(place.value) ??
    bad(
      c,
      'PW1014',
      place,
      `\`${key}\` is a duration (\`250ms\`, \`10s\`, \`5m\`, \`2h\`, \`30d\`, or a number of seconds, at most 100 years), not ${
        typeof place.value === 'string' ? `\`${place.value}\`` : describeValue(place.value)
      }.`,
    )
  )
}

/** A duration that may be an expression: fixed ones are checked now. */
export function readDurationTemplate(c: Compilation, place: Place, key: string): Template {
  const template = compileTemplate(c, place)
  if (template.kind === 'literal' && !c.origins.isBroken(template) && readDuration(c, place, key) === undefined) {
    c.origins.markBroken(template)
  }
  return template
}

/** Names of values and variables: what an expression can name. */
export const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/

/** What a name that is none was meant to be. */
export function nearestName(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]+/g, '_').replace(/^(?=\d|$)/, '_')
}

function readName(c: Compilation, place: Place, key: string): string | undefined {
  const { value } = place
  if (typeof value !== 'string') return wrong(c, place, `\`${key}\` is a name, not ${describeValue(value)}.`)
  if (NAME_PATTERN.test(value)) return value
  c.report('PW1015', place, `\`${value}\` cannot be a name: letters, digits and underscores, no digit first.`, {
    suggestion: `write \`${nearestName(value)}\``,
  })
  return undefined
}

function readNames(c: Compilation, place: Place, key: string): readonly string[] {
  const names: string[] = []
  for (const item of oneOrMany(place)) {
    if (typeof item.value !== 'string') {
      wrong(c, item, `\`${key}\` is a list of names, but holds ${describeValue(item.value)}.`)
    } else if (/(^|[^$])\$\{/.test(item.value)) {
      c.report('PW1016', item, `\`${key}\` is fixed when the flow is loaded; an expression cannot stand here.`)
    } else {
      names.push(item.value)
    }
  }
  return names
}

function readTemplates(
  c: Compilation,
  place: Place,
  key: string,
): readonly (readonly [string, Template])[] | undefined {
  if (!isPlainMap(place.value))
    return wrong(c, place, `\`${key}\` is a map of names to values, not ${describeValue(place.value)}.`)
  return mapEntries(place).map(([name, child]) => [checkKey(c, name, child), compileTemplate(c, child)])
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)
