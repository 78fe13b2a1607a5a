/**
 * What the writer does inside one transaction: appending, accepting, claiming, delivering, publishing. Everything here
 * runs between BEGIN and COMMIT of a batch whose owner has been checked; expected outcomes are answers and touch nothing,
 * an exception means that the whole operation must be rolled back.
 */
import type { StatementSync } from 'node:sqlite'

import type { ErrorInfo } from '../../error.ts'
import { endKey, replacedMessage, skippedError, skippedMessage } from '../concurrency-messages.ts'
import { storeError } from '../errors.ts'
import { COMMITTED, FENCED, flattenMessage, RECORD_WIDTH, unpackRun } from './messages.ts'
import type { AcceptAnswer, AcceptOp, AppendOp, ClaimOp, CommittedWith, DeliverOp, PublishOp } from './messages.ts'
import type { FlatEvent, FlatMessage, FlatPatch, FlatRecords, FlatRest, FlatRun, FlatStart } from './messages.ts'
import type { Column, RunColumns } from './rows.ts'
import type { Prepared } from './prepared.ts'
import { Slots, type Holder } from './slots.ts'
import { patchStatement, WRITE } from './statements.ts'

/** How many later runs one point of priority is worth: what makes waiting runs age. */
export const PRIORITY_STEP = 10_000

/** What the writer remembers of a run that it has written under its epoch. */
interface Known {
  next: number
  nonce: string | null
  readonly tenant: string
  readonly key: string | null
  readonly holdWaiting: boolean
  readonly root: number
  /** False: it certainly has no subscriptions. */
  subscribed: boolean
}

type Created = Extract<AcceptAnswer, { kind: 'created' }>
type StoredFlat = CommittedWith['messages'][number]

/** Runs remembered at most; past that all are forgotten and read again when needed. */
const KNOWN_LIMIT = 20_000
const ENDED: ReadonlySet<unknown> = new Set(['succeeded', 'failed', 'cancelled'])

export class RunTables {
  readonly #db: Prepared
  readonly #slots: Slots
  readonly #epoch: number
  readonly #known = new Map<number, Known>()
  #nextRid: number
  #nextMessage: number
  readonly #insertRecord: StatementSync

  constructor(db: Prepared, epoch: number) {
    this.#db = db
    this.#slots = new Slots(db)
    this.#epoch = epoch
    this.#insertRecord = this.#db.statement(WRITE.insertRecord)
    const highest = (table: string, name: string) =>
      Math.max(Number(this.#db.value(table) ?? 0), Number(this.#db.value(WRITE.getMeta, name) ?? 0))
    this.#nextRid = highest(WRITE.maxRid, FLOORS.rid) + 1
    this.#nextMessage = highest(WRITE.maxMessage, FLOORS.message) + 1
  }

  /** Numbers that were given out last; pruning keeps them so that none is used again. */
  get floors(): { readonly rid: number; readonly message: number } {
    return { rid: this.#nextRid - 1, message: this.#nextMessage - 1 }
  }

  /** To be called when a transaction was rolled back: what was remembered of its runs is not true. */
  forget(): void {
    this.#known.clear()
  }

  append(op: AppendOp): typeof COMMITTED | typeof FENCED | CommittedWith {
    const [, , rid, epoch, nonce, records, patch, rest] = op
    if (epoch !== this.#epoch) return FENCED
    const run = this.#run(rid)
    if (records.length > 0 ? records[0] !== run.next : nonce !== null && nonce === run.nonce) {
      return this.#again(op, run)
    }
    if (records.length > 0) this.#insertRecords(rid, run, records, nonce)
    else if (nonce !== null) this.#setNonce(rid, run, nonce)
    if (patch !== null) this.#patch(rid, run, patch)
    return rest === null ? COMMITTED : this.#rest(rid, run, rest)
  }

  accept(op: AcceptOp): AcceptAnswer {
    const run = unpackRun(op[2])
    const start = op[3]
    if (run.idempotencyKey !== null) {
      const row = this.#db.first(WRITE.runByKey, run.tenant, run.flow, run.idempotencyKey)
      if (row !== undefined) return { kind: 'existing', row }
    }
    const holders = this.#slots.blockers(run)
    if (holders.length > 0 && run.whenFull === 'skip') {
      return { kind: 'concurrency_full', holders: holders.map((holder) => holder.id) }
    }
    const free = holders.length === 0 && !(run.whenFull !== 'skip' && this.#slots.isQueued(run))
    const admitted = start !== null && free
    const rid = this.#nextRid++
    const earlier = this.#insertRun(rid, run, admitted ? start : null, admitted ? 'running' : 'queued')
    if (earlier !== null) {
      return { ...earlier, messages: this.#storedEnds(earlier.rid, start?.[2]?.children ?? []) }
    }
    const messages = admitted ? this.#start(rid, run, start) : []
    const cancelled = run.whenFull === 'cancel_running' ? this.#cancelHolders(holders, run) : []
    if (admitted && messages.length === 0 && cancelled.length === 0) return rid
    return { kind: 'created', rid, status: admitted ? 'running' : 'queued', cancelled, messages }
  }

  /** Rows of the runs taken. A run whose key is full is set aside until a slot of its key gets free. */
  claim(op: ClaimOp): readonly RunColumns[] {
    const [, , limit, now, only] = op
    const claimed: RunColumns[] = []
    const seen = new Set<number>()
    while (claimed.length < limit) {
      const wanted = limit - claimed.length
      const found =
        only === null
          ? // Those looked at may stand in front again: a claim puts the next one of its key back.
            this.#db.all(WRITE.queued, wanted + seen.size)
          : this.#db.all(WRITE.queuedOnly, JSON.stringify(only), only.length)
      const candidates = found.filter((row) => !seen.has(row[0] as number))
      if (candidates.length === 0) break
      for (const [rid, tenant, key, slots, root] of candidates as [number, string, string | null, number, number][]) {
        if (claimed.length >= limit) break
        seen.add(rid)
        if (key !== null && !this.#slots.isFree(tenant, key, slots, root)) {
          this.#slots.setAside(rid)
          continue
        }
        this.#db.run(WRITE.claim, this.#epoch, now, rid)
        this.#known.delete(rid)
        // The next one of this key is looked at too: limits may have been raised, or a slot be left.
        if (key !== null) this.#slots.release(tenant, key)
        const row = this.#db.first(WRITE.runByRid, rid)
        if (row !== undefined) claimed.push(row)
      }
      if (only !== null) break
    }
    return claimed
  }

  deliver(op: DeliverOp): { readonly kind: 'stored' | 'duplicate'; readonly id: number } {
    const message = op[2]
    if (!this.#isStored(message.rid)) {
      throw storeError(
        'store_run_missing',
        `A message of kind ${message.kind} is for run ${message.rid}, which is not stored.`,
      )
    }
    const stored = this.#send(message)
    return stored === null
      ? { kind: 'duplicate', id: Number(this.#db.value(WRITE.messageByDedupe, message.rid, message.dedupe)) }
      : { kind: 'stored', id: stored }
  }

  publish(op: PublishOp): { readonly id: number; readonly waiting: readonly { rid: number; path: string }[] } {
    const event = op[2]
    const id = this.#publish(event)
    const waiting = this.#db.all(WRITE.subscribers, event.tenant, event.name)
    return { id, waiting: waiting.map(([rid, path]) => ({ rid: rid as number, path: path as string })) }
  }

  /** The run as this owner knows it; the first look at a run of an earlier owner takes it over. */
  #run(rid: number): Known {
    const known = this.#known.get(rid)
    if (known !== undefined) return known
    const row = this.#db.first(WRITE.runState, rid)
    if (row === undefined) {
      throw storeError('store_run_missing', `Run ${rid} is not stored; it may have been deleted by retention.`)
    }
    if (row[0] !== this.#epoch) this.#db.run(WRITE.takeRun, this.#epoch, rid)
    return this.#remember(rid, {
      tenant: row[1] as string,
      key: row[2] as string | null,
      holdWaiting: row[3] === 1,
      nonce: row[4] as string | null,
      root: (row[5] as number | null) ?? rid,
      subscribed: true,
      next: row[6] as number,
    })
  }

  #remember(rid: number, known: Known): Known {
    if (this.#known.size >= KNOWN_LIMIT) this.#known.clear()
    this.#known.set(rid, known)
    return known
  }

  /** A write that does not begin where the run stands: the same as before, or a mistake. */
  #again(op: AppendOp, run: Known): CommittedWith {
    const [, , rid, , nonce, records, , rest] = op
    const first = records[0] as number | undefined
    const same =
      nonce !== null &&
      (first === undefined || (first < run.next && this.#db.value(WRITE.nonceAt, rid, first) === nonce))
    if (!same && first !== undefined && first > run.next) {
      throw storeError(
        'store_out_of_order',
        `Record ${first} of run ${rid} was to be stored before record ${run.next}. Send the earlier write again first.`,
      )
    }
    if (!same) {
      throw storeError(
        'store_sequence',
        `A write to run ${rid} begins at record ${first}, but its next record is ${run.next}. Load the run again.`,
      )
    }
    const children = (rest?.children ?? []).map((child) => this.#storedChild(child))
    const messages = (rest === null ? [] : this.#allMessages(rid, rest)).flatMap((message) => {
      const id =
        message.dedupe === null ? undefined : this.#db.value(WRITE.messageByDedupe, message.rid, message.dedupe)
      return id === undefined ? [] : [{ ...message, id: id as number }]
    })
    return { children, messages: [...this.#storedEnds(rid, rest?.children ?? []), ...messages] }
  }

  #insertRecords(rid: number, run: Known, records: FlatRecords, nonce: string | null): void {
    for (let i = 0; i < records.length; i += RECORD_WIDTH) {
      const seq = records[i] as number
      if (seq !== run.next) {
        throw storeError('store_sequence', `A write to run ${rid} has record ${seq} where ${run.next} must follow.`)
      }
      this.#insertRecord.run(
        rid,
        seq,
        this.#epoch,
        records[i + 1] as string,
        records[i + 2] as string,
        records[i + 3] === true ? 1 : 0,
        records[i + 4] as number,
        records[i + 5] as string,
        i === 0 ? nonce : null,
      )
      run.next++
    }
  }

  #setNonce(rid: number, run: Known, nonce: string): void {
    this.#db.run(WRITE.setNonce, nonce, rid)
    run.nonce = nonce
  }

  #patch(rid: number, run: Known, patch: FlatPatch): void {
    const columns: string[] = []
    const values: Column[] = []
    for (let i = 0; i < patch.length; i += 2) {
      columns.push(patch[i] as string)
      values.push(patch[i + 1] as Column)
    }
    const status = columns[0] === 'status' ? values[0] : undefined
    if (status === 'queued') {
      columns.push('blocked')
      values.push(0)
    }
    values.push(rid)
    this.#db.statement(patchStatement(columns)).run(...values)
    if (status === undefined || status === 'running') return
    const ended = ENDED.has(status)
    if (run.key !== null && (ended || status === 'queued' || !run.holdWaiting)) {
      this.#slots.release(run.tenant, run.key)
    }
    if (!ended) return
    if (run.subscribed) this.#db.run(WRITE.unsubscribeAll, rid)
    this.#known.delete(rid)
  }

  /** `parentOf`: the parent that the children get whatever they say. */
  #rest(
    rid: number,
    run: Known,
    rest: FlatRest,
    parentOf: Pick<FlatRun, 'parentRid' | 'rootRid'> | null = null,
  ): typeof COMMITTED | CommittedWith {
    if (rest.snapshot !== null && rest.snapshot !== undefined) {
      this.#db.run(WRITE.putSnapshot, rid, rest.snapshot.seq, rest.snapshot.state)
    }
    for (const blob of rest.blobs) this.#db.run(WRITE.putBlob, blob.hash, rid, blob.size)
    const messages: StoredFlat[] = []
    const children = rest.children.map((child) =>
      this.#insertChild(parentOf === null ? child : { ...child, ...parentOf }, messages),
    )
    for (const event of rest.events) this.#publish(event)
    if (rest.subscribe.length > 0) run.subscribed = true
    for (const { path, event, after } of rest.subscribe) {
      const cursor = after ?? (this.#db.value(WRITE.lastEvent) as number)
      this.#db.run(WRITE.subscribe, rid, path, run.tenant, event, cursor)
    }
    for (const path of rest.unsubscribe) this.#db.run(WRITE.unsubscribe, rid, path)
    for (const message of this.#allMessages(rid, rest)) {
      const id = this.#isStored(message.rid) ? this.#send(message) : null
      if (id !== null) messages.push({ ...message, id })
    }
    for (const id of rest.consumes) this.#db.run(WRITE.consume, id, rid)
    return children.length === 0 && messages.length === 0 ? COMMITTED : { children, messages }
  }

  /** Messages of a write, those to children addressed. A child that is not stored gets none. */
  #allMessages(rid: number, rest: FlatRest): FlatMessage[] {
    const toChildren = rest.childMessages.flatMap(({ parentPath, message }) => {
      const child = this.#db.value(WRITE.childAt, rid, parentPath)
      return child === undefined ? [] : [{ ...message, rid: child as number }]
    })
    return [...rest.messages, ...toChildren]
  }

  /** `messages` gets the one that ends a child whose key is full. */
  #insertChild(child: FlatRun, messages: StoredFlat[]): CommittedWith['children'][number] {
    const holders = this.#slots.blockers(child)
    const names = holders.map(({ id }) => id)
    const error = holders.length > 0 && child.whenFull === 'skip' ? skippedError(child.key ?? '', names) : null
    const rid = this.#nextRid++
    if (this.#insertRun(rid, child, error === null ? null : failedStart(child, error), 'queued') !== null) {
      throw storeError(
        'store_constraint',
        `A child has the id of another run, ${child.id}; nothing of the write was stored.`,
      )
    }
    if (holders.length > 0 && child.whenFull === 'cancel_running') this.#cancelHolders(holders, child)
    if (error === null) return { rid, id: child.id }
    if (child.parentRid !== null) {
      const { id, parentPath, createdAt } = child
      const end = flattenMessage(
        skippedMessage(child.parentRid, { id, parentPath: parentPath ?? '', createdAt }, error),
      )
      const sent = this.#send(end)
      if (sent !== null) messages.push({ ...end, id: sent })
    }
    return { rid, id: child.id, full: true }
  }

  /** The ends of these children that stand in the inbox of their parent: for a write that was sent again. */
  #storedEnds(parentRid: number, children: readonly FlatRun[]): readonly StoredFlat[] {
    return children.flatMap(({ id }): StoredFlat[] => {
      const dedupe = endKey(id)
      const row = this.#db.first(WRITE.storedMessage, parentRid, dedupe)
      if (row === undefined) return []
      const [number, kind, payload, at] = row as [number, string, string, number]
      return [{ id: number, rid: parentRid, kind, dedupe, payload, at }]
    })
  }

  #storedChild(child: FlatRun): CommittedWith['children'][number] {
    const rid = this.#db.value(WRITE.ridOfId, child.id) as number
    return this.#db.first(WRITE.ridOfId, child.id)?.[1] === 'failed'
      ? { rid, id: child.id, full: true }
      : { rid, id: child.id }
  }

  /** Stores the row. A run with this id that is there already is the same write, sent again: its answer. */
  #insertRun(rid: number, run: FlatRun, start: FlatStart | null, status: string): Created | null {
    const patch = new Map<unknown, Column>()
    const flat = start?.[1] ?? []
    for (let i = 0; i < flat.length; i += 2) patch.set(flat[i], flat[i + 1] as Column)
    const final = (patch.get('status') ?? status) as string
    const startedAt = final === 'queued' ? null : run.createdAt
    try {
      this.#db.run(
        WRITE.insertRun,
        rid,
        run.id,
        run.tenant,
        run.flow,
        run.flowHash,
        final,
        patch.get('reason') ?? null,
        run.priority,
        rid - run.priority * PRIORITY_STEP,
        run.key,
        run.limit,
        run.holdWaiting ? 1 : 0,
        run.parentRid,
        run.parentPath,
        run.rootRid,
        run.forkedFrom,
        run.forkedAt,
        run.idempotencyKey,
        this.#epoch,
        start?.[3] ?? null,
        patch.get('wake_at') ?? null,
        patch.get('crash_count') ?? 0,
        run.createdAt,
        patch.has('started_at') ? (patch.get('started_at') ?? null) : startedAt,
        patch.get('finished_at') ?? null,
        patch.get('outputs') ?? null,
        patch.get('error') ?? null,
      )
    } catch (error) {
      const earlier = this.#db.first(WRITE.ridOfId, run.id)
      if (earlier === undefined) throw error
      return {
        kind: 'created',
        rid: earlier[0] as number,
        status: earlier[1] === 'queued' ? 'queued' : 'running',
        cancelled: [],
        messages: [],
      }
    }
    this.#db.run(WRITE.insertPayload, rid, run.trigger, run.inputs, run.facts)
    for (const blob of run.blobs ?? []) this.#db.run(WRITE.putBlob, blob.hash, rid, blob.size)
    return null
  }

  #start(rid: number, run: FlatRun, start: FlatStart): CommittedWith['messages'] {
    const [records, patch, rest, nonce] = start
    const known: Known = {
      next: 1,
      nonce,
      tenant: run.tenant,
      key: run.key,
      holdWaiting: run.holdWaiting,
      root: run.rootRid ?? rid,
      subscribed: false,
    }
    this.#insertRecords(rid, known, records, nonce)
    const stored = rest === null ? COMMITTED : this.#rest(rid, known, rest, { parentRid: rid, rootRid: known.root })
    if (!(patch?.[0] === 'status' && ENDED.has(patch[1]))) this.#remember(rid, known)
    return stored === COMMITTED ? [] : stored.messages
  }

  #cancelHolders(holders: readonly Holder[], run: FlatRun): number[] {
    for (const { rid } of holders) this.#send(flattenMessage(replacedMessage(rid, run)))
    return holders.map(({ rid }) => rid)
  }

  #isStored(rid: number): boolean {
    return this.#known.has(rid) || this.#db.value(WRITE.runExists, rid) !== undefined
  }

  /** Id of the stored message; null for a duplicate. */
  #send(message: FlatMessage): number | null {
    const { rid, kind, dedupe, payload, at } = message
    const id = this.#nextMessage
    if (this.#db.run(WRITE.insertMessage, id, rid, kind, dedupe, payload, at) === 0) return null
    this.#nextMessage++
    return id
  }

  #publish({ tenant, name, data, at, key }: FlatEvent): number {
    const known = key === null ? undefined : this.#db.value(WRITE.eventByKey, tenant, name, key)
    if (known !== undefined) return known as number
    return Number(this.#db.statement(WRITE.insertEvent).run(tenant, name, data, at, key).lastInsertRowid)
  }
}

/** Meta keys under which pruning keeps the highest numbers given out. */
export const FLOORS = { rid: 'store.rid_floor', message: 'store.message_floor' } as const

/** The row of a run that has ended before it began. */
function failedStart({ createdAt }: FlatRun, error: ErrorInfo): FlatStart {
  const patch = ['status', 'failed', 'error', JSON.stringify(error), 'started_at', null, 'finished_at', createdAt]
  return [[], patch, null, null]
}
