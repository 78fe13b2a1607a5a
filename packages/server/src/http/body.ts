/** Reading bodies: which kind a content type is, and the bytes as JSON, text or form fields. */
import { isUtf8 } from 'node:buffer'
import type { Json, JsonObject } from '@plugwork/core'
import { ServerError } from '../errors.ts'

export type BodyKind = 'json' | 'form' | 'multipart' | 'text' | 'binary'

/** The media type without parameters, in lower case; '' when there is none. */
export function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return ''
  const end = contentType.indexOf(';')
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

/** How a body of this media type is read. */
export function bodyKind(type: string): BodyKind {
  if (type === 'application/json' || type.endsWith('+json')) return 'json'
  if (type === 'application/x-www-form-urlencoded') return 'form'
  if (type === 'multipart/form-data') return 'multipart'
  if (type.startsWith('text/') || type === 'application/xml' || type.endsWith('+xml') || type === 'application/yaml')
    return 'text'
  return 'binary'
}

/** UTF-8 text of a body. Throws `body_invalid`. */
export function decodeText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new ServerError('body_invalid', 'The body is not valid UTF-8.')
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // A byte order mark says how the text is encoded; it is no part of it.
  const text = buffer.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/** The body as JSON. Throws `body_invalid` with the position that the parser names. */
export function parseJson(bytes: Uint8Array): Json {
  const text = decodeText(bytes)
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ServerError('body_invalid', `The body is not valid JSON: ${whereLast(reason, text)}.`, { cause })
  }
}

/** Texts longer than this are not searched for the place of an error that the parser does not name. */
const MAX_SEARCHED = 64 * 1024

/** The parser's message with line and column at its end, which it leaves out where it names an unexpected token. */
function whereLast(reason: string, text: string): string {
  if (!reason.startsWith('Unexpected token') || text.length > MAX_SEARCHED) return reason
  // The shortest beginning that has the token in it.
  let [low, high] = [0, text.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isUnexpected(text.slice(0, middle + 1))) high = middle
    else low = middle + 1
  }
  const lines = text.slice(0, low).split('\n')
  return `${reason} (line ${lines.length} column ${lines.at(-1)!.length + 1})`
}

function isUnexpected(text: string): boolean {
  try {
    JSON.parse(text)
    return false
  } catch (error) {
    return error instanceof Error && error.message.startsWith('Unexpected token')
  }
}

/** Fields of a query or form. A name that occurs more than once holds a list. */
export function parseFields(search: string): JsonObject {
  const fields: JsonObject = {}
  if (search === '') return fields
  for (const [name, value] of new URLSearchParams(search)) addField(fields, name, value)
  return fields
}

/** Adds a value under a name; a second one makes a list of both. */
export function addField(fields: JsonObject, name: string, value: Json): void {
  const existing = Object.hasOwn(fields, name) ? fields[name] : undefined
  const next: Json = existing === undefined ? value : Array.isArray(existing) ? [...existing, value] : [existing, value]
  // `__proto__` must become a field like any other, never the object's prototype.
  Object.defineProperty(fields, name, { value: next, writable: true, enumerable: true, configurable: true })
}
