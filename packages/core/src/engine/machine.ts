/**
 * What one decision works with, and the few moves that every construct is made of: open a frame below, wake it, end it.
 * Frames that can go on stand on a work list; `drive.ts` takes one after the other. Nothing recurses, so a flow may
 * compute as many steps as it likes.
 */
import { ExpressionError } from '../expression/error.ts'
import type { Value } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import type { Json } from '../json.ts'
import type { Command } from './command.ts'
import type { Rendered } from './code.ts'
import type { BlockFrame, Cause, Frame, Outcome } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { scopeBelow } from './live.ts'
import type { Live } from './live.ts'
import type { Program, ProgramNode } from './program.ts'
import { pathOf } from './scope.ts'
import type { View } from './scope.ts'
import { plainJson } from './secrets.ts'
import type { RunState } from './state.ts'

/** Sees steps begin and end, for traces. */
export interface Observer {
  /** A step begins; pure steps end at once. */
  begin(path: string, node: ProgramNode): void
  end(path: string, end: StepEnd): void
  /** Something of a step in between: an attempt failed, it is held, it is tried again. */
  note(path: string, note: StepNote): void
  /** The run has ended, and with it (by force) what was still open. */
  finish(): void
}

export type StepEnd =
  | { readonly kind: 'succeeded'; readonly value: Json }
  | { readonly kind: 'failed'; readonly error: ErrorInfo }
  | { readonly kind: 'handled' }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'cancelled' }

export type StepNote =
  | { readonly kind: 'attempt'; readonly attempt: number; readonly input: Json }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'retrying'; readonly error: ErrorInfo }
  | { readonly kind: 'held'; readonly reason: string }

export interface Machine {
  readonly program: Program
  readonly state: RunState
  readonly live: Live
  readonly view: View
  readonly now: number
  readonly commands: Command[]
  readonly work: Frame[]
  readonly observer: Observer | null
  /** How many attempts and subscriptions this decision has asked for. */
  asked: number
  /** Steps left of the budget. */
  budget: number
}

/** Puts a frame on the work list. */
export function wake(m: Machine, frame: Frame): void {
  if (frame[QUEUED]) return
  frame[QUEUED] = true
  m.work.push(frame)
}

/** Ends a frame; the frame above learns of it next. */
export function end(m: Machine, frame: Frame, outcome: Outcome): void {
  frame.outcome = outcome
  wake(m, frame)
}

/** Opens a block below a frame and wakes it. */
export function openBlock(
  m: Machine,
  parent: Frame,
  fields: {
    readonly block: number
    readonly index: number
    readonly gen: number
    readonly error: ErrorInfo | null
    /** Index of the node that is this block: a condition or a switch. */
    readonly node?: number
  },
): BlockFrame {
  const { opens } = m.program.blocks[fields.block]!
  const frame: BlockFrame = {
    kind: 'block',
    serial: m.state.serial++,
    node: fields.node ?? -1,
    gen: fields.gen,
    outcome: null,
    leaving: null,
    deadline: null,
    block: fields.block,
    index: fields.index,
    pos: 0,
    child: null,
    handler: null,
    handlerGen: fields.gen,
    stepGen: fields.gen,
    failed: false,
    label: null,
    last: null,
    error: fields.error,
    values: opens === null ? null : emptyValues(opens.slots.size),
    labels: null,
    slot: 0,
    [UP]: parent,
    [SCOPE]: parent[SCOPE],
    [QUEUED]: false,
  }
  if (opens !== null || fields.error !== null) frame[SCOPE] = scopeBelow(m.program, parent, frame)
  wake(m, frame)
  return frame
}

/** A null for each id: a step that has not run has the value null. */
export function emptyValues(size: number): Json[] {
  const values: Json[] = []
  for (let slot = 0; slot < size; slot++) values.push(null)
  return values
}

/** Sets when a frame is left, or its grace ends. */
export function setDeadline(m: Machine, frame: Frame, at: number | null): void {
  frame.deadline = at
  if (at !== null) m.live.timers.add({ at, frame, kind: 'deadline' })
}

/** Sets when a frame goes on. */
export function setDue(m: Machine, frame: Frame & { due: number | null }, at: number | null): void {
  frame.due = at
  if (at !== null) m.live.timers.add({ at, frame, kind: 'due' })
}

/** The view, pointed at a node of a block. */
export function viewAt(m: Machine, block: Frame, node: ProgramNode | null): View {
  return m.view.at(block[SCOPE], node)
}

/** Renders a value that the state keeps, so that it must not hold secrets. */
export function renderPlain(rendered: Rendered, view: View, place: string): Json {
  const value: Value = rendered.render(view)
  // Without a name that could hold a secret in the template, the value is JSON.
  return rendered.maySecret ? plainJson(value, place) : (value as Json)
}

/** Path of the step that a block is at. */
export function stepPath(block: BlockFrame, node: ProgramNode): string {
  return pathOf(block[SCOPE], node, block.stepGen)
}

/** Path of the step that a frame belongs to. */
export function framePath(frame: Frame, node: ProgramNode): string {
  return pathOf(frame[SCOPE], node, 1)
}

/** The form in which something thrown by an evaluation enters the run; what is no error of the flow is thrown on. */
export function errorOf(error: unknown, step: string): ErrorInfo {
  if (error instanceof ExpressionError) return { code: error.code, message: error.message, step }
  if (error instanceof PlugworkError) {
    return { code: error.code, message: error.message, step, ...(error.data === undefined ? {} : { data: error.data }) }
  }
  throw error
}

/** What a frame that is being left ends with, after something below it has ended: an error raised meanwhile replaces the cause. */
export function withError(cause: Cause, error: ErrorInfo | null): Cause {
  if (error === null) return cause
  switch (cause.kind) {
    case 'failed':
      return { kind: 'failed', error: causedBy(error, cause.error) }
    case 'exited':
      return { kind: 'failed', error }
    case 'cancelled':
      return { kind: 'cancelled', error: cause.error === null ? error : causedBy(error, cause.error) }
  }
}

/** The error with another as its first cause. Raised again, an error is not its own cause. */
export function causedBy(error: ErrorInfo, earlier: ErrorInfo): ErrorInfo {
  if (isSame(error, earlier)) return error
  return { ...error, cause: error.cause === undefined ? earlier : causedBy(error.cause, earlier) }
}

function isSame(a: ErrorInfo, b: ErrorInfo): boolean {
  return a === b || (a.code === b.code && a.message === b.message && a.step === b.step)
}
