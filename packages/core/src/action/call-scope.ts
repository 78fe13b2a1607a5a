/** The scope of a call from code: its time limit, its cancellation, and what it logs. Signals and keys are made when asked for. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Cancellation } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import type { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import type { ActionScope } from './call.ts'
import { actionError } from './errors.ts'

export interface CallScopeOptions {
  readonly tenant: string
  /** `github.issues.create`, for messages. */
  readonly label: string
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal?: AbortSignal | Cancellation | undefined
  readonly idempotencyKey?: string | undefined
  log(level: LogLine['level'], message: string, data?: Json): void
}

export class CallScope implements ActionScope {
  readonly tenant: string
  readonly deadline: number
  attempt = 1
  timedOut = false
  redact: ((text: string) => string) | undefined
  readonly #options: CallScopeOptions
  readonly #unlisten: (() => void) | null
  #cancelTimer: (() => void) | null = null
  #key: string | undefined
  #reason: unknown
  #aborted = false
  #controller: AbortController | null = null
  #listeners: Set<(reason: unknown) => void> | null = null

  constructor(options: CallScopeOptions) {
    const { tenant, clock, timeoutMs, signal, idempotencyKey } = options
    this.#options = options
    this.tenant = tenant
    this.#key = idempotencyKey
    this.deadline = clock.now() + timeoutMs
    if (signal?.aborted) {
      this.#unlisten = null
      this.#abort(this.#abortedBy(signal.reason))
      return
    }
    this.#unlisten = signal === undefined ? null : listen(signal, (reason) => this.#abort(this.#abortedBy(reason)))
    if (timeoutMs !== Infinity) this.#cancelTimer = clock.at(this.deadline, () => this.#timeOut())
  }

  get aborted(): boolean {
    return this.#aborted
  }

  get reason(): unknown {
    return this.#reason
  }

  get idempotencyKey(): string {
    return (this.#key ??= randomUUID())
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  onAbort(listener: (reason: unknown) => void): () => void {
    const listeners = (this.#listeners ??= new Set())
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  log(level: LogLine['level'], message: string, data?: Json): void {
    this.#options.log(level, this.redact === undefined ? message : this.redact(message), data)
  }

  /** Takes back its timer and its listener; call it when the call has ended for its caller. */
  close(): void {
    this.#cancelTimer?.()
    this.#unlisten?.()
  }

  #timeOut(): void {
    this.timedOut = true
    const { label, timeoutMs } = this.#options
    this.#abort(
      actionError(
        'action_timeout',
        `${label} took longer than ${timeoutMs} ms. Raise its timeout, or ask the service for less at a time.`,
      ),
    )
  }

  #abortedBy(cause: unknown): PlugworkError {
    return actionError('action_aborted', `The call of ${this.#options.label} was aborted.`, { cause })
  }

  #abort(reason: PlugworkError): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    this.#controller?.abort(reason)
    for (const listener of this.#listeners ?? []) listener(reason)
  }
}

function listen(signal: AbortSignal | Cancellation, listener: (reason: unknown) => void): () => void {
  if ('onAbort' in signal) return signal.onAbort(listener)
  const tell = (): void => listener(signal.reason)
  signal.addEventListener('abort', tell, { once: true })
  return () => signal.removeEventListener('abort', tell)
}

/** Waits, unless the scope is aborted before: then it rejects with the reason. */
export function sleep(ms: number, clock: Clock, scope: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    if (scope.aborted) {
      reject(scope.reason as Error)
      return
    }
    const unlisten = scope.onAbort((reason) => {
      cancel()
      unlisten()
      reject(reason as Error)
    })
    const cancel = clock.at(clock.now() + ms, () => {
      unlisten()
      resolve()
    })
  })
}

/** The promise's outcome, or the reason of an abort that comes first; what comes later is dropped. */
export function unlessAborted<T>(promise: Promise<T>, scope: Cancellation): Promise<T> {
  return new Promise((resolve, reject) => {
    if (scope.aborted) {
      promise.catch(() => undefined)
      reject(scope.reason as Error)
      return
    }
    const unlisten = scope.onAbort((reason) => reject(reason as Error))
    promise.then(
      (value) => {
        unlisten()
        resolve(value)
      },
      (error: unknown) => {
        unlisten()
        reject(error as Error)
      },
    )
  })
}
