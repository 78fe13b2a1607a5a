/** From a webhook request to a run's inputs: reads the body as its type says, then maps parts to declared inputs. */
import type { Json, JsonObject, PlanInput, InputMapping } from '@plugwork/core'
import { addField, bodyKind, decodeText, mediaType, parseFields, parseJson } from '../http/body.ts'
import { ServerError } from '../errors.ts'
import type { Incoming } from '../http/incoming.ts'
import type { RenderContext, Renderer } from './render.ts'

/** A request, taken apart. Names of headers are in lower case; those that carry credentials are left out. */
export interface WebhookParts {
  readonly method: string
  readonly path: string
  readonly params: JsonObject
  readonly query: JsonObject
  readonly headers: JsonObject
  readonly body: Json
}

const CREDENTIAL_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization'])

/** Headers without credentials. `secretHeaders` are those that the trigger's own auth reads, in lower case. */
export function publicHeaders(incoming: Incoming, secretHeaders: readonly string[]): JsonObject {
  const headers: JsonObject = {}
  for (const [name, value] of Object.entries(incoming.headers())) {
    if (!CREDENTIAL_HEADERS.has(name) && !secretHeaders.includes(name)) headers[name] = value
  }
  return headers
}

/**
 * The body as a value: JSON as it is, forms as objects, text as text, anything else as
 * `{ content_type, size, base64 }` (a part of a multipart form with its `name` too). No body is null.
 */
export function readWebhookBody(bytes: Uint8Array, contentType: string | undefined): Json | Promise<Json> {
  if (bytes.length === 0) return null
  const type = mediaType(contentType)
  switch (type === '' ? guess(bytes) : bodyKind(type)) {
    case 'json':
      return parseJson(bytes)
    case 'form':
      return parseFields(decodeText(bytes))
    case 'text':
      return decodeText(bytes)
    case 'multipart':
      return readMultipart(bytes, contentType ?? '')
    case 'binary':
      assertKnownEncoding(type)
      return binary(bytes, type)
  }
}

/** Clients that send JSON without saying so are common; anything else unnamed stays bytes. */
function guess(bytes: Uint8Array): 'json' | 'binary' {
  return bytes[0] === 0x7b || bytes[0] === 0x5b ? 'json' : 'binary'
}

function assertKnownEncoding(type: string): void {
  if (type === '' || /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type)) return
  throw new ServerError('media_type_unsupported', `"${type}" is not a media type. Send, for example, application/json.`)
}

function binary(bytes: Uint8Array, type: string): JsonObject {
  return {
    content_type: type === '' ? 'application/octet-stream' : type,
    size: bytes.length,
    base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  }
}

async function readMultipart(bytes: Uint8Array, contentType: string): Promise<JsonObject> {
  let form: FormData
  try {
    // The platform's own parser: the one that `fetch` uses.
    form = await new Response(Buffer.from(bytes), { headers: { 'content-type': contentType } }).formData()
  } catch (cause) {
    throw new ServerError('body_invalid', 'The body is not a valid multipart form.', { cause })
  }
  const fields: JsonObject = {}
  for (const [name, value] of form.entries()) {
    if (typeof value === 'string') addField(fields, name, value)
    else addField(fields, name, { name: value.name, ...binary(new Uint8Array(await value.arrayBuffer()), value.type) })
  }
  return fields
}

/**
 * The inputs of the run. Only declared inputs are taken: what a service sends beside them is no error. A part that is
 * text by nature (query, headers, path) becomes a number or boolean where the input is one.
 */
export function mapInputs(options: {
  readonly mapping: InputMapping
  readonly inputs: readonly PlanInput[]
  readonly parts: WebhookParts
  readonly renderer: Renderer
  readonly context: RenderContext
}): JsonObject {
  const { mapping, inputs, parts } = options
  if (typeof mapping === 'object') {
    const mapped: JsonObject = {}
    for (const [name, template] of Object.entries(mapping))
      mapped[name] = options.renderer.value(template, options.context)
    return mapped
  }
  const sources = sourcesOf(mapping, parts)
  const mapped: JsonObject = {}
  for (const input of inputs) {
    for (const source of sources) {
      const value = source(input.name)
      if (value === undefined) continue
      mapped[input.name] = typeof value === 'string' ? coerce(value, input.schema.type) : value
      break
    }
  }
  return mapped
}

type Source = (name: string) => Json | undefined

/** Where a mapping looks for an input, first to last. */
function sourcesOf(mapping: Exclude<InputMapping, object>, parts: WebhookParts): readonly Source[] {
  const body: Source = (name) =>
    own(parts.body, name) ?? (name === 'body' && parts.body !== null ? parts.body : undefined)
  const query: Source = (name) => own(parts.query, name)
  const headers: Source = (name) => own(parts.headers, name.toLowerCase().replaceAll('_', '-'))
  const path: Source = (name) => own(parts.params, name)
  switch (mapping) {
    case 'body':
      return [body]
    case 'query':
      return [query]
    case 'headers':
      return [headers]
    case 'path':
      return [path]
    case 'all':
      return [path, body, query, headers, (name) => wholePart(parts, name)]
  }
}

/** Inputs named like a part of the request take all of it. */
function wholePart(parts: WebhookParts, name: string): Json | undefined {
  switch (name) {
    case 'query':
      return parts.query
    case 'headers':
      return parts.headers
    case 'path':
    case 'params':
      return parts.params
    case 'method':
      return parts.method
    default:
      return undefined
  }
}

function own(value: Json, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? value[name]
    : undefined
}

/** Text as the type of its input, where it reads as one; otherwise as it is, for the validation to name. */
function coerce(text: string, type: unknown): Json {
  if ((type === 'integer' || type === 'number') && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if (type === 'array') return [text]
  return text
}
