/** The trace: every step of a run with its attempts, computed from the journal. Pure steps are computed again. */
import type { Json } from '../json.ts'
import { decideObserved } from './decide.ts'
import type { RunEvent } from './event.ts'
import type { Observer, StepEnd, StepNote } from './machine.ts'
import type { Program, ProgramNode } from './program.ts'
import { decodeRecord } from './record.ts'
import type { EncodedRecord } from './record.ts'
import { useJournaled } from './replay.ts'
import type { RunState } from './state.ts'
import type { StepTrace } from './step-trace.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Entry = Mutable<StepTrace>

/**
 * The steps of a run in the order in which they began. A journal that says something else than what is computed now is
 * traced as far as they agree.
 */
export function traceRun(program: Program, records: readonly EncodedRecord[]): StepTrace[] {
  const tracer = new Tracer()
  let state: RunState | null = null
  for (const record of records) {
    const { event, started } = decodeRecord(record)
    if (state === null && event.type !== 'start') break
    tracer.before(event)
    const decision = decideObserved(program, state, event, tracer)
    if (decision.ignored) break
    state = decision.state
    useJournaled(state, started)
    for (const { path, input } of started) tracer.journaled(path, input)
  }
  return tracer.steps()
}

/**
 * Follows a run as it is decided: give each event to `before`, then to `decideObserved` with the tracer as its observer.
 * `changed` then answers the steps that the decision has changed.
 */
export class Tracer implements Observer {
  readonly #entries = new Map<string, Entry>()
  readonly #open = new Set<string>()
  #changed = new Set<string>()
  #now = 0

  /** An event is about to be decided. */
  before(event: RunEvent): void {
    this.#changed = new Set()
    this.#now = event.at
    if (event.type === 'completed' || event.type === 'failed') this.#attempted(event)
    if (event.type === 'child_ended') this.#childEnded(event)
  }

  #attempted(event: Extract<RunEvent, { type: 'completed' | 'failed' }>): void {
    const entry = this.#entries.get(event.path)
    if (entry === undefined || !this.#open.has(event.path)) return
    if (event.attempt === 1) entry.startedAt = event.startedAt
    entry.logs = [...entry.logs, ...(event.logs ?? [])]
    if (event.code !== undefined) entry.code = event.code
    if (event.type === 'failed') entry.error = event.error
    this.#changed.add(event.path)
  }

  #childEnded(event: Extract<RunEvent, { type: 'child_ended' }>): void {
    const entry = this.#entries.get(event.path)
    if (entry !== undefined) entry.childRunId = event.runId
  }

  begin(path: string, node: ProgramNode): void {
    this.#entries.set(path, newEntry(path, node, this.#now))
    this.#open.add(path)
    this.#changed.add(path)
  }

  end(path: string, end: StepEnd): void {
    const entry = this.#touch(path)
    if (entry === undefined) return
    entry.status = end.kind
    entry.endedAt = this.#now
    if (end.kind === 'succeeded') {
      entry.output = end.value
      entry.error = null
    }
    if (end.kind === 'failed') entry.error = end.error
    this.#open.delete(path)
  }

  note(path: string, note: StepNote): void {
    const entry = this.#touch(path)
    if (entry === undefined) return
    switch (note.kind) {
      case 'attempt':
        entry.status = 'running'
        entry.attempts = note.attempt
        entry.input = note.input
        return
      case 'waiting':
        entry.status = 'waiting'
        return
      case 'retrying':
        entry.status = 'retrying'
        entry.error = note.error
        return
      case 'held':
        entry.status = 'needs_attention'
        entry.error = { code: 'needs_attention', message: note.reason, step: path }
        return
    }
  }

  finish(): void {
    // A set may lose what is being visited.
    for (const path of this.#open) this.end(path, { kind: 'cancelled' })
  }

  /** The input that the journal has for a step, which counts. */
  journaled(path: string, input: Json): void {
    const entry = this.#entries.get(path)
    if (entry !== undefined) entry.input = input
  }

  /** All steps, in the order in which they began. */
  steps(): StepTrace[] {
    return [...this.#entries.values()].map((entry) => ({ ...entry }))
  }

  /** The steps that the last decision has changed. */
  changed(): StepTrace[] {
    return [...this.#changed].flatMap((path) => {
      const entry = this.#entries.get(path)
      return entry === undefined ? [] : [{ ...entry }]
    })
  }

  #touch(path: string): Entry | undefined {
    this.#changed.add(path)
    return this.#entries.get(path)
  }
}

function newEntry(path: string, node: ProgramNode, now: number): Entry {
  return {
    path,
    kind: node.kind,
    id: node.id,
    name: nameOf(node),
    status: 'running',
    attempts: 0,
    startedAt: now,
    endedAt: null,
    input: null,
    output: null,
    error: null,
    logs: [],
    childRunId: null,
    code: null,
  }
}

function nameOf(node: ProgramNode): string | null {
  if (node.kind !== 'task' && node.kind !== 'action' && node.kind !== 'subflow') return null
  const { plan } = node
  switch (plan.kind) {
    case 'task':
      return plan.task
    case 'action':
      return `${plan.connector}.${plan.action}`
    case 'subflow':
      return plan.flow
  }
}
