/** RFC 9457 problem documents: every error the server answers with has this shape. */
import { PlugworkError } from '@plugwork/core'
import { z } from 'zod'
import { errorSpec } from '../errors.ts'
import type { ErrorTables } from '../errors.ts'
import { ServerError } from '../errors.ts'
import type { Reply } from './reply.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

export const problemSchema = z
  .looseObject({
    type: z.string().describe('`urn:plugwork:error:<code>`'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What happened, to which thing, and what to do next.'),
    code: z.string().describe('Stable; listed in docs/errors.md.'),
    request_id: z.string(),
    retryable: z.boolean(),
  })
  .meta({ id: 'Problem' })

/**
 * The answer for a thrown value. Errors that Plugwork raises on purpose speak for themselves; anything else is
 * `internal`, and only the log has its text.
 */
export function problemReply(thrown: unknown, requestId: string, tables: ErrorTables): Reply {
  const known = thrown instanceof PlugworkError ? errorSpec(tables, thrown.code) : undefined
  const error =
    thrown instanceof PlugworkError && known !== undefined
      ? thrown
      : new ServerError('internal', `Something unexpected went wrong. The server's log has it under ${requestId}.`, {
          cause: thrown,
        })
  const spec = known ?? { status: 500, retryable: true, summary: 'Something unexpected went wrong.' }
  const document = {
    type: `urn:plugwork:error:${error.code}`,
    title: spec.summary,
    status: spec.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    retryable: error.retryable,
    ...(error.data === undefined ? {} : { data: error.data }),
    ...(error instanceof ServerError ? error.extensions : {}),
  }
  const headers = error instanceof ServerError ? error.headers : {}
  return { status: spec.status, headers, body: { kind: 'text', type: PROBLEM_TYPE, text: JSON.stringify(document) } }
}
