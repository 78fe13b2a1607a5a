/**
 * What travels between the main thread and the writer thread. Operations are tuples of primitives with JSON already as
 * text: structured clone of nested objects costs more than the insert it leads to. Many operations share one message,
 * and many answers share one reply.
 */
import type { ErrorInfo } from '../../error.ts'
import type { Json } from '../../json.ts'
import type { BlobRow, FlowRow, FlowVersion, NewEvent, NewMessage, NewRun, RunPatch, RunWrite } from '../store.ts'
import type { ScheduleRow, TokenRow } from '../store.ts'
import type { RunColumns } from './rows.ts'

/** Kinds of operations. Those up to `SMALL` are done inside a shared transaction, later ones in steps of their own. */
export const Op = {
  append: 0,
  accept: 1,
  claim: 2,
  deliver: 3,
  publish: 4,
  put: 5,
  prune: 6,
  compact: 7,
  close: 8,
  confirm: 9,
} as const
export const SMALL = Op.put

/** Six values per record: seq, kind, path, completes, at, data. */
export type FlatRecords = readonly (string | number | boolean)[]
export const RECORD_WIDTH = 6

/** Columns of `runs` that a patch sets, and their values, in pairs. */
export type FlatPatch = readonly (string | number | null)[]

export interface FlatRun {
  readonly id: string
  readonly tenant: string
  readonly flow: string
  readonly flowHash: string
  readonly priority: number
  readonly trigger: string
  readonly inputs: string
  readonly facts: string
  readonly key: string | null
  readonly limit: number | null
  readonly whenFull: 'queue' | 'skip' | 'cancel_running' | null
  readonly holdWaiting: boolean
  readonly idempotencyKey: string | null
  readonly parentRid: number | null
  readonly parentPath: string | null
  readonly rootRid: number | null
  readonly forkedFrom: string | null
  readonly forkedAt: string | null
  readonly createdAt: number
  readonly blobs: readonly BlobRow[] | null
}

export type PackedRun = readonly [
  id: string,
  tenant: string,
  flow: string,
  flowHash: string,
  priority: number,
  trigger: string,
  inputs: string,
  facts: string,
  key: string | null,
  limit: number | null,
  whenFull: FlatRun['whenFull'],
  holdWaiting: boolean,
  idempotencyKey: string | null,
  parentRid: number | null,
  parentPath: string | null,
  rootRid: number | null,
  forkedFrom: string | null,
  forkedAt: string | null,
  createdAt: number,
  blobs: readonly BlobRow[] | null,
]

export interface FlatMessage {
  readonly rid: number
  readonly kind: string
  readonly dedupe: string | null
  readonly payload: string
  readonly at: number
}

export interface FlatEvent {
  readonly tenant: string
  readonly name: string
  readonly data: string
  readonly at: number
  readonly key: string | null
}

/** The rarer parts of a write; absent (null) in most. */
export interface FlatRest {
  readonly snapshot: RunWrite['snapshot'] | null
  readonly children: readonly FlatRun[]
  readonly events: readonly FlatEvent[]
  readonly subscribe: NonNullable<RunWrite['subscribe']>
  readonly unsubscribe: readonly string[]
  readonly messages: readonly FlatMessage[]
  readonly childMessages: readonly { readonly parentPath: string; readonly message: FlatMessage }[]
  readonly consumes: readonly number[]
  readonly blobs: readonly BlobRow[]
}

export type AppendOp = readonly [
  code: 0,
  id: number,
  rid: number,
  epoch: number,
  nonce: string | null,
  records: FlatRecords,
  patch: FlatPatch | null,
  rest: FlatRest | null,
]
export type FlatStart = readonly [
  records: FlatRecords,
  patch: FlatPatch | null,
  rest: FlatRest | null,
  nonce: string | null,
]
export type AcceptOp = readonly [code: 1, id: number, run: PackedRun, start: FlatStart | null]
export type ClaimOp = readonly [code: 2, id: number, limit: number, now: number, only: readonly number[] | null]
export type DeliverOp = readonly [code: 3, id: number, message: FlatMessage]
export type PublishOp = readonly [code: 4, id: number, event: FlatEvent]
export type PutOp = readonly [code: 5, id: number, put: Put]
export type PruneOp = readonly [code: 6, id: number, query: PruneQuery]
export type CompactOp = readonly [code: 7, id: number]
export type CloseOp = readonly [code: 8, id: number]
/** Asks for ownership to be renewed now; `confirmed` or `lost` answers it. */
export type ConfirmOp = readonly [code: 9]

export type SmallOp = AppendOp | AcceptOp | ClaimOp | DeliverOp | PublishOp | PutOp
/** Operations with a number under which they are answered. */
export type NumberedOperation = SmallOp | PruneOp | CompactOp | CloseOp
export type Operation = NumberedOperation | ConfirmOp

/** Changes of the small tables. */
export type Put =
  | { readonly kind: 'flow_version'; readonly row: FlowVersion }
  | { readonly kind: 'flow'; readonly row: FlowRow }
  | { readonly kind: 'delete_flow'; readonly tenant: string; readonly name: string }
  | { readonly kind: 'schedule'; readonly row: ScheduleRow }
  | { readonly kind: 'delete_schedule'; readonly tenant: string; readonly flow: string; readonly trigger: string }
  | { readonly kind: 'meta'; readonly key: string; readonly value: string }
  | { readonly kind: 'token'; readonly row: Omit<TokenRow, 'permissions'> & { readonly permissions: string } }
  | { readonly kind: 'delete_token'; readonly tenant: string; readonly id: string }

export interface PruneQuery {
  readonly tenant: string | null
  readonly flow: string | null
  readonly before: number
  readonly limit: number
}

/** Answers that occur all the time are numbers. */
export const COMMITTED = 0
export const FENCED = 1

export interface CommittedWith {
  readonly children: readonly { readonly rid: number; readonly id: string; readonly full?: true }[]
  readonly messages: readonly (FlatMessage & { readonly id: number })[]
}

/** A number is the `rid` of a run that was begun, with nothing to tell beside. */
export type AcceptAnswer =
  | number
  | {
      readonly kind: 'created'
      readonly rid: number
      readonly status: 'queued' | 'running'
      readonly cancelled: readonly number[]
      readonly messages: CommittedWith['messages']
    }
  | { readonly kind: 'existing'; readonly row: RunColumns }
  | { readonly kind: 'concurrency_full'; readonly holders: readonly string[] }

/** An operation that failed; `code` is of the store's table. */
export interface Failure {
  readonly failed: true
  readonly code: string
  readonly message: string
}

/** Answer of one operation: its id, then its result. */
export type Answers = unknown[]

/** What the writer sends. */
export type FromWriter =
  | {
      readonly type: 'ready'
      readonly epoch: number
      readonly previous: PreviousOwner | null
      readonly answers?: undefined
    }
  | { readonly type: 'refused'; readonly failure: Failure; readonly owner: PreviousOwner['owner'] | null }
  | { readonly type: 'answers'; readonly answers: Answers; readonly commit: CommitFigures | null }
  | { readonly type: 'lost'; readonly reason: string }
  | { readonly type: 'confirmed' }

export interface PreviousOwner {
  readonly owner: {
    readonly epoch: number
    readonly pid: number
    readonly processStart: string
    readonly socket: string
    readonly renewedAt: number
    readonly version: string
  }
  readonly why: 'released' | 'gone' | 'stalled'
}

/** One commit, for `stats()`. */
export interface CommitFigures {
  readonly records: number
  readonly bytes: number
  readonly ms: number
}

export function flattenRecords(records: RunWrite['records']): FlatRecords {
  const flat: (string | number | boolean)[] = []
  for (const record of records) {
    flat.push(record.seq, record.kind, record.path, record.completes, record.at, record.data)
  }
  return flat
}

export function flattenPatch(patch: RunPatch | undefined): FlatPatch | null {
  if (patch === undefined) return null
  const flat: (string | number | null)[] = []
  if (patch.status !== undefined) flat.push('status', patch.status)
  if (patch.reason !== undefined) flat.push('reason', patch.reason)
  if (patch.wakeAt !== undefined) flat.push('wake_at', patch.wakeAt)
  if (patch.outputs !== undefined) flat.push('outputs', jsonOrNull(patch.outputs))
  if (patch.error !== undefined) flat.push('error', jsonOrNull(patch.error))
  if (patch.startedAt !== undefined) flat.push('started_at', patch.startedAt)
  if (patch.finishedAt !== undefined) flat.push('finished_at', patch.finishedAt)
  if (patch.crashCount !== undefined) flat.push('crash_count', patch.crashCount)
  return flat.length === 0 ? null : flat
}

/** The row of a new run as it travels: every accepted run is sent, and names of fields would be half of it. */
export function packRun(run: NewRun): PackedRun {
  const { concurrency, parent, fork } = run
  return [
    run.id,
    run.tenant,
    run.flow,
    run.flowHash,
    run.priority,
    JSON.stringify(run.trigger),
    JSON.stringify(run.inputs),
    JSON.stringify(run.facts),
    concurrency?.key ?? null,
    concurrency?.limit ?? null,
    concurrency?.whenFull ?? null,
    concurrency?.holdWhileWaiting ?? true,
    run.idempotencyKey ?? null,
    parent?.rid ?? null,
    parent?.path ?? null,
    parent?.rootRid ?? null,
    fork?.from ?? null,
    fork?.at ?? null,
    run.createdAt,
    run.blobs ?? null,
  ]
}

export function unpackRun(run: PackedRun): FlatRun {
  return {
    id: run[0],
    tenant: run[1],
    flow: run[2],
    flowHash: run[3],
    priority: run[4],
    trigger: run[5],
    inputs: run[6],
    facts: run[7],
    key: run[8],
    limit: run[9],
    whenFull: run[10],
    holdWaiting: run[11],
    idempotencyKey: run[12],
    parentRid: run[13],
    parentPath: run[14],
    rootRid: run[15],
    forkedFrom: run[16],
    forkedAt: run[17],
    createdAt: run[18],
    blobs: run[19],
  }
}

/** Characters of the JSON texts of a row. */
export function textLength(run: PackedRun): number {
  return run[5].length + run[6].length + run[7].length
}

export function flattenMessage(message: NewMessage): FlatMessage {
  return {
    rid: message.rid,
    kind: message.kind,
    dedupe: message.dedupe ?? null,
    payload: JSON.stringify(message.payload),
    at: message.at,
  }
}

export function flattenEvent(event: NewEvent): FlatEvent {
  return {
    tenant: event.tenant,
    name: event.name,
    data: JSON.stringify(event.data),
    at: event.at,
    key: event.key ?? null,
  }
}

export function flattenRest(write: Omit<RunWrite, 'rid' | 'epoch'>): FlatRest | null {
  if (!hasRest(write)) return null
  return {
    snapshot: write.snapshot ?? null,
    children: write.children?.map((child) => unpackRun(packRun(child))) ?? [],
    events: write.events?.map(flattenEvent) ?? [],
    subscribe: write.subscribe ?? [],
    unsubscribe: write.unsubscribe ?? [],
    messages: write.messages?.map(flattenMessage) ?? [],
    childMessages:
      write.childMessages?.map(({ parentPath, message }) => ({
        parentPath,
        message: flattenMessage({ ...message, rid: 0 }),
      })) ?? [],
    consumes: write.consumes ?? [],
    blobs: write.blobs ?? [],
  }
}

function hasRest(write: Omit<RunWrite, 'rid' | 'epoch'>): boolean {
  return (
    write.snapshot !== undefined ||
    isFilled(write.consumes) ||
    isFilled(write.children) ||
    isFilled(write.events) ||
    isFilled(write.subscribe) ||
    isFilled(write.unsubscribe) ||
    isFilled(write.messages) ||
    isFilled(write.childMessages) ||
    isFilled(write.blobs)
  )
}

function isFilled(list: readonly unknown[] | undefined): boolean {
  return list !== undefined && list.length > 0
}

function jsonOrNull(value: Json | ErrorInfo | null): string | null {
  return value === null ? null : JSON.stringify(value)
}
