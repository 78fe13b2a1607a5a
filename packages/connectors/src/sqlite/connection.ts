/**
 * The connection's side of the worker: a queue of requests, one of them under way. An aborted request is interrupted
 * between rows and statements; one that does not stop loses its worker, and with it its open transaction.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { PlugworkError, type Json } from '@plugwork/core'
import type { Operation, RunOptions, SqlClient } from '../sql/operation.ts'
import { ERRORS } from './errors.ts'
import type { SessionOptions, WorkerData, WorkRequest, WorkResponse } from './protocol.ts'

/** How long an interrupted statement may go on before its worker is replaced. */
const INTERRUPT_GRACE_MS = 250
/** How long closing waits for a statement that does not stop. */
const CLOSE_GRACE_MS = 1_000

interface Job {
  readonly request: WorkRequest
  readonly resolve: (result: Json) => void
  readonly reject: (error: unknown) => void
}

export class SqliteConnection implements SqlClient {
  readonly options: SessionOptions
  readonly exactlyOnce: boolean
  readonly #name: string
  readonly #interrupt = new Int32Array(new SharedArrayBuffer(4))
  readonly #queue: Job[] = []
  #worker: Worker | null = null
  #current: Job | null = null
  #grace: NodeJS.Timeout | undefined
  #nextId = 1
  #lost = false
  #closed = false

  constructor(name: string, options: SessionOptions, exactlyOnce: boolean) {
    this.#name = name
    this.options = options
    this.exactlyOnce = exactlyOnce && !options.readOnly
  }

  /** False once an in-memory database went with its worker. */
  get healthy(): boolean {
    return !this.#lost && !this.#closed
  }

  /** Does one operation. Throws `sqlite_…`; rejects with the signal's reason when it is aborted. */
  run(operation: Operation, { signal, key, lookup = false }: RunOptions): Promise<Json> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      if (this.#closed) throw this.#error('connection_closed', 'is closed')
      if (this.#lost) throw this.#error('connection_lost', 'lost its in-memory database')
      const request: WorkRequest = { id: this.#nextId++, operation, key: key ?? null, lookup }
      const onAbort = (): void => {
        this.#giveUp(job)
        job.reject(signal.reason)
      }
      const done = (): void => signal.removeEventListener('abort', onAbort)
      const job: Job = {
        request,
        resolve: (result) => {
          done()
          resolve(result)
        },
        reject: (error) => {
          done()
          reject(error as Error)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#queue.push(job)
      this.#next()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const error = this.#error('connection_closed', 'is closed')
    for (const job of this.#queue.splice(0)) job.reject(error)
    const worker = this.#worker
    if (worker === null) return
    if (this.#current !== null) {
      Atomics.store(this.#interrupt, 0, this.#current.request.id)
      this.#current.reject(error)
      this.#dropWorker()
      // SQLite computes on until its next row; it commits nothing any more, so nobody has to wait for it.
      await Promise.race([worker.terminate(), pause(CLOSE_GRACE_MS, undefined, { ref: false })])
      return
    }
    this.#worker = null
    worker.removeAllListeners()
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()).once('error', () => resolve()))
    worker.ref()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin
    worker.postMessage('close')
    await exited
  }

  #next(): void {
    if (this.#current !== null) return
    const job = this.#queue.shift()
    if (job === undefined) {
      // An idle connection does not keep a process alive.
      this.#worker?.unref()
      return
    }
    this.#current = job
    this.#worker ??= this.#start()
    this.#worker.ref()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin
    this.#worker.postMessage(job.request)
  }

  #start(): Worker {
    // The compiled package has worker.js beside this file.
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'
    const workerData: WorkerData = { options: this.options, interrupt: this.#interrupt }
    const worker = new Worker(new URL(file, import.meta.url), { workerData, name: `sqlite ${this.#name}` })
    worker.on('message', (response: WorkResponse) => this.#settle(response))
    worker.on('error', (error) => this.#workerGone(worker, error))
    worker.on('exit', () => this.#workerGone(worker, undefined))
    return worker
  }

  #settle(response: WorkResponse): void {
    const job = this.#current
    if (job?.request.id !== response.id) return
    this.#current = null
    clearTimeout(this.#grace)
    if ('result' in response) job.resolve(response.result)
    else job.reject(toError(response.failure))
    this.#next()
  }

  /** Forgets a waiting job, interrupts the one under way. */
  #giveUp(job: Job): void {
    const waiting = this.#queue.indexOf(job)
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1)
      return
    }
    if (this.#current !== job) return
    Atomics.store(this.#interrupt, 0, job.request.id)
    // Without its worker an in-memory database would be gone; its statement is left to end.
    if (this.options.file === ':memory:') return
    this.#grace = setTimeout(() => {
      const worker = this.#worker
      this.#dropWorker()
      void worker?.terminate()
      // Nor does one that computes on keep a process alive that has nothing else to do.
      worker?.unref()
      this.#next()
    }, INTERRUPT_GRACE_MS)
  }

  #dropWorker(): void {
    clearTimeout(this.#grace)
    this.#worker?.removeAllListeners()
    // A worker that ends with an error now has nobody left to tell.
    this.#worker?.on('error', () => undefined)
    this.#worker = null
    this.#current = null
  }

  #workerGone(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return
    const job = this.#current
    this.#dropWorker()
    if (this.options.file === ':memory:') this.#lost = true
    job?.reject(this.#error('connection_lost', 'lost its worker thread', cause))
    if (this.#lost)
      for (const waiting of this.#queue.splice(0))
        waiting.reject(this.#error('connection_lost', 'lost its in-memory database'))
    this.#next()
  }

  #error(code: 'connection_closed' | 'connection_lost', what: string, cause?: unknown): PlugworkError {
    return new PlugworkError(code, `The sqlite connection "${this.#name}" ${what}; the next use opens it again.`, {
      retryable: true,
      cause,
    })
  }
}

function toError(failure: Extract<WorkResponse, { failure: unknown }>['failure']): PlugworkError {
  return new PlugworkError(failure.code, failure.message, {
    retryable: ERRORS[failure.code].retryable,
    ...(failure.data === undefined ? {} : { data: failure.data }),
  })
}
