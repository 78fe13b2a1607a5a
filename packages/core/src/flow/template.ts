/** Values with holes: the scalars, lists and maps of a document to the `Template`s of a plan, and to expressions. */
import type { Expression } from '../expression/parse.ts'
import { parseTemplate } from '../expression/parse.ts'
import type { Json } from '../json.ts'
import { canonical, type Compilation } from './compilation.ts'
import type { ExpressionOrigin } from './origin.ts'
import { listItems, mapEntries, type Place } from './place.ts'
import type { Template } from './plan.ts'

/** A part of a text: fixed characters, or an expression. */
export type TextPart = string | { readonly source: string }

/** Compiles the value at a place. What cannot be read is reported, and stands as a broken null. */
export function compileTemplate(c: Compilation, place: Place): Template {
  const template = compileValue(c, place)
  c.origins.setPlace(template, place)
  return template
}

function compileValue(c: Compilation, place: Place): Template {
  const { value } = place
  if (typeof value === 'string') return compileText(c, place, value)
  if (Array.isArray(value)) return foldList(listItems(place).map((item) => compileTemplate(c, item)))
  if (typeof value === 'object' && value !== null) {
    return foldMap(mapEntries(place).map(([key, child]) => [checkKey(c, key, child), compileTemplate(c, child)]))
  }
  return { kind: 'literal', value: toJson(value) }
}

function toJson(value: unknown): Json {
  return typeof value === 'number' || typeof value === 'boolean' ? value : null
}

/** A list in which nothing has to be rendered is itself a literal. */
export function foldList(items: readonly Template[]): Template {
  const values: Json[] = []
  for (const item of items) {
    if (item.kind !== 'literal') return { kind: 'list', items }
    values.push(item.value)
  }
  return { kind: 'literal', value: values }
}

export function foldMap(entries: readonly (readonly [string, Template])[]): Template {
  const values: { [key: string]: Json } = {}
  for (const [key, entry] of entries) {
    if (entry.kind !== 'literal') return { kind: 'map', entries }
    values[key] = entry.value
  }
  return { kind: 'literal', value: values }
}

export function checkKey(c: Compilation, key: string, place: Place): string {
  if (/(^|[^$])\$\{/.test(key)) {
    const message = 'A key is fixed text; an expression cannot stand in it.'
    c.report('PW1017', place, message, {
      key: true,
      suggestion: 'write the whole map as one expression: `${{ [name]: value }}`',
    })
  }
  return key
}

function compileText(c: Compilation, place: Place, text: string): Template {
  if (!text.includes('${')) return { kind: 'literal', value: text }
  const parsed = c.parse(place, parseTemplate)
  if (parsed === undefined) return broken(c)
  if (parsed.kind === 'literal') return parsed
  if (parsed.kind === 'expression') return expressionTemplate(c, place, parsed.expression)
  return { kind: 'text', parts: parsed.parts.map((part) => textPart(c, place, part)) }
}

export function expressionTemplate(c: Compilation, place: Place, expression: Expression): Template {
  const template: Template = { kind: 'expression', source: canonical(expression) }
  c.bind(template, 'source', { expression, place, located: true })
  return template
}

export function textPart(c: Compilation, place: Place, part: string | Expression): TextPart {
  if (typeof part === 'string') return part
  const compiled = { source: canonical(part) }
  c.bind(compiled, 'source', { expression: part, place, located: true })
  return compiled
}

/** Stands for a value that was reported already. */
export function broken(c: Compilation): Template {
  const template: Template = { kind: 'literal', value: null }
  c.origins.markBroken(template)
  return template
}

/** Compiles the value of a `path` parameter: text whose expressions become percent-encoded segments. */
export function compilePathTemplate(c: Compilation, place: Place): Template {
  if (typeof place.value !== 'string' || !place.value.includes('${')) return compileTemplate(c, place)
  const parsed = c.parse(place, parseTemplate)
  const template = parsed === undefined ? broken(c) : pathOf(c, place, parsed)
  c.origins.setPlace(template, place)
  return template
}

function pathOf(c: Compilation, place: Place, parsed: ReturnType<typeof parseTemplate>): Template {
  if (parsed.kind === 'literal') return parsed
  const parts = parsed.kind === 'expression' ? [parsed.expression] : parsed.parts
  return { kind: 'path', parts: parts.map((part) => textPart(c, place, part)) }
}

/**
 * Compiles the value at an expression position: text is an expression; a number, list or map stands for itself, with
 * `${…}` inside its texts.
 */
export function compileExpression(c: Compilation, place: Place): ExpressionOrigin | undefined {
  if (typeof place.value === 'string') return c.parseExpression(place)
  const expression = valueExpression(c, place)
  return expression === undefined ? undefined : { expression, place, located: false }
}

const NOWHERE = { start: 0, end: 0 } as const

/** The expression that has the value of a document's part: text in it may hold `${…}`. */
export function valueExpression(c: Compilation, place: Place): Expression | undefined {
  const { value } = place
  if (typeof value === 'string') return textExpression(c, place)
  if (Array.isArray(value)) {
    const items = listItems(place).map((item) => valueExpression(c, item))
    return items.includes(undefined)
      ? undefined
      : { kind: 'array', items: items.filter((item) => item !== undefined), ...NOWHERE }
  }
  if (typeof value === 'object' && value !== null) {
    const entries = mapEntries(place).map(([key, child]) => ({
      key: checkKey(c, key, child),
      value: valueExpression(c, child),
    }))
    if (entries.some((entry) => entry.value === undefined)) return undefined
    return {
      kind: 'object',
      entries: entries.flatMap(({ key, value: entry }) =>
        entry === undefined ? [] : [{ kind: 'entry' as const, key, value: entry, ...NOWHERE }],
      ),
      ...NOWHERE,
    }
  }
  return { kind: 'literal', value: typeof value === 'number' || typeof value === 'boolean' ? value : null, ...NOWHERE }
}

function textExpression(c: Compilation, place: Place): Expression | undefined {
  const parsed = c.parse(place, parseTemplate)
  if (parsed === undefined) return undefined
  if (parsed.kind === 'literal') return { kind: 'literal', value: parsed.value, ...NOWHERE }
  if (parsed.kind === 'expression') return parsed.expression
  return { kind: 'template', parts: parsed.parts, ...NOWHERE }
}
