/** Rows of the database as the contract's objects. Statements that read runs select exactly `RUN_COLUMNS`, as arrays. */
import type { ErrorInfo } from '../../error.ts'
import type { Json, JsonObject } from '../../json.ts'
import type { FlowRow, FlowVersion, JournalRecord, RunRow, RunStatus } from '../store.ts'
import type { ScheduleRow, StoredEvent, StoredMessage, TokenRow } from '../store.ts'

/** What SQLite gives back for a column. */
export type Column = string | number | null
export type RunColumns = readonly Column[]

/** For `FROM runs r JOIN run_payloads p USING (rid)`. */
export const RUN_COLUMNS = `r.rid, r.id, r.tenant, r.flow, r.flow_hash, r.status, r.reason, r.priority, r.concurrency_key,
  r.concurrency_limit, r.parent_rid, r.parent_path, r.root_rid, r.forked_from, r.forked_at, r.idempotency_key, p.trigger,
  p.inputs, r.outputs, r.error, r.epoch,
  (SELECT coalesce(max(j.seq), 0) + 1 FROM journal j WHERE j.rid = r.rid), r.wake_at, r.crash_count, r.created_at,
  r.started_at, r.finished_at`

export function toRunRow(row: RunColumns): RunRow {
  return {
    rid: row[0] as number,
    id: row[1] as string,
    tenant: row[2] as string,
    flow: row[3] as string,
    flowHash: row[4] as string,
    status: row[5] as RunStatus,
    reason: row[6] as string | null,
    priority: row[7] as number,
    concurrencyKey: row[8] as string | null,
    concurrencyLimit: row[9] as number | null,
    parentRid: row[10] as number | null,
    parentPath: row[11] as string | null,
    rootRid: row[12] as number | null,
    forkedFrom: row[13] as string | null,
    forkedAt: row[14] as string | null,
    idempotencyKey: row[15] as string | null,
    trigger: JSON.parse(row[16] as string) as JsonObject,
    inputs: JSON.parse(row[17] as string) as JsonObject,
    outputs: row[18] === null ? null : (JSON.parse(row[18] as string) as JsonObject),
    error: row[19] === null ? null : (JSON.parse(row[19] as string) as ErrorInfo),
    epoch: row[20] as number,
    nextSeq: row[21] as number,
    wakeAt: row[22] as number | null,
    crashCount: row[23] as number,
    createdAt: row[24] as number,
    startedAt: row[25] as number | null,
    finishedAt: row[26] as number | null,
  }
}

/** seq, kind, path, completes, at, data */
export function toRecord(row: readonly Column[]): JournalRecord {
  return {
    seq: row[0] as number,
    kind: row[1] as string,
    path: row[2] as string,
    completes: row[3] === 1,
    at: row[4] as number,
    data: row[5] as string,
  }
}

/** id, rid, kind, dedupe, payload, at */
export function toMessage(row: readonly Column[]): StoredMessage {
  return {
    id: row[0] as number,
    rid: row[1] as number,
    kind: row[2] as string,
    ...(row[3] === null ? {} : { dedupe: row[3] as string }),
    payload: JSON.parse(row[4] as string) as JsonObject,
    at: row[5] as number,
  }
}

/** id, tenant, name, data, at, key */
export function toEvent(row: readonly Column[]): StoredEvent {
  return {
    id: row[0] as number,
    tenant: row[1] as string,
    name: row[2] as string,
    data: JSON.parse(row[3] as string) as Json,
    at: row[4] as number,
    ...(row[5] === null ? {} : { key: row[5] as string }),
  }
}

/** hash, flow, plan, created_at */
export function toFlowVersion(row: readonly Column[]): FlowVersion {
  return { hash: row[0] as string, flow: row[1] as string, plan: row[2] as string, createdAt: row[3] as number }
}

/** tenant, name, hash, source, enabled, updated_at */
export function toFlowRow(row: readonly Column[]): FlowRow {
  return {
    tenant: row[0] as string,
    name: row[1] as string,
    hash: row[2] as string,
    source: row[3] as string,
    enabled: row[4] === 1,
    updatedAt: row[5] as number,
  }
}

/** tenant, flow, trigger, spec, last_at, next_at */
export function toScheduleRow(row: readonly Column[]): ScheduleRow {
  return {
    tenant: row[0] as string,
    flow: row[1] as string,
    trigger: row[2] as string,
    spec: row[3] as string,
    lastAt: row[4] as number | null,
    nextAt: row[5] as number,
  }
}

/** id, tenant, name, hash, permissions, created_at, expires_at */
export function toTokenRow(row: readonly Column[]): TokenRow {
  return {
    id: row[0] as string,
    tenant: row[1] as string,
    name: row[2] as string,
    hash: row[3] as string,
    permissions: JSON.parse(row[4] as string) as string[],
    createdAt: row[5] as number,
    expiresAt: row[6] as number | null,
  }
}
