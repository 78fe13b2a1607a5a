/** New runs as the columns of their row. */
import type { FlatPatch, FlatRun } from '../sqlite/messages.ts'

export interface RunToInsert {
  readonly flat: FlatRun
  readonly status: string
  readonly patch: FlatPatch | null
  readonly records: number
  readonly nonce: string | null
}

/** Values by column, for `NEW_RUN`. What a patch says of a new run counts from its beginning. */
export function rowOf({ flat, status, patch, records, nonce }: RunToInsert): { readonly [column: string]: unknown } {
  const row: { [column: string]: unknown } = {
    id: flat.id,
    tenant: flat.tenant,
    flow: flat.flow,
    flow_hash: flat.flowHash,
    status,
    reason: null,
    priority: flat.priority,
    concurrency_key: flat.key,
    concurrency_limit: flat.limit,
    hold_waiting: flat.holdWaiting,
    parent_rid: flat.parentRid,
    parent_path: flat.parentPath,
    root_rid: flat.rootRid,
    forked_from: flat.forkedFrom,
    forked_at: flat.forkedAt,
    idempotency_key: flat.idempotencyKey,
    next_seq: records + 1,
    nonce,
    wake_at: null,
    crash_count: 0,
    created_at: flat.createdAt,
    started_at: null,
    finished_at: null,
    outputs: null,
    error: null,
  }
  let hasStart = false
  const values = patch ?? []
  for (let i = 0; i < values.length; i += 2) {
    row[values[i] as string] = values[i + 1]
    if (values[i] === 'started_at') hasStart = true
  }
  if (!hasStart && row['status'] !== 'queued') row['started_at'] = flat.createdAt
  return row
}
