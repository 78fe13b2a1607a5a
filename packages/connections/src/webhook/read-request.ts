/** A service's request, taken apart: what its signature is judged by, and what its connector reads. */
import { isUtf8 } from 'node:buffer'
import type { Json } from '@plugwork/core'
import type { ServiceRequest } from '@plugwork/core/node'
import type { SignatureScheme, SignedRequest } from './signature-scheme.ts'

/** A request as a framework gives it. */
export interface WebhookRequest {
  readonly method: string
  /** Path and query as received. */
  readonly url: string
  /** Names in lower case; repeated ones joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** The exact bytes received: never parsed and written again. */
  readonly body: Uint8Array
  /** Address of the sender; limits wrong signatures. */
  readonly remoteAddress?: string
}

const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])

/** `publicUrl`: the address that the service was given, without this request's query. Some services sign it. */
export function signedRequest({ method, url, headers, body }: WebhookRequest, publicUrl: string): SignedRequest {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const query = url.indexOf('?')
  let parsed: { readonly json: Json } | undefined
  return {
    method,
    url: query === -1 ? publicUrl : publicUrl + url.slice(query),
    body: bytes,
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    json: () => (parsed ??= { json: jsonOf(bytes) }).json,
  }
}

/** What the connector sees: credentials are left out. */
export function serviceRequest(
  request: WebhookRequest,
  signed: SignedRequest,
  scheme: SignatureScheme,
): ServiceRequest {
  const { method, url, headers, body } = request
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
  const json = type === 'application/x-www-form-urlencoded' ? formOf(signed.body) : signed.json()
  const shown = Object.entries(headers).filter(
    ([name]) => !CREDENTIAL_HEADERS.has(name) && !scheme.secretHeaders.includes(name),
  )
  return { method, url, headers: Object.fromEntries(shown), body, json: scheme.redact?.(json) ?? json }
}

function jsonOf(body: Buffer): Json {
  if (!isUtf8(body)) return null
  try {
    return JSON.parse(body.toString('utf8')) as Json
  } catch {
    return null
  }
}

/** A name that occurs more than once holds a list. */
function formOf(body: Buffer): Json {
  const fields = new URLSearchParams(body.toString('utf8'))
  return Object.fromEntries(
    [...new Set(fields.keys())].map((name) => {
      const values = fields.getAll(name)
      return [name, values.length === 1 ? values[0]! : values]
    }),
  )
}
