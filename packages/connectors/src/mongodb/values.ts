/**
 * Values between JSON and BSON, by the rules of MongoDB Extended JSON v2
 * (https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/). What JSON has no type for is written as
 * `{ "$oid": … }`, `{ "$date": … }`, `{ "$numberDecimal": … }` and so on, both ways. Only an object that has exactly the keys of
 * such a form is one: `{ "$regex": …, "$ne": … }` stays an object with operators.
 */
import type { BSON, Document } from 'mongodb'
import type { Json, JsonObject } from '@plugwork/core'
import { mongodbError } from './errors.ts'

type Bson = typeof BSON

/** Keys of the forms, in order. */
const FORMS: ReadonlySet<string> = new Set([
  '$binary',
  '$code',
  '$code,$scope',
  '$date',
  '$maxKey',
  '$minKey',
  '$numberDecimal',
  '$numberDouble',
  '$numberInt',
  '$numberLong',
  '$oid',
  '$regularExpression',
  '$symbol',
  '$timestamp',
  '$uuid',
])
/** The driver's BSON refuses deeper documents as well; a recursion ends before the stack does. */
const MAX_DEPTH = 180

/** A value for the server: numbers become int, long or double by their value, forms what they mean. */
export function toBson(bson: Bson, value: Json, where: string, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw mongodbError('mongodb_value', `\`${where}\` is nested deeper than ${MAX_DEPTH} levels.`)
  if (typeof value === 'number') return numberOf(bson, value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((each, index) => toBson(bson, each, `${where}[${index}]`, depth + 1))
  const names = Object.keys(value)
  if (names.length <= 2 && FORMS.has(names.toSorted().join(','))) return fromForm(bson, value, where)
  return Object.fromEntries(
    names.map((name) => [name, toBson(bson, value[name] as Json, `${where}.${name}`, depth + 1)]),
  )
}

/** A document for the server. */
export const toDocument = (bson: Bson, value: JsonObject, where: string): Document =>
  toBson(bson, value, where) as Document

function numberOf({ Int32, Long, Double }: Bson, value: number): unknown {
  if (!Number.isInteger(value) || Object.is(value, -0)) return new Double(value)
  if (value >= -0x80000000 && value <= 0x7fffffff) return new Int32(value)
  return Number.isSafeInteger(value) ? Long.fromNumber(value) : new Double(value)
}

function fromForm({ EJSON }: Bson, form: JsonObject, where: string): unknown {
  const refuse = (): Error =>
    mongodbError(
      'mongodb_value',
      `\`${where}\` is not a value of Extended JSON: ${Object.keys(form).join(', ')} does not have what it needs. See the notes of the mongodb connector.`,
    )
  let value: unknown
  try {
    value = EJSON.deserialize(form, { relaxed: false })
  } catch {
    throw refuse()
  }
  if (value instanceof Date && Number.isNaN(value.getTime())) throw refuse()
  return value
}

/** A value of the server as JSON, without loss; `canonical` names the type of every number too. */
export function toJson(bson: Bson, value: unknown, canonical: boolean): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $numberDouble: doubleText(value) }
    case 'bigint':
      return { $numberLong: String(value) }
    case 'object':
      break
    default:
      return null
  }
  if (value === null) return null
  if (Array.isArray(value)) return value.map((each) => toJson(bson, each, canonical))
  if (value instanceof Date || value instanceof bson.BSONValue) {
    // Relaxed, a long becomes a number even where that damages it; the driver leaves those as objects.
    const exact = canonical || value instanceof bson.Long
    return bson.EJSON.serialize(value, { relaxed: !exact }) as unknown as Json
  }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toJson(bson, each, canonical)]))
}

const doubleText = (value: number): string => (Object.is(value, -0) ? '-0.0' : String(value))
