/** The run itself: its steps, its `on_error` and `on_cancel`, its end. */
import type { ErrorInfo } from '../error.ts'
import { setOwn } from '../expression/value.ts'
import type { JsonObject } from '../json.ts'
import type { BlockFrame, Exit, Outcome, RunFrame } from './frames.ts'
import { SCOPE } from './frames.ts'
import { causedBy, errorOf, openBlock, renderPlain, setDeadline } from './machine.ts'
import type { Machine } from './machine.ts'

/** The steps of the run, or one of its handlers, have ended. */
export function partOfRunEnded(m: Machine, frame: RunFrame, child: BlockFrame, outcome: Outcome): void {
  switch (frame.phase) {
    case 'steps':
      return stepsEnded(m, frame, outcome)
    case 'on_error':
      return finish(m, frame, { status: 'failed', outputs: null, error: handlerError(child, outcome) })
    case 'on_cancel':
      return finish(m, frame, { status: 'cancelled', outputs: null, error: cancelError(frame, outcome) })
    case 'ended':
      return
  }
}

function handlerError(handler: BlockFrame, outcome: Outcome): ErrorInfo | null {
  if (outcome.kind !== 'failed' || handler.error === null) return handler.error
  return causedBy(outcome.error, handler.error)
}

/** What `finally` blocks and `on_cancel` raised; the run is cancelled all the same. */
function cancelError(frame: RunFrame, outcome: Outcome): ErrorInfo | null {
  const raised = frame.leaving?.kind === 'cancelled' ? frame.leaving.error : null
  if (outcome.kind !== 'failed') return raised
  return raised === null ? outcome.error : causedBy(outcome.error, raised)
}

function stepsEnded(m: Machine, frame: RunFrame, outcome: Outcome): void {
  setDeadline(m, frame, null)
  const { leaving } = frame
  if (leaving?.kind === 'cancelled') {
    return cancelled(m, frame, outcome.kind === 'cancelled' ? outcome.error : null)
  }
  switch (outcome.kind) {
    case 'done':
      return succeed(m, frame)
    case 'failed':
      return aboutToFail(m, frame, leaving?.kind === 'failed' ? leaving.error : outcome.error)
    case 'exited':
      return exited(m, frame, outcome.exit)
    case 'cancelled': {
      // Only what the run itself was left for: its time-out.
      const cause =
        leaving?.kind === 'failed' ? leaving.error : { code: 'cancelled', message: 'The run was cancelled.' }
      return aboutToFail(m, frame, outcome.error === null ? cause : causedBy(outcome.error, cause))
    }
  }
}

function succeed(m: Machine, frame: RunFrame): void {
  const outputs: JsonObject = {}
  try {
    const view = m.view.at(frame[SCOPE], null)
    for (const [name, rendered] of m.program.outputs)
      setOwn(outputs, name, renderPlain(rendered, view, 'the outputs of a run'))
  } catch (error) {
    return aboutToFail(m, frame, errorOf(error, 'outputs'))
  }
  finish(m, frame, { status: 'succeeded', outputs, error: null })
}

/** Runs the flow's `on_error`, once, before the run fails. */
function aboutToFail(m: Machine, frame: RunFrame, error: ErrorInfo): void {
  const { onError } = m.program
  if (onError < 0) return finish(m, frame, { status: 'failed', outputs: null, error })
  frame.phase = 'on_error'
  frame.handler = openBlock(m, frame, { block: onError, index: 0, gen: frame.handlerGen, error })
}

function cancelled(m: Machine, frame: RunFrame, raised: ErrorInfo | null): void {
  const { onCancel } = m.program
  if (onCancel < 0) return finish(m, frame, { status: 'cancelled', outputs: null, error: raised })
  frame.phase = 'on_cancel'
  frame.leaving = { kind: 'cancelled', error: raised }
  frame.handler = openBlock(m, frame, { block: onCancel, index: 0, gen: frame.handlerGen, error: null })
}

function exited(m: Machine, frame: RunFrame, exit: Exit): void {
  m.state.exited = true
  const { outputs } = exit
  if (exit.status === 'success') return finish(m, frame, { status: 'succeeded', outputs, error: null })
  const error = { code: 'exit_failure', message: exit.reason ?? 'The flow ended itself as failed.', step: exit.step }
  finish(m, frame, { status: 'failed', outputs, error })
}

interface Ending {
  readonly status: 'succeeded' | 'failed' | 'cancelled'
  readonly outputs: JsonObject | null
  readonly error: ErrorInfo | null
}

/** Ends the run. The frames of a failed run stay for a retry; nothing else of any run does. */
export function finish(m: Machine, frame: RunFrame, { status, outputs, error }: Ending): void {
  const { state } = m
  frame.phase = 'ended'
  frame.deadline = null
  state.status = status
  state.outputs = outputs
  state.error = error
  if (status !== 'failed' || state.exited) {
    frame.body = null
    frame.handler = null
  }
  m.observer?.finish()
  m.commands.push({
    type: 'finish',
    status,
    ...(outputs === null ? {} : { outputs }),
    ...(error === null ? {} : { error }),
  })
}
