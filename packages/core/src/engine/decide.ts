/**
 * The engine: from the state of a run and something that happened, to the new state and what to do about it. Pure: the
 * same state and event always give the same. An event that no longer applies (the late result of an attempt that was
 * given up, a signal sent twice, a timer that is not due) is ignored: state unchanged, nothing to record.
 */
import { PlugworkError, assertNever } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import type { Command } from './command.ts'
import { drive } from './drive.ts'
import {
  attempt,
  completeEffect,
  effectTimer,
  failAttempt,
  holdEffect,
  interruptEffect,
  resolveEffect,
} from './effects.ts'
import type { RunEvent } from './event.ts'
import type { EffectFrame, Frame, RunFrame } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { attach, liveOf } from './live.ts'
import type { Machine, Observer } from './machine.ts'
import { framePath, openBlock, setDeadline } from './machine.ts'
import type { EffectProgramNode, Program, RepeatProgramNode, WaitProgramNode } from './program.ts'
import { repeatTimer } from './repeats.ts'
import { canRetry, retryRun } from './revive.ts'
import { finish } from './run.ts'
import { RunScope, View } from './scope.ts'
import { STATE_VERSION } from './state.ts'
import type { RunState } from './state.ts'
import type { Timer } from './timers.ts'
import { LEGAL } from './transitions.ts'
import { abandon, leave } from './unwind.ts'
import { deliverSignal, isWanted, receiveEvent, waitTimer } from './waits.ts'

/** Ids of signals that a state remembers; the store remembers all. */
const REMEMBERED_SIGNALS = 1000

/** What follows from an event. */
export interface Decision {
  /** The state given, changed; a new one for `start`. */
  readonly state: RunState
  /** To be carried out when the record of the event is durable, in this order. */
  readonly commands: readonly Command[]
  /** The event does not apply (any more). */
  readonly ignored?: true
}

/**
 * Decides what follows from an event. The state is used up: it is changed in place and handed back, so that a step costs
 * no copy. Throws `run_not_started` for an event without a state, and `plan_invalid` for a state of another plan.
 */
export function decide(program: Program, state: RunState | null, event: RunEvent): Decision {
  return decideObserved(program, state, event, null)
}

/** The same, with somebody watching steps begin and end. */
export function decideObserved(
  program: Program,
  state: RunState | null,
  event: RunEvent,
  observer: Observer | null,
): Decision {
  if (state === null) {
    if (event.type !== 'start') throw notStarted(event)
    return start(program, event, observer)
  }
  if (state.program !== program.hash) {
    const message = `The run is pinned to the plan ${state.program}, but was given ${program.hash}.`
    throw new PlugworkError('plan_invalid', message)
  }
  if (event.type === 'retry' && !beginGeneration(state)) return { state, commands: [], ignored: true }
  const m = machine(program, state, { now: event.at, observer })
  if (!apply(m, event)) return { state, commands: [], ignored: true }
  drive(m)
  return { state, commands: m.commands }
}

/** Counts a retry in place; answers false when there is nothing to retry. */
function beginGeneration(state: RunState): boolean {
  if (!canRetry(state)) return false
  state.generation++
  state.status = 'active'
  // `run.attempt` has changed.
  liveOf(state).globals = null
  return true
}

function notStarted(event: RunEvent): PlugworkError {
  return new PlugworkError('run_not_started', `A run begins with a \`start\` event, not with \`${event.type}\`.`)
}

/** What one decision works with. */
export function machine(
  program: Program,
  state: RunState,
  { now, observer }: { readonly now: number; readonly observer: Observer | null },
): Machine {
  const live = attach(program, state)
  // `attach` has made them.
  const view = new View(live.globals!, state.root[SCOPE], now)
  return { program, state, live, view, now, commands: [], work: [], observer, asked: 0, budget: program.pureBudget }
}

function start(program: Program, event: Extract<RunEvent, { type: 'start' }>, observer: Observer | null): Decision {
  const root: RunFrame = {
    kind: 'run',
    serial: 0,
    node: -1,
    gen: 1,
    outcome: null,
    leaving: null,
    deadline: null,
    phase: 'steps',
    body: null,
    handler: null,
    handlerGen: 1,
    [UP]: null,
    [SCOPE]: RunScope.ofRun(program.scope, null),
    [QUEUED]: false,
  }
  const state: RunState = {
    version: STATE_VERSION,
    program: program.hash,
    facts: event.facts,
    startedAt: event.at,
    status: 'active',
    outputs: null,
    error: null,
    exited: false,
    generation: 1,
    serial: 1,
    root,
    signals: {},
    seen: [],
  }
  const m = machine(program, state, { now: event.at, observer })
  root.body = openBlock(m, root, { block: program.steps, index: 0, gen: 1, error: null })
  root[SCOPE] = RunScope.ofRun(program.scope, root.body)
  root.body[SCOPE] = root[SCOPE]
  const { timeoutMs } = program.plan.settings
  if (timeoutMs !== undefined) setDeadline(m, root, event.at + timeoutMs)
  drive(m)
  return { state, commands: m.commands }
}

/** Applies an event to the frames that it is about; answers whether it applies. */
function apply(m: Machine, event: RunEvent): boolean {
  const { state } = m
  if (state.status !== 'active') return false
  switch (event.type) {
    case 'start':
      return false
    case 'completed':
      return withEffect(m, event, (frame, node) => completeEffect(m, frame, node, event.output))
    case 'failed':
      return withEffect(m, event, (frame, node) =>
        failAttempt(m, frame, node, {
          error: event.error,
          final: event.final ?? false,
          retryAfterMs: event.retryAfterMs ?? 0,
        }),
      )
    case 'child_ended':
      return withEffect(m, event, (frame, node) => childEnded(m, frame, node, event))
    case 'looked_up':
      return withEffect(m, event, (frame, node) =>
        event.found ? completeEffect(m, frame, node, event.output ?? null) : attempt(m, frame, node),
      )
    case 'hold':
      return withEffect(m, event, (frame) => holdEffect(m, frame, event.reason))
    case 'resolve':
      return withEffect(m, event, (frame, node) =>
        resolveEffect(m, frame, node, { kind: event.decision, output: event.output ?? null }),
      )
    case 'timer':
      return fireTimers(m)
    case 'signal':
      return receiveSignal(m, event)
    case 'event':
      return offerEvent(m, event)
    case 'cancel':
      return cancel(m, event)
    case 'takeover':
      return takeOver(m)
    case 'retry':
      retryRun(m)
      return true
    default:
      return assertNever(event)
  }
}

type EffectEvent = Extract<RunEvent, { type: keyof typeof LEGAL }>

/** Finds the effect of an event; false when there is none, or it has gone on to another attempt or phase. */
function withEffect(
  m: Machine,
  event: EffectEvent,
  act: (frame: EffectFrame, node: EffectProgramNode) => void,
): boolean {
  const frame = m.live.pending.get(event.path)
  if (frame?.kind !== 'effect' || !LEGAL[event.type].includes(frame.phase)) return false
  if ('attempt' in event && event.attempt !== frame.attempt) return false
  if (frame.child !== (event.type === 'child_ended') && frame.phase === 'running') return false
  act(frame, effectNode(m, frame))
  return true
}

function childEnded(
  m: Machine,
  frame: EffectFrame,
  node: EffectProgramNode,
  event: Extract<RunEvent, { type: 'child_ended' }>,
): void {
  if (event.status === 'succeeded') return completeEffect(m, frame, node, event.outputs ?? {})
  failAttempt(m, frame, node, { error: childError(node, event), final: event.status === 'cancelled', retryAfterMs: 0 })
}

function childError(node: EffectProgramNode, event: Extract<RunEvent, { type: 'child_ended' }>): ErrorInfo {
  const flow = node.plan.kind === 'subflow' ? node.plan.flow : ''
  const data = { runId: event.runId }
  if (event.status === 'cancelled') {
    return { code: 'subflow_cancelled', message: `The sub-flow \`${flow}\` was cancelled.`, data }
  }
  const { error } = event
  const message = `The sub-flow \`${flow}\` failed: ${error?.message ?? 'it does not say why.'}`
  return { code: 'subflow_failed', message, data, ...(error === undefined ? {} : { cause: error }) }
}

/** Fires every timer that is due, in order. What one of them brings about may end others. */
function fireTimers(m: Machine): boolean {
  let fired = false
  for (let timer = m.live.timers.take(m.now); timer !== null; timer = m.live.timers.take(m.now)) {
    fired = true
    clearTimer(timer)
    fire(m, timer.frame, timer.kind)
    drive(m)
  }
  return fired
}

/** A timer that has fired is over, also for a state that is read again. */
function clearTimer({ frame, kind }: Timer): void {
  if (kind === 'deadline') frame.deadline = null
  else if ('due' in frame) frame.due = null
}

function fire(m: Machine, frame: Frame, kind: 'due' | 'deadline'): void {
  switch (frame.kind) {
    case 'effect':
      return effectTimer(m, frame, effectNode(m, frame), kind)
    case 'wait':
      return waitTimer(m, frame, m.program.nodes[frame.node] as WaitProgramNode, kind)
    case 'repeat':
      if (kind === 'due') return repeatTimer(m, frame, m.program.nodes[frame.node] as RepeatProgramNode)
      return leave(m, frame, tookTooLong(m, frame))
    case 'block':
    case 'loop':
    case 'parallel':
    case 'try':
    case 'run':
      return leave(m, frame, tookTooLong(m, frame))
    default:
      return assertNever(frame)
  }
}

function tookTooLong(m: Machine, frame: Frame): { readonly kind: 'failed'; readonly error: ErrorInfo } {
  const node = m.program.nodes[frame.node]
  if (node === undefined) {
    const { timeoutMs } = m.program.plan.settings
    return {
      kind: 'failed',
      error: { code: 'timeout', message: `The run took longer than its timeout of ${timeoutMs} ms.` },
    }
  }
  const message = `The step took longer than its timeout of ${node.timeoutMs} ms.`
  return { kind: 'failed', error: { code: 'timeout', message, step: framePath(frame, node) } }
}

function receiveSignal(m: Machine, event: Extract<RunEvent, { type: 'signal' }>): boolean {
  const { seen } = m.live
  if (seen.has(event.id)) return false
  seen.add(event.id)
  m.state.seen.push(event.id)
  if (m.state.seen.length > REMEMBERED_SIGNALS) seen.delete(m.state.seen.shift() ?? '')
  const { id, name, outcome, data, at } = event
  deliverSignal(m, { id, name, outcome, data, actor: event.actor ?? null, at })
  return true
}

function offerEvent(m: Machine, event: Extract<RunEvent, { type: 'event' }>): boolean {
  const frame = m.live.pending.get(event.path)
  if (frame?.kind !== 'wait' || !isWanted(m, frame, event)) return false
  receiveEvent(m, frame, event)
  return true
}

/** The first cause wins: a run that is failing, or being cancelled, can only be cancelled by force. */
function cancel(m: Machine, event: Extract<RunEvent, { type: 'cancel' }>): boolean {
  const { root } = m.state
  if (event.force) {
    abandon(m)
    finish(m, root, { status: 'cancelled', outputs: null, error: null })
    return true
  }
  if (root.phase !== 'steps' || root.leaving !== null) return false
  leave(m, root, { kind: 'cancelled', error: null })
  return true
}

/** What was running in the process that is gone follows its `on_interrupt`; sub-flows and waits go on. */
function takeOver(m: Machine): boolean {
  const interrupted: EffectFrame[] = []
  for (const frame of m.live.pending.values()) {
    if (frame.kind === 'effect' && !frame.child && (frame.phase === 'running' || frame.phase === 'lookup')) {
      interrupted.push(frame)
    }
  }
  for (const frame of interrupted) interruptEffect(m, frame, effectNode(m, frame))
  return interrupted.length > 0
}

/** The node of an effect. A state and its program belong together by hash, so that frame and node are of one kind. */
function effectNode(m: Machine, frame: EffectFrame): EffectProgramNode {
  return m.program.nodes[frame.node] as EffectProgramNode
}
