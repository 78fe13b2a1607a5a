/**
 * A store that lives as long as its process: for flow tests and for reading. It keeps the contract by the plainest means,
 * so that it can serve as the model which other stores are compared with.
 *
 * Every operation first decides whether it can be done, then does it without a chance to fail: that is its atomicity.
 * Payloads are kept as JSON text and parsed for each reader, so that nobody can change what is stored.
 */
import type { Json } from '../../json.ts'
import { endKey, replacedMessage, skippedError, skippedMessage } from '../concurrency-messages.ts'
import { storeError } from '../errors.ts'
import { TERMINAL } from '../store.ts'
import type { AcceptOutcome, AppendOutcome, JournalRecord, LoadedRun } from '../store.ts'
import type { NewEvent, NewMessage, NewRun, RunPatch, RunQuery, RunRow, RunStatus, RunWrite } from '../store.ts'
import type { Store, StoredEvent, StoredMessage, StoreStats } from '../store.ts'
import { keyOf, MemoryTables, SmallTables } from './memory-tables.ts'
import { byQueue, isOpen, MemoryRun, treeOf } from './memory-run.ts'

type Start = Omit<RunWrite, 'rid' | 'epoch'>
type Committed = Extract<AppendOutcome, { kind: 'committed' }>

/** A new, empty store; or, on a disk that another one used, its data under a higher epoch (the other is then fenced). */
export function createMemoryStore(disk: MemoryDisk = new MemoryDisk()): Store {
  return new MemoryStore(disk)
}

/** What outlives a memory store that was closed or fenced: opened again, it is the same data under a higher epoch. */
export class MemoryDisk {
  readonly runs = new Map<number, MemoryRun>()
  readonly ids = new Map<string, MemoryRun>()
  /** By tenant, flow and idempotency key. */
  readonly keys = new Map<string, MemoryRun>()
  readonly events: StoredEventText[] = []
  readonly tables = new SmallTables()
  epoch = 0
  lastRid = 0
  lastMessage = 0
  lastEvent = 0
}

type StoredEventText = Omit<StoredEvent, 'data'> & { readonly data: string }

class MemoryStore extends MemoryTables implements Store {
  readonly kind = 'memory'
  readonly epoch: number
  readonly #disk: MemoryDisk
  readonly #listeners: ((reason: string) => void)[] = []
  readonly #batchSizes: number[] = []
  #records = 0
  #bytes = 0
  #commits = 0
  #closed = false
  #told = false

  constructor(disk: MemoryDisk) {
    super(disk.tables)
    this.#disk = disk
    this.epoch = ++disk.epoch
  }

  async accept(run: NewRun, start?: Start): Promise<AcceptOutcome> {
    this.#checkOpen()
    const known = this.#byKey(run)
    if (known !== undefined) return { kind: 'existing', row: known.toRow() }
    const again = this.#byId(run.id)
    if (again !== undefined) return this.#created(again, [], storedEnds(again, start?.children))
    const holders = this.#blockers(run)
    const policy = run.concurrency?.whenFull
    if (holders.length > 0 && policy === 'skip') {
      return { kind: 'concurrency_full', holders: holders.map((holder) => holder.id) }
    }
    const waitsInLine = policy !== undefined && policy !== 'skip' && this.#isQueued(run)
    const admitted = start !== undefined && holders.length === 0 && !waitsInLine
    if (admitted) this.#checkRecords(run.id, 1, start, new Set())
    const stored = this.#insert(run, admitted ? 'running' : 'queued')
    let messages: readonly StoredMessage[] = []
    if (admitted) {
      const children = start.children?.map((child) => ({ ...child, parent: childOf(stored, child) }))
      messages = this.#apply(stored, { ...start, ...(children === undefined ? {} : { children }) }).messages ?? []
    }
    const cancelled = policy === 'cancel_running' ? this.#cancel(holders, run) : []
    this.#count(admitted ? start.records : [])
    return { ...this.#created(stored, cancelled, messages), status: admitted ? 'running' : 'queued' }
  }

  async append(write: RunWrite): Promise<AppendOutcome> {
    if (this.#isFenced() || write.epoch !== this.epoch) return { kind: 'fenced' }
    this.#checkOpen()
    const run = this.#disk.runs.get(write.rid)
    if (run === undefined) throw storeError('store_run_missing', `Run ${write.rid} is not stored.`)
    if (run.hasNonce(write)) return this.#again(run, write)
    this.#checkRecords(run.id, run.nextSeq, write, run.completed)
    run.epoch = this.epoch
    const outcome = this.#apply(run, write)
    this.#count(write.records)
    return outcome
  }

  async claim(limit: number, now: number, only?: readonly number[]): Promise<readonly RunRow[]> {
    this.#checkOpen()
    const queued = [...this.#disk.runs.values()]
      .filter((run) => run.status === 'queued' && (only === undefined || only.includes(run.rid)))
      .toSorted(byQueue)
    const claimed: RunRow[] = []
    for (const run of queued) {
      if (claimed.length >= limit) break
      if (run.key !== null && this.#slotsTaken(run.tenant, run.key, treeOf(run)) >= (run.limit ?? 1)) continue
      run.status = 'running'
      run.reason = null
      run.epoch = this.epoch
      run.startedAt ??= now
      claimed.push(run.toRow())
    }
    return claimed
  }

  async deliver(message: NewMessage): Promise<{ kind: 'stored' | 'duplicate'; id: number }> {
    this.#checkOpen()
    const run = this.#disk.runs.get(message.rid)
    if (run === undefined) {
      throw storeError(
        'store_run_missing',
        `A message of kind ${message.kind} is for run ${message.rid}, which is not stored.`,
      )
    }
    const stored = this.#send(run, message)
    return stored === null
      ? { kind: 'duplicate', id: run.messageId(message.dedupe) ?? 0 }
      : { kind: 'stored', id: stored.id }
  }

  async publish(event: NewEvent): ReturnType<Store['publish']> {
    this.#checkOpen()
    const id = this.#publish(event)
    return { id, waiting: await this.subscribers(event.tenant, event.name) }
  }

  async load(rid: number): Promise<LoadedRun | null> {
    return this.#disk.runs.get(rid)?.toLoaded() ?? null
  }

  async findRun(tenant: string | null, id: string): Promise<RunRow | null> {
    const run = this.#byId(id)
    return run === undefined || (tenant !== null && run.tenant !== tenant) ? null : run.toRow()
  }

  async getRun(rid: number): Promise<RunRow | null> {
    return this.#disk.runs.get(rid)?.toRow() ?? null
  }

  async listRuns(query: RunQuery): Promise<readonly RunRow[]> {
    return this.#select(
      (run) =>
        run.tenant === query.tenant &&
        (query.flow === undefined || run.flow === query.flow) &&
        (query.status === undefined || query.status.length === 0 || query.status.includes(run.status)) &&
        (query.since === undefined || run.createdAt >= query.since) &&
        (query.parentRid === undefined || run.parentRid === query.parentRid) &&
        (query.before === undefined || run.rid < query.before),
    )
      .toReversed()
      .slice(0, query.limit)
      .map((run) => run.toRow())
  }

  async countRuns(tenant: string | null, status: readonly RunStatus[]): Promise<number> {
    return this.#select((run) => (tenant === null || run.tenant === tenant) && status.includes(run.status)).length
  }

  async readJournal(rid: number, fromSeq: number, limit: number): Promise<readonly JournalRecord[]> {
    const from = Math.max(0, fromSeq - 1)
    return this.#disk.runs.get(rid)?.records.slice(from, from + limit) ?? []
  }

  async interrupted(afterRid: number, limit: number): Promise<readonly RunRow[]> {
    return this.#select((run) => run.status === 'running' && run.epoch < this.epoch && run.rid > afterRid)
      .slice(0, limit)
      .map((run) => run.toRow())
  }

  async due(now: number, limit: number): Promise<readonly number[]> {
    const waiting = this.#select((run) => run.status === 'waiting')
    const timers = waiting
      .filter((run) => run.wakeAt !== null && run.wakeAt <= now)
      .toSorted((a, b) => (a.wakeAt ?? 0) - (b.wakeAt ?? 0))
    const called = waiting.filter((run) => run.openMessages().length > 0)
    return [...new Set([...timers, ...called].map((run) => run.rid))].slice(0, limit)
  }

  async nextWake(): Promise<number | null> {
    const times = this.#select((run) => run.status === 'waiting' && run.wakeAt !== null).map((run) => run.wakeAt ?? 0)
    return times.length === 0 ? null : Math.min(...times)
  }

  async eventsAfter(
    tenant: string,
    name: string | null,
    after: number,
    limit: number,
  ): Promise<readonly StoredEvent[]> {
    return this.#disk.events
      .filter((event) => event.id > after && event.tenant === tenant && (name === null || event.name === name))
      .slice(0, limit)
      .map((event) => ({ ...event, data: JSON.parse(event.data) as Json }))
  }

  async subscribers(tenant: string, event: string): Promise<readonly { rid: number; path: string }[]> {
    return this.#select((run) => run.tenant === tenant).flatMap((run) =>
      [...run.subscriptions]
        .filter(([, subscription]) => subscription.event === event)
        .map(([path]) => ({ rid: run.rid, path }))
        .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    )
  }

  async unoffered(afterRid: number, limit: number): Promise<readonly number[]> {
    const isOffered = (run: MemoryRun) =>
      [...run.subscriptions.values()].every(
        ({ event, after }) =>
          !this.#disk.events.some(({ tenant, name, id }) => tenant === run.tenant && name === event && id > after),
      )
    return this.#select((run) => run.status === 'waiting' && run.rid > afterRid && !isOffered(run))
      .slice(0, limit)
      .map((run) => run.rid)
  }

  async lastEventId(): Promise<number> {
    return this.#disk.lastEvent
  }

  async prune(query: Parameters<Store['prune']>[0]): ReturnType<Store['prune']> {
    this.#checkOpen()
    const { events } = this.#disk
    const isKept = (root: MemoryRun) =>
      this.#select((run) => isOpen(run) && (treeOf(run) === root.rid || run.forkedFrom === root.id)).length > 0
    const roots = this.#select(
      (run) =>
        run.parentRid === null &&
        TERMINAL.has(run.status) &&
        (run.finishedAt ?? Infinity) < query.before &&
        (query.tenant === undefined || run.tenant === query.tenant) &&
        (query.flow === undefined || run.flow === query.flow) &&
        !isKept(run),
    ).slice(0, query.limit)
    const freed = new Set<string>()
    for (const root of roots) {
      for (const run of this.#select((run) => treeOf(run) === root.rid)) {
        for (const hash of run.blobs.keys()) freed.add(hash)
        this.#delete(run)
      }
    }
    const used = new Set(await this.knownBlobs([...freed]))
    if (query.flow === undefined) {
      const kept = events.filter((event) => !this.#isOldEvent(event, query.before, query.tenant))
      events.splice(0, events.length, ...kept)
    }
    return { runs: roots.length, blobs: [...freed].filter((hash) => !used.has(hash)) }
  }

  async endedFlows(): Promise<readonly { readonly tenant: string; readonly flow: string }[]> {
    const ended = this.#select((run) => run.parentRid === null && run.finishedAt !== null)
    return [...new Map(ended.map(({ tenant, flow }) => [JSON.stringify([tenant, flow]), { tenant, flow }])).values()]
  }

  async knownBlobs(hashes: readonly string[]): Promise<readonly string[]> {
    const used = new Set([...this.#disk.runs.values()].flatMap((run) => [...run.blobs.keys()]))
    return hashes.filter((hash) => used.has(hash))
  }

  async compact(): Promise<{ bytesBefore: number; bytesAfter: number }> {
    this.#checkOpen()
    return { bytesBefore: 0, bytesAfter: 0 }
  }

  async backup(): Promise<void> {
    throw storeError('store_failed', 'A memory store has no file to back up. Open a SQLite store instead.')
  }

  stats(): StoreStats {
    return {
      kind: 'memory',
      commits: this.#commits,
      records: this.#records,
      bytes: this.#bytes,
      lastCommitMs: 0,
      pending: 0,
      batchSizes: [...this.#batchSizes],
    }
  }

  onLost(listener: (reason: string) => void): void {
    this.#listeners.push(listener)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  /** The data may have been opened again since: then this store is the former owner. */
  #isFenced(): boolean {
    if (this.#disk.epoch === this.epoch) return false
    if (!this.#told) {
      this.#told = true
      for (const listener of this.#listeners) listener('another owner has opened the store')
    }
    return true
  }

  protected override beginWrite(): void {
    this.#checkOpen()
    this.#commits++
  }

  #checkOpen(): void {
    if (this.#closed) throw storeError('store_closed', 'The store takes no more writes: it was closed.')
    if (this.#isFenced()) throw storeError('store_closed', 'The store takes no more writes: this process has lost it.')
  }

  /** Throws where a write's records cannot follow. */
  #checkRecords(id: string, next: number, write: Start, completed: ReadonlySet<string>): void {
    const first = write.records[0]?.seq
    if (first !== undefined && first > next) {
      throw storeError('store_out_of_order', `Record ${first} of run ${id} was to be stored before record ${next}.`)
    }
    const paths = new Set<string>()
    for (const [index, record] of write.records.entries()) {
      if (record.seq !== next + index) {
        throw storeError('store_sequence', `Run ${id}: record ${record.seq} where ${next + index} must follow.`)
      }
      if (!record.completes) continue
      if (completed.has(record.path) || paths.has(record.path)) {
        throw storeError('store_duplicate_completion', `Run ${id}: step ${record.path} is completed already.`)
      }
      paths.add(record.path)
    }
    const ids = write.children?.map((child) => child.id) ?? []
    if (new Set(ids).size < ids.length || ids.some((child) => this.#byId(child) !== undefined)) {
      throw storeError('store_constraint', `Run ${id}: a child has the id of another run.`)
    }
  }

  /** Does what has been checked. */
  #apply(run: MemoryRun, write: Start): Committed {
    run.addRecords(write.records, write.nonce)
    if (write.run !== undefined) this.#patch(run, write.run)
    if (write.snapshot !== undefined) run.snapshot = { ...write.snapshot }
    run.addBlobs(write.blobs)
    const ends: StoredMessage[] = []
    const children = (write.children ?? []).map((child) => this.#insertChild(child, ends))
    for (const event of write.events ?? []) this.#publish(event)
    for (const { path, event, after } of write.subscribe ?? []) {
      run.subscriptions.set(path, { event, after: after ?? this.#disk.lastEvent })
    }
    for (const path of write.unsubscribe ?? []) run.subscriptions.delete(path)
    const sent = this.#addressed(run, write).flatMap((message): StoredMessage[] => {
      const target = this.#disk.runs.get(message.rid)
      const stored = target === undefined ? null : this.#send(target, message)
      return stored === null ? [] : [stored]
    })
    run.consume(write.consumes)
    return committed(children, [...ends, ...sent])
  }

  /** What was stored when this write came the first time. */
  #again(run: MemoryRun, write: RunWrite): AppendOutcome {
    const children = (write.children ?? []).map((child) => {
      const stored = this.#byId(child.id)
      return { rid: stored?.rid ?? 0, id: child.id, ...(stored?.status === 'failed' ? { full: true as const } : {}) }
    })
    const sent = this.#addressed(run, write).flatMap((message) => {
      const id = message.dedupe === undefined ? undefined : this.#disk.runs.get(message.rid)?.messageId(message.dedupe)
      return id === undefined ? [] : [{ ...message, id }]
    })
    return committed(children, [...storedEnds(run, write.children), ...sent])
  }

  #addressed(run: MemoryRun, write: Start): NewMessage[] {
    const toChildren = (write.childMessages ?? []).flatMap(({ parentPath, message }) => {
      const child = this.#select((other) => other.parentRid === run.rid && other.parentPath === parentPath).at(-1)
      return child === undefined ? [] : [{ ...message, rid: child.rid }]
    })
    return [...(write.messages ?? []), ...toChildren]
  }

  #patch(run: MemoryRun, patch: RunPatch): void {
    run.patch(patch)
    if (patch.status !== undefined && TERMINAL.has(patch.status)) run.subscriptions.clear()
  }

  #insert(run: NewRun, status: RunStatus): MemoryRun {
    const stored = new MemoryRun(++this.#disk.lastRid, run, status, this.epoch)
    this.#disk.runs.set(stored.rid, stored)
    this.#disk.ids.set(run.id, stored)
    if (run.idempotencyKey !== undefined) this.#disk.keys.set(keyOf(run.tenant, run.flow, run.idempotencyKey), stored)
    return stored
  }

  #delete(run: MemoryRun): void {
    this.#disk.runs.delete(run.rid)
    this.#disk.ids.delete(run.id)
    if (run.idempotencyKey !== null) this.#disk.keys.delete(keyOf(run.tenant, run.flow, run.idempotencyKey))
  }

  /** `ends` gets the message that ends a child whose key is full. */
  #insertChild(child: NewRun, ends: StoredMessage[]): Committed['children'][number] {
    const holders = this.#blockers(child)
    const full = holders.length > 0 && child.concurrency?.whenFull === 'skip'
    const stored = this.#insert(child, 'queued')
    if (holders.length > 0 && child.concurrency?.whenFull === 'cancel_running') this.#cancel(holders, child)
    if (!full) return { rid: stored.rid, id: stored.id }
    const names = holders.map((holder) => holder.id)
    const error = skippedError(stored.key ?? '', names)
    stored.patch({ status: 'failed', error, finishedAt: child.createdAt })
    const parent = stored.parentRid === null ? undefined : this.#disk.runs.get(stored.parentRid)
    if (parent !== undefined) {
      const { id, createdAt } = child
      const message = skippedMessage(parent.rid, { id, parentPath: stored.parentPath ?? '', createdAt }, error)
      const end = this.#send(parent, message)
      if (end !== null) ends.push(end)
    }
    return { rid: stored.rid, id: stored.id, full }
  }

  #created(
    run: MemoryRun,
    cancelled: readonly number[],
    messages: readonly StoredMessage[],
  ): AcceptOutcome & { kind: 'created' } {
    const status = run.status === 'queued' ? 'queued' : 'running'
    const created = { kind: 'created', rid: run.rid, epoch: this.epoch, status, cancelled } as const
    return messages.length === 0 ? created : { ...created, messages }
  }

  /** Holders of the slots that `run` needs, one per tree; none when a slot is free or its own tree holds one. */
  #blockers(run: NewRun): readonly MemoryRun[] {
    if (run.concurrency === undefined) return []
    const { key, limit } = run.concurrency
    const taken = this.#slotsTaken(run.tenant, key, run.parent?.rootRid ?? null)
    return taken < limit ? [] : this.#holders(run.tenant, key)
  }

  #slotsTaken(tenant: string, key: string, root: number | null): number {
    const holders = this.#holders(tenant, key)
    return holders.some((holder) => treeOf(holder) === root) ? 0 : holders.length
  }

  #holders(tenant: string, key: string): readonly MemoryRun[] {
    const trees = new Map<number, MemoryRun>()
    for (const run of this.#select((run) => run.tenant === tenant && run.key === key && run.holdsSlot())) {
      if (!trees.has(treeOf(run))) trees.set(treeOf(run), run)
    }
    return [...trees.values()]
  }

  #isQueued(run: NewRun): boolean {
    const key = run.concurrency?.key
    if (run.parent !== undefined) return false
    return (
      this.#select((other) => other.tenant === run.tenant && other.key === key && other.status === 'queued').length > 0
    )
  }

  #cancel(holders: readonly MemoryRun[], run: NewRun): readonly number[] {
    for (const holder of holders) this.#send(holder, replacedMessage(holder.rid, run))
    return holders.map((holder) => holder.rid)
  }

  #send(run: MemoryRun, message: NewMessage): StoredMessage | null {
    if (message.dedupe !== undefined && run.messageId(message.dedupe) !== undefined) return null
    return run.addMessage({ ...message, id: ++this.#disk.lastMessage })
  }

  #publish(event: NewEvent): number {
    const known = this.#disk.events.find(
      ({ tenant, name, key }) =>
        event.key !== undefined && tenant === event.tenant && name === event.name && key === event.key,
    )
    if (known !== undefined) return known.id
    const id = ++this.#disk.lastEvent
    this.#disk.events.push({ ...event, data: JSON.stringify(event.data), id })
    return id
  }

  #isOldEvent(event: StoredEventText, before: number, tenant: string | undefined): boolean {
    if (event.at >= before || (tenant !== undefined && event.tenant !== tenant)) return false
    return this.#select((run) => run.tenant === event.tenant).every((run) =>
      [...run.subscriptions.values()].every(({ event: name, after }) => name !== event.name || after >= event.id),
    )
  }

  #byId(id: string): MemoryRun | undefined {
    return this.#disk.ids.get(id)
  }

  #byKey(run: NewRun): MemoryRun | undefined {
    return run.idempotencyKey === undefined
      ? undefined
      : this.#disk.keys.get(keyOf(run.tenant, run.flow, run.idempotencyKey))
  }

  /** In the order of rids. */
  #select(keep: (run: MemoryRun) => boolean): MemoryRun[] {
    return [...this.#disk.runs.values()].filter(keep)
  }

  #count(records: readonly JournalRecord[]): void {
    this.#commits++
    if (records.length === 0) return
    this.#records += records.length
    for (const record of records) this.#bytes += record.data.length
    if (this.#batchSizes.push(records.length) > 4_096) this.#batchSizes.shift()
  }
}

function childOf(parent: MemoryRun, child: NewRun): NonNullable<NewRun['parent']> {
  return { path: child.parent?.path ?? '', rid: parent.rid, rootRid: treeOf(parent) }
}

function committed(children: Committed['children'], messages: readonly StoredMessage[]): Committed {
  return messages.length === 0 ? { kind: 'committed', children } : { kind: 'committed', children, messages }
}

/** The ends of these children that stand in the inbox of their parent: for a write that was sent again. */
function storedEnds(parent: MemoryRun, children: readonly NewRun[] = []): readonly StoredMessage[] {
  return children.flatMap(({ id }) => parent.message(endKey(id)) ?? [])
}
