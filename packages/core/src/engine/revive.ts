/**
 * Retry in place. The frames of a failed run are still there: those of steps that failed or were cancelled begin again as
 * a new generation (path `x@2`), what was completed stays, and handlers that ran will run again as a new generation.
 */
import { assertNever } from '../error.ts'
import type { BlockFrame, Frame, LoopFrame, ParallelFrame, RepeatFrame, RunFrame, TryFrame } from './frames.ts'
import { count } from './live.ts'
import { end, setDeadline, setDue, wake } from './machine.ts'
import type { Machine } from './machine.ts'
import type { RepeatProgramNode } from './program.ts'
import type { RunState } from './state.ts'

/** Whether a run can be retried: it has failed, and not because an `exit` step said so. */
export function canRetry(state: RunState): boolean {
  return state.status === 'failed' && !state.exited
}

/** Begins the run again where it failed. Its time-out counts anew. */
export function retryRun(m: Machine): void {
  const { state, program } = m
  const { root } = state
  const { timeoutMs } = program.plan.settings
  state.outputs = null
  state.error = null
  if (timeoutMs !== undefined) setDeadline(m, root, m.now + timeoutMs)
  reviveRun(m, root)
}

function reviveRun(m: Machine, root: RunFrame): void {
  if (root.handler !== null) root.handlerGen++
  root.phase = 'steps'
  root.leaving = null
  root.handler = null
  if (root.body !== null) revive(m, root.body)
}

/** Makes a frame that has ended go on. One that is done is heard of again: what failed was what came after it. */
function revive(m: Machine, frame: Frame): void {
  if (frame.outcome?.kind === 'done') return wake(m, frame)
  frame.outcome = null
  frame.leaving = null
  const timeoutMs = m.program.nodes[frame.node]?.timeoutMs ?? null
  if (timeoutMs !== null) setDeadline(m, frame, m.now + timeoutMs)
  switch (frame.kind) {
    case 'block':
      return reviveBlock(m, frame)
    case 'loop':
      return reviveLoop(m, frame)
    case 'repeat':
      return reviveRepeat(m, frame)
    case 'parallel':
      return reviveParallel(m, frame)
    case 'try':
      return reviveTry(m, frame)
    case 'effect':
    case 'wait':
    case 'run':
      // The block of an effect or a wait begins it anew; there is one run, and it is where this began.
      return
    default:
      return assertNever(frame)
  }
}

function reviveBlock(m: Machine, frame: BlockFrame): void {
  const { child } = frame
  if (frame.handler !== null) frame.handlerGen++
  frame.handler = null
  if (child === null || child.kind === 'effect' || child.kind === 'wait') {
    // Without a frame the step failed at once, or has not begun.
    if (child !== null || frame.failed) frame.stepGen++
    frame.failed = false
    frame.child = null
    return wake(m, frame)
  }
  revive(m, child)
}

function reviveLoop(m: Machine, frame: LoopFrame): void {
  const items = frame.stopped.toSorted((a, b) => a.index - b.index)
  frame.stopped = []
  frame.running = items
  // The work list is taken from its end: items in their order first, then further ones.
  wake(m, frame)
  for (const [slot, item] of [...items.entries()].toReversed()) {
    item.slot = slot
    revive(m, item)
  }
}

function reviveRepeat(m: Machine, frame: RepeatFrame): void {
  const { body } = frame
  if (body !== null && frame.phase === 'body') return revive(m, body)
  // The node of a frame is of the frame's kind.
  const node = m.program.nodes[frame.node] as RepeatProgramNode
  if (body !== null) {
    if (frame.iteration + 1 >= frame.limit) frame.limit += node.max
    return wake(m, frame)
  }
  frame.phase = 'delay'
  count(m.live, frame, 1)
  setDue(m, frame, m.now + node.delayMs)
}

function reviveParallel(m: Machine, frame: ParallelFrame): void {
  wake(m, frame)
  for (const branch of frame.branches.toReversed()) {
    if (branch === null) continue
    frame.states[branch.index] = 'running'
    frame.active++
    revive(m, branch)
  }
}

function reviveTry(m: Machine, frame: TryFrame): void {
  const { body, handler, pending } = frame
  if (body !== null) {
    if (handler !== null) frame.handlerGen++
    frame.phase = 'try'
    frame.handler = null
    frame.pending = null
    return revive(m, body)
  }
  // The block, or its `catch`, was done: only `finally` is left, if that.
  if (handler !== null && handler.outcome?.kind !== 'done') return revive(m, handler)
  if (pending !== null) end(m, frame, pending)
}
