/** Takes one frame after the other from the work list, until the run waits for something outside or has ended. */
import { assertNever } from '../error.ts'
import { partEnded } from './attempts.ts'
import { advanceBlock, childEndedInBlock } from './blocks.ts'
import type { Frame, Outcome } from './frames.ts'
import { QUEUED, UP } from './frames.ts'
import { advanceLoop, itemEnded } from './loops.ts'
import type { Machine } from './machine.ts'
import { advanceParallel, branchEnded } from './parallel.ts'
import type { ProgramNode } from './program.ts'
import { advanceRepeat, iterationEnded } from './repeats.ts'
import { partOfRunEnded } from './run.ts'

export function drive(m: Machine): void {
  for (let frame = m.work.pop(); frame !== undefined; frame = m.work.pop()) {
    frame[QUEUED] = false
    if (frame.outcome === null) advance(m, frame)
    else ended(m, frame, frame.outcome)
  }
}

function advance(m: Machine, frame: Frame): void {
  switch (frame.kind) {
    case 'block':
      return advanceBlock(m, frame)
    case 'loop':
      return advanceLoop(m, frame, nodeOf(m, frame, 'loop'))
    case 'repeat':
      return advanceRepeat(m, frame, nodeOf(m, frame, 'repeat'))
    case 'parallel':
      return advanceParallel(m, frame, nodeOf(m, frame, 'parallel'))
    case 'try':
    case 'effect':
    case 'wait':
    case 'run':
      // These move only when something below them, or outside, does.
      return
    default:
      return assertNever(frame)
  }
}

/** Tells the frame above that a frame has ended. */
function ended(m: Machine, frame: Frame, outcome: Outcome): void {
  const parent = frame[UP]
  if (parent === null || parent.outcome !== null) return
  if (parent.kind === 'block') return childEndedInBlock(m, parent, frame, outcome)
  if (frame.kind !== 'block') return
  switch (parent.kind) {
    case 'loop':
      return itemEnded(m, parent, nodeOf(m, parent, 'loop'), { item: frame, outcome })
    case 'repeat':
      return iterationEnded(m, parent, outcome)
    case 'parallel':
      return branchEnded(m, parent, nodeOf(m, parent, 'parallel'), { branch: frame, outcome })
    case 'try':
      return partEnded(m, parent, nodeOf(m, parent, 'try'), outcome)
    case 'run':
      return partOfRunEnded(m, parent, frame, outcome)
    case 'effect':
    case 'wait':
      return
    default:
      return assertNever(parent)
  }
}

type NodeOfKind<K extends ProgramNode['kind']> = Extract<ProgramNode, { readonly kind: K }>

/** The node of a frame. A state and its program belong together by hash, so that frame and node are of one kind. */
function nodeOf<K extends ProgramNode['kind']>(m: Machine, frame: Frame, _kind: K): NodeOfKind<K> {
  return m.program.nodes[frame.node] as NodeOfKind<K>
}
