/** Tasks, actions and sub-flows: begin, attempts and retry, grace, interruption, what a human decides. */
import type { Value, ValueObject } from '../expression/value.ts'
import { setOwn } from '../expression/value.ts'
import type { ErrorInfo } from '../error.ts'
import type { Json } from '../json.ts'
import { backoffMs, isRetried } from './backoff.ts'
import type { Command } from './command.ts'
import type { ActionNode, TaskNode } from '../flow/plan.ts'
import type { StartFacts } from './event.ts'
import type { BlockFrame, EffectFrame } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { idempotencyKey } from './key.ts'
import { count, register, unregister } from './live.ts'
import { end, setDeadline, setDue, stepPath, viewAt } from './machine.ts'
import type { Machine } from './machine.ts'
import type { EffectProgramNode } from './program.ts'
import { keyPath } from './scope.ts'
import { plainJson, seal, unseal } from './secrets.ts'
import type { Sealed } from './secrets.ts'

/** Renders the step's input and asks for its first attempt. */
export function beginEffect(m: Machine, block: BlockFrame, node: EffectProgramNode): EffectFrame {
  const input = renderInput(m, block, node)
  const frame: EffectFrame = {
    kind: 'effect',
    serial: m.state.serial++,
    node: node.index,
    gen: block.stepGen,
    outcome: null,
    leaving: null,
    deadline: null,
    path: stepPath(block, node),
    phase: 'running',
    attempt: 0,
    failures: 0,
    input: input.json,
    secrets: input.secrets,
    due: null,
    child: node.kind === 'subflow',
    reason: null,
    [UP]: block,
    [SCOPE]: block[SCOPE],
    [QUEUED]: false,
  }
  register(m.live, frame)
  attempt(m, frame, node)
  return frame
}

function renderInput(m: Machine, block: BlockFrame, node: EffectProgramNode): Sealed {
  const value = node.input.render(viewAt(m, block, node))
  // No name in the template can hold a secret: the value is JSON.
  if (!node.input.maySecret) return { json: value as Json, secrets: null }
  if (node.kind === 'task') checkTaskSecrets(node, value)
  return seal(value)
}

/** A task sees only those secrets that its schema asks for. */
function checkTaskSecrets(node: EffectProgramNode, value: Value): void {
  const allowed = node.plan.kind === 'task' ? (node.plan.secretInputs ?? []) : []
  for (const [name, input] of Object.entries(value as ValueObject)) {
    if (!allowed.includes(name)) plainJson(input, `the input \`${name}\` of a task, which is not of type secret`)
  }
}

/** Asks for the next attempt. */
export function attempt(m: Machine, frame: EffectFrame, node: EffectProgramNode): void {
  setPhase(m, frame, 'running')
  frame.attempt++
  setDue(m, frame, null)
  m.observer?.note(frame.path, { kind: 'attempt', attempt: frame.attempt, input: frame.input })
  const command = attemptCommand(m, frame, node)
  if (command === null) {
    const message = `The sub-flow \`${node.plan.kind === 'subflow' ? node.plan.flow : ''}\` was not there when the run started.`
    return finishEffect(m, frame, { kind: 'failed', error: { code: 'subflow_unknown', message, step: frame.path } })
  }
  m.asked++
  m.commands.push(command)
  if (frame.child && node.timeoutMs !== null) setDeadline(m, frame, m.now + node.timeoutMs)
}

/** The command of an attempt. Its key is computed when it is asked for: hashing costs as much as the rest of a step. */
class EffectCommand {
  readonly type = 'effect'
  readonly path: string
  readonly attempt: number
  readonly node: TaskNode | ActionNode
  readonly input: Value
  readonly timeoutMs?: number
  readonly #gen: number
  readonly #facts: StartFacts
  #key: string | null = null

  constructor(
    frame: EffectFrame,
    what: { readonly node: TaskNode | ActionNode; readonly input: Value; readonly timeoutMs: number | null },
    facts: StartFacts,
  ) {
    this.path = frame.path
    this.attempt = frame.attempt
    this.node = what.node
    this.input = what.input
    if (what.timeoutMs !== null) this.timeoutMs = what.timeoutMs
    this.#gen = frame.gen
    this.#facts = facts
  }

  get idempotencyKey(): string {
    return (this.#key ??= idempotencyKey(this.#facts, keyPath(this.path, this.#gen)))
  }
}

/** The command for the attempt that a frame is in; null for a sub-flow that nobody knows. */
export function attemptCommand(m: Machine, frame: EffectFrame, node: EffectProgramNode): Command | null {
  const { path } = frame
  const input = frame.secrets === null ? frame.input : unseal({ json: frame.input, secrets: frame.secrets })
  const { plan } = node
  if (plan.kind !== 'subflow') {
    return new EffectCommand(frame, { node: plan, input, timeoutMs: node.timeoutMs }, m.state.facts)
  }
  const key = idempotencyKey(m.state.facts, keyPath(path, frame.gen))
  const { subflows } = m.state.facts
  const hash = Object.hasOwn(subflows, plan.flow) ? subflows[plan.flow] : undefined
  if (hash === undefined) return null
  return {
    type: 'start_child',
    path,
    attempt: frame.attempt,
    flow: plan.flow,
    hash,
    inputs: input,
    idempotencyKey: key,
  }
}

/** An attempt has given its result. */
export function completeEffect(m: Machine, frame: EffectFrame, node: EffectProgramNode, output: Json): void {
  finishEffect(m, frame, { kind: 'done', value: pick(output, node.outputs) })
}

/** The listed properties of a result; all of it when none are listed. */
function pick(output: Json, names: readonly string[]): Json {
  if (names.length === 0 || typeof output !== 'object' || output === null || Array.isArray(output)) return output
  const kept: { [name: string]: Json } = {}
  for (const name of names) setOwn(kept, name, Object.hasOwn(output, name) ? (output[name] ?? null) : null)
  return kept
}

function finishEffect(m: Machine, frame: EffectFrame, outcome: NonNullable<EffectFrame['outcome']>): void {
  unregister(m.live, frame)
  end(m, frame, outcome)
}

/** An attempt has failed: the step is tried again, or fails. */
export function failAttempt(
  m: Machine,
  frame: EffectFrame,
  node: EffectProgramNode,
  failure: { readonly error: ErrorInfo; readonly final: boolean; readonly retryAfterMs: number },
): void {
  if (frame.leaving !== null) return finishEffect(m, frame, frame.leaving)
  frame.failures++
  setDeadline(m, frame, null)
  const error = failure.error.step === undefined ? { ...failure.error, step: frame.path } : failure.error
  if (node.retry === null || !isRetried(node.retry, frame.failures, error, failure.final)) {
    return finishEffect(m, frame, { kind: 'failed', error })
  }
  // The time tells runs apart, and is the same in a replay and in a fork.
  const seed = `${frame.path}\n${frame.attempt}\n${m.now}`
  const delay = Math.max(backoffMs(node.retry, frame.failures, seed), failure.retryAfterMs)
  m.observer?.note(frame.path, { kind: 'retrying', error })
  if (delay <= 0) return attempt(m, frame, node)
  setPhase(m, frame, 'backoff')
  setDue(m, frame, m.now + delay)
}

/** Leaves an effect: what runs is aborted and has its grace, what does not is cancelled at once. */
export function leaveEffect(m: Machine, frame: EffectFrame, reason: string): void {
  if (frame.leaving !== null) return
  frame.leaving = { kind: 'cancelled', error: null }
  if (frame.phase !== 'running' || withdraw(m, frame)) return finishEffect(m, frame, frame.leaving)
  const { path } = frame
  m.commands.push(
    frame.child
      ? { type: 'cancel_child', path, attempt: frame.attempt, force: false }
      : { type: 'abort', path, attempt: frame.attempt, reason },
  )
  setDeadline(m, frame, m.now + m.program.plan.settings.cancelGraceMs)
}

/** Gives an effect up without waiting for it. */
export function abandonEffect(m: Machine, frame: EffectFrame): void {
  if (frame.phase !== 'running' || withdraw(m, frame)) return
  const { path } = frame
  if (frame.child) m.commands.push({ type: 'cancel_child', path, attempt: frame.attempt, force: true })
  else if (frame.leaving === null) m.commands.push({ type: 'abort', path, attempt: frame.attempt, reason: 'cancelled' })
}

/** Takes back an attempt that this same decision has asked for: it never begins. */
function withdraw(m: Machine, frame: EffectFrame): boolean {
  if (m.asked === 0) return false
  const index = m.commands.findLastIndex(
    (command) => (command.type === 'effect' || command.type === 'start_child') && command.path === frame.path,
  )
  if (index < 0) return false
  m.commands.splice(index, 1)
  return true
}

/** A timer of an effect: its back-off is over, its grace has ended, or its sub-flow has taken too long. */
export function effectTimer(m: Machine, frame: EffectFrame, node: EffectProgramNode, kind: 'due' | 'deadline'): void {
  if (kind === 'due') return attempt(m, frame, node)
  if (frame.leaving !== null) return finishEffect(m, frame, frame.leaving)
  m.commands.push({ type: 'cancel_child', path: frame.path, attempt: frame.attempt, force: false })
  const message = `The sub-flow took longer than its timeout of ${node.timeoutMs} ms.`
  failAttempt(m, frame, node, { error: { code: 'timeout', message }, final: false, retryAfterMs: 0 })
}

/** The process that ran the attempt is gone: what happens now is the step's `on_interrupt`. */
export function interruptEffect(m: Machine, frame: EffectFrame, node: EffectProgramNode): void {
  if (frame.leaving !== null) return finishEffect(m, frame, frame.leaving)
  const policy = node.onInterrupt === 'check' && node.kind !== 'action' ? 'hold' : node.onInterrupt
  switch (policy) {
    case 'retry':
      return attempt(m, frame, node)
    case 'check':
      return lookUp(m, frame, node)
    case 'hold':
      return holdEffect(m, frame, 'The process ended while the step ran; whether it took effect is not known.')
    case 'fail': {
      const message = 'The process ended while the step ran, and the step says `on_interrupt: fail`.'
      return failAttempt(m, frame, node, { error: { code: 'interrupted', message }, final: true, retryAfterMs: 0 })
    }
  }
}

/** Asks the connector whether the effect happened. */
export function lookUp(m: Machine, frame: EffectFrame, node: EffectProgramNode): void {
  if (node.plan.kind !== 'action') return holdEffect(m, frame, 'Only an action can be looked up.')
  setPhase(m, frame, 'lookup')
  m.commands.push({
    type: 'lookup',
    path: frame.path,
    attempt: frame.attempt,
    node: node.plan,
    input: frame.secrets === null ? frame.input : unseal({ json: frame.input, secrets: frame.secrets }),
    idempotencyKey: idempotencyKey(m.state.facts, keyPath(frame.path, frame.gen)),
  })
}

/** Holds a step until a human decides. */
export function holdEffect(m: Machine, frame: EffectFrame, reason: string): void {
  if (frame.leaving !== null) return finishEffect(m, frame, frame.leaving)
  setPhase(m, frame, 'held')
  setDeadline(m, frame, null)
  frame.reason = reason
  m.observer?.note(frame.path, { kind: 'held', reason })
}

/** A human's decision about a held step. */
export function resolveEffect(
  m: Machine,
  frame: EffectFrame,
  node: EffectProgramNode,
  decision: { readonly kind: 'retry' | 'output' | 'fail'; readonly output: Json },
): void {
  const reason = frame.reason ?? ''
  frame.reason = null
  switch (decision.kind) {
    case 'retry':
      return attempt(m, frame, node)
    case 'output':
      return completeEffect(m, frame, node, decision.output)
    case 'fail': {
      const message = `An operator resolved the step as failed. It was held because: ${reason}`
      return failAttempt(m, frame, node, {
        error: { code: 'resolved_as_failed', message },
        final: true,
        retryAfterMs: 0,
      })
    }
  }
}

function setPhase(m: Machine, frame: EffectFrame, phase: EffectFrame['phase']): void {
  if (frame.phase === phase) return
  count(m.live, frame, -1)
  frame.phase = phase
  count(m.live, frame, 1)
}
