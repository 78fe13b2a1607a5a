/**
 * What is derived from a state and kept beside it in memory: pending effects and waits by path, timers, counts. Nothing
 * of it is stored; after a load it is built in one pass over the tree.
 */
import type { EffectFrame, Frame, WaitFrame } from './frames.ts'
import { QUEUED, SCOPE, UP, eachChild } from './frames.ts'
import type { Program } from './program.ts'
import { Globals, RunScope, keyPath, pathOf } from './scope.ts'
import type { RunState } from './state.ts'
import { Timers } from './timers.ts'

/** What is derived of a state. */
export const LIVE: unique symbol = Symbol('live')

/** Why a run, or a step of it, waits. */
export type ParkReason = 'timer' | 'event' | 'approval' | 'webhook' | 'child' | 'needs_attention'

export type Counts = { [reason in ParkReason | 'running']: number }

export interface Live {
  /** Steps that something from outside, or time, moves on; in the order in which they began. */
  readonly pending: Map<string, EffectFrame | WaitFrame>
  /** Waits by the names that signals can have for them; the oldest first. */
  readonly waiting: Map<string, Set<WaitFrame>>
  readonly timers: Timers
  readonly counts: Counts
  readonly seen: Set<string>
  globals: Globals | null
}

const NOTHING: Counts = { running: 0, timer: 0, event: 0, approval: 0, webhook: 0, child: 0, needs_attention: 0 }

/** The derived part of a state, built if it is not there. */
export function liveOf(state: RunState): Live {
  return state[LIVE] ?? build(state)
}

function build(state: RunState): Live {
  const live: Live = {
    pending: new Map(),
    waiting: new Map(),
    timers: new Timers(),
    counts: { ...NOTHING },
    seen: new Set(state.seen),
    globals: null,
  }
  const found: (EffectFrame | WaitFrame)[] = []
  const visit = (frame: Frame): void => {
    frame[QUEUED] = false
    eachChild(frame, (child) => {
      child[UP] = frame
      visit(child)
    })
    if (frame.outcome !== null) return
    addTimers(live, frame)
    if (frame.kind === 'effect' || frame.kind === 'wait') found.push(frame)
    else count(live, frame, 1)
  }
  state.root[UP] = null
  visit(state.root)
  for (const frame of found.toSorted((a, b) => a.serial - b.serial)) register(live, frame)
  state[LIVE] = live
  return live
}

function addTimers(live: Live, frame: Frame): void {
  if (frame.deadline !== null) live.timers.add({ at: frame.deadline, frame, kind: 'deadline' })
  if ('due' in frame && frame.due !== null) live.timers.add({ at: frame.due, frame, kind: 'due' })
}

/** Enters a step that has begun. */
export function register(live: Live, frame: EffectFrame | WaitFrame): void {
  live.pending.set(frame.path, frame)
  count(live, frame, 1)
  if (frame.kind === 'wait')
    for (const name of namesOf(frame)) {
      const set = live.waiting.get(name)
      if (set === undefined) live.waiting.set(name, new Set([frame]))
      else set.add(frame)
    }
}

/** Removes a step that has ended. */
export function unregister(live: Live, frame: EffectFrame | WaitFrame): void {
  live.pending.delete(frame.path)
  count(live, frame, -1)
  if (frame.kind === 'wait')
    for (const name of namesOf(frame)) {
      const set = live.waiting.get(name)
      set?.delete(frame)
      if (set?.size === 0) live.waiting.delete(name)
    }
}

/** Forgets everything pending: the run has ended. */
export function reset(live: Live): void {
  live.pending.clear()
  live.waiting.clear()
  live.timers.clear()
  Object.assign(live.counts, NOTHING)
}

/** The names under which signals reach a wait: its path, its id, and the event that it waits for. Delays take none. */
export function namesOf(frame: WaitFrame): string[] {
  if (frame.wait === 'delay' || frame.wait === 'until') return []
  const names = [keyPath(frame.path, frame.gen)]
  if (frame.gen > 1) names.push(frame.path)
  if (frame.name !== null && !names.includes(frame.name)) names.push(frame.name)
  if (frame.event !== null && !names.includes(frame.event)) names.push(frame.event)
  return names
}

/** Adds a frame to the counts, or takes it out; to be called around every change of what a frame waits for. */
export function count(live: Live, frame: Frame, by: 1 | -1): void {
  const key = countedAs(frame)
  if (key !== null) live.counts[key] += by
}

function countedAs(frame: Frame): keyof Counts | null {
  switch (frame.kind) {
    case 'effect':
      if (frame.phase === 'held') return 'needs_attention'
      if (frame.phase === 'backoff') return 'timer'
      return frame.child && frame.phase === 'running' ? 'child' : 'running'
    case 'wait':
      return frame.wait === 'delay' || frame.wait === 'until' ? 'timer' : frame.wait
    case 'repeat':
      return frame.phase === 'delay' ? 'timer' : null
    default:
      return null
  }
}

/** Gives every frame its scope, and the run its names. Needed once before a state that was read can decide. */
export function attach(program: Program, state: RunState): Live {
  const live = liveOf(state)
  if (live.globals !== null) return live
  live.globals = new Globals(program, state)
  const { root } = state
  root[SCOPE] = RunScope.ofRun(program.scope, root.body)
  attachBelow(program, root)
  return live
}

function attachBelow(program: Program, frame: Frame): void {
  eachChild(frame, (child) => {
    child[SCOPE] = scopeBelow(program, frame, child)
    attachBelow(program, child)
  })
}

/** The scope of a frame: that of the frame above, or its own if it is an iteration or a handler. */
export function scopeBelow(program: Program, parent: Frame, child: Frame): RunScope {
  const up = parent[SCOPE]
  if (child.kind !== 'block') return up
  if (child.error !== null) return RunScope.ofHandler(up, child.error)
  const names = program.blocks[child.block]?.opens ?? null
  if (names === null || (parent.kind !== 'loop' && parent.kind !== 'repeat')) return up
  // The frame of a loop has a node.
  return RunScope.ofIteration(up, child, parent, names, pathOf(up, program.nodes[parent.node]!, 1))
}
