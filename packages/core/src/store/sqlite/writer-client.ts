/**
 * The main thread's end of the channel to the writer: gathers operations, hands them over, and settles their promises.
 *
 * Operations of one turn of the event loop travel in one message: of requests that arrive together, one commit and one
 * waking of each thread. They are not held back while the writer is busy: it takes whatever has arrived when its commit
 * is done.
 */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads'

import { PlugworkError } from '../../error.ts'
import { SlotMap } from '../../slots.ts'
import { ERRORS, StoreOwnedError, storeError, type StoreErrorCode } from '../errors.ts'
import {
  Op,
  type CommitFigures,
  type Failure,
  type FromWriter,
  type NumberedOperation,
  type Operation,
} from './messages.ts'
import type { WriterData } from './writer.ts'

/** Memory of the writer thread; its caches are SQLite's and lie outside. */
const LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4, stackSizeMb: 2 }
/** So many operations are handed over although the turn of the event loop goes on. */
const EARLY_OPERATIONS = 16
/** Commits whose size is kept for `stats()`. */
const RING = 4_096

interface Waiting {
  readonly settle: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

export type Ready = Extract<FromWriter, { type: 'ready' }>

export class WriterClient {
  readonly #file: string
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #pulse: Int32Array
  readonly #stallMs: number
  readonly #heart: ReturnType<typeof setInterval>
  readonly #waiting = new SlotMap<number, Waiting>()
  readonly #listeners: ((reason: string) => void)[] = []
  #ready: { readonly resolve: (ready: Ready) => void; readonly reject: (error: Error) => void } | null = null
  #outbox: Operation[] = []
  #scheduled = false
  #nextId = 1
  #lost: string | null = null
  #closed = false
  /** When the main loop was last seen to move; monotonic ms. */
  #movedAt = performance.now()
  /** Answers that wait until ownership is confirmed; null when there is no doubt about it. */
  #held: Extract<FromWriter, { type: 'answers' }>[] | null = null
  readonly figures = new Figures()

  private constructor(data: Omit<WriterData, 'port' | 'pulse'>) {
    this.#file = data.file
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#pulse = new Int32Array(new SharedArrayBuffer(4))
    const workerData: WriterData = { ...data, port: port2, pulse: this.#pulse }
    // Unbuilt the file is writer.ts, in a published package writer.js: as this one.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
    this.#worker = new Worker(new URL(`./writer${extension}`, import.meta.url), {
      name: 'plugwork-store-writer',
      workerData,
      transferList: [port2],
      resourceLimits: LIMITS,
      execArgv: [],
    })
    this.#port.on('message', (message: FromWriter) => this.#receive(message))
    this.#worker.on('error', (error) => this.#fail(`the writer thread failed: ${String(error)}`))
    this.#worker.on('exit', () => {
      this.#readLastWords()
      this.#fail('the writer thread ended')
      this.#release()
    })
    this.#stallMs = data.lease.stallMs
    this.#heart = setInterval(
      () => {
        this.#move()
        Atomics.add(this.#pulse, 0, 1)
      },
      Math.min(1_000, data.lease.stallMs / 5),
    )
    this.#heart.unref()
    this.#rest()
  }

  /** Starts the thread; resolves when it owns the file. */
  static async open(data: Omit<WriterData, 'port' | 'pulse'>): Promise<{ client: WriterClient; ready: Ready }> {
    const client = new WriterClient(data)
    client.#worker.ref()
    const ready = await new Promise<Ready>((resolve, reject) => (client.#ready = { resolve, reject }))
    client.#rest()
    return { client, ready }
  }

  get pending(): number {
    return this.#waiting.size
  }

  /** Whether another process has taken the store over, or the writer died. */
  get isLost(): boolean {
    return this.#lost !== null
  }

  /** Number for the next operation; its answer is found by it. */
  nextId(): number {
    return this.#nextId++
  }

  /** Sends one operation. Resolves with the writer's answer, rejects with a code of the store. */
  send(operation: NumberedOperation): Promise<unknown> {
    return new Promise((settle, reject) => this.post(operation, { settle, reject }))
  }

  /** As `send`, for callers that settle a promise of their own. */
  post(operation: NumberedOperation, waiting: Waiting): void {
    if (this.#closed || this.#lost !== null) {
      waiting.reject(this.#gone())
      return
    }
    if (this.#waiting.size === 0) this.#port.ref()
    this.#waiting.set(operation[1], waiting)
    this.#outbox.push(operation)
    if (this.#outbox.length >= EARLY_OPERATIONS) this.#flush()
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  onLost(listener: (reason: string) => void): void {
    this.#listeners.push(listener)
  }

  /** Flushes, releases ownership and ends the thread. */
  async close(): Promise<void> {
    if (this.#closed) return
    const released = this.#lost === null ? this.send([Op.close, this.nextId()]) : null
    this.#closed = true
    this.#release()
    try {
      await released
    } finally {
      clearInterval(this.#heart)
      this.#port.close()
      await this.#worker.terminate()
    }
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    const operations = this.#outbox
    this.#outbox = []
    if (operations.length === 0) return
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
    this.#port.postMessage(operations)
  }

  #receive(message: FromWriter): void {
    switch (message.type) {
      case 'answers':
        this.#move()
        if (this.#held === null || this.#closed) this.#settle(message)
        else this.#held.push(message)
        return
      case 'lost':
        this.#fail(message.reason)
        this.#release()
        return
      case 'confirmed':
        this.#release()
        return
      case 'ready':
        this.#ready?.resolve(message)
        this.#ready = null
        return
      case 'refused':
        this.#closed = true
        clearInterval(this.#heart)
        this.#ready?.reject(
          message.owner === null ? toError(message.failure) : new StoreOwnedError(this.#file, message.owner),
        )
        this.#ready = null
        this.#port.close()
    }
  }

  /** The end of a thread can be heard before what it sent last. */
  #readLastWords(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port)
      if (received === undefined) return
      this.#receive(received.message as FromWriter)
    }
  }

  /**
   * A loop that stood still for so long may have lost the store to a successor who has begun the same effects. Commits of
   * before are answered when ownership is confirmed: whoever hears of one goes on with an effect.
   */
  #move(): void {
    const now = performance.now()
    const stalled = now - this.#movedAt > this.#stallMs
    this.#movedAt = now
    if (!stalled || this.#held !== null || this.#lost !== null || this.#closed || this.#ready !== null) return
    this.#held = []
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
    this.#port.postMessage([[Op.confirm]] satisfies Operation[])
  }

  #release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const message of held) this.#settle(message)
  }

  #settle({ answers, commit }: Extract<FromWriter, { type: 'answers' }>): void {
    if (commit !== null) this.figures.add(commit)
    for (let i = 0; i < answers.length; i += 2) {
      const id = answers[i] as number
      const waiting = this.#waiting.delete(id)
      if (waiting === undefined) continue
      const answer = answers[i + 1]
      if (isFailure(answer)) waiting.reject(toError(answer))
      else waiting.settle(answer)
    }
    if (this.#waiting.size === 0) this.#rest()
  }

  /** Nothing is awaited: an idle store keeps no process alive. */
  #rest(): void {
    this.#port.unref()
    this.#worker.unref()
  }

  #fail(reason: string): void {
    if (this.#lost !== null || (this.#closed && this.#waiting.size === 0)) return
    this.#lost = reason
    this.#ready?.reject(storeError('store_failed', `The store could not be opened: ${reason}.`))
    this.#ready = null
    clearInterval(this.#heart)
    // What is still on its way is answered by a fenced writer, but not by one that died.
    if (this.#worker.threadId === -1) this.#rejectAll()
    for (const listener of this.#listeners) listener(reason)
  }

  #rejectAll(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(this.#gone())
    this.#waiting.clear()
    this.#rest()
  }

  #gone(): Error {
    const why = this.#lost === null ? 'it was closed' : `this process has lost it (${this.#lost})`
    return storeError('store_closed', `The store takes no more writes: ${why}.`)
  }
}

/** Counts and sizes of commits; the sizes of the latest ones in a ring. */
class Figures {
  readonly #ring = new Uint16Array(RING)
  #filled = 0
  commits = 0
  records = 0
  bytes = 0
  lastCommitMs = 0

  add(commit: CommitFigures): void {
    if (commit.records > 0) this.#ring[this.#filled++ % RING] = commit.records
    this.commits++
    this.records += commit.records
    this.bytes += commit.bytes
    this.lastCommitMs = commit.ms
  }

  /** Records of the latest commits that had any, oldest first. */
  batchSizes(): number[] {
    const length = Math.min(this.#filled, RING)
    const first = this.#filled - length
    return Array.from({ length }, (_, i) => this.#ring[(first + i) % RING] ?? 0)
  }
}

function isFailure(answer: unknown): answer is Failure {
  return typeof answer === 'object' && answer !== null && 'failed' in answer
}

function toError(failure: Failure): PlugworkError {
  const spec = ERRORS[failure.code as StoreErrorCode]
  return new PlugworkError(failure.code, failure.message, { retryable: spec?.retryable ?? false })
}
