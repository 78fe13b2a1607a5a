/** Loops over a list: so many items at once, results in the order of the items. */
import { describeKind } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import type { BlockFrame, LoopFrame, Outcome } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { emptyValues, end, errorOf, framePath, openBlock, renderPlain, viewAt, wake, withError } from './machine.ts'
import type { Machine } from './machine.ts'
import type { LoopProgramNode } from './program.ts'
import { errorValue } from './scope.ts'
import { leave } from './unwind.ts'

/** Evaluates the list and opens the loop. */
export function beginLoop(m: Machine, block: BlockFrame, node: LoopProgramNode): LoopFrame {
  const items = renderPlain(node.items, viewAt(m, block, node), 'a list of items')
  if (!Array.isArray(items)) {
    throw new PlugworkError('items_not_a_list', `\`for_each\` needs a list, not ${describeKind(items)}.`)
  }
  const frame: LoopFrame = {
    kind: 'loop',
    serial: m.state.serial++,
    node: node.index,
    gen: block.gen,
    outcome: null,
    leaving: null,
    deadline: null,
    items,
    next: 0,
    results: emptyValues(items.length),
    errors: [],
    running: [],
    stopped: [],
    [UP]: block,
    [SCOPE]: block[SCOPE],
    [QUEUED]: false,
  }
  wake(m, frame)
  return frame
}

/** Begins the next item, if there is room; ends the loop when all are through. */
export function advanceLoop(m: Machine, frame: LoopFrame, node: LoopProgramNode): void {
  const { running } = frame
  if (frame.leaving === null && frame.next < frame.items.length && running.length < node.concurrency) {
    // The item is taken up before the loop goes on.
    wake(m, frame)
    const item = openBlock(m, frame, { block: node.block, index: frame.next++, gen: frame.gen, error: null })
    item.slot = running.length
    running.push(item)
    return
  }
  if (running.length > 0) return
  end(m, frame, frame.leaving ?? { kind: 'done', value: { results: frame.results, errors: frame.errors } })
}

/** An item has ended. */
export function itemEnded(
  m: Machine,
  frame: LoopFrame,
  node: LoopProgramNode,
  { item, outcome }: { readonly item: BlockFrame; readonly outcome: Outcome },
): void {
  takeOut(frame.running, item)
  wake(m, frame)
  switch (outcome.kind) {
    case 'done':
      return collect(m, frame, node, item)
    case 'failed':
      return itemFailed(m, frame, node, { item, error: outcome.error })
    case 'exited':
    case 'cancelled':
      frame.stopped.push(item)
      if (frame.leaving === null) return leave(m, frame, outcome)
      if (outcome.kind === 'cancelled') frame.leaving = withError(frame.leaving, outcome.error)
      return
  }
}

function takeOut(running: BlockFrame[], item: BlockFrame): void {
  const last = running.pop()
  if (last === undefined || last === item) return
  running[item.slot] = last
  last.slot = item.slot
}

function collect(m: Machine, frame: LoopFrame, node: LoopProgramNode, item: BlockFrame): void {
  if (node.collect === null) {
    frame.results[item.index] = item.last
    return
  }
  try {
    frame.results[item.index] = renderPlain(node.collect, viewAt(m, item, node), '`collect`')
  } catch (error) {
    itemFailed(m, frame, node, { item, error: errorOf(error, framePath(frame, node)) })
  }
}

function itemFailed(
  m: Machine,
  frame: LoopFrame,
  node: LoopProgramNode,
  { item, error }: { readonly item: BlockFrame; readonly error: ErrorInfo },
): void {
  if (node.goOn && frame.leaving === null) {
    frame.errors.push({ index: item.index, item: frame.items[item.index] ?? null, error: errorValue(error) })
    return
  }
  frame.stopped.push(item)
  leave(m, frame, { kind: 'failed', error })
}
