/** An action's parameters: templates, where the action's schema says so with SQL or URL paths in them. */
import type { JsonSchema } from '../json.ts'
import type { Compilation } from './compilation.ts'
import { isPlainMap, listItems, mapEntries, type Place } from './place.ts'
import type { Template } from './plan.ts'
import { compileSql } from './sql.ts'
import type { SqlDialect } from './sql-scanner.ts'
import { checkKey, compilePathTemplate, compileTemplate, foldList, foldMap } from './template.ts'

export interface ParameterContext {
  readonly schema: JsonSchema
  /** The schema's root, for `$ref`. */
  readonly root: JsonSchema
  readonly dialect: SqlDialect
}

/** Compiles the entries of a map of parameters. `params` beside an SQL text belongs to that text. */
export function compileParameters(
  c: Compilation,
  entries: readonly (readonly [string, Place])[],
  context: ParameterContext,
): Template {
  const sqlKey = entries.find(
    ([key, place]) => typeof place.value === 'string' && keywordOf(propertySchema(context, key)) === 'sql',
  )
  const params = sqlKey === undefined ? undefined : entries.find(([key]) => key === 'params')?.[1]
  const compiled: (readonly [string, Template])[] = []
  for (const [key, place] of entries) {
    if (place === params) continue
    checkKey(c, key, place)
    const schema = propertySchema(context, key)
    const template =
      place === sqlKey?.[1]
        ? compileSql(c, place, params, context.dialect)
        : compileParameter(c, place, { ...context, schema })
    compiled.push([key, template])
  }
  return foldMap(compiled)
}

function compileParameter(c: Compilation, place: Place, context: ParameterContext): Template {
  const template = compileBySchema(c, place, context)
  c.origins.setPlace(template, place)
  return template
}

function compileBySchema(c: Compilation, place: Place, context: ParameterContext): Template {
  const { value } = place
  if (typeof value === 'string') {
    const keyword = keywordOf(context.schema)
    if (keyword === 'sql') return compileSql(c, place, undefined, context.dialect)
    return keyword === 'path' ? compilePathTemplate(c, place) : compileTemplate(c, place)
  }
  if (Array.isArray(value)) {
    const schema = variants(context).find((variant) => isPlainMap(variant['items']))?.['items']
    const items = { ...context, schema: isPlainMap(schema) ? schema : {} }
    return foldList(listItems(place).map((item) => compileParameter(c, item, items)))
  }
  if (isPlainMap(value)) return compileParameters(c, mapEntries(place), context)
  return compileTemplate(c, place)
}

/** The schema and its alternatives, references resolved. */
function variants(context: Pick<ParameterContext, 'schema' | 'root'>, depth = 0): readonly JsonSchema[] {
  const { root } = context
  const schema = resolveReference(context.schema, root)
  if (depth > 8) return [schema]
  const nested = ['anyOf', 'oneOf', 'allOf'].flatMap((key) => {
    const list = schema[key]
    return Array.isArray(list) ? list.filter(isPlainMap) : []
  })
  return [schema, ...nested.flatMap((variant) => variants({ schema: variant, root }, depth + 1))]
}

/** Follows a local `$ref` (`#/$defs/Name`); other references are not resolved and describe nothing. */
export function resolveReference(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const reference = schema['$ref']
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return schema
  let target: unknown = root
  for (const segment of reference.slice(2).split('/')) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~')
    target = isPlainMap(target) && Object.hasOwn(target, key) ? target[key] : undefined
  }
  return isPlainMap(target) ? target : {}
}

function propertySchema(context: ParameterContext, key: string): JsonSchema {
  for (const variant of variants(context)) {
    const properties = variant['properties']
    const property = isPlainMap(properties) && Object.hasOwn(properties, key) ? properties[key] : undefined
    if (isPlainMap(property)) return property
  }
  return {}
}

function keywordOf(schema: JsonSchema): unknown {
  if (typeof schema['x-plugwork'] === 'string') return schema['x-plugwork']
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const list = schema[key]
    if (!Array.isArray(list)) continue
    const found = list
      .filter(isPlainMap)
      .map(keywordOf)
      .find((keyword) => keyword !== undefined)
    if (found !== undefined) return found
  }
  return undefined
}
