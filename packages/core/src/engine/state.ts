/**
 * The state of a run: a tree of frames and what the run keeps for life, plain JSON throughout. `decide` changes the state
 * it is given; a copy is `deserialize(serialize(state))`. What is derived (indexes, timers, links upward) is rebuilt on
 * first use.
 */
import { PlugworkError } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { StartFacts } from './event.ts'
import type { EffectFrame, RunFrame, WaitFrame } from './frames.ts'
import { liveOf } from './live.ts'
import type { LIVE, Live, ParkReason } from './live.ts'

/** Raised when states of an earlier version cannot be read; their runs are then replayed from the journal. */
export const STATE_VERSION = 1

/** A signal that came before its wait. */
export interface Signal {
  readonly id: string
  readonly name: string
  readonly outcome: 'received' | 'approved' | 'rejected'
  readonly data: Json
  readonly actor: string | null
  readonly at: number
}

export interface RunState {
  readonly version: typeof STATE_VERSION
  /** Hash of the plan, to which the run is pinned. */
  readonly program: string
  readonly facts: StartFacts
  readonly startedAt: number
  status: 'active' | 'succeeded' | 'failed' | 'cancelled'
  outputs: JsonObject | null
  error: ErrorInfo | null
  /** Whether an `exit` step ended the run: then there is nothing to retry. */
  exited: boolean
  /** 1, and one more for each retry in place. */
  generation: number
  /** Number of the next frame. */
  serial: number
  readonly root: RunFrame
  /** Signals that no wait has taken yet, by the name they were sent to, oldest first. */
  readonly signals: { [name: string]: Signal[] }
  /** Ids of the last signals, so that one sent twice counts once. The store keeps all of them. */
  readonly seen: string[]
  [LIVE]?: Live
}

/** The state as text. Small for a parked run: what it waits in, and values that later steps can see. */
export function serialize(state: RunState): string {
  return JSON.stringify(state)
}

/** Reads a state. Throws `state_version` when it is none of a version whose states this one can read. */
export function deserialize(text: string): RunState {
  const state = parsed(text)
  if (state === null) {
    throw new PlugworkError('state_version', 'The snapshot is of another version. Replay the run from its journal.')
  }
  return state
}

/** Whether `deserialize` can read it. */
export function isReadable(text: string): boolean {
  return parsed(text) !== null
}

function parsed(text: string): RunState | null {
  try {
    const state: unknown = JSON.parse(text)
    if (typeof state !== 'object' || state === null || !('version' in state)) return null
    // Written by `serialize` of this version.
    return state.version === STATE_VERSION ? (state as RunState) : null
  } catch {
    return null
  }
}

/** Where a run stands. */
export interface RunStanding {
  readonly status: 'running' | 'waiting' | 'succeeded' | 'failed' | 'cancelled'
  /** Why a waiting run waits. */
  readonly reason: ParkReason | null
}

/** In which order reasons are told when a run waits for several things. */
const REASONS: readonly ParkReason[] = ['needs_attention', 'approval', 'webhook', 'event', 'child', 'timer']

/** The status of the run; of several reasons to wait, the one that needs somebody first. */
export function statusOf(state: RunState): RunStanding {
  if (state.status !== 'active') return { status: state.status, reason: null }
  const { counts } = liveOf(state)
  if (counts.running > 0) return { status: 'running', reason: null }
  return { status: 'waiting', reason: REASONS.find((reason) => counts[reason] > 0) ?? null }
}

/** When the run's earliest timer is due (epoch ms); null when it has none. */
export function wakeAt(state: RunState): number | null {
  return liveOf(state).timers.peek()?.at ?? null
}

/** A task, action, look-up or sub-flow that has been asked for and has not answered. */
export interface InFlight {
  readonly path: string
  readonly attempt: number
  readonly kind: 'effect' | 'lookup' | 'child'
  /** Being left: what comes within the grace still counts. */
  readonly leaving: boolean
}

/** What the run has in flight, oldest first. */
export function inFlight(state: RunState): InFlight[] {
  const found: InFlight[] = []
  for (const frame of liveOf(state).pending.values()) {
    if (frame.kind !== 'effect' || (frame.phase !== 'running' && frame.phase !== 'lookup')) continue
    const kind = frame.phase === 'lookup' ? 'lookup' : frame.child ? 'child' : 'effect'
    found.push({ path: frame.path, attempt: frame.attempt, kind, leaving: frame.leaving !== null })
  }
  return found
}

/** A wait that the run is in. */
export interface OpenWait {
  readonly path: string
  readonly kind: WaitFrame['wait']
  /** Id of the step; signals name it, or the path. */
  readonly name: string | null
  readonly since: number
  /** When it ends by itself (epoch ms). */
  readonly until: number | null
  /** Name of the event that it waits for. */
  readonly event: string | null
  readonly title: string | null
  readonly assignees: Json
}

/** The waits that the run is in, oldest first. */
export function waits(state: RunState): OpenWait[] {
  const open: OpenWait[] = []
  for (const frame of liveOf(state).pending.values()) {
    if (frame.kind !== 'wait') continue
    const { path, wait, name, since, due, event, title, assignees } = frame
    open.push({ path, kind: wait, name, since, until: due, event, title, assignees })
  }
  return open
}

/** A step that nothing but a human's decision moves on. */
export interface HeldStep {
  readonly path: string
  readonly reason: string
}

/** Steps that need attention, oldest first. */
export function needsAttention(state: RunState): HeldStep[] {
  const held: HeldStep[] = []
  for (const frame of liveOf(state).pending.values()) {
    if (isHeld(frame)) held.push({ path: frame.path, reason: frame.reason ?? '' })
  }
  return held
}

function isHeld(frame: EffectFrame | WaitFrame): frame is EffectFrame {
  return frame.kind === 'effect' && frame.phase === 'held'
}
