/** Looking at runs: their steps as a trace, and whether row, snapshot and journal agree. */
import type { BlobStore } from '../blob/blob-store.ts'
import { replay } from '../engine/replay.ts'
import { isReadable, serialize, statusOf, wakeAt, type RunState } from '../engine/state.ts'
import type { StepTrace } from '../engine/step-trace.ts'
import { traceRun } from '../engine/trace.ts'
import type { Json, JsonObject } from '../json.ts'
import { childPath } from '../store/child-path.ts'
import type { JournalRecord, RunRow, Store } from '../store/store.ts'
import { readWholeJournal, restoreText } from './journal.ts'
import type { Programs } from './programs.ts'
import { restoreObject } from './recovery.ts'
import type { RunDetail } from './runtime.ts'
import { rowSummary } from './summary.ts'

/** Larger values of a trace are shown by their size. */
const SHOWN_BYTES = 1024 * 1024

export interface InspectionOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly programs: Programs
}

/** The run with its trace. Null: no such run. */
export async function inspectRun(options: InspectionOptions, tenant: string, id: string): Promise<RunDetail | null> {
  const found = await options.store.findRun(tenant, id)
  if (found === null) return null
  const row = await wholeRow(found, options.blobs)
  const records = await readWholeJournal(options, row.rid, SHOWN_BYTES)
  return { ...rowSummary(row), row, steps: await traceOf(options, row, records) }
}

/** The row with its large inputs and outputs. */
export async function wholeRow(row: RunRow, blobs: BlobStore): Promise<RunRow> {
  const inputs = await restoreObject(row.inputs, blobs, SHOWN_BYTES)
  const outputs = row.outputs === null ? null : await restoreObject(row.outputs, blobs)
  return inputs === row.inputs && outputs === row.outputs ? row : { ...row, inputs, outputs }
}

/** The steps that a journal tells of, with the runs of sub-flows that have not ended. */
export async function traceOf(
  { store, programs }: InspectionOptions,
  row: RunRow,
  records: readonly JournalRecord[],
): Promise<readonly StepTrace[]> {
  if (records.length === 0) return []
  const { program } = await programs.byHash(row.flowHash, row.flow)
  const steps = traceRun(program, records)
  if (!steps.some((step) => step.kind === 'subflow' && step.childRunId === null)) return steps
  const children = await store.listRuns({ tenant: row.tenant, parentRid: row.rid, limit: 10_000 })
  const byPath = new Map(children.map((child) => [child.parentPath, child.id]))
  return steps.map((step) => {
    if (step.kind !== 'subflow' || step.childRunId !== null) return step
    return { ...step, childRunId: byPath.get(childPath(step.path, step.attempts)) ?? null }
  })
}

/** Feeds the journal to the core again and compares with what is stored; empty: they agree. */
export async function verifyRun(options: InspectionOptions, row: RunRow): Promise<readonly string[]> {
  const records = await readWholeJournal(options, row.rid)
  const differences = numbering(row, records)
  const { program } = await options.programs.byHash(row.flowHash, row.flow)
  const outcome = replay(program, records)
  if (outcome.kind === 'nondeterminism') {
    const { seq, expected, got } = outcome.nondeterminism
    return [...differences, `record ${seq}: the journal has ${expected}, computed is ${got}`]
  }
  if (outcome.state === null) return row.status === 'queued' ? differences : [...differences, 'the journal is empty']
  differences.push(...compareRow(await wholeRow(row, options.blobs), outcome.state))
  return [...differences, ...(await compareSnapshot(options, row, records))]
}

function numbering(row: RunRow, records: readonly JournalRecord[]): string[] {
  const differences: string[] = []
  for (const [index, record] of records.entries()) {
    if (record.seq !== index + 1) differences.push(`record ${record.seq} stands where ${index + 1} should`)
  }
  const last = records.at(-1)?.seq ?? 0
  if (row.nextSeq !== last + 1)
    differences.push(`the row says that ${row.nextSeq} is next, the journal ends with ${last}`)
  return differences
}

function compareRow(row: RunRow, state: RunState): string[] {
  const { status, reason } = statusOf(state)
  const differences: string[] = []
  const isHeld = row.reason === 'needs_attention' || row.reason === 'nondeterminism' || row.reason === 'stopped'
  // A run that waits for a moment stays in memory, and one that is held or stopped says so in its row alone.
  const open = (row.status === 'running' || row.status === 'waiting' || row.status === 'queued') && !isEnded(status)
  if (!open && row.status !== status) differences.push(`the row is ${row.status}, the journal says ${status}`)
  if (row.status === 'waiting' && status === 'waiting' && !isHeld) {
    if (row.reason !== reason) differences.push(`the row waits for ${row.reason}, the journal for ${reason}`)
    if (row.wakeAt !== wakeAt(state))
      differences.push(`the row wakes at ${row.wakeAt}, the journal at ${wakeAt(state)}`)
  }
  if (isEnded(status)) {
    if (!same(row.outputs, state.outputs)) differences.push('outputs of row and journal differ')
    if (!same(row.error as Json, state.error as Json)) differences.push('errors of row and journal differ')
  }
  return differences
}

async function compareSnapshot(
  { store, blobs, programs }: InspectionOptions,
  row: RunRow,
  records: readonly JournalRecord[],
): Promise<string[]> {
  const snapshot = (await store.load(row.rid))?.snapshot ?? null
  if (snapshot === null) return []
  const { program } = await programs.byHash(row.flowHash, row.flow)
  const outcome = replay(
    program,
    records.filter((record) => record.seq <= snapshot.seq),
  )
  if (outcome.kind === 'nondeterminism' || outcome.state === null)
    return [`the snapshot at ${snapshot.seq} has no records`]
  const text = await restoreText(snapshot.state, blobs)
  // One that cannot be read is passed over when the run is brought back.
  if (!isReadable(text)) return []
  const stored = JSON.parse(text) as Json
  return same(stored, JSON.parse(serialize(outcome.state)) as Json) ? [] : [`the snapshot at ${snapshot.seq} differs`]
}

function isEnded(status: string): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled'
}

/** Equal by content; the order of an object's members does not count. */
function same(a: Json | JsonObject, b: Json | JsonObject): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i] ?? null))
    )
  }
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key] ?? null, b[key] ?? null))
  )
}
