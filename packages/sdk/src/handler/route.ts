/** The shape of a route, and what routes share: bodies read within bounds, JSON answers. */
import type { Json, JsonObject } from '@plugwork/core'
import type { z } from 'zod'
import type { ConnectionsApi } from '../connections-api.ts'
import type { Session } from '../options.ts'
import { sdkError } from '../errors.ts'
import { readBytes } from '../read-bytes.ts'
import type { OnBehalf } from '../plugwork-types.ts'
import type { Handling } from './handle.ts'

export interface RouteContext extends Handling {
  readonly request: Request
  readonly requestId: string
  readonly url: URL
  readonly parameters: Readonly<Record<string, string>>
  /** Calls that are made on behalf of somebody with a browser. */
  readonly connections: ConnectionsApi
  /** Who asks; only routes with `session` have one. */
  readonly session: Session
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below `basePath`; `:name` is one part. */
  readonly path: string
  /** Somebody must be signed in. */
  readonly session: boolean
  /**
   * From which pages it may be asked for. `own`: only from pages of the application. `read`: a page of another site cannot
   * read the answer, and nothing changes. `any`: it comes from elsewhere by its nature, and proves itself otherwise.
   */
  readonly site: 'own' | 'read' | 'any'
  run(context: RouteContext): Promise<Response>
}

/** For whom a session asks. */
export function onBehalf({ userId, tenantId }: Session): OnBehalf {
  return tenantId === undefined ? { userId } : { userId, tenantId }
}

const MAX_BODY_BYTES = 1024 * 1024

/** Reads a JSON body of a shape. Throws `sdk_body_too_large`, `sdk_body_invalid`. */
export async function readJson<Schema extends z.ZodType>(request: Request, schema: Schema): Promise<z.output<Schema>> {
  const type = request.headers.get('content-type') ?? ''
  // A form of another site can send anything but this.
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw sdkError('sdk_body_invalid', `The body must be JSON with content-type application/json, not "${type}".`)
  }
  const text = new TextDecoder().decode(await readBytes(request, MAX_BODY_BYTES))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw sdkError('sdk_body_invalid', 'The body is not JSON.')
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => ({ field: path.map(String).join('.'), message }))
  const list = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ')
  throw sdkError('sdk_body_invalid', `The body does not fit: ${list}.`, { data: { problems } })
}

export function json(value: Json | JsonObject, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json; charset=utf-8' } })
}
