/** A run in memory: events go in, records pile up, what is in flight can be seen. No clock but the one given. */
import type { Plan } from '../../flow/plan.ts'
import type { Json, JsonObject } from '../../json.ts'
import type { ErrorInfo } from '../../error.ts'
import type { Command } from '../command.ts'
import { decide } from '../decide.ts'
import type { RunEvent, StartFacts } from '../event.ts'
import { loadProgram } from '../program.ts'
import type { Program } from '../program.ts'
import { encodeRecord } from '../record.ts'
import type { EncodedRecord } from '../record.ts'
import { serialize, statusOf, wakeAt } from '../state.ts'
import type { RunState } from '../state.ts'

export const START = Date.parse('2026-01-01T00:00:00Z')

export function facts(more: Partial<StartFacts> = {}): StartFacts {
  return {
    runId: 'run-1',
    rootRunId: 'run-1',
    tenant: 'default',
    inputs: {},
    trigger: { type: 'manual' },
    env: {},
    baseUrl: 'http://localhost:7420',
    token: 'token-of-the-run',
    subflows: { Child: 'hash-of-child' },
    version: '0.1.0',
    ...more,
  }
}

type Attempted = Extract<Command, { type: 'effect' | 'start_child' | 'lookup' }>

export class Simulation {
  readonly program: Program
  readonly records: EncodedRecord[] = []
  /** State after each record, as text. */
  readonly states: string[] = []
  /** Commands of the last decision. */
  commands: readonly Command[] = []
  readonly allCommands: Command[] = []
  now = START
  #state: RunState | null = null

  constructor(plan: Plan, inputs: JsonObject = {}, more: Partial<StartFacts> = {}) {
    this.program = loadProgram(plan, 'hash-of-plan')
    this.send({ type: 'start', facts: facts({ inputs, ...more }) })
  }

  get state(): RunState {
    if (this.#state === null) throw new Error('not started')
    return this.#state
  }

  set state(state: RunState) {
    this.#state = state
  }

  /** Feeds an event; answers false when it was ignored. */
  send(event: RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'at'> : never) : never): boolean {
    const full = { ...event, at: this.now } as RunEvent
    const before = this.#state === null ? null : serialize(this.#state)
    const decision = decide(this.program, this.#state, full)
    this.#state = decision.state
    if (decision.ignored) {
      if (serialize(decision.state) !== before) throw new Error(`ignoring ${event.type} changed the state`)
      return false
    }
    this.commands = decision.commands
    this.allCommands.push(...decision.commands)
    this.records.push(encodeRecord(full, decision.commands, this.records.length))
    this.states.push(serialize(decision.state))
    return true
  }

  /** The last attempt asked for at a path. */
  attempt(path: string): Attempted {
    const found = this.allCommands.findLast(
      (command): command is Attempted =>
        (command.type === 'effect' || command.type === 'start_child' || command.type === 'lookup') &&
        command.path === path,
    )
    if (found === undefined) throw new Error(`${path} was not started; started: ${this.started().join(', ')}`)
    return found
  }

  /** Paths of all attempts asked for, in order. */
  started(): string[] {
    return this.allCommands.flatMap((command) =>
      command.type === 'effect' || command.type === 'start_child' ? [command.path] : [],
    )
  }

  complete(path: string, output: Json = {}): boolean {
    return this.send({ type: 'completed', path, attempt: this.attempt(path).attempt, output, startedAt: this.now })
  }

  fail(
    path: string,
    code = 'boom',
    more: { readonly final?: boolean; readonly retryAfterMs?: number; readonly error?: Partial<ErrorInfo> } = {},
  ): boolean {
    const error: ErrorInfo = { code, message: `${code} happened`, ...more.error }
    return this.send({
      type: 'failed',
      path,
      attempt: this.attempt(path).attempt,
      error,
      startedAt: this.now,
      ...(more.final === undefined ? {} : { final: more.final }),
      ...(more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }),
    })
  }

  childEnded(
    path: string,
    status: 'succeeded' | 'failed' | 'cancelled',
    more: { readonly outputs?: JsonObject; readonly error?: ErrorInfo } = {},
  ): boolean {
    return this.send({
      type: 'child_ended',
      path,
      attempt: this.attempt(path).attempt,
      runId: `child-of-${path}`,
      status,
      ...more,
    })
  }

  signal(
    name: string,
    outcome: 'received' | 'approved' | 'rejected' = 'received',
    data: Json = null,
    id = `signal-${this.records.length}`,
  ): boolean {
    return this.send({ type: 'signal', id, name, outcome, data })
  }

  /** Lets time pass until the earliest timer and fires it. */
  tick(): boolean {
    const at = wakeAt(this.state)
    if (at === null) throw new Error('no timer')
    this.now = Math.max(this.now, at)
    return this.send({ type: 'timer' })
  }

  pass(milliseconds: number): void {
    this.now += milliseconds
  }

  get status(): string {
    const { status, reason } = statusOf(this.state)
    return reason === null ? status : `${status}: ${reason}`
  }

  get outputs(): JsonObject | null {
    return this.state.outputs
  }

  get error(): ErrorInfo | null {
    return this.state.error
  }
}

/** Starts a run of a plan. */
export function simulate(plan: Plan, inputs: JsonObject = {}, more: Partial<StartFacts> = {}): Simulation {
  return new Simulation(plan, inputs, more)
}
