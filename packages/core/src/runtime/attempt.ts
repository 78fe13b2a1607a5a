/**
 * One attempt of a task or action: its signal, time limit, log lines, the connections it took and the secrets it was
 * given. It ends once, by a result, an error, a time-out or a hold, and then tells its run; what comes later is dropped,
 * but the connections are given back only when the author's code has really returned.
 */
import { PlugworkError, type ErrorInfo } from '../error.ts'
import type { LogLine, RunEvent } from '../engine/event.ts'
import type { Command } from '../engine/command.ts'
import type { Json } from '../json.ts'
import type { ConnectionLease, ConnectionRequest } from './connections.ts'
import { toErrorInfo } from './error-info.ts'
import type { ActionScope } from '../action/call.ts'
import { retryAfterOf } from '../action/failure.ts'
import { toJsonValue } from '../action/json-value.ts'
import { redactorOf } from './redact.ts'
import type { Clock } from '../clock.ts'

/** Log lines and characters that one attempt may leave in the journal. */
const MAX_LOG_LINES = 200
const MAX_LOG_CHARACTERS = 65_536
const MAX_LINE_CHARACTERS = 8_192

export type EffectCommand = Extract<Command, { type: 'effect' }>
export type LookupCommand = Extract<Command, { type: 'lookup' }>

/** What an attempt needs of its run. */
export interface AttemptHost {
  readonly tenant: string
  readonly flow: string
  readonly runId: string
  /** When the run began; epoch ms. */
  readonly startedAt: number
  /** The connection that the flow declares under this name; null when there is none. */
  connection(name: string): ConnectionRequest | null
  feed(event: RunEvent): void
}

/** The part of a command that attempts and look-ups share. */
export type AttemptCommand = EffectCommand | LookupCommand

export class Attempt implements ActionScope {
  readonly host: AttemptHost
  readonly command: AttemptCommand
  readonly startedAt: number
  /** Its place among the attempts that run. */
  slot = 0
  /** Hash or version of the code that runs, for the trace. */
  code: string | undefined
  /** When its time limit ends; epoch ms. */
  readonly deadline: number
  timedOut = false
  readonly #clock: Clock
  readonly #onEnd: (attempt: Attempt) => void
  #ended = false
  #returned = false
  #controller: AbortController | null = null
  #abortReason: Error | null = null
  #abortListeners: Set<(reason: unknown) => void> | null = null
  #cancelTimer: (() => void) | null = null
  #logs: LogLine[] | null = null
  #logCharacters = 0
  #leases: ConnectionLease[] | null = null
  /** Connections that it has had, with the secrets that are known of them; tokens come while they are used. */
  #held: { readonly lease: ConnectionLease; secrets: readonly string[] }[] | null = null
  #secrets: readonly string[] = []

  constructor(host: AttemptHost, command: AttemptCommand, clock: Clock, onEnd: (attempt: Attempt) => void) {
    this.host = host
    this.command = command
    this.#clock = clock
    this.#onEnd = onEnd
    this.startedAt = clock.now()
    const timeoutMs = command.type === 'effect' ? command.timeoutMs : undefined
    this.deadline = timeoutMs === undefined ? Infinity : this.startedAt + timeoutMs
    if (timeoutMs !== undefined) {
      this.#cancelTimer = clock.at(this.deadline, () => this.#timeOut(timeoutMs))
    }
  }

  get tenant(): string {
    return this.host.tenant
  }

  get attempt(): number {
    return this.command.attempt
  }

  get idempotencyKey(): string {
    return this.command.idempotencyKey
  }

  get ended(): boolean {
    return this.#ended
  }

  get aborted(): boolean {
    return this.#abortReason !== null
  }

  get reason(): unknown {
    return this.#abortReason
  }

  onAbort(listener: (reason: unknown) => void): () => void {
    const listeners = (this.#abortListeners ??= new Set())
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Made when somebody asks for it: most tasks never look. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  /** Remembers secrets that this attempt was given, so that they are taken out of what it leaves behind. */
  give(secrets: readonly string[]): void {
    if (secrets.length === 0) return
    this.#secrets = this.#secrets.length === 0 ? secrets : [...this.#secrets, ...secrets]
  }

  /** Gives the lease back when the attempt's code has returned. */
  hold(lease: ConnectionLease): void {
    this.give(lease.secrets)
    const held = { lease, secrets: lease.secrets }
    if (this.#held === null) this.#held = [held]
    else this.#held.push(held)
    if (this.#leases === null) this.#leases = [lease]
    else this.#leases.push(lease)
    if (this.#returned) this.#release(undefined)
  }

  get redact(): ((text: string) => string) | undefined {
    for (const held of this.#held ?? NO_LEASES) {
      if (held.secrets === held.lease.secrets) continue
      held.secrets = held.lease.secrets
      this.give(held.secrets)
    }
    if (this.#secrets.length === 0) return undefined
    const redactor = redactorOf(this.#secrets)
    return redactor.empty ? undefined : redactor.text
  }

  log(level: LogLine['level'], message: string, data?: Json): void {
    if (this.#ended) return
    const lines = (this.#logs ??= [])
    if (lines.length >= MAX_LOG_LINES || this.#logCharacters >= MAX_LOG_CHARACTERS) {
      if (lines.at(-1)?.message !== LIMIT_REACHED)
        lines.push({ at: this.#clock.now(), level: 'warn', message: LIMIT_REACHED })
      return
    }
    const line = this.#line(level, message, data)
    this.#logCharacters += line.message.length + (line.data === undefined ? 0 : JSON.stringify(line.data).length)
    lines.push(line)
  }

  /** Fires the attempt's signal. Its run decides whether a result that still comes counts. */
  abort(reason: string): void {
    if (this.#ended || this.#abortReason !== null) return
    this.#abortReason = new PlugworkError('step_aborted', reason, { retryable: true })
    this.#controller?.abort(this.#abortReason)
    for (const listener of this.#abortListeners ?? []) listener(this.#abortReason)
  }

  /** Forgets the attempt: the run is gone from here, nothing is told to it. */
  drop(reason: string): void {
    this.abort(reason)
    this.#end()
  }

  /** The author's code has returned: connections go back. Call it before the outcome is told. */
  returned(error?: unknown): void {
    this.#returned = true
    this.#release(error)
  }

  /** Ends the attempt with an output that is JSON already. */
  complete(output: Json): void {
    if (this.#ended) return
    const event: RunEvent = {
      type: 'completed',
      at: this.#clock.now(),
      path: this.command.path,
      attempt: this.command.attempt,
      output,
      startedAt: this.startedAt,
      ...(this.#logs === null ? null : { logs: this.#logs }),
      ...(this.code === undefined ? null : { code: this.code }),
    }
    this.#end()
    this.host.feed(event)
  }

  /** Ends the attempt with whatever was thrown. `final` errors are never retried. */
  fail(thrown: unknown, fallback: 'task_failed' | 'action_failed', final = false): void {
    if (this.#ended) return
    const redact = this.redact
    const info = toErrorInfo(thrown, { code: fallback, ...(redact === undefined ? {} : { redact }) })
    this.failWith(info, final, retryAfterOf(thrown))
  }

  failWith(error: ErrorInfo, final: boolean, retryAfterMs?: number): void {
    if (this.#ended) return
    const event: RunEvent = {
      type: 'failed',
      at: this.#clock.now(),
      path: this.command.path,
      attempt: this.command.attempt,
      error: { ...error, step: error.step ?? this.command.path },
      startedAt: this.startedAt,
      ...(final ? { final } : null),
      ...(retryAfterMs === undefined ? null : { retryAfterMs }),
      ...(this.#logs === null ? null : { logs: this.#logs }),
      ...(this.code === undefined ? null : { code: this.code }),
    }
    this.#end()
    this.host.feed(event)
  }

  /** The step cannot run here now: a human decides. */
  holdStep(reason: string): void {
    if (this.#ended) return
    this.#end()
    this.host.feed({ type: 'hold', at: this.#clock.now(), path: this.command.path, reason })
  }

  /** The answer of a look-up. */
  lookedUp(output: Json | undefined): void {
    if (this.#ended) return
    this.#end()
    const at = this.#clock.now()
    const { path } = this.command
    this.host.feed(
      output === undefined
        ? { type: 'looked_up', at, path, found: false }
        : { type: 'looked_up', at, path, found: true, output },
    )
  }

  #timeOut(timeoutMs: number): void {
    if (this.#ended) return
    this.timedOut = true
    const message = `The attempt took longer than its timeout of ${timeoutMs} ms.`
    this.abort(message)
    this.failWith({ code: 'timeout', message, retryable: true }, false)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelTimer?.()
    this.#onEnd(this)
  }

  #release(error: unknown): void {
    const leases = this.#leases
    if (leases === null) return
    this.#leases = null
    for (const lease of leases) void lease.release(error)
  }

  #line(level: LogLine['level'], message: string, data: Json | undefined): LogLine {
    const redact = this.redact
    const text = redact === undefined ? message : redact(message)
    const clipped = text.length > MAX_LINE_CHARACTERS ? `${text.slice(0, MAX_LINE_CHARACTERS)}…` : text
    const line = { at: this.#clock.now(), level, message: clipped }
    if (data === undefined) return line
    try {
      const copied = toJsonValue(data, redact)
      return copied.size > MAX_LINE_CHARACTERS
        ? { ...line, data: `${copied.size} characters` }
        : { ...line, data: copied.value }
    } catch (error) {
      return { ...line, data: error instanceof Error ? error.message : 'data that is not JSON' }
    }
  }
}

const NO_LEASES: never[] = []
const LIMIT_REACHED = 'Further log lines of this attempt are left out.'
