/** Parallel branches: all at once, but for those that come after others. */
import { errorValue } from './scope.ts'
import type { ErrorInfo } from '../error.ts'
import type { BlockFrame, Outcome, ParallelFrame } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { emptyValues, end, openBlock, wake, withError } from './machine.ts'
import type { Machine } from './machine.ts'
import type { ParallelProgramNode } from './program.ts'
import { leave } from './unwind.ts'

export function beginParallel(m: Machine, block: BlockFrame, node: ParallelProgramNode): ParallelFrame {
  const frame: ParallelFrame = {
    kind: 'parallel',
    serial: m.state.serial++,
    node: node.index,
    gen: block.gen,
    outcome: null,
    leaving: null,
    deadline: null,
    states: node.branches.map(() => 'pending' as const),
    branches: node.branches.map(() => null),
    results: emptyValues(node.branches.length),
    active: 0,
    [UP]: block,
    [SCOPE]: block[SCOPE],
    [QUEUED]: false,
  }
  wake(m, frame)
  return frame
}

/** Begins the next branch that may begin; ends when there is none and none runs. */
export function advanceParallel(m: Machine, frame: ParallelFrame, node: ParallelProgramNode): void {
  if (frame.leaving === null) {
    const next = nextBranch(frame, node)
    if (next >= 0) {
      // The branch is taken up before the next one begins.
      wake(m, frame)
      frame.states[next] = 'running'
      frame.active++
      frame.branches[next] = openBlock(m, frame, {
        block: node.branches[next]!.block,
        index: next,
        gen: frame.gen,
        error: null,
      })
      return
    }
  }
  if (frame.active > 0) return
  end(m, frame, frame.leaving ?? result(frame))
}

/**
 * The first branch that may begin, in document order; -1 when there is none. One whose forerunner failed never begins.
 */
function nextBranch({ states }: ParallelFrame, node: ParallelProgramNode): number {
  return node.branches.findIndex(
    (branch, index) => states[index] === 'pending' && branch.after.every((before) => states[before] === 'done'),
  )
}

/** All branches are through: the values, or the error of the first that failed with all of them in its data. */
function result(frame: ParallelFrame): Outcome {
  const errors: ErrorInfo[] = []
  for (const branch of frame.branches) if (branch?.outcome?.kind === 'failed') errors.push(branch.outcome.error)
  const [first] = errors
  if (first === undefined) return { kind: 'done', value: frame.results }
  return { kind: 'failed', error: { ...first, data: { errors: errors.map(errorValue) } } }
}

/** A branch has ended. */
export function branchEnded(
  m: Machine,
  frame: ParallelFrame,
  node: ParallelProgramNode,
  { branch, outcome }: { readonly branch: BlockFrame; readonly outcome: Outcome },
): void {
  frame.active--
  wake(m, frame)
  const { index } = branch
  if (outcome.kind === 'done') {
    frame.states[index] = 'done'
    frame.branches[index] = null
    frame.results[index] = outcome.value
    return
  }
  frame.states[index] = 'failed'
  if (frame.leaving !== null) {
    if (outcome.kind === 'cancelled') frame.leaving = withError(frame.leaving, outcome.error)
    return
  }
  if (outcome.kind === 'failed' && node.waitForAll) return
  leave(m, frame, outcome)
}
