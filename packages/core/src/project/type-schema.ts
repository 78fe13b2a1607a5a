/**
 * TypeScript types as JSON Schema: what a task's parameter accepts and what it returns, in the shape in which they are
 * stored. What JSON Schema has no word for becomes `{}` (anything): the checker then stays silent instead of guessing.
 */
import type TypeScript from 'typescript'
import type { JsonSchema } from '../json.ts'

export interface TypeReader {
  readonly ts: typeof TypeScript
  readonly checker: TypeScript.TypeChecker
}

/** Types nested more deeply are left open. */
const MAX_DEPTH = 12
/** Unions of more members are left open. */
const MAX_MEMBERS = 64
const ANYTHING: JsonSchema = {}

/** The schema of a type. `undefined` in it is left out: it stands for an absent property, or for null as a result. */
export function typeToSchema(reader: TypeReader, type: TypeScript.Type): JsonSchema {
  return convert(reader, type, [])
}

function convert(reader: TypeReader, type: TypeScript.Type, outer: readonly TypeScript.Type[]): JsonSchema {
  const { ts } = reader
  if (outer.includes(type) || outer.length > MAX_DEPTH) return ANYTHING
  const flags = type.flags
  if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.Never)) return ANYTHING
  if (flags & (ts.TypeFlags.Null | ts.TypeFlags.Void | ts.TypeFlags.Undefined)) return { type: 'null' }
  if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value }
  if (flags & ts.TypeFlags.BooleanLiteral) return { const: reader.checker.typeToString(type) === 'true' }
  if (flags & ts.TypeFlags.StringLike) return { type: 'string' }
  if (flags & ts.TypeFlags.NumberLike) return { type: 'number' }
  if (flags & ts.TypeFlags.BooleanLike) return { type: 'boolean' }
  if (flags & ts.TypeFlags.BigIntLike) return { type: ['integer', 'string'] }
  if (type.isUnion()) return convertUnion(reader, type, outer)
  if (type.isIntersection()) return convertIntersection(reader, type, outer)
  if (flags & ts.TypeFlags.TypeParameter) {
    const bound = reader.checker.getBaseConstraintOfType(type)
    return bound ? convert(reader, bound, [...outer, type]) : ANYTHING
  }
  return flags & ts.TypeFlags.Object ? convertObject(reader, type, outer) : ANYTHING
}

function convertUnion(reader: TypeReader, type: TypeScript.UnionType, outer: readonly TypeScript.Type[]): JsonSchema {
  const members = type.types.filter((member) => !(member.flags & reader.ts.TypeFlags.Undefined))
  if (members.length > MAX_MEMBERS) return ANYTHING
  const inner = [...outer, type]
  return joinSchemas(members.map((member) => convert(reader, member, inner)))
}

/** One schema for several: literals become an `enum`, both booleans `boolean`, plain types one list of types. */
function joinSchemas(schemas: readonly JsonSchema[]): JsonSchema {
  if (schemas.some((schema) => Object.keys(schema).length === 0)) return ANYTHING
  const literals = schemas.filter((schema) => 'const' in schema).map((schema) => schema['const'])
  const others = schemas.filter((schema) => !('const' in schema))
  if (literals.includes(true) && literals.includes(false)) {
    literals.splice(literals.indexOf(true), 1)
    literals.splice(literals.indexOf(false), 1)
    others.push({ type: 'boolean' })
  }
  const plain = others.filter((schema) => Object.keys(schema).length === 1 && typeof schema['type'] === 'string')
  const shaped = others.filter((schema) => !plain.includes(schema))
  const types = [...new Set(plain.map((schema) => schema['type']))]
  const parts: JsonSchema[] = [...shaped]
  if (types.length > 0) parts.unshift({ type: types.length === 1 ? types[0] : types })
  if (literals.length > 0) parts.unshift(literals.length === 1 ? { const: literals[0] } : { enum: literals })
  if (parts.length === 0) return { type: 'null' }
  return parts.length === 1 ? parts[0]! : { anyOf: parts }
}

/** `string & { brand }` is the string; objects are put together. */
function convertIntersection(
  reader: TypeReader,
  type: TypeScript.IntersectionType,
  outer: readonly TypeScript.Type[],
): JsonSchema {
  const primitive = type.types.find((member) => !(member.flags & reader.ts.TypeFlags.Object))
  return primitive ? convert(reader, primitive, [...outer, type]) : convertObject(reader, type, outer)
}

function convertObject(reader: TypeReader, type: TypeScript.Type, outer: readonly TypeScript.Type[]): JsonSchema {
  const { checker, ts } = reader
  const inner = [...outer, type]
  if (checker.isTupleType(type)) {
    const items = checker.getTypeArguments(type as TypeScript.TypeReference)
    return { type: 'array', items: joinSchemas(items.map((item) => convert(reader, item, inner))) }
  }
  if (checker.isArrayType(type)) {
    const [item] = checker.getTypeArguments(type as TypeScript.TypeReference)
    return item ? { type: 'array', items: convert(reader, item, inner) } : { type: 'array' }
  }
  if (type.getCallSignatures().length > 0) return ANYTHING
  const name = type.getSymbol()?.getName()
  if (name === 'Date') return { type: 'string', format: 'date-time' }
  if (name === 'URL') return { type: 'string', format: 'uri' }
  if (name !== undefined && /^(Map|Set|WeakMap|WeakSet|RegExp|.*Array|Buffer|ArrayBuffer|Error)$/.test(name))
    return ANYTHING
  const index = checker.getIndexInfoOfType(type, ts.IndexKind.String)
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const property of checker.getPropertiesOfType(type)) {
    const key = property.getName()
    // Properties under symbols have no JSON name.
    if (key.startsWith('__@')) continue
    const propertyType = checker.getTypeOfSymbol(property)
    if (propertyType.getCallSignatures().length > 0 && propertyType.getProperties().length === 0) continue
    const optional = (property.flags & ts.SymbolFlags.Optional) !== 0 || includesUndefined(reader, propertyType)
    const schema = convert(reader, propertyType, inner)
    const description = ts.displayPartsToString(property.getDocumentationComment(checker))
    properties[key] = description === '' ? schema : { ...schema, description }
    if (!optional) required.push(key)
  }
  return {
    type: 'object',
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(required.length === 0 ? {} : { required }),
    // A type says which properties there are; `object` and `{}` say nothing, so they stay open.
    ...(index
      ? { additionalProperties: convert(reader, index.type, inner) }
      : Object.keys(properties).length > 0
        ? { additionalProperties: false }
        : {}),
  }
}

function includesUndefined(reader: TypeReader, type: TypeScript.Type): boolean {
  const { TypeFlags } = reader.ts
  if (type.flags & (TypeFlags.Undefined | TypeFlags.Any | TypeFlags.Unknown)) return true
  return type.isUnion() && type.types.some((member) => member.flags & TypeFlags.Undefined)
}
