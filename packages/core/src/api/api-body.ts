/** Bodies of API requests and replies. */
import { PlugworkError } from '../error.ts'
import type { EgressResponse } from '../egress/egress.ts'
import type { Json } from '../json.ts'

/** A file of a multipart body. */
export interface ApiFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly type?: string
}

/** At most one of these. */
export interface ApiContent {
  /** `undefined` properties are left out. */
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string | undefined>>
  readonly multipart?: Readonly<Record<string, string | ApiFile | undefined>>
  readonly bytes?: { readonly data: Uint8Array; readonly type: string }
}

/** Body and content type of a request; null without a body. */
export async function writeBody(
  content: ApiContent,
): Promise<{ readonly body: string | Uint8Array; readonly type: string } | null> {
  if (content.json !== undefined) {
    return { body: JSON.stringify(content.json), type: 'application/json; charset=utf-8' }
  }
  if (content.form !== undefined) {
    const given = Object.entries(content.form).filter((pair): pair is [string, string] => pair[1] !== undefined)
    return { body: new URLSearchParams(given).toString(), type: 'application/x-www-form-urlencoded' }
  }
  if (content.bytes !== undefined) return { body: content.bytes.data, type: content.bytes.type }
  if (content.multipart === undefined) return null
  const form = new FormData()
  for (const [name, value] of Object.entries(content.multipart)) {
    if (typeof value === 'string') form.set(name, value)
    else if (value !== undefined) {
      const type = value.type ?? 'application/octet-stream'
      // A view may lie on a shared buffer, which blobs do not take.
      form.set(name, new Blob([new Uint8Array(value.bytes)], { type }), value.name)
    }
  }
  const encoded = new Response(form)
  return { body: new Uint8Array(await encoded.arrayBuffer()), type: encoded.headers.get('content-type')! }
}

/** A run of digits that may be more than a double holds. */
const LONG_NUMBER = /\d{16}/

/**
 * The reply as JSON, whatever its content type says; null without a body. An error page that is not JSON is its text; another
 * reply that is not JSON throws `api_reply`.
 */
export function readBody(response: EgressResponse, where: string): Json {
  if (response.body.length === 0) return null
  const { buffer, byteOffset, byteLength } = response.body
  const text = Buffer.from(buffer, byteOffset, byteLength).toString('utf8')
  try {
    return parseJson(text)
  } catch {
    if (response.status >= 400) return text
    throw new PlugworkError('api_reply', `${where} answered ${response.status} with a body that is not JSON.`, {
      data: { status: response.status, type: response.headers['content-type'] ?? null },
    })
  }
}

/** Integers beyond 2^53 become strings, as everywhere in flows. */
function parseJson(text: string): Json {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text) as Json
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? context!.source
      : value
  return JSON.parse(text, exact) as Json
}
