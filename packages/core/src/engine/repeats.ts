/** Repeats: the same steps again until a condition holds, with variables from iteration to iteration. */
import type { Json } from '../json.ts'
import { setOwn } from '../expression/value.ts'
import { isTrue } from './code.ts'
import type { BlockFrame, Outcome, RepeatFrame } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { count } from './live.ts'
import { end, errorOf, framePath, openBlock, renderPlain, setDue, viewAt, wake, withError } from './machine.ts'
import type { Machine } from './machine.ts'
import type { RepeatProgramNode } from './program.ts'

/** Evaluates the first values of the variables and opens the first iteration. */
export function beginRepeat(m: Machine, block: BlockFrame, node: RepeatProgramNode): RepeatFrame {
  const view = viewAt(m, block, node)
  const vars: { [name: string]: Json } = {}
  for (const [name, rendered] of node.vars) setOwn(vars, name, renderPlain(rendered, view, 'a variable of `repeat`'))
  const frame: RepeatFrame = {
    kind: 'repeat',
    serial: m.state.serial++,
    node: node.index,
    gen: block.gen,
    outcome: null,
    leaving: null,
    deadline: null,
    iteration: -1,
    limit: node.max,
    phase: 'body',
    vars,
    results: [],
    body: null,
    due: null,
    cursors: null,
    [UP]: block,
    [SCOPE]: block[SCOPE],
    [QUEUED]: false,
  }
  beginIteration(m, frame, node)
  return frame
}

function beginIteration(m: Machine, frame: RepeatFrame, node: RepeatProgramNode): void {
  frame.iteration++
  frame.phase = 'body'
  frame.body = openBlock(m, frame, { block: node.block, index: frame.iteration, gen: frame.gen, error: null })
}

/** Goes on after an iteration: ends, or begins the next one, now or after the delay. */
export function advanceRepeat(m: Machine, frame: RepeatFrame, node: RepeatProgramNode): void {
  if (frame.phase !== 'after') return
  if (frame.leaving !== null) return end(m, frame, frame.leaving)
  const { body } = frame
  if (body === null) return
  try {
    if (finishIteration(m, frame, node, body)) {
      return end(m, frame, { kind: 'done', value: { results: frame.results, iterations: frame.iteration + 1 } })
    }
  } catch (error) {
    return end(m, frame, { kind: 'failed', error: errorOf(error, framePath(frame, node)) })
  }
  if (frame.iteration + 1 >= frame.limit) {
    const message = `\`repeat\` reached its ${frame.limit} iterations before \`until\` was true.`
    return end(m, frame, { kind: 'failed', error: { code: 'repeat_exhausted', message, step: framePath(frame, node) } })
  }
  frame.body = null
  if (node.delayMs === 0) return beginIteration(m, frame, node)
  frame.phase = 'delay'
  count(m.live, frame, 1)
  setDue(m, frame, m.now + node.delayMs)
}

/** Collects the iteration's value and computes the next variables; answers whether it was the last one. */
function finishIteration(m: Machine, frame: RepeatFrame, node: RepeatProgramNode, body: BlockFrame): boolean {
  const view = viewAt(m, body, node)
  const result = node.collect === null ? body.last : renderPlain(node.collect, view, '`collect`')
  const isLast = node.until === null ? frame.iteration + 1 >= node.max : isTrue(node.until(view))
  const vars: { [name: string]: Json } = { ...frame.vars }
  if (!isLast)
    for (const [name, rendered] of node.next) setOwn(vars, name, renderPlain(rendered, view, 'a variable of `repeat`'))
  frame.results[frame.iteration] = result
  frame.vars = vars
  return isLast
}

/** The delay between two iterations is over. */
export function repeatTimer(m: Machine, frame: RepeatFrame, node: RepeatProgramNode): void {
  count(m.live, frame, -1)
  frame.due = null
  beginIteration(m, frame, node)
}

/** An iteration has ended. */
export function iterationEnded(m: Machine, frame: RepeatFrame, outcome: Outcome): void {
  if (outcome.kind === 'done') {
    frame.phase = 'after'
    return wake(m, frame)
  }
  if (frame.leaving === null) return end(m, frame, outcome)
  end(m, frame, outcome.kind === 'cancelled' ? withError(frame.leaving, outcome.error) : frame.leaving)
}
