/** Values between JSON and PostgreSQL: parameters, and the text form of each type that comes back. */
import type { Json } from '@plugwork/core'
import type pg from 'pg'
import { sqlError } from '../sql/error-table.ts'
import { blob, exactDecimal, exactInteger, exactJson, finiteNumber, isBlob } from '../sql/values.ts'

/** A parameter. The server knows its type: text is read as that. Throws `postgres_params`. */
export function toParameter(value: Json, where: string): unknown {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0'))
        throw sqlError('postgres', 'params', `${where} has a NUL character, which PostgreSQL has in no text.`)
      return value
    case 'number':
      return String(value)
    case 'boolean':
      return value ? 'true' : 'false'
    default:
      if (value === null) return null
  }
  if (value === undefined) throw sqlError('postgres', 'params', `${where} is missing.`)
  if (isBlob(value)) return Buffer.from(value.base64, 'base64')
  if (Array.isArray(value)) return arrayText(value)
  return JSON.stringify(value)
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayText(items: readonly Json[]): string {
  const parts = items.map((item) => {
    if (item === null) return 'NULL'
    if (Array.isArray(item)) return arrayText(item)
    if (isBlob(item)) return quoted(hex(item.base64))
    return quoted(typeof item === 'object' ? JSON.stringify(item) : String(item))
  })
  return `{${parts.join(',')}}`
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`

/** bytea as PostgreSQL reads it from text. */
export const hex = (base64: string): string => String.raw`\x` + Buffer.from(base64, 'base64').toString('hex')

type Parse = (text: string) => Json

const same: Parse = (text) => text
const float: Parse = (text) => finiteNumber(Number(text))
/** `2026-01-02 03:04:05+00`, as the session writes it (UTC), in ISO 8601. */
const instant: Parse = (text) => text.replace(' ', 'T').replace(/\+00$/, 'Z')

/** By OID of the type; others are their text. */
const SCALARS: ReadonlyMap<number, Parse> = new Map<number, Parse>([
  [16, (text) => text === 't'],
  [17, (text) => blob(Buffer.from(text.slice(2), 'hex'))],
  [20, exactInteger],
  [21, Number],
  [23, Number],
  [26, Number],
  [114, exactJson],
  [700, float],
  [701, float],
  [1114, (text) => text.replace(' ', 'T')],
  [1184, instant],
  [1700, exactDecimal],
  [3802, exactJson],
])

/** Array types with the OID of their items. */
const ARRAYS: ReadonlyMap<number, number> = new Map([
  [199, 114],
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1041, 869],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1270, 1266],
  [2951, 2950],
  [3807, 3802],
])

interface ArrayParser {
  create(text: string, item: Parse): { parse(): Json }
}

/** How the driver is to read columns. Arrays of types that the database defines itself (enums) are their text. */
export function typeReader(types: typeof pg.types): pg.CustomTypesConfig {
  // Its published types have an earlier form.
  const arrays = types.arrayParser as unknown as ArrayParser
  const parsers = new Map<number, Parse>(SCALARS)
  for (const [array, item] of ARRAYS) {
    const parse = SCALARS.get(item) ?? same
    parsers.set(array, (text) => arrays.create(text, parse).parse())
  }
  // The driver's type is a set of overloads for its own constants.
  return { getTypeParser: ((oid: number) => parsers.get(oid) ?? same) as pg.CustomTypesConfig['getTypeParser'] }
}
