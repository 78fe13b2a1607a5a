/** Rebuilds a run from its journal: the records go through `decide` again, and must start what they started. */
import type { Command } from './command.ts'
import { decideObserved, machine } from './decide.ts'
import { attemptCommand } from './effects.ts'
import type { RunEvent } from './event.ts'
import { liveOf } from './live.ts'
import type { Observer } from './machine.ts'
import type { EffectProgramNode, Program, WaitProgramNode } from './program.ts'
import { decodeRecord, startedBy } from './record.ts'
import type { EncodedRecord, Started } from './record.ts'
import { idempotencyKey } from './key.ts'
import { keyPath } from './scope.ts'
import { unseal } from './secrets.ts'
import { deserialize } from './state.ts'
import type { RunState } from './state.ts'

/** A state as it was after the record `seq`. */
export interface Snapshot {
  readonly seq: number
  readonly state: string
}

/** The journal says something else than what is computed now. The run must be held, never go on. */
export interface Nondeterminism {
  /** The record from which on they differ. */
  readonly seq: number
  readonly expected: string
  readonly got: string
}

export type Replayed =
  | {
      readonly kind: 'replayed'
      /** Null for an empty journal. */
      readonly state: RunState | null
      /** What is asked for and not answered, as commands, with the journaled inputs: for a run that nobody works on. */
      readonly commandsInFlight: readonly Command[]
      /** Seq that the next record gets. */
      readonly nextSeq: number
    }
  | { readonly kind: 'nondeterminism'; readonly nondeterminism: Nondeterminism }

/** Replays records in the order of their `seq`, on a snapshot if there is one (records up to it are passed over). */
export function replay(program: Program, records: readonly EncodedRecord[], from?: Snapshot | null): Replayed {
  let state = from ? deserialize(from.state) : null
  let nextSeq = from ? from.seq + 1 : 0
  for (const record of records) {
    if (from && record.seq <= from.seq) continue
    const step = replayRecord(program, state, record)
    if (step.kind === 'nondeterminism') return step
    state = step.state
    nextSeq = record.seq + 1
  }
  return { kind: 'replayed', state, commandsInFlight: state === null ? [] : commandsInFlight(program, state), nextSeq }
}

export type ReplayedRecord =
  | {
      readonly kind: 'decided'
      readonly state: RunState
      readonly event: RunEvent
      readonly commands: readonly Command[]
      readonly started: readonly Started[]
    }
  | { readonly kind: 'nondeterminism'; readonly nondeterminism: Nondeterminism }

/** Feeds one record to the core, compares, and puts the journaled inputs in the place of the computed ones. */
export function replayRecord(
  program: Program,
  state: RunState | null,
  record: EncodedRecord,
  observer: Observer | null = null,
): ReplayedRecord {
  const { event, started } = decodeRecord(record)
  const decision = decideObserved(program, state, event, observer)
  const { commands } = decision
  if (decision.ignored) return differ(record.seq, described(record), 'nothing that this event applies to')
  const expected = started.map(nameOf).join(', ')
  const got = (startedBy(commands) ?? []).map(nameOf).join(', ')
  if (expected !== got) return differ(record.seq, expected || 'nothing started', got || 'nothing started')
  useJournaled(decision.state, started)
  return { kind: 'decided', state: decision.state, event, commands, started }
}

function differ(seq: number, expected: string, got: string): ReplayedRecord {
  return { kind: 'nondeterminism', nondeterminism: { seq, expected, got } }
}

function described(record: EncodedRecord): string {
  return record.path === '' ? record.kind : `${record.kind} ${record.path}`
}

function nameOf(entry: Started): string {
  return `${entry.do} ${entry.path} #${entry.attempt}`
}

/** Puts the journaled inputs in the place of the computed ones. */
export function useJournaled(state: RunState, started: readonly Started[]): void {
  const { pending } = liveOf(state)
  for (const entry of started) {
    const frame = pending.get(entry.path)
    if (frame?.kind !== 'effect' || (entry.do !== 'effect' && entry.do !== 'start_child')) continue
    frame.input = entry.input
    frame.secrets = entry.secrets ?? null
  }
}

/** Commands for everything that a state has in flight, in the order in which it began. */
export function commandsInFlight(program: Program, state: RunState): Command[] {
  if (state.status !== 'active') return []
  const m = machine(program, state, { now: state.startedAt, observer: null })
  const commands: Command[] = []
  for (const frame of m.live.pending.values()) {
    const node = program.nodes[frame.node]
    if (frame.kind === 'wait') {
      const wait = node as WaitProgramNode
      if (frame.event !== null) {
        commands.push({
          type: 'subscribe',
          path: frame.path,
          event: frame.event,
          since: wait.sinceRun ? 'run' : 'wait',
        })
      }
      continue
    }
    if (frame.leaving !== null) continue
    const effect = node as EffectProgramNode
    if (frame.phase === 'running') {
      const command = attemptCommand(m, frame, effect)
      if (command !== null) commands.push(command)
    } else if (frame.phase === 'lookup' && effect.plan.kind === 'action') {
      commands.push({
        type: 'lookup',
        path: frame.path,
        attempt: frame.attempt,
        node: effect.plan,
        input: unseal({ json: frame.input, secrets: frame.secrets }),
        idempotencyKey: idempotencyKey(state.facts, keyPath(frame.path, frame.gen)),
      })
    }
  }
  return commands
}
