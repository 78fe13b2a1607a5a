/** Moves a run on until it rests: sends the case's messages, and lets virtual time pass. */
import type { ControlOutcome, RunSummary } from '../runtime/runtime.ts'
import { TERMINAL } from '../store/store.ts'
import { TENANT, type Bench } from './bench.ts'
import type { TestMessage } from './test-file.ts'
import { milliseconds, render, type Names } from './test-values.ts'

/** Moves of the clock before a case counts as endless. */
const MAX_MOVES = 20_000

export interface Driven {
  readonly run: RunSummary
  readonly failures: readonly string[]
}

/**
 * Drives a run. A message without `after` is sent when the run first has nothing else to do, one with `after` when so much
 * virtual time has passed since the start.
 */
export async function driveRun(
  bench: Bench,
  id: string,
  messages: readonly TestMessage[],
  fixtures: Names,
): Promise<Driven> {
  const { clock } = bench
  const began = clock.now()
  const failures: string[] = []
  const left = [...messages]
  for (let moves = 0; moves < MAX_MOVES; moves++) {
    await bench.settle()
    const run = await summary(bench, id)
    if (TERMINAL.has(run.status)) {
      for (const message of left) failures.push(`send: the run had ended before ${describe(message)} could be sent`)
      return { run, failures }
    }
    const [next] = left
    const sendAt = next === undefined ? null : next.after === undefined ? clock.now() : began + milliseconds(next.after)
    const wakeAt = await nextWake(bench, run)
    if (sendAt !== null && (wakeAt === null || sendAt <= wakeAt)) {
      await clock.advance(Math.max(0, sendAt - clock.now()), () => bench.settle())
      left.shift()
      const problem = await send(bench, id, next!, fixtures)
      if (problem !== null) failures.push(`send: ${describe(next!)}: ${problem}`)
    } else if (wakeAt !== null) {
      await clock.advance(Math.max(0, wakeAt - clock.now()), () => bench.settle())
    } else {
      return { run, failures }
    }
  }
  failures.push(`The run did not come to rest within ${MAX_MOVES} moves of the clock; does it wait in an endless loop?`)
  return { run: await summary(bench, id), failures }
}

async function summary(bench: Bench, id: string): Promise<RunSummary> {
  const run = await bench.runtime.get(TENANT, id)
  if (run === null) throw new Error(`The run ${id} of a flow test has vanished.`)
  return run
}

/** When something happens by itself; null when only a message can move the run on. */
async function nextWake(bench: Bench, run: RunSummary): Promise<number | null> {
  // What is in memory sets timers on the clock: delays of fakes, time limits of attempts and blocks.
  if (bench.delayed() > 0 || run.status === 'running' || run.status === 'queued') return bench.clock.next()
  return bench.store.nextWake()
}

async function send(bench: Bench, id: string, message: TestMessage, fixtures: Names): Promise<string | null> {
  const { runtime } = bench
  const data =
    'data' in message && message.data !== undefined ? render(message.data, { fixtures: { ...fixtures } }) : null
  if ('event' in message) {
    await runtime.publish(TENANT, { name: message.event, data })
    return null
  }
  if ('cancel' in message) {
    const reason = typeof message.cancel === 'string' ? { reason: message.cancel } : {}
    return refusal(await runtime.cancel(TENANT, id, { force: false, ...reason }))
  }
  const name = waitOf(message)
  const outcome = 'approve' in message ? 'approved' : 'reject' in message ? 'rejected' : 'received'
  const target = await runWaitingFor(bench, id, name)
  const actor = message.as === undefined ? {} : { actor: message.as }
  return refusal(await runtime.signal(TENANT, target, { name, outcome, data, ...actor }))
}

function waitOf(message: Exclude<TestMessage, { event: string } | { cancel: unknown }>): string {
  return 'approve' in message ? message.approve : 'reject' in message ? message.reject : message.signal
}

/** The run itself, or the sub-flow's run that waits under this name now. */
async function runWaitingFor(bench: Bench, id: string, wait: string): Promise<string> {
  const run = await bench.runtime.get(TENANT, id)
  const waits = run?.steps.some((step) => step.status === 'waiting' && step.id === wait) ?? false
  if (waits) return id
  for (const step of run?.steps ?? []) {
    if (step.childRunId === null) continue
    const inner = await runWaitingFor(bench, step.childRunId, wait)
    if (inner !== step.childRunId) return inner
    const child = await bench.runtime.get(TENANT, inner)
    if (child?.steps.some((one) => one.status === 'waiting' && one.id === wait)) return inner
  }
  return id
}

function refusal(outcome: ControlOutcome): string | null {
  if (outcome.kind === 'done') return null
  return outcome.kind === 'refused' ? outcome.message : 'there is no such run'
}

function describe(message: TestMessage): string {
  if ('event' in message) return `the event ${message.event}`
  if ('cancel' in message) return 'the cancellation'
  return `the answer to ${waitOf(message)}`
}
