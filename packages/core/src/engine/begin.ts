/** How a step of each kind begins: with its value, with a frame that will have one, or by leaving. */
import { PlugworkError, assertNever } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import { setOwn } from '../expression/value.ts'
import type { Json, JsonObject } from '../json.ts'
import { beginTry } from './attempts.ts'
import { sameValue, textOf } from './code.ts'
import { beginEffect } from './effects.ts'
import type { BlockFrame, Exit, Frame } from './frames.ts'
import { SCOPE, UP } from './frames.ts'
import { beginLoop } from './loops.ts'
import { openBlock, renderPlain, setDeadline, stepPath, viewAt } from './machine.ts'
import type { Machine } from './machine.ts'
import { beginParallel } from './parallel.ts'
import type {
  EmitProgramNode,
  ExitProgramNode,
  FailProgramNode,
  IfProgramNode,
  ProgramNode,
  SetProgramNode,
  SwitchProgramNode,
} from './program.ts'
import { beginRepeat } from './repeats.ts'
import type { RunScope } from './scope.ts'
import { beginWait } from './waits.ts'

/** What a step has begun as. */
export type Begun =
  | { readonly kind: 'value'; readonly value: Json }
  | { readonly kind: 'exit'; readonly exit: Exit }
  | { readonly kind: 'fail'; readonly error: ErrorInfo }
  | Frame

/** Begins the step at the block's position. Throws when an expression of it fails. */
export function beginStep(m: Machine, block: BlockFrame, node: ProgramNode): Begun {
  switch (node.kind) {
    case 'task':
    case 'action':
    case 'subflow':
      return beginEffect(m, block, node)
    case 'wait':
      return beginWait(m, block, node)
    case 'set':
      return { kind: 'value', value: setValues(m, block, node) }
    case 'emit':
      return emit(m, block, node)
    case 'if':
    case 'switch':
      return withTimeout(m, node, beginBranch(m, block, node))
    case 'loop':
      return withTimeout(m, node, beginLoop(m, block, node))
    case 'repeat':
      return withTimeout(m, node, beginRepeat(m, block, node))
    case 'parallel':
      return withTimeout(m, node, beginParallel(m, block, node))
    case 'try':
      return withTimeout(m, node, beginTry(m, block, node))
    case 'fail':
      return { kind: 'fail', error: raise(m, block, node) }
    case 'exit':
      return { kind: 'exit', exit: exit(m, block, node) }
    default:
      return assertNever(node)
  }
}

function withTimeout(m: Machine, node: ProgramNode, frame: Frame): Frame {
  if (node.timeoutMs !== null) setDeadline(m, frame, m.now + node.timeoutMs)
  return frame
}

function beginBranch(m: Machine, block: BlockFrame, node: IfProgramNode | SwitchProgramNode): BlockFrame {
  const chosen = node.kind === 'if' ? chooseBranch(m, block, node) : chooseCase(m, block, node)
  return openBlock(m, block, { block: chosen, index: 0, gen: block.gen, error: null, node: node.index })
}

function chooseBranch(m: Machine, block: BlockFrame, node: IfProgramNode): number {
  return node.condition(viewAt(m, block, node)) ? node.thenBlock : node.elseBlock
}

function chooseCase(m: Machine, block: BlockFrame, node: SwitchProgramNode): number {
  const view = viewAt(m, block, node)
  const value = node.on(view)
  for (const branch of node.cases) {
    if (branch.when.some((when) => sameValue(value, when(view)))) return branch.block
  }
  return node.default
}

function setValues(m: Machine, block: BlockFrame, node: SetProgramNode): Json {
  const view = viewAt(m, block, node)
  const values: JsonObject = {}
  for (const [name, rendered] of node.values) setOwn(values, name, renderPlain(rendered, view, 'a `set` step'))
  return values
}

/** An event is published with the record of this decision: there is nothing to wait for. */
function emit(m: Machine, block: BlockFrame, node: EmitProgramNode): Begun {
  const view = viewAt(m, block, node)
  const event = textOf(renderPlain(node.event, view, 'the name of an event'), 'The name of an event')
  const data = renderPlain(node.data, view, 'the data of an event')
  m.commands.push({ type: 'emit', path: stepPath(block, node), event, data })
  return { kind: 'value', value: null }
}

function raise(m: Machine, block: BlockFrame, node: FailProgramNode): ErrorInfo {
  const step = stepPath(block, node)
  if (node.rethrow) return handled(block)
  const view = viewAt(m, block, node)
  const message = node.message === null ? null : renderPlain(node.message, view, 'the message of an error')
  const code = node.code === null ? null : renderPlain(node.code, view, 'the code of an error')
  const data = node.data === null ? null : renderPlain(node.data, view, 'the data of an error')
  return {
    code: code === null ? 'failed' : textOf(code, 'The code of an error'),
    message: message === null ? 'The flow failed.' : textOf(message, 'The message of an error'),
    step,
    ...(data === null ? {} : { data }),
  }
}

/** The error that the handlers around a step handle. */
function handled(block: BlockFrame): ErrorInfo {
  for (let scope: RunScope | null = block[SCOPE]; scope !== null; scope = scope.up) {
    if (scope.error !== null) return scope.error
  }
  throw new PlugworkError(
    'rethrow_outside',
    '`rethrow` stands where no error is being handled. Give `fail` a message instead.',
  )
}

function exit(m: Machine, block: BlockFrame, node: ExitProgramNode): Exit {
  if (mustFinish(block)) {
    throw new PlugworkError(
      'exit_in_handler',
      '`exit` cannot stand in `finally`, `on_cancel` or the `on_error` of the flow.',
    )
  }
  const view = viewAt(m, block, node)
  const reason = node.reason === null ? null : renderPlain(node.reason, view, 'the reason of an exit')
  const outputs = node.outputs === null ? {} : renderPlain(node.outputs, view, 'the outputs of a run')
  return {
    status: node.status,
    reason: reason === null ? null : textOf(reason, 'The reason of an exit'),
    // The outputs of an exit are a map in the language.
    outputs: outputs as JsonObject,
    step: stepPath(block, node),
  }
}

/** Whether a block is inside one that runs to its end whatever happens. */
function mustFinish(block: BlockFrame): boolean {
  for (let up = block[UP]; up !== null; up = up[UP]) {
    if ((up.kind === 'try' && up.phase === 'finally') || (up.kind === 'run' && up.phase !== 'steps')) return true
  }
  return false
}
