/** One run of the memory store: its row, journal, inbox and subscriptions. */
import type { ErrorInfo } from '../../error.ts'
import type { JsonObject } from '../../json.ts'
import type { BlobRow, JournalRecord, LoadedRun, NewRun, RunPatch, RunRow, RunStatus } from '../store.ts'
import type { RunWrite, StoredMessage } from '../store.ts'
import { TERMINAL } from '../store.ts'

/** How many later runs one point of priority is worth; as in the other stores. */
const PRIORITY_STEP = 10_000

interface Letter extends Omit<StoredMessage, 'payload'> {
  readonly payload: string
  consumed: boolean
}

export class MemoryRun {
  readonly rid: number
  readonly id: string
  readonly tenant: string
  readonly flow: string
  readonly flowHash: string
  readonly priority: number
  readonly key: string | null
  readonly limit: number | null
  readonly holdWhileWaiting: boolean
  readonly parentRid: number | null
  readonly parentPath: string | null
  readonly rootRid: number | null
  readonly forkedFrom: string | null
  readonly forkedAt: string | null
  readonly idempotencyKey: string | null
  readonly createdAt: number
  readonly #trigger: string
  readonly #inputs: string
  readonly #facts: string
  #outputs: string | null = null
  #error: string | null = null
  readonly #nonces = new Map<number, string>()
  #lastNonce: string | null = null
  readonly #inbox: Letter[] = []

  status: RunStatus
  reason: string | null = null
  epoch: number
  wakeAt: number | null = null
  crashCount = 0
  startedAt: number | null
  finishedAt: number | null = null
  snapshot: { readonly seq: number; readonly state: string } | null = null
  readonly records: JournalRecord[] = []
  readonly completed = new Set<string>()
  readonly subscriptions = new Map<string, { readonly event: string; readonly after: number }>()
  readonly blobs = new Map<string, BlobRow>()

  constructor(rid: number, run: NewRun, status: RunStatus, epoch: number) {
    this.rid = rid
    this.id = run.id
    this.tenant = run.tenant
    this.flow = run.flow
    this.flowHash = run.flowHash
    this.priority = run.priority
    this.key = run.concurrency?.key ?? null
    this.limit = run.concurrency?.limit ?? null
    this.holdWhileWaiting = run.concurrency?.holdWhileWaiting ?? true
    this.parentRid = run.parent?.rid ?? null
    this.parentPath = run.parent?.path ?? null
    this.rootRid = run.parent?.rootRid ?? null
    this.forkedFrom = run.fork?.from ?? null
    this.forkedAt = run.fork?.at ?? null
    this.idempotencyKey = run.idempotencyKey ?? null
    this.createdAt = run.createdAt
    this.startedAt = status === 'queued' ? null : run.createdAt
    this.status = status
    this.epoch = epoch
    this.#trigger = JSON.stringify(run.trigger)
    this.#inputs = JSON.stringify(run.inputs)
    this.#facts = JSON.stringify(run.facts)
    this.addBlobs(run.blobs)
  }

  get nextSeq(): number {
    return this.records.length + 1
  }

  holdsSlot(): boolean {
    return this.status === 'running' || (this.status === 'waiting' && this.holdWhileWaiting)
  }

  /** Whether a write with this nonce is stored already. */
  hasNonce(write: RunWrite): boolean {
    if (write.nonce === undefined) return false
    const first = write.records[0]?.seq
    return first === undefined ? this.#lastNonce === write.nonce : this.#nonces.get(first) === write.nonce
  }

  addRecords(records: readonly JournalRecord[], nonce: string | undefined): void {
    const first = records[0]?.seq
    if (nonce !== undefined && first !== undefined) this.#nonces.set(first, nonce)
    else if (nonce !== undefined) this.#lastNonce = nonce
    for (const record of records) {
      this.records.push({ ...record })
      if (record.completes) this.completed.add(record.path)
    }
  }

  addBlobs(blobs: readonly BlobRow[] | undefined): void {
    for (const blob of blobs ?? []) this.blobs.set(blob.hash, { ...blob })
  }

  patch(patch: RunPatch): void {
    if (patch.status !== undefined) this.status = patch.status
    if (patch.reason !== undefined) this.reason = patch.reason
    if (patch.wakeAt !== undefined) this.wakeAt = patch.wakeAt
    if (patch.outputs !== undefined) this.#outputs = patch.outputs === null ? null : JSON.stringify(patch.outputs)
    if (patch.error !== undefined) this.#error = patch.error === null ? null : JSON.stringify(patch.error)
    if (patch.startedAt !== undefined) this.startedAt = patch.startedAt
    if (patch.finishedAt !== undefined) this.finishedAt = patch.finishedAt
    if (patch.crashCount !== undefined) this.crashCount = patch.crashCount
  }

  addMessage(message: StoredMessage): StoredMessage {
    const payload = JSON.stringify(message.payload)
    this.#inbox.push({ ...message, payload, consumed: false })
    return message
  }

  /** The message stored under this key, consumed or not. */
  message(dedupe: string): StoredMessage | undefined {
    const letter = this.#inbox.find((one) => one.dedupe === dedupe)
    return letter === undefined ? undefined : toMessage(letter)
  }

  messageId(dedupe: string | undefined): number | undefined {
    return dedupe === undefined ? undefined : this.#inbox.find((letter) => letter.dedupe === dedupe)?.id
  }

  consume(ids: readonly number[] = []): void {
    for (const letter of this.#inbox) if (ids.includes(letter.id)) letter.consumed = true
  }

  openMessages(): StoredMessage[] {
    return this.#inbox.filter((letter) => !letter.consumed).map(toMessage)
  }

  toRow(): RunRow {
    return {
      rid: this.rid,
      id: this.id,
      tenant: this.tenant,
      flow: this.flow,
      flowHash: this.flowHash,
      status: this.status,
      reason: this.reason,
      priority: this.priority,
      concurrencyKey: this.key,
      concurrencyLimit: this.limit,
      parentRid: this.parentRid,
      parentPath: this.parentPath,
      rootRid: this.rootRid,
      forkedFrom: this.forkedFrom,
      forkedAt: this.forkedAt,
      idempotencyKey: this.idempotencyKey,
      trigger: JSON.parse(this.#trigger) as JsonObject,
      inputs: JSON.parse(this.#inputs) as JsonObject,
      outputs: this.#outputs === null ? null : (JSON.parse(this.#outputs) as JsonObject),
      error: this.#error === null ? null : (JSON.parse(this.#error) as ErrorInfo),
      epoch: this.epoch,
      nextSeq: this.nextSeq,
      wakeAt: this.wakeAt,
      crashCount: this.crashCount,
      createdAt: this.createdAt,
      startedAt: this.startedAt,
      finishedAt: this.finishedAt,
    }
  }

  toLoaded(): LoadedRun {
    return {
      row: this.toRow(),
      facts: JSON.parse(this.#facts) as JsonObject,
      snapshot: this.snapshot,
      records: this.records.slice(this.snapshot?.seq ?? 0),
      messages: this.openMessages(),
      subscriptions: [...this.subscriptions]
        .map(([path, { event, after }]) => ({ path, event, after }))
        .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    }
  }
}

function toMessage({ id, rid, kind, dedupe, payload, at }: Letter): StoredMessage {
  const message = { id, rid, kind, payload: JSON.parse(payload) as JsonObject, at }
  return dedupe === undefined ? message : { ...message, dedupe }
}

/** The tree of runs that a run belongs to, by the rid of its root. */
export function treeOf(run: MemoryRun): number {
  return run.rootRid ?? run.rid
}

export function isOpen(run: MemoryRun): boolean {
  return !TERMINAL.has(run.status)
}

/** The order in which queued runs are claimed. */
export function byQueue(a: MemoryRun, b: MemoryRun): number {
  return a.rid - a.priority * PRIORITY_STEP - (b.rid - b.priority * PRIORITY_STEP)
}
