/**
 * The types of the checker: a small lattice over JSON. `any` is what is not known: it fits everywhere and everything fits
 * it. `never` is the type of nothing (the items of `[]`).
 */
export type Type =
  | { readonly kind: 'any' | 'never' | 'null' | 'boolean' | 'number' | 'string' | 'secret' | 'function' }
  | LiteralType
  | ArrayType
  | ObjectType
  | UnionType

export interface LiteralType {
  readonly kind: 'literal'
  readonly value: boolean | number | string
}

export interface ArrayType {
  readonly kind: 'array'
  readonly items: Type
  /** Types of all items by position, where a list always has the same: the values of parallel branches. */
  readonly positions?: readonly Type[]
}

export interface ObjectType {
  readonly kind: 'object'
  readonly fields: ReadonlyMap<string, Field>
  /** Type of the fields that are not listed; absent: there are no others. */
  readonly rest?: Type
  /** The fields were listed without saying that there are no others: one that is not among them is doubtful. */
  readonly listed?: boolean
}

export interface Field {
  readonly type: Type
  readonly optional: boolean
}

export interface UnionType {
  readonly kind: 'union'
  readonly members: readonly Type[]
}

export const ANY: Type = { kind: 'any' }
export const NEVER: Type = { kind: 'never' }
export const NULL: Type = { kind: 'null' }
export const BOOLEAN: Type = { kind: 'boolean' }
export const NUMBER: Type = { kind: 'number' }
export const STRING: Type = { kind: 'string' }
export const SECRET: Type = { kind: 'secret' }
export const FUNCTION: Type = { kind: 'function' }

export const arrayOf = (items: Type): ArrayType => ({ kind: 'array', items })

/** A list that has these items and no others. */
export const tupleOf = (positions: readonly Type[]): ArrayType => ({
  kind: 'array',
  items: union(...positions),
  positions,
})

export const literalType = (value: boolean | number | string): LiteralType => ({ kind: 'literal', value })

/** An object whose fields are all there; `rest` is the type of any others. */
export function objectOf(fields: { readonly [name: string]: Type }, rest?: Type): ObjectType {
  const entries = Object.entries(fields).map(([name, type]) => [name, { type, optional: false }] as const)
  return { kind: 'object', fields: new Map(entries), ...(rest && { rest }) }
}

/** An object used as a map: every value has the same type. */
export const recordOf = (values: Type): ObjectType => ({ kind: 'object', fields: new Map(), rest: values })

/** The union of types, flattened, without duplicates. What contains `any` is `any`. */
export function union(...types: readonly Type[]): Type {
  const members: Type[] = []
  for (const type of types.flatMap((each) => (each.kind === 'union' ? each.members : [each]))) {
    if (type.kind === 'any') return ANY
    if (type.kind === 'never' || members.some((other) => isAssignable(type, other))) continue
    members.push(type)
  }
  const kept = members.filter((type, index) => !members.some((other, at) => at > index && isAssignable(type, other)))
  return kept.length === 0 ? NEVER : kept.length === 1 ? (kept[0] ?? NEVER) : { kind: 'union', members: kept }
}

/** The members of a union, or the type itself. */
export const membersOf = (type: Type): readonly Type[] => (type.kind === 'union' ? type.members : [type])

/** The union of what a function makes of each member. */
export const mapMembers = (type: Type, map: (member: Type) => Type): Type => union(...membersOf(type).map(map))

export const mayBeNull = (type: Type): boolean => membersOf(type).some((member) => member.kind === 'null')

/** The type without null. */
export const withoutNull = (type: Type): Type => union(...membersOf(type).filter((member) => member.kind !== 'null'))

/** Literals become the type they belong to: what a variable starts with is not all it can be. */
export function widen(type: Type): Type {
  if (type.kind === 'literal') return primitiveOf(type)
  if (type.kind === 'union') return mapMembers(type, widen)
  if (type.kind === 'array') return arrayOf(type.items.kind === 'never' ? ANY : widen(type.items))
  return type
}

/** The type of a literal's value. */
export function primitiveOf(type: LiteralType): Type {
  return typeof type.value === 'string' ? STRING : typeof type.value === 'number' ? NUMBER : BOOLEAN
}

/** Whether every value of `from` is one of `to`. */
export function isAssignable(from: Type, to: Type): boolean {
  if (from === to || from.kind === 'any' || to.kind === 'any' || from.kind === 'never') return true
  if (from.kind === 'union') return from.members.every((member) => isAssignable(member, to))
  if (to.kind === 'union') return to.members.some((member) => isAssignable(from, member))
  if (from.kind === 'literal')
    return to.kind === 'literal' ? from.value === to.value : primitiveOf(from).kind === to.kind
  if (from.kind === 'array') return to.kind === 'array' && isListAssignable(from, to)
  if (from.kind === 'object') return to.kind === 'object' && isObjectAssignable(from, to)
  return from.kind === to.kind
}

function isListAssignable(from: ArrayType, to: ArrayType): boolean {
  const { positions } = to
  if (positions === undefined) return isAssignable(from.items, to.items)
  const given = from.positions
  return given?.length === positions.length && positions.every((type, at) => isAssignable(given[at] ?? NULL, type))
}

function isObjectAssignable(from: ObjectType, to: ObjectType): boolean {
  for (const [name, field] of to.fields) {
    const given = from.fields.get(name) ?? (from.rest && { type: from.rest, optional: true })
    if (given === undefined ? !field.optional : !isAssignable(given.type, field.type)) return false
    // A field that may be missing only fits one that must be there when nothing is known of it.
    if (given?.optional && !field.optional && given.type.kind !== 'any') return false
  }
  for (const [name, field] of from.fields) {
    if (to.fields.has(name)) continue
    if (to.rest === undefined || !isAssignable(field.type, to.rest)) return false
  }
  return true
}

/** Whether some value could be of both types: if not, using one for the other can only fail. */
export function overlaps(left: Type, right: Type): boolean {
  if (left.kind === 'any' || right.kind === 'any') return true
  if (left.kind === 'union') return left.members.some((member) => overlaps(member, right))
  if (right.kind === 'union') return right.members.some((member) => overlaps(left, member))
  if (left.kind === 'array' && right.kind === 'array') return true
  if (left.kind === 'object' && right.kind === 'object') return true
  return isAssignable(left, right) || isAssignable(right, left)
}

/** A type in words for messages: `string or null`, `array of object`, `"a" or "b"`. */
export function describeType(type: Type, depth = 0): string {
  switch (type.kind) {
    case 'literal':
      return JSON.stringify(type.value)
    case 'array':
      return type.items.kind === 'any' || type.items.kind === 'never'
        ? 'array'
        : `array of ${describeItems(type.items, depth)}`
    case 'object':
      return describeObject(type, depth)
    case 'union': {
      const words = type.members.slice(0, 6).map((member) => describeType(member, depth))
      return type.members.length > 6 ? `${words.join(', ')} or others` : words.join(' or ')
    }
    case 'any':
      return 'anything'
    case 'never':
      return 'nothing'
    default:
      return type.kind
  }
}

function describeItems(type: Type, depth: number): string {
  return type.kind === 'union' ? `(${describeType(type, depth)})` : describeType(type, depth)
}

function describeObject(type: ObjectType, depth: number): string {
  if (depth > 0 || type.fields.size === 0) return 'object'
  const names = [...type.fields.keys()]
  const shown = names
    .slice(0, 4)
    .map((name) => `${name}: ${describeType(type.fields.get(name)?.type ?? ANY, depth + 1)}`)
  return `object { ${shown.join(', ')}${names.length > 4 || type.rest ? ', …' : ''} }`
}

/** The type with its article, as a message needs it: "an array of string", "null". */
export function describeWithArticle(type: Type): string {
  const words = describeType(type)
  if (type.kind === 'literal' || type.kind === 'null' || type.kind === 'any' || type.kind === 'never') return words
  return /^[aeiou]/.test(words) ? `an ${words}` : `a ${words}`
}

/**
 * The type of what a JSON Schema accepts, as far as the lattice can say it; the rest is `any`. Properties that are not
 * `required` may be null (missing). Where an object lists its properties and does not say whether there are others, a name
 * that the schema does not know is more often misspelt than meant: the checker warns.
 */
export function typeFromJsonSchema(schema: unknown): Type {
  return schemaType(schema, { root: schema, depth: 0 })
}

interface SchemaContext {
  readonly root: unknown
  readonly depth: number
}

type SchemaObject = { readonly [key: string]: unknown }

const isSchemaObject = (value: unknown): value is SchemaObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function schemaType(schema: unknown, context: SchemaContext): Type {
  if (schema === false) return NEVER
  if (!isSchemaObject(schema) || context.depth > 12) return ANY
  const inner = { root: context.root, depth: context.depth + 1 }
  if (typeof schema['$ref'] === 'string') return schemaType(resolve(context.root, schema['$ref']), inner)
  const type = plainSchemaType(schema, inner)
  return schema['nullable'] === true ? union(type, NULL) : type
}

function plainSchemaType(schema: SchemaObject, context: SchemaContext): Type {
  if ('const' in schema) return valueType(schema['const'])
  if (Array.isArray(schema['enum'])) return union(...schema['enum'].map(valueType))
  const alternatives = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(alternatives)) return union(...alternatives.map((each) => schemaType(each, context)))
  if (Array.isArray(schema['allOf']))
    return intersection([...schema['allOf'], { ...schema, allOf: undefined }], context)
  const names = Array.isArray(schema['type']) ? schema['type'] : [schema['type'] ?? impliedType(schema)]
  return union(...names.map((name) => namedType(name, schema, context)))
}

const impliedType = (schema: SchemaObject): string =>
  schema['properties'] ? 'object' : schema['items'] || schema['prefixItems'] ? 'array' : 'any'

// The names of JSON Schema and those of the flow language's `inputs:`.
function namedType(name: unknown, schema: SchemaObject, context: SchemaContext): Type {
  switch (name) {
    case 'string':
      return STRING
    case 'number':
    case 'integer':
    case 'int':
    case 'float':
      return NUMBER
    case 'boolean':
    case 'bool':
      return BOOLEAN
    case 'null':
      return NULL
    case 'secret':
      return SECRET
    case 'array':
    case 'list':
      return arrayOf(itemsType(schema, context))
    case 'object':
      return objectType(schema, context)
    default:
      return ANY
  }
}

function itemsType(schema: SchemaObject, context: SchemaContext): Type {
  const { prefixItems, items } = schema
  const listed = Array.isArray(prefixItems) ? prefixItems.map((each) => schemaType(each, context)) : []
  if (items === undefined || items === false) return listed.length > 0 ? union(...listed) : ANY
  return union(...listed, schemaType(items, context))
}

function objectType(schema: SchemaObject, context: SchemaContext): Type {
  const { properties, required, additionalProperties, patternProperties } = schema
  const names = new Set<unknown>(Array.isArray(required) ? required : [])
  const fields = new Map<string, Field>()
  for (const [name, property] of Object.entries(isSchemaObject(properties) ? properties : {})) {
    const optional = !names.has(name) && !(isSchemaObject(property) && 'default' in property)
    fields.set(name, { type: schemaType(property, context), optional })
  }
  if (additionalProperties === false) return { kind: 'object', fields }
  if (additionalProperties !== undefined)
    return { kind: 'object', fields, rest: schemaType(additionalProperties, context) }
  return { kind: 'object', fields, rest: ANY, listed: fields.size > 0 && patternProperties === undefined }
}

/** `allOf`: objects are laid over each other; of other types the first that is known counts. */
function intersection(schemas: readonly unknown[], context: SchemaContext): Type {
  const types = schemas.map((schema) => schemaType(schema, context)).filter((type) => type.kind !== 'any')
  const objects = types.filter((type) => type.kind === 'object')
  if (objects.length !== types.length || objects.length === 0) return types[0] ?? ANY
  const fields = new Map(objects.flatMap((object) => [...object.fields]))
  const listing = objects.filter((object) => object.fields.size > 0)
  const closed = listing.length > 0 && listing.every((object) => object.rest === undefined)
  return closed
    ? { kind: 'object', fields }
    : { kind: 'object', fields, rest: ANY, listed: listing.every((each) => each.listed) }
}

/** The type that has one value. */
export function valueType(value: unknown): Type {
  if (value === null) return NULL
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return literalType(value)
  if (Array.isArray(value)) return arrayOf(union(...value.map(valueType)))
  if (!isSchemaObject(value)) return ANY
  return objectOf(Object.fromEntries(Object.entries(value).map(([name, each]) => [name, valueType(each)])))
}

/** A reference within the same document: `#/$defs/order`. Others are not known here. */
function resolve(root: unknown, reference: string): unknown {
  if (!reference.startsWith('#')) return true
  let target: unknown = root
  for (const segment of reference.split('/').slice(1)) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~')
    target = isSchemaObject(target) && Object.hasOwn(target, key) ? target[key] : undefined
  }
  return target ?? true
}
