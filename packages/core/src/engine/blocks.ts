/** Blocks: steps one after the other, each with its condition, its value and its `on_error`. */
import { PlugworkError } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import { setOwn } from '../expression/value.ts'
import type { Json } from '../json.ts'
import { beginStep } from './begin.ts'
import { textOf } from './code.ts'
import type { BlockFrame, Frame, Outcome } from './frames.ts'
import { SCOPE } from './frames.ts'
import { causedBy, end, errorOf, openBlock, stepPath, viewAt, wake, withError } from './machine.ts'
import type { Machine } from './machine.ts'
import type { ProgramNode } from './program.ts'

/** Goes on with the step at the block's position, until one has to be waited for or the block ends. */
export function advanceBlock(m: Machine, frame: BlockFrame): void {
  if (frame.child !== null || frame.handler !== null) return
  if (frame.leaving !== null) return end(m, frame, frame.leaving)
  const { nodes } = m.program.blocks[frame.block]!
  for (;;) {
    const node = nodes[frame.pos]
    if (node === undefined) return end(m, frame, { kind: 'done', value: frame.last })
    try {
      spend(m)
      if (node.if !== null && !node.if(viewAt(m, frame, node))) {
        skip(m, frame, node)
        continue
      }
      m.observer?.begin(stepPath(frame, node), node)
      frame.label = node.label === null ? null : textOf(node.label(viewAt(m, frame, node)), 'The id of a step')
      if (!step(m, frame, node)) return
    } catch (error) {
      return failStep(m, frame, node, errorOf(error, stepPath(frame, node)))
    }
  }
}

/** Begins a step; answers whether it is done already. */
function step(m: Machine, frame: BlockFrame, node: ProgramNode): boolean {
  const begun = beginStep(m, frame, node)
  if (begun.kind === 'value') {
    complete(m, frame, node, begun.value)
    return true
  }
  if (begun.kind === 'exit') {
    m.observer?.end(stepPath(frame, node), { kind: 'succeeded', value: null })
    end(m, frame, { kind: 'exited', exit: begun.exit })
  } else if (begun.kind === 'fail') failStep(m, frame, node, begun.error)
  else frame.child = begun
  return false
}

function spend(m: Machine): void {
  if (--m.budget >= 0) return
  throw new PlugworkError(
    'pure_budget',
    `The run computed ${m.program.pureBudget} steps without reaching an effect or a wait. Split the work into sub-flows, or do it in a task.`,
  )
}

function skip(m: Machine, frame: BlockFrame, node: ProgramNode): void {
  if (m.observer !== null) {
    const path = stepPath(frame, node)
    m.observer.begin(path, node)
    m.observer.end(path, { kind: 'skipped' })
  }
  store(frame, node, null)
}

/** The step at the block's position is done. */
function complete(m: Machine, frame: BlockFrame, node: ProgramNode, value: Json): void {
  m.observer?.end(stepPath(frame, node), { kind: 'succeeded', value })
  store(frame, node, value)
}

function store(frame: BlockFrame, node: ProgramNode, value: Json): void {
  const { home } = frame[SCOPE]
  const owner = home.frame
  if (node.slot >= 0 && owner !== null && owner.values !== null) owner.values[node.slot] = value
  if (frame.label !== null && owner !== null) {
    owner.labels ??= {}
    setOwn(owner.labels, frame.label, value)
    frame.label = null
  }
  frame.last = value
  frame.stepGen = frame.gen
  frame.failed = false
  frame.pos++
}

/** The step at the block's position has failed: its `on_error` handles that, or the block fails. */
export function failStep(m: Machine, frame: BlockFrame, node: ProgramNode, error: ErrorInfo): void {
  m.observer?.end(stepPath(frame, node), { kind: 'failed', error })
  frame.failed = true
  if (node.onError < 0 || frame.leaving !== null) return end(m, frame, frame.leaving ?? { kind: 'failed', error })
  frame.handler = openBlock(m, frame, { block: node.onError, index: 0, gen: frame.handlerGen, error })
}

/** A step, or its handler, has ended. */
export function childEndedInBlock(m: Machine, frame: BlockFrame, child: Frame, outcome: Outcome): void {
  const node = m.program.blocks[frame.block]!.nodes[frame.pos]!
  if (child === frame.handler) return handlerEnded(m, frame, node, { handler: frame.handler, outcome })
  if (outcome.kind === 'done') {
    frame.child = null
    complete(m, frame, node, outcome.value)
    return wake(m, frame)
  }
  // The frame of a step that did not end well stays, so that it can be retried.
  if (outcome.kind === 'failed' && frame.leaving === null) return failStep(m, frame, node, outcome.error)
  m.observer?.end(stepPath(frame, node), { kind: 'cancelled' })
  if (frame.leaving === null) return end(m, frame, outcome)
  end(m, frame, outcome.kind === 'cancelled' ? withError(frame.leaving, outcome.error) : frame.leaving)
}

function handlerEnded(
  m: Machine,
  frame: BlockFrame,
  node: ProgramNode,
  { handler, outcome }: { readonly handler: BlockFrame; readonly outcome: Outcome },
): void {
  const { leaving } = frame
  if (outcome.kind === 'done') {
    frame.child = null
    frame.handler = null
    m.observer?.end(stepPath(frame, node), { kind: 'handled' })
    store(frame, node, null)
    return wake(m, frame)
  }
  if (leaving !== null) {
    return end(m, frame, outcome.kind === 'cancelled' ? withError(leaving, outcome.error) : leaving)
  }
  const earlier = handler.error
  if (outcome.kind === 'failed' && earlier !== null) {
    return end(m, frame, { kind: 'failed', error: causedBy(outcome.error, earlier) })
  }
  end(m, frame, outcome)
}
