/** Waits: for time, an event, a decision, a call. What comes is an outcome, never an error. */
import { ExpressionError } from '../expression/error.ts'
import type { Value } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'
import { parseDuration, parseTime } from '../flow/duration.ts'
import type { Json } from '../json.ts'
import { isTrue, textOf } from './code.ts'
import type { Rendered } from './code.ts'
import type { RunEvent } from './event.ts'
import type { BlockFrame, WaitFrame } from './frames.ts'
import { QUEUED, SCOPE, UP } from './frames.ts'
import { namesOf, register, unregister } from './live.ts'
import { end, renderPlain, setDeadline, setDue, stepPath, viewAt } from './machine.ts'
import type { Machine } from './machine.ts'
import type { WaitProgramNode } from './program.ts'
import type { RunScope, View } from './scope.ts'
import type { Signal } from './state.ts'

/** Begins a wait. It ends at once when its time has passed, or a signal for it is there already. */
export function beginWait(m: Machine, block: BlockFrame, node: WaitProgramNode): WaitFrame {
  const view = viewAt(m, block, node)
  const path = stepPath(block, node)
  const frame: WaitFrame = {
    kind: 'wait',
    serial: m.state.serial++,
    node: node.index,
    gen: block.stepGen,
    outcome: null,
    leaving: null,
    deadline: null,
    path,
    wait: node.wait,
    name: node.id,
    since: m.now,
    due: null,
    event: node.wait === 'event' ? eventName(node, view) : null,
    after: node.wait === 'event' ? cursorOf(block[SCOPE], path) : 0,
    subscribed: false,
    title:
      node.title === null
        ? null
        : textOf(renderPlain(node.title, view, 'the title of an approval'), 'The title of an approval'),
    assignees: node.assignees === null ? null : renderPlain(node.assignees, view, 'the assignees of an approval'),
    [UP]: block,
    [SCOPE]: block[SCOPE],
    [QUEUED]: false,
  }
  const due = dueOf(node, view, m.now)
  register(m.live, frame)
  const buffered = takeBuffered(m, frame, node)
  if (buffered !== null) {
    receive(m, frame, buffered.outcome, buffered)
    return frame
  }
  if (due !== null && due <= m.now) {
    receive(m, frame, 'timeout', { data: null, actor: null })
    return frame
  }
  setDue(m, frame, due)
  if (node.timeoutMs !== null) setDeadline(m, frame, m.now + node.timeoutMs)
  if (frame.event !== null) {
    frame.subscribed = true
    m.asked++
    m.commands.push({ type: 'subscribe', path, event: frame.event, since: node.sinceRun ? 'run' : 'wait' })
  }
  m.observer?.note(path, { kind: 'waiting' })
  return frame
}

function eventName(node: WaitProgramNode, view: View): string {
  return node.subject === null
    ? ''
    : textOf(renderPlain(node.subject, view, 'the name of an event'), 'The name of an event')
}

function dueOf(node: WaitProgramNode, view: View, now: number): number | null {
  if (node.subject !== null && node.wait === 'delay') return now + durationOf(node.subject, view)
  if (node.subject !== null && node.wait === 'until') return timeOf(renderPlain(node.subject, view, 'a wait'))
  return node.timeout === null ? null : now + durationOf(node.timeout, view)
}

function durationOf(rendered: Rendered, view: View): number {
  const value = renderPlain(rendered, view, 'a duration')
  const milliseconds = parseDuration(value)
  if (milliseconds === null) {
    throw new PlugworkError(
      'bad_duration',
      `${shown(value)} is not a duration. Write \`10s\`, \`5m\`, \`2h\`, or a number of seconds.`,
    )
  }
  return milliseconds
}

function timeOf(value: Json): number {
  const time = parseTime(value)
  if (time === null) {
    const hint = 'Write ISO 8601 text with its zone, such as `2026-03-01T09:00:00Z`, or milliseconds since 1970.'
    throw new PlugworkError('bad_time', `${shown(value)} is not a time. ${hint}`)
  }
  return time
}

function shown(value: Json): string {
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

/** Takes the first buffered signal that the wait accepts. */
function takeBuffered(m: Machine, frame: WaitFrame, node: WaitProgramNode): Signal | null {
  const { signals } = m.state
  for (const name of namesOf(frame)) {
    const list = Object.hasOwn(signals, name) ? signals[name] : undefined
    const index = list === undefined ? -1 : list.findIndex((signal) => accepts(m, frame, node, signal))
    if (list === undefined || index < 0) continue
    const [signal] = list.splice(index, 1)
    if (list.length === 0) delete signals[name]
    return signal ?? null
  }
  return null
}

/** Whether a signal is what the wait waits for: a decision for an approval, an event that matches for an event wait. */
function accepts(m: Machine, frame: WaitFrame, node: WaitProgramNode, signal: Signal): boolean {
  if (frame.wait === 'approval') return signal.outcome !== 'received'
  if (frame.wait === 'event') return matches(m, frame, node, { name: frame.event, data: signal.data })
  return true
}

/** Gives a new signal to the oldest wait that accepts it, or keeps it for a later one. */
export function deliverSignal(m: Machine, signal: Signal): void {
  for (const frame of m.live.waiting.get(signal.name) ?? []) {
    const node = waitNode(m, frame)
    if (!accepts(m, frame, node, signal)) continue
    return receive(m, frame, signal.outcome, signal)
  }
  const { signals } = m.state
  if (Object.hasOwn(signals, signal.name)) signals[signal.name]?.push(signal)
  else
    Object.defineProperty(signals, signal.name, {
      value: [signal],
      enumerable: true,
      writable: true,
      configurable: true,
    })
}

/** Whether an event of the bus, offered to a wait, is the one it waits for. */
export function isWanted(m: Machine, frame: WaitFrame, event: Extract<RunEvent, { type: 'event' }>): boolean {
  if (frame.wait !== 'event' || frame.leaving !== null || event.name !== frame.event || event.eventId <= frame.after)
    return false
  const node = waitNode(m, frame)
  const from = node.sinceRun ? m.state.startedAt : frame.since
  return event.publishedAt >= from && matches(m, frame, node, eventValue(event))
}

function eventValue(event: Extract<RunEvent, { type: 'event' }>): Value {
  return { id: event.eventId, name: event.name, data: event.data, at: new Date(event.publishedAt).toISOString() }
}

/** An event that the expression cannot be computed for is not the one: a stranger's event must not fail the run. */
function matches(m: Machine, frame: WaitFrame, node: WaitProgramNode, event: Value): boolean {
  const { match } = node
  if (match === null) return true
  const view = m.view.at(frame[SCOPE], node)
  try {
    return view.withEvent(event, (scope) => isTrue(match(scope)))
  } catch (error) {
    if (error instanceof ExpressionError) return false
    throw error
  }
}

/** The wait has its event. */
export function receiveEvent(m: Machine, frame: WaitFrame, event: Extract<RunEvent, { type: 'event' }>): void {
  moveCursors(frame[SCOPE], frame.path, event.eventId)
  receive(m, frame, 'received', { data: event.data, actor: null })
}

/** Ends a wait with its outcome. */
export function receive(
  m: Machine,
  frame: WaitFrame,
  outcome: Signal['outcome'] | 'timeout',
  what: { readonly data: Json; readonly actor: string | null },
): void {
  const value = { outcome, data: what.data, actor: what.actor, at: new Date(m.now).toISOString() }
  close(m, frame)
  end(m, frame, { kind: 'done', value })
}

/** Leaves a wait. */
export function leaveWait(m: Machine, frame: WaitFrame): void {
  frame.leaving = { kind: 'cancelled', error: null }
  close(m, frame)
  end(m, frame, frame.leaving)
}

/** A timer of a wait: its time has come, or the step's own `timeout` fails it. */
export function waitTimer(m: Machine, frame: WaitFrame, node: WaitProgramNode, kind: 'due' | 'deadline'): void {
  if (kind === 'due') return receive(m, frame, 'timeout', { data: null, actor: null })
  close(m, frame)
  const message = `The wait took longer than the step's timeout of ${node.timeoutMs} ms.`
  end(m, frame, { kind: 'failed', error: { code: 'timeout', message, step: frame.path } })
}

/** Gives a wait up; whoever offers events is told. */
export function abandonWait(m: Machine, frame: WaitFrame): void {
  if (frame.event !== null) endSubscription(m, frame)
}

function close(m: Machine, frame: WaitFrame): void {
  unregister(m.live, frame)
  if (frame.event !== null) endSubscription(m, frame)
}

/** One that this same decision has asked for was never made. */
function endSubscription(m: Machine, frame: WaitFrame): void {
  const asked =
    m.asked === 0
      ? -1
      : m.commands.findLastIndex((command) => command.type === 'subscribe' && command.path === frame.path)
  if (asked >= 0) m.commands.splice(asked, 1)
  else if (frame.subscribed) m.commands.push({ type: 'unsubscribe', path: frame.path })
}

function waitNode(m: Machine, frame: WaitFrame): WaitProgramNode {
  const node = m.program.nodes[frame.node]
  if (node?.kind !== 'wait')
    throw new PlugworkError('plan_invalid', `The state has a wait at ${frame.path}, where the plan has none.`)
  return node
}

/** Newest event that the same wait has received in an earlier iteration of the repeats around it. */
function cursorOf(scope: RunScope, path: string): number {
  let newest = 0
  for (let at: RunScope | null = scope; at !== null; at = at.up) {
    if (at.owner?.kind !== 'repeat' || at.owner.cursors === null) continue
    const key = path.slice(at.path.length)
    if (Object.hasOwn(at.owner.cursors, key)) newest = Math.max(newest, at.owner.cursors[key] ?? 0)
  }
  return newest
}

function moveCursors(scope: RunScope, path: string, eventId: number): void {
  for (let at: RunScope | null = scope; at !== null; at = at.up) {
    if (at.owner?.kind !== 'repeat') continue
    at.owner.cursors ??= {}
    at.owner.cursors[path.slice(at.path.length)] = eventId
  }
}
