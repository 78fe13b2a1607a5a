/** Values between JSON and MySQL or MariaDB. */
import type { Json } from '@plugwork/core'
import { sqlError } from '../sql/error-table.ts'
import { blob, exactDecimal, exactJson, finiteNumber, isBlob } from '../sql/values.ts'

export type Binding = null | number | string | Buffer

/** A parameter. Objects and lists are JSON, booleans 1 and 0, `{ base64 }` bytes. Throws `mysql_params`. */
export function toBinding(value: Json, where: string): Binding {
  switch (typeof value) {
    case 'string':
    case 'number':
      return value
    case 'boolean':
      return value ? 1 : 0
    default:
      if (value === null) return null
  }
  if (value === undefined) throw sqlError('mysql', 'params', `${where} is missing.`)
  return isBlob(value) ? Buffer.from(value.base64, 'base64') : JSON.stringify(value)
}

const ZONED = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)$/

/** An instant of ISO 8601 as DATETIME and TIMESTAMP take it, in UTC; everything else as it is. */
export function toDateTime(value: Json): Json {
  const match = typeof value === 'string' ? ZONED.exec(value) : null
  if (match === null) return value
  const [, day, time, zone] = match
  if (zone === 'Z') return `${day} ${time}`
  const instant = Temporal.Instant.from(String(value).replace(' ', 'T'))
  return instant.toString().replace('T', ' ').replace('Z', '')
}

/** A column as the driver describes it. */
export interface ColumnDefinition {
  readonly name: string
  readonly columnType?: number
  readonly characterSet?: number
  /** MariaDB's JSON, UUID, …, which are texts to the protocol. */
  readonly extendedFormat?: string
}

type Read = (value: unknown) => Json

/** https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const FLOAT = 4
const TIMESTAMP = 7
const DATETIME = 12
const BIT = 16
const JSON_TYPE = 245
const DECIMAL = 246

/** How the values of a column are read. Integers past 2^53 and dates come as text from the driver. */
export function readerOf({ columnType, extendedFormat }: ColumnDefinition): Read {
  if (columnType === JSON_TYPE || extendedFormat === 'json') return orPlain((value) => exactJson(String(value)))
  switch (columnType) {
    case 0:
    case DECIMAL:
      return orPlain((value) => exactDecimal(String(value)))
    case FLOAT:
      return orPlain((value) => shortest(Number(value)))
    case TIMESTAMP:
      // Sessions run in UTC.
      return orPlain((value) => `${String(value).replace(' ', 'T')}Z`)
    case DATETIME:
      return orPlain((value) => String(value).replace(' ', 'T'))
    case BIT:
      return orPlain((value) => bits(value))
    default:
      return plain
  }
}

const orPlain =
  (read: Read): Read =>
  (value) =>
    value === null || value === undefined ? null : read(value)

function plain(value: unknown): Json {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return finiteNumber(value)
  if (value instanceof Uint8Array) return blob(value)
  if (value === null || value === undefined) return null
  // Points and shapes of the driver.
  return JSON.parse(JSON.stringify(value)) as Json
}

/** A number of 32 bits with the digits that it has, not those that it gets as a double. */
function shortest(value: number): Json {
  if (!Number.isFinite(value)) return String(value)
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === Math.fround(value)) return short
  }
  return value
}

function bits(value: unknown): Json {
  if (!(value instanceof Uint8Array)) return Number(value)
  const number = BigInt(`0x${Buffer.from(value).toString('hex') || '0'}`)
  return number <= Number.MAX_SAFE_INTEGER ? Number(number) : String(number)
}
