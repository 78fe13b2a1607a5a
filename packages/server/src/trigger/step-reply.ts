/**
 * The answer of a webhook with `respond: { with_step }`: the step's value as JSON, or, where the value is an object with
 * a `status_code`, the response that it describes: `{ status_code, headers?, body? }`.
 */
import type { Json, JsonObject } from '@plugwork/core'
import { JSON_TYPE, json } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'

/** Headers that belong to the server: a flow's data must not set cookies on this origin or weaken its policy. */
const RESERVED =
  /^(?:set-cookie|content-length|transfer-encoding|connection|content-security-policy|x-content-type-options|access-control-.*|x-request-id|x-plugwork-.*)$/

/** Content from a flow runs no script on this origin, whatever type it claims. */
const SANDBOX = { 'content-security-policy': "sandbox; default-src 'none'" }

export function stepReply(output: Json): Reply {
  if (!describesResponse(output)) return json(200, output)
  const { status_code: status, body = null } = output
  const headers: Record<string, string> = { ...SANDBOX }
  let type: string | undefined
  for (const [name, value] of Object.entries(isPlain(output.headers) ? output.headers : {})) {
    const lower = name.toLowerCase()
    if (typeof value !== 'string' || RESERVED.test(lower) || !/^[a-z0-9-]+$/.test(lower) || /[\r\n\0]/.test(value))
      continue
    if (lower === 'content-type') type = value
    else headers[lower] = value
  }
  if (body === null) return { status: Number(status), headers, body: { kind: 'none' } }
  return typeof body === 'string'
    ? { status: Number(status), headers, body: { kind: 'text', type: type ?? 'text/plain; charset=utf-8', text: body } }
    : { status: Number(status), headers, body: { kind: 'text', type: type ?? JSON_TYPE, text: JSON.stringify(body) } }
}

function describesResponse(output: Json): output is JsonObject {
  if (!isPlain(output)) return false
  const status = output.status_code
  return typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599
}

function isPlain(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
