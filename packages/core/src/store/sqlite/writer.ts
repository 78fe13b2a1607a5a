/**
 * The writer thread: owns the writing connection, commits what the main thread sends, renews ownership.
 *
 * There is no timer in the path of a write. Whatever has arrived while one transaction ran is the next one, up to the caps.
 * The thread also watches the main loop through a shared counter: a process whose main loop hangs must lose its
 * ownership, although this thread could go on renewing it for ever.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'

import { StoreOwnedError, storeError } from '../errors.ts'
import { mutated } from '../mutation.ts'
import type { Owner } from '../store.ts'
import { Committer, FencedError, weigh } from './committer.ts'
import { Op, SMALL, type Answers, type Failure, type FromWriter } from './messages.ts'
import type { Operation, SmallOp } from './messages.ts'
import { fromSqlite, openWriter, type OpenWriter } from './open-database.ts'
import type { Lease } from './owner.ts'
import { Prepared } from './prepared.ts'
import { RunTables } from './run-tables.ts'
import { Space } from './space.ts'
import { WRITE } from './statements.ts'
import { checkpoint, compact, prune, type Job, type UpkeepContext } from './upkeep.ts'

/** What the main thread hands over at the start. */
export interface WriterData extends OpenWriter {
  readonly lease: Lease
  /** The main thread counts up here, once a second. */
  readonly pulse: Int32Array
  readonly port: MessagePort
}

/** Records, bytes and operations of one transaction at most. */
const MAX_RECORDS = 500
const MAX_BYTES = 1024 * 1024
const MAX_OPERATIONS = 1_000
/** Faults for the crash tests: commits come so much later (ms) than the answers, or the effects, that must wait for them. */
const ACK_EARLY = mutated('ack_before_commit')
const COMMIT_LATE = ACK_EARLY || mutated('effect_before_commit')
const LATE_MS = 50
/** The log is moved into the database after this long without work, in ms. */
const IDLE_MS = 1_000

class Writer {
  readonly #data: WriterData
  readonly #context: UpkeepContext
  readonly #epoch: number
  readonly #space: Space
  readonly #timer: ReturnType<typeof setInterval>
  #queue: Operation[] = []
  #at = 0
  #jobs: { readonly id: number; readonly job: Job }[] = []
  #closing: number | null = null
  #lost = false
  #pulse = 0
  #pulseAt = performance.now()
  #renewedAt = performance.now()
  #tickedAt = performance.now()
  #workedAt = 0
  #emptiedAt = -Infinity
  #confirming = false

  constructor(data: WriterData, context: UpkeepContext, epoch: number) {
    this.#data = data
    this.#context = context
    this.#epoch = epoch
    this.#space = new Space(context.db, data.file, data.maxPages ?? null)
    this.#timer = setInterval(() => this.#tick(), Math.min(1_000, data.lease.renewMs / 5))
    data.port.on('message', (operations: Operation[]) => {
      this.#enqueue(operations)
      this.#work()
    })
  }

  #work(): void {
    while (this.#at < this.#queue.length || this.#jobs.length > 0) {
      if (this.#at < this.#queue.length) this.#commitNext()
      else this.#stepJob()
      this.#drain()
      if (performance.now() - this.#tickedAt > 1_000) this.#tick()
    }
    if (this.#closing !== null) this.#close(this.#closing)
  }

  /** Takes what has arrived meanwhile, without going back to the event loop. */
  #drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#data.port)
      if (received === undefined) return
      this.#enqueue(received.message as Operation[])
    }
  }

  #enqueue(operations: Operation[]): void {
    if (this.#at === this.#queue.length) {
      this.#queue = operations
      this.#at = 0
      return
    }
    for (const operation of operations) this.#queue.push(operation)
  }

  #commitNext(): void {
    const batch: SmallOp[] = []
    const answers: Answers = []
    let records = 0
    let bytes = 0
    let isShort: boolean | null = null
    while (this.#at < this.#queue.length && batch.length < MAX_OPERATIONS) {
      const op = this.#queue[this.#at] as Operation
      if (op[0] > SMALL) {
        this.#at++
        this.#begin(op)
        continue
      }
      const small = op as SmallOp
      const weight = weigh(small)
      if (batch.length > 0 && (records + weight.records > MAX_RECORDS || bytes + weight.bytes > MAX_BYTES)) break
      this.#at++
      if (small[0] === Op.accept && (isShort ??= this.#isShort())) {
        answers.push(small[1], SHORT)
        continue
      }
      records += weight.records
      bytes += weight.bytes
      batch.push(small)
    }
    this.#commit(batch, answers, { records, bytes })
  }

  #commit(batch: readonly SmallOp[], answers: Answers, weight: { records: number; bytes: number }): void {
    const from = performance.now()
    try {
      if (this.#lost) throw new FencedError()
      this.#context.committer.commit(batch, answers, COMMIT_LATE ? this.#late : undefined)
    } catch (error) {
      if (!(error instanceof FencedError)) throw error
      this.#lose('another process has taken over the store')
      this.#answerFenced(batch, answers)
    }
    const now = performance.now()
    this.#workedAt = now
    this.#send({ type: 'answers', answers, commit: batch.length === 0 ? null : { ...weight, ms: now - from } })
  }

  /** When room gets short, the log is emptied: what it takes beside the database is room too. */
  #isShort(): boolean {
    if (!this.#space.isShort()) return false
    const now = performance.now()
    if (now - this.#emptiedAt < 1_000) return true
    this.#emptiedAt = now
    this.#moveLog('TRUNCATE')
    return this.#space.isShort()
  }

  readonly #late = (answers: Answers): void => {
    if (ACK_EARLY) this.#send({ type: 'answers', answers, commit: null })
    // Long enough for what comes too early to be seen from outside, so that a kill can come in between.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LATE_MS)
  }

  #answerFenced(batch: readonly SmallOp[], answers: Answers): void {
    const answered = new Set<unknown>()
    for (let i = 0; i < answers.length; i += 2) answered.add(answers[i])
    for (const op of batch) {
      if (!answered.has(op[1])) answers.push(op[1], op[0] === Op.append ? 1 : LOST)
    }
  }

  #begin(op: Operation): void {
    if (op[0] === Op.prune) this.#jobs.push({ id: op[1], job: prune(this.#context, op[2]) })
    else if (op[0] === Op.confirm) this.#confirm()
    else if (op[0] === Op.compact) this.#jobs.push({ id: op[1], job: compact(this.#context) })
    else this.#closing = op[1]
  }

  #stepJob(): void {
    const current = this.#jobs[0]
    if (current === undefined) return
    let answer: unknown
    try {
      if (this.#lost) throw new FencedError()
      const step = current.job.next()
      if (step.done !== true) return
      answer = step.value
    } catch (error) {
      if (error instanceof FencedError) {
        this.#lose('another process has taken over the store')
        answer = LOST
      } else {
        answer = this.#context.committer.failure(error)
      }
    }
    this.#jobs.shift()
    this.#workedAt = performance.now()
    this.#send({ type: 'answers', answers: [current.id, answer], commit: null })
  }

  #tick(): void {
    const now = performance.now()
    this.#tickedAt = now
    if (this.#lost || this.#closing !== null) return
    const pulse = Atomics.load(this.#data.pulse, 0)
    if (pulse !== this.#pulse) {
      this.#pulse = pulse
      this.#pulseAt = now
    }
    const { renewMs, stallMs } = this.#data.lease
    if (this.#confirming) this.#confirm()
    else if (now - this.#renewedAt >= renewMs && now - this.#pulseAt < stallMs) this.#renew(now)
    if (this.#workedAt > 0 && now - this.#workedAt > IDLE_MS) {
      this.#workedAt = 0
      this.#moveLog('PASSIVE')
    }
  }

  /** The main loop moves again after a stall. A renewal that fails for another reason is tried again with the next tick. */
  #confirm(): void {
    const now = performance.now()
    this.#confirming = true
    if (!this.#lost) this.#renew(now)
    if (this.#renewedAt < now) return
    this.#confirming = false
    this.#send({ type: 'confirmed' })
  }

  #renew(now: number): void {
    try {
      this.#context.committer.transaction(() => this.#context.prepared.run(WRITE.renew, Date.now(), this.#epoch))
      this.#renewedAt = now
    } catch (error) {
      // A full disk or a busy file: ownership is tried again with the next tick, until somebody else takes it.
      if (error instanceof FencedError) this.#lose('another process has taken over the store')
    }
  }

  #moveLog(mode: 'PASSIVE' | 'TRUNCATE'): void {
    try {
      checkpoint(this.#context.db, mode)
    } catch {
      // The log stays as it is; nothing is lost. Damage to the file shows in the next write.
    }
  }

  #lose(reason: string): void {
    if (this.#lost) return
    this.#lost = true
    this.#send({ type: 'lost', reason })
  }

  #close(id: number): void {
    clearInterval(this.#timer)
    const { db, prepared, committer } = this.#context
    try {
      if (!this.#lost) {
        committer.transaction(() => prepared.run(WRITE.release, Date.now(), this.#epoch))
        checkpoint(db, 'TRUNCATE')
      }
    } catch {
      // On a full disk, or fenced: the owner row then names a process that has ended, which is as good as none.
    }
    db.close()
    this.#send({ type: 'answers', answers: [id, true], commit: null })
    this.#data.port.close()
  }

  #send(message: FromWriter): void {
    post(this.#data.port, message)
  }
}

const SHORT: Failure = {
  failed: true,
  code: 'store_full',
  message: 'The disk is almost full; what is left is kept for runs that already run. Free space, then try again.',
}
const LOST: Failure = {
  failed: true,
  code: 'store_closed',
  message: 'This process has lost the store to another one; it can write nothing any more.',
}

function start(data: WriterData): void {
  try {
    const { db, epoch, previous } = openWriter(data)
    const prepared = new Prepared(db)
    const tables = new RunTables(prepared, epoch)
    const committer = new Committer({ db, prepared, tables, file: data.file, epoch })
    post(data.port, { type: 'ready', epoch, previous })
    // Held alive by its port until the main thread closes it.
    void new Writer(data, { db, file: data.file, prepared, tables, committer }, epoch)
  } catch (error) {
    refuse(data.port, error, data.file)
  }
}

function refuse(port: MessagePort, error: unknown, file: string): void {
  const owner: Owner | null = error instanceof StoreOwnedError ? error.owner : null
  const known = fromSqlite(error, file)
  const code = 'code' in known ? String(known.code) : 'store_failed'
  post(port, { type: 'refused', failure: { failed: true, code, message: known.message }, owner })
  port.close()
}

function post(port: MessagePort, message: FromWriter): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
  port.postMessage(message)
}

if (parentPort === null) throw storeError('store_failed', 'The writer runs as a worker thread only.')
start(workerData as WriterData)
