/** `try`: an error in the block is handled by `catch`; `finally` runs in any case, and nothing hurries it. */
import type { BlockFrame, Cause, Outcome, TryFrame } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { causedBy, end, openBlock, withError } from './machine.ts'
import type { Machine } from './machine.ts'
import type { TryProgramNode } from './program.ts'

export function beginTry(m: Machine, block: BlockFrame, node: TryProgramNode): TryFrame {
  const frame: TryFrame = {
    kind: 'try',
    serial: m.state.serial++,
    node: node.index,
    gen: block.gen,
    outcome: null,
    leaving: null,
    deadline: null,
    phase: 'try',
    body: null,
    handler: null,
    handlerGen: block.gen,
    pending: null,
    [UP]: block,
    [SCOPE]: block[SCOPE],
    [QUEUED]: false,
  }
  frame.body = openBlock(m, frame, { block: node.try, index: 0, gen: frame.gen, error: null })
  return frame
}

/** The block, its `catch` or its `finally` has ended. */
export function partEnded(m: Machine, frame: TryFrame, node: TryProgramNode, outcome: Outcome): void {
  switch (frame.phase) {
    case 'try':
      return bodyEnded(m, frame, node, outcome)
    case 'catch':
      return catchEnded(m, frame, node, outcome)
    case 'finally':
      return finallyEnded(m, frame, outcome)
  }
}

function bodyEnded(m: Machine, frame: TryFrame, node: TryProgramNode, outcome: Outcome): void {
  if (outcome.kind === 'done') frame.body = null
  if (outcome.kind !== 'failed' || node.catch < 0 || frame.leaving !== null) return conclude(m, frame, node, outcome)
  frame.phase = 'catch'
  frame.handler = openBlock(m, frame, { block: node.catch, index: 0, gen: frame.handlerGen, error: outcome.error })
}

function catchEnded(m: Machine, frame: TryFrame, node: TryProgramNode, outcome: Outcome): void {
  const earlier = frame.handler?.error ?? null
  // Handled: what failed in the block will not be retried.
  if (outcome.kind === 'done') frame.body = null
  if (outcome.kind === 'failed' && earlier !== null) {
    return conclude(m, frame, node, { kind: 'failed', error: causedBy(outcome.error, earlier) })
  }
  conclude(m, frame, node, outcome)
}

/** Keeps what the step has come to, and runs `finally`. */
function conclude(m: Machine, frame: TryFrame, node: TryProgramNode, outcome: Outcome): void {
  frame.pending = outcome
  const soFar = leavingWins(frame.leaving, outcome)
  if (node.finally < 0) return end(m, frame, soFar)
  frame.phase = 'finally'
  frame.handler = openBlock(m, frame, { block: node.finally, index: 0, gen: frame.handlerGen, error: null })
}

function finallyEnded(m: Machine, frame: TryFrame, outcome: Outcome): void {
  const before = leavingWins(frame.leaving, frame.pending ?? outcome)
  if (outcome.kind !== 'failed') return end(m, frame, before)
  // An error in `finally` replaces what was before, and keeps it as its cause.
  end(m, frame, before.kind === 'done' ? outcome : withError(before, outcome.error))
}

/** A frame that is being left ends with the cause of that, and what was raised meanwhile. */
function leavingWins(leaving: Cause | null, outcome: Outcome): Outcome {
  if (leaving === null) return outcome
  return outcome.kind === 'cancelled' ? withError(leaving, outcome.error) : leaving
}
