/**
 * What is done inside one transaction: the writes that need to look before they write (children, events, messages, concurrency
 * keys, idempotency keys that are known, writes that were sent before). Plain records do not come here; see `group-commit.ts`.
 *
 * The order within an operation is: look, refuse, then write. What is refused has taken no number from a sequence.
 */
import type { ErrorInfo } from '../../error.ts'
import { endKey, replacedMessage, skippedError, skippedMessage } from '../concurrency-messages.ts'
import { storeError } from '../errors.ts'
import { COMMITTED, FENCED, flattenMessage, RECORD_WIDTH, unpackRun } from '../sqlite/messages.ts'
import type { AcceptAnswer, AcceptOp, AppendOp, ClaimOp, CommittedWith } from '../sqlite/messages.ts'
import type { DeliverOp, FlatEvent, FlatMessage, FlatPatch, FlatRecords } from '../sqlite/messages.ts'
import type { FlatRest, FlatRun, PublishOp } from '../sqlite/messages.ts'
import type { RunColumns } from '../sqlite/rows.ts'
import type { Column, Queryable } from './database.ts'
import type { KnownRuns } from './known-runs.ts'
import { rowOf, type RunToInsert } from './rows-to-insert.ts'
import { Slots, type Holder } from './slots.ts'
import { PATCHED, WRITE } from './statements.ts'

const ENDED: ReadonlySet<unknown> = new Set(['succeeded', 'failed', 'cancelled'])

export interface TablesContext {
  readonly epoch: number
  readonly schema: string
  readonly channel: string
  readonly known: KnownRuns
}

interface Standing {
  readonly tenant: string
  readonly key: string | null
  readonly holdWaiting: boolean
  readonly nonce: string | null
  readonly root: number
  readonly next: number
}

type StoredFlat = CommittedWith['messages'][number]

/** The tables inside one transaction. */
export class RunTables {
  readonly #tx: Queryable
  readonly #context: TablesContext
  readonly #slots: Slots
  /** Runs that others must hear of, told when the transaction commits. */
  readonly #told = new Set<string>()

  constructor(tx: Queryable, context: TablesContext) {
    this.#tx = tx
    this.#context = context
    this.#slots = new Slots(tx, context.schema)
  }

  /** Tells the other processes what they have to look at; part of the transaction, so it comes with what it is about. */
  async tell(): Promise<void> {
    for (const news of this.#told) {
      // A notice has at most 8,000 bytes: an event with a name like that is found by looking.
      const short = news.length > 2_000 ? 'x' : news
      await this.#tx.query(WRITE.notify, [this.#context.channel, `${this.#context.epoch}:${short}`])
    }
  }

  async append(op: AppendOp, nextSeq: number | null): Promise<typeof COMMITTED | typeof FENCED | CommittedWith> {
    const [, , rid, epoch, nonce, records, patch, rest] = op
    if (epoch !== this.#context.epoch) return FENCED
    const run = await this.#lock(rid, op)
    if (run === null) return FENCED
    if (records.length > 0 ? records[0] !== run.next : nonce !== null && nonce === run.nonce)
      return this.#again(op, run)
    if (records.length === 0 && nextSeq !== null && nextSeq !== run.next) return FENCED
    const children = await this.#checkChildren(rest?.children ?? [])
    await this.#insertRecords(rid, run.next, records, nonce)
    await this.#tx.query(WRITE.patch, [rid, epoch, records.length / RECORD_WIDTH, records.length === 0 ? nonce : null])
    if (patch !== null) await this.#patch(rid, run, patch)
    return rest === null ? COMMITTED : this.#rest(rid, run, { ...rest, children })
  }

  async accept(op: AcceptOp): Promise<AcceptAnswer> {
    const run = unpackRun(op[2])
    const start = op[3]
    if (run.idempotencyKey !== null) {
      const { rows } = await this.#tx.query(WRITE.runByKey, [run.tenant, run.flow, run.idempotencyKey])
      if (rows[0] !== undefined) return { kind: 'existing', row: rows[0] as RunColumns }
    }
    const earlier = (await this.#tx.query(WRITE.runOfId, [run.id])).rows[0]
    if (earlier !== undefined) {
      const rid = earlier[0] as number
      const status = earlier[1] === 'queued' ? 'queued' : 'running'
      const messages = await this.#storedEnds(rid, start?.[2]?.children ?? [])
      return { kind: 'created', rid, status, cancelled: [], messages }
    }
    const holders = await this.#slots.blockers(run)
    if (holders.length > 0 && run.whenFull === 'skip') {
      return { kind: 'concurrency_full', holders: holders.map((holder) => holder.id) }
    }
    const waitsInLine = run.whenFull !== 'skip' && (await this.#slots.isQueued(run))
    const admitted = start !== null && holders.length === 0 && !waitsInLine ? start : null
    const [records, patch, rest, nonce] = admitted ?? [[], null, null, null]
    const children = await this.#checkChildren(
      (rest?.children ?? []).filter(() => true),
      run.id,
    )
    checkConsecutive(run.id, 1, records)
    const [rid = 0] = await this.#insertRuns([
      {
        flat: run,
        status: admitted === null ? 'queued' : 'running',
        patch,
        records: records.length / RECORD_WIDTH,
        nonce,
      },
    ])
    if (admitted === null) this.#told.add('q')
    let messages: readonly StoredFlat[] = []
    if (admitted !== null) {
      await this.#insertRecords(rid, 1, records, nonce)
      const root = run.rootRid ?? rid
      const standing = { tenant: run.tenant, key: run.key, holdWaiting: run.holdWaiting, nonce, root, next: 1 }
      const own = children.map((child) => ({ ...child, parentRid: rid, rootRid: root }))
      const stored = rest === null ? COMMITTED : await this.#rest(rid, standing, { ...rest, children: own })
      if (stored !== COMMITTED) messages = stored.messages
    }
    const cancelled = run.whenFull === 'cancel_running' ? await this.#cancelHolders(holders, run) : []
    return { kind: 'created', rid, status: admitted === null ? 'queued' : 'running', cancelled, messages }
  }

  /** Rows of the runs taken. A run whose key is full is set aside until a slot of its key gets free. */
  async claim([, , limit, now, only]: ClaimOp): Promise<readonly RunColumns[]> {
    const { epoch } = this.#context
    const claimed: number[] = []
    const seen: number[] = []
    while (claimed.length < limit) {
      const found =
        only === null
          ? await this.#tx.query(WRITE.queued, [limit - claimed.length, seen])
          : await this.#tx.query(WRITE.queuedOnly, [only])
      if (found.rows.length === 0) break
      for (const [rid, tenant, key, slots, root] of found.rows as [number, string, string | null, number, number][]) {
        if (claimed.length >= limit) break
        seen.push(rid)
        if (key !== null && !(await this.#slots.isFree(tenant, key, slots, root))) {
          await this.#slots.setAside(rid)
          continue
        }
        claimed.push(rid)
        if (key === null) continue
        // Marked at once: it counts as a holder for the next one of its key, which is looked at too.
        await this.#tx.query(WRITE.claim, [[rid], epoch, now])
        await this.#slots.release(tenant, key)
      }
      if (only !== null) break
    }
    if (claimed.length === 0) return []
    await this.#tx.query(WRITE.claim, [claimed, epoch, now])
    return (await this.#tx.query(WRITE.runsByRid, [claimed])).rows as RunColumns[]
  }

  async deliver(op: DeliverOp): Promise<{ readonly kind: 'stored' | 'duplicate'; readonly id: number }> {
    const message = op[2]
    const id = await this.#send(message)
    if (id !== null) return { kind: 'stored', id }
    const known = (await this.#tx.query(WRITE.messageByDedupe, [message.rid, message.dedupe])).rows[0]?.[0]
    if (known !== undefined) return { kind: 'duplicate', id: known as number }
    throw storeError(
      'store_run_missing',
      `A message of kind ${message.kind} is for run ${message.rid}, which is not stored.`,
    )
  }

  async publish(
    op: PublishOp,
  ): Promise<{ readonly id: number; readonly waiting: readonly { rid: number; path: string }[] }> {
    const event = op[2]
    const id = await this.#publish(event)
    const { rows } = await this.#tx.query(WRITE.subscribers, [event.tenant, event.name])
    return { id, waiting: rows.map(([rid, path]) => ({ rid: rid as number, path: path as string })) }
  }

  /** Locks the run's row; null when another process has it, or has had it since this one looked. */
  async #lock(rid: number, op: AppendOp): Promise<Standing | null> {
    const [row] = (await this.#tx.query(WRITE.lockRun, [rid])).rows
    if (row === undefined) {
      throw storeError('store_run_missing', `Run ${rid} is not stored; it may have been deleted by retention.`)
    }
    const [epoch, tenant, key, holdWaiting, nonce, root, next, isHeld] = row
    const noted = this.#context.known.epochOf(rid)
    if (epoch !== op[3] && (isHeld === true || (noted !== undefined && noted !== epoch))) return null
    return {
      tenant: tenant as string,
      key: key as string | null,
      holdWaiting: holdWaiting as boolean,
      nonce: nonce as string | null,
      root: root as number,
      next: next as number,
    }
  }

  /** A write that does not begin where the run stands: the same as before, or a mistake. */
  async #again(op: AppendOp, run: Standing): Promise<CommittedWith> {
    const [, , rid, , nonce, records, , rest] = op
    const first = records[0] as number | undefined
    const same =
      nonce !== null &&
      (first === undefined ||
        (first < run.next && (await this.#tx.query(WRITE.nonceAt, [rid, first])).rows[0]?.[0] === nonce))
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
    const children: CommittedWith['children'][number][] = []
    for (const { id } of rest?.children ?? []) {
      const [row] = (await this.#tx.query(WRITE.runOfId, [id])).rows
      const child = { rid: row?.[0] as number, id }
      children.push(row?.[1] === 'failed' ? { ...child, full: true } : child)
    }
    const messages: StoredFlat[] = [...(await this.#storedEnds(rid, rest?.children ?? []))]
    for (const message of rest === null ? [] : await this.#allMessages(rid, rest)) {
      if (message.dedupe === null) continue
      const id = (await this.#tx.query(WRITE.messageByDedupe, [message.rid, message.dedupe])).rows[0]?.[0]
      if (id !== undefined) messages.push({ ...message, id: id as number })
    }
    return { children, messages }
  }

  async #insertRecords(rid: number, next: number, records: FlatRecords, nonce: string | null): Promise<void> {
    if (records.length === 0) return
    checkConsecutive(String(rid), next, records)
    const columns: Column[][] = [[], [], [], [], [], [], []]
    for (let i = 0; i < records.length; i += RECORD_WIDTH) {
      for (let k = 0; k < RECORD_WIDTH; k++) columns[k]?.push(records[i + k] as Column)
      columns[RECORD_WIDTH]?.push(i === 0 ? nonce : null)
    }
    await this.#tx.query(WRITE.insertRecords, [rid, this.#context.epoch, ...columns])
  }

  async #patch(rid: number, run: Standing, patch: FlatPatch): Promise<void> {
    const sets: string[] = []
    const values: unknown[] = [rid]
    for (let i = 0; i < patch.length; i += 2) {
      values.push(patch[i + 1])
      sets.push(`${patch[i]} = $${values.length}`)
    }
    const status = patch[0] === 'status' ? patch[1] : undefined
    if (status === 'queued') {
      sets.push('blocked = false')
      this.#told.add('q')
    }
    const moves = status !== undefined && status !== 'running'
    if (moves && run.key !== null) await this.#slots.lock(run.tenant, run.key)
    await this.#tx.query(`UPDATE runs SET ${sets.join(', ')} WHERE rid = $1`, values)
    if (!moves) return
    const ended = ENDED.has(status)
    if (run.key !== null && (ended || status === 'queued' || !run.holdWaiting)) {
      await this.#slots.release(run.tenant, run.key)
      this.#told.add('q')
    }
    if (ended) await this.#tx.query(WRITE.unsubscribeAll, [rid])
  }

  async #rest(rid: number, run: Standing, rest: FlatRest): Promise<typeof COMMITTED | CommittedWith> {
    if (rest.snapshot !== null && rest.snapshot !== undefined) {
      await this.#tx.query(WRITE.putSnapshot, [rid, rest.snapshot.seq, rest.snapshot.state])
    }
    await this.#putBlobs(rid, rest.blobs)
    const messages: StoredFlat[] = []
    const children = await this.#insertChildren(rest.children, messages)
    for (const event of rest.events) await this.#publish(event)
    if (rest.subscribe.length > 0 && rest.events.length === 0) await this.#lockEvents(WRITE.lockEventsShared)
    for (const { path, event, after } of rest.subscribe) {
      const cursor = after ?? ((await this.#tx.query(WRITE.lastEventNumber)).rows[0]?.[0] as number)
      await this.#tx.query(WRITE.subscribe, [rid, path, run.tenant, event, cursor])
    }
    if (rest.unsubscribe.length > 0) await this.#tx.query(WRITE.unsubscribe, [rid, rest.unsubscribe])
    for (const message of await this.#allMessages(rid, rest)) {
      const id = await this.#send(message)
      if (id !== null) messages.push({ ...message, id })
    }
    if (rest.consumes.length > 0) await this.#tx.query(WRITE.consume, [rid, rest.consumes])
    return children.length === 0 && messages.length === 0 ? COMMITTED : { children, messages }
  }

  async #putBlobs(rid: number, blobs: FlatRest['blobs'] | null): Promise<void> {
    if (blobs === null || blobs.length === 0) return
    await this.#tx.query(WRITE.putBlobs, [rid, blobs.map(({ hash }) => hash), blobs.map(({ size }) => size)])
  }

  /** Messages of a write, those to children addressed. A child that is not stored gets none. */
  async #allMessages(rid: number, rest: FlatRest): Promise<FlatMessage[]> {
    const messages = [...rest.messages]
    for (const { parentPath, message } of rest.childMessages) {
      const child = (await this.#tx.query(WRITE.childAt, [rid, parentPath])).rows[0]?.[0]
      if (child !== undefined) messages.push({ ...message, rid: child as number })
    }
    return messages
  }

  /** Refuses children whose ids are taken, before anything is written. */
  async #checkChildren(children: readonly FlatRun[], parentId?: string): Promise<readonly FlatRun[]> {
    if (children.length === 0) return children
    const ids = children.map(({ id }) => id)
    const isDouble = new Set(ids).size < ids.length || (parentId !== undefined && ids.includes(parentId))
    if (isDouble || (await this.#tx.query(WRITE.idsTaken, [ids])).rows.length > 0) {
      throw storeError('store_constraint', `A child has the id of another run; nothing of the write was stored.`)
    }
    return children
  }

  /** `messages` gets those that end children whose key is full. */
  async #insertChildren(children: readonly FlatRun[], messages: StoredFlat[]): Promise<CommittedWith['children']> {
    if (children.length === 0) return []
    this.#told.add('q')
    if (children.every((child) => child.key === null)) {
      const rids = await this.#insertRuns(children.map((flat) => newChild(flat)))
      return children.map(({ id }, i) => ({ rid: rids[i] ?? 0, id }))
    }
    const stored: CommittedWith['children'][number][] = []
    for (const child of children) stored.push(await this.#insertKeyed(child, messages))
    return stored
  }

  async #insertKeyed(child: FlatRun, messages: StoredFlat[]): Promise<CommittedWith['children'][number]> {
    const holders = await this.#slots.blockers(child)
    const names = holders.map(({ id }) => id)
    const error = holders.length > 0 && child.whenFull === 'skip' ? skippedError(child.key ?? '', names) : null
    const [rid = 0] = await this.#insertRuns([newChild(child, error)])
    if (holders.length > 0 && child.whenFull === 'cancel_running') await this.#cancelHolders(holders, child)
    if (error === null) return { rid, id: child.id }
    if (child.parentRid !== null) {
      const { id, parentPath, createdAt } = child
      const end = flattenMessage(
        skippedMessage(child.parentRid, { id, parentPath: parentPath ?? '', createdAt }, error),
      )
      const sent = await this.#send(end)
      if (sent !== null) messages.push({ ...end, id: sent })
    }
    return { rid, id: child.id, full: true }
  }

  /** Stores rows and payloads; answers rids in the order given. */
  async #insertRuns(runs: readonly RunToInsert[]): Promise<readonly number[]> {
    const { rows } = await this.#tx.query(WRITE.insertRuns, [JSON.stringify(runs.map(rowOf)), this.#context.epoch])
    const ridOf = new Map(rows.map(([rid, id]) => [id as string, rid as number]))
    const rids = runs.map(({ flat }) => ridOf.get(flat.id) ?? 0)
    await this.#tx.query(WRITE.insertPayloads, [
      rids,
      runs.map(({ flat }) => flat.trigger),
      runs.map(({ flat }) => flat.inputs),
      runs.map(({ flat }) => flat.facts),
    ])
    for (const [i, { flat }] of runs.entries()) await this.#putBlobs(rids[i] ?? 0, flat.blobs)
    return rids
  }

  /** The ends of these children that stand in the inbox of their parent: for a write that was sent again. */
  async #storedEnds(parentRid: number, children: readonly FlatRun[]): Promise<readonly StoredFlat[]> {
    const ends: StoredFlat[] = []
    for (const { id } of children) {
      const dedupe = endKey(id)
      const [row] = (await this.#tx.query(WRITE.storedMessage, [parentRid, dedupe])).rows
      if (row === undefined) continue
      const [number, kind, payload, at] = row as [number, string, string, number]
      ends.push({ id: number, rid: parentRid, kind, dedupe, payload, at })
    }
    return ends
  }

  async #cancelHolders(holders: readonly Holder[], run: FlatRun): Promise<number[]> {
    for (const { rid } of holders) await this.#send(flattenMessage(replacedMessage(rid, run)))
    return holders.map(({ rid }) => rid)
  }

  /** Id of the stored message; null for a duplicate, and when its run is not stored. */
  async #send({ rid, kind, dedupe, payload, at }: FlatMessage): Promise<number | null> {
    const id = (await this.#tx.query(WRITE.insertMessage, [rid, kind, dedupe, payload, at])).rows[0]?.[0]
    if (id === undefined) return null
    this.#told.add(`r${rid}`)
    return id as number
  }

  /** One publisher at a time, to the end of its transaction: events become visible in the order of their ids. */
  async #publish({ tenant, name, data, at, key }: FlatEvent): Promise<number> {
    await this.#lockEvents(WRITE.lockEvents)
    if (key !== null) {
      const known = (await this.#tx.query(WRITE.eventByKey, [tenant, name, key])).rows[0]?.[0]
      if (known !== undefined) return known as number
    }
    const { rows } = await this.#tx.query(WRITE.insertEvent, [tenant, name, data, at, key])
    this.#told.add(`e${JSON.stringify([tenant, name])}`)
    return rows[0]?.[0] as number
  }

  async #lockEvents(statement: string): Promise<void> {
    await this.#tx.query(statement, [this.#context.schema])
  }
}

function newChild(flat: FlatRun, error: ErrorInfo | null = null): RunToInsert {
  if (error === null) return { flat, status: 'queued', patch: null, records: 0, nonce: null }
  // The row of a run that has ended before it began.
  const patch = ['error', JSON.stringify(error), 'started_at', null, 'finished_at', flat.createdAt]
  return { flat, status: 'failed', patch, records: 0, nonce: null }
}

/** Throws where the records of a write do not follow one another from `next` on. */
function checkConsecutive(run: string, next: number, records: FlatRecords): void {
  for (let i = 0; i < records.length; i += RECORD_WIDTH) {
    const due = next + i / RECORD_WIDTH
    if (records[i] === due) continue
    throw storeError('store_sequence', `A write to run ${run} has record ${records[i]} where ${due} must follow.`)
  }
}

/** Columns that a patch may name. */
export const PATCH_BITS: ReadonlyMap<string, number> = new Map(PATCHED.map(([column], bit) => [column, bit]))
