/**
 * Group commit without a timer: what has queued up while one statement ran goes into the next, across all runs, as one fenced
 * statement (`commitStatement`). Operations that need to look before they write run in transactions of their own beside it. The
 * operations of one run come one after the other, in the order of the calls, whichever way they take.
 *
 * An operation of a group that did not land is done again alone (`RunTables`), which tells why: another process has the run, the
 * same write had landed before (its nonce stands there), or its numbers do not fit. A group that cannot be stored is halved until
 * the one that is at fault stands alone. A group whose answer was lost is sent again: what had landed lands no second time.
 */
import { PlugworkError } from '../../error.ts'
import { crashPoint } from '../crash-point.ts'
import { storeError } from '../errors.ts'
import { mutated } from '../mutation.ts'
import { COMMITTED, FENCED, Op, RECORD_WIDTH, textLength, unpackRun } from '../sqlite/messages.ts'
import type { AcceptOp, AppendOp, SmallOp } from '../sqlite/messages.ts'
import { fromPostgres, isConflict, isLost, type Column, type Database, type Queryable } from './database.ts'
import { Group } from './group.ts'
import { RunTables, type TablesContext } from './run-tables.ts'
import { applyPut, laneOfPut } from './small-tables.ts'
import { WRITE } from './statements.ts'

/** Records, bytes and operations of one statement at most. */
const MAX_RECORDS = 500
const MAX_BYTES = 1024 * 1024
const MAX_OPERATIONS = 1_000
/** Group statements at a time: while one waits for the disk, the next is made. Their runs differ. */
const MAX_GROUPS = 2
/** Transactions beside the group statements at a time. */
const MAX_BESIDE = 4
/** How long a broken connection is repaired before a group is refused, in ms. The runtime then sends its writes again. */
const PATIENCE_MS = 8_000
/** A fault for the crash tests: an answer before the commit. */
const ACK_EARLY = mutated('ack_before_commit')

interface Pending {
  readonly op: SmallOp
  /** The number that the run's next record has, as the writer of a write without records knows it. */
  readonly nextSeq: number | null
  /** What must come in order: the run, or a kind of operation. */
  readonly lane: number | string
  readonly plain: boolean
  readonly records: number
  readonly bytes: number
  settle(answer: unknown): void
  reject(error: Error): void
}

export interface GroupCommitOptions extends TablesContext {
  readonly database: Database
  /** This process's session is gone: nothing lands any more. */
  onFenced(): void
}

export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #figures = new Figures()
  #queue: Pending[] = []
  #scheduled = false
  #groups = 0
  /** Whether a group with new runs is on its way: numbers are given out in the order of the calls. */
  #accepting = false
  #beside = 0
  readonly #busy = new Set<number | string>()
  #fenced = false
  #closed = false
  #idle: (() => void) | null = null
  #pending = 0

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  get pending(): number {
    return this.#pending
  }

  get figures(): Figures {
    return this.#figures
  }

  /** Resolves with the answer of the operation, when it is durable. */
  send(op: SmallOp, nextSeq: number | null = null): Promise<unknown> {
    if (this.#fenced) return op[0] === Op.append ? Promise.resolve(FENCED) : Promise.reject(lost())
    if (this.#closed)
      return Promise.reject(storeError('store_closed', 'The store takes no more writes: it was closed.'))
    return new Promise((settle, reject) => {
      this.#pending++
      this.#queue.push({ op, nextSeq, lane: this.#laneOf(op), plain: this.#isPlain(op), ...weigh(op), settle, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      // Writes of one turn of the event loop go together.
      setImmediate(this.#pump)
    })
  }

  /** Ends what this process may write: its session is gone. */
  fence(): void {
    if (this.#fenced) return
    this.#fenced = true
    for (const pending of this.#queue.splice(0)) this.#answerFenced(pending)
  }

  /** Resolves when everything that was sent has been answered; nothing more is taken. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#pending === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  readonly #pump = (): void => {
    this.#scheduled = false
    const group = new Group(this.#options)
    const members: Pending[] = []
    const left: Pending[] = []
    const blocked = new Set<number | string>()
    let records = 0
    let bytes = 0
    for (const pending of this.#queue) {
      const { lane } = pending
      if (this.#busy.has(lane) || blocked.has(lane)) {
        left.push(pending)
        blocked.add(lane)
      } else if (!pending.plain) {
        if (this.#beside < MAX_BESIDE && !group.has(lane)) this.#startBeside(pending)
        else {
          left.push(pending)
          blocked.add(lane)
        }
      } else if (
        this.#groups < MAX_GROUPS &&
        (pending.op[0] === Op.append || !this.#accepting) &&
        members.length < MAX_OPERATIONS &&
        (members.length === 0 || (records + pending.records <= MAX_RECORDS && bytes + pending.bytes <= MAX_BYTES)) &&
        group.add(pending.op as AppendOp | AcceptOp, pending.nextSeq)
      ) {
        members.push(pending)
        records += pending.records
        bytes += pending.bytes
      } else {
        left.push(pending)
        blocked.add(lane)
      }
    }
    this.#queue = left
    if (members.length === 0) return
    this.#groups++
    const accepts = members.some(({ op }) => op[0] === Op.accept)
    if (accepts) this.#accepting = true
    for (const { lane } of members) this.#busy.add(lane)
    if (ACK_EARLY) for (const member of members) if (member.op[0] === Op.append) member.settle(COMMITTED)
    void this.#commit(group, members, { records, bytes }).finally(() => {
      this.#groups--
      if (accepts) this.#accepting = false
      for (const { lane } of members) this.#busy.delete(lane)
      this.#pump()
    })
  }

  async #commit(group: Group, members: readonly Pending[], weight: { records: number; bytes: number }): Promise<void> {
    const from = performance.now()
    let landed: ReadonlySet<SmallOp>
    try {
      crashPoint('store.commit.before')
      landed = await this.#sendGroup(group)
      crashPoint('store.commit.after')
    } catch (error) {
      if (isLost(error) || members.length === 1) return this.#alone(members, isLost(error) ? error : null)
      // One of them cannot be stored; the others must not suffer from that.
      crashPoint('store.bisect')
      const half = members.length >> 1
      for (const part of [members.slice(0, half), members.slice(half)]) {
        const smaller = new Group(this.#options)
        const taken = part.filter(({ op, nextSeq }) => smaller.add(op as AppendOp | AcceptOp, nextSeq))
        await this.#commit(smaller, taken, weigh2(taken))
        const rest = part.filter((member) => !taken.includes(member))
        if (rest.length > 0) await this.#alone(rest, null)
      }
      return
    }
    this.#figures.add({ ...weight, ms: performance.now() - from })
    const missing: Pending[] = []
    for (const member of members) {
      if (landed.has(member.op)) this.#answer(member, group.answerOf(member.op))
      else missing.push(member)
    }
    if (missing.length > 0) await this.#alone(missing, null)
  }

  /** Sends the statement, again after a broken connection or a deadlock; answers the operations that have landed by it. */
  async #sendGroup(group: Group): Promise<ReadonlySet<SmallOp>> {
    const { database } = this.#options
    const { text, values, name } = group.statement()
    const until = performance.now() + PATIENCE_MS
    for (let tries = 0; ; tries++) {
      try {
        const { rows } = await database.once(text, values, name)
        if (!rows.some(([kind]) => kind === 2)) this.#lose()
        return group.landed(rows)
      } catch (error) {
        const again = isConflict(error) || (isLost(error) && performance.now() < until && !this.#fenced)
        if (!again) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(500, 5 * 2 ** tries)))
      }
    }
  }

  /** One by one; with an error, nothing is tried and all are refused. */
  async #alone(members: readonly Pending[], error: unknown): Promise<void> {
    for (const member of members) {
      if (error === null) await this.#inTransaction(member)
      else this.#refuse(member, error)
    }
  }

  #startBeside(pending: Pending): void {
    this.#beside++
    this.#busy.add(pending.lane)
    void this.#inTransaction(pending).finally(() => {
      this.#beside--
      this.#busy.delete(pending.lane)
      if (this.#queue.length > 0) this.#pump()
    })
  }

  async #inTransaction(pending: Pending): Promise<void> {
    if (this.#fenced) return this.#answerFenced(pending)
    const { database, epoch } = this.#options
    const from = performance.now()
    try {
      const outcome = await database.transaction(WRITE.alive(epoch), async (tx, head: readonly Column[]) => {
        if (head.length === 0 && !mutated('no_fence')) return null
        const tables = new RunTables(tx, this.#options)
        const answer = await this.#apply(tables, tx, pending)
        await tables.tell()
        crashPoint('store.commit.before')
        return { answer }
      })
      crashPoint('store.commit.after')
      if (outcome === null) {
        this.#lose()
        return this.#answerFenced(pending)
      }
      this.#figures.add({ records: pending.records, bytes: pending.bytes, ms: performance.now() - from })
      this.#answer(pending, outcome.answer)
    } catch (error) {
      this.#refuse(pending, error)
    }
  }

  #apply(tables: RunTables, tx: Queryable, { op, nextSeq }: Pending): Promise<unknown> {
    switch (op[0]) {
      case Op.append:
        return tables.append(op, nextSeq)
      case Op.accept:
        return tables.accept(op)
      case Op.claim:
        return tables.claim(op)
      case Op.deliver:
        return tables.deliver(op)
      case Op.publish:
        return tables.publish(op)
      case Op.put:
        return applyPut(tx, op[2])
    }
  }

  #answer(pending: Pending, answer: unknown): void {
    const { op } = pending
    const { known, epoch } = this.#options
    if (op[0] === Op.append) {
      if (answer === FENCED) known.forget(op[2])
      else known.note(op[2], { epoch, keyed: known.get(op[2])?.keyed ?? true })
    } else if (op[0] === Op.accept) {
      const rid = typeof answer === 'number' ? answer : (answer as { rid?: number }).rid
      if (rid !== undefined) known.note(rid, { epoch, keyed: unpackRun(op[2]).key !== null })
    }
    this.#done()
    pending.settle(answer)
  }

  #answerFenced(pending: Pending): void {
    this.#done()
    if (pending.op[0] === Op.append) pending.settle(FENCED)
    else pending.reject(lost())
  }

  #refuse(pending: Pending, error: unknown): void {
    this.#done()
    pending.reject(error instanceof PlugworkError ? error : fromPostgres(error, this.#options.database.address))
  }

  #done(): void {
    if (--this.#pending === 0) this.#idle?.()
  }

  #lose(): void {
    if (mutated('no_fence')) return
    this.fence()
    this.#options.onFenced()
  }

  #laneOf(op: SmallOp): number | string {
    switch (op[0]) {
      case Op.append:
        return op[2]
      case Op.deliver:
        return op[2].rid
      case Op.accept:
        return op[2][0]
      case Op.claim:
        return 'claim'
      case Op.publish:
        return 'publish'
      case Op.put:
        return laneOfPut(op[2])
    }
  }

  /** Whether a write is records and a row that changes, and nothing that must be looked at first. */
  #isPlain(op: SmallOp): boolean {
    if (op[0] === Op.accept) return op[2][8] === null && (op[3] === null || op[3][2] === null) && op[2][19] === null
    if (op[0] !== Op.append || op[3] !== this.#options.epoch) return false
    const [, , rid, , nonce, records, patch, rest] = op
    if (records.length === 0 && nonce === null) return false
    if (rest !== null && !hasOnlyPlain(rest)) return false
    for (let i = RECORD_WIDTH; i < records.length; i += RECORD_WIDTH) {
      if (records[i] !== (records[0] as number) + i / RECORD_WIDTH) return false
    }
    if (patch?.[0] !== 'status' || patch[1] === 'running') return true
    return patch[1] !== 'queued' && this.#options.known.get(rid)?.keyed === false
  }
}

function hasOnlyPlain(rest: NonNullable<AppendOp[7]>): boolean {
  const { children, events, subscribe, unsubscribe, messages, childMessages } = rest
  return [children, events, subscribe, unsubscribe, messages, childMessages].every((list) => list.length === 0)
}

/** Counts and sizes of commits; the sizes of the latest ones in a ring. */
export class Figures {
  readonly #sizes: number[] = []
  commits = 0
  records = 0
  bytes = 0
  lastCommitMs = 0

  add(commit: { readonly records: number; readonly bytes: number; readonly ms: number }): void {
    if (commit.records > 0 && this.#sizes.push(commit.records) > 8_192) this.#sizes.splice(0, 4_096)
    this.commits++
    this.records += commit.records
    this.bytes += commit.bytes
    this.lastCommitMs = commit.ms
  }

  /** Records of the latest commits that had any, oldest first. */
  batchSizes(): readonly number[] {
    return this.#sizes.slice(-4_096)
  }
}

function weigh(op: SmallOp): { readonly records: number; readonly bytes: number } {
  if (op[0] === Op.append) return weighRecords(op[5], op[7]?.snapshot?.state.length ?? 0)
  if (op[0] === Op.accept) return weighRecords(op[3]?.[0] ?? [], textLength(op[2]))
  return { records: 0, bytes: 0 }
}

function weighRecords(records: readonly unknown[], extra: number): { records: number; bytes: number } {
  let bytes = extra
  for (let i = RECORD_WIDTH - 1; i < records.length; i += RECORD_WIDTH) bytes += (records[i] as string).length
  return { records: records.length / RECORD_WIDTH, bytes }
}

function weigh2(members: readonly Pending[]): { records: number; bytes: number } {
  const total = { records: 0, bytes: 0 }
  for (const member of members) {
    total.records += member.records
    total.bytes += member.bytes
  }
  return total
}

function lost(): PlugworkError {
  return storeError('store_closed', 'The store takes no more writes: this process has lost it to another one.')
}
