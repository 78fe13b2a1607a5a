/** Runs one case. */
import type { Connector } from '../connector/connector.ts'
import { join } from 'node:path'
import { ExpressionError } from '../expression/error.ts'
import { closest } from '../expression/suggest.ts'
import type { StepTrace } from '../engine/step-trace.ts'
import { PlugworkError } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Project, ProjectFlow } from '../project/project.ts'
import type { RunDetail } from '../runtime/runtime.ts'
import { openBench, TENANT, type Bench } from './bench.ts'
import type { CoverageMeter } from './coverage.ts'
import { reachableFlows } from './dependencies.ts'
import { driveRun } from './drive.ts'
import { checkExpectation } from './expectations.ts'
import { planSteps, targetsOf } from './plan-steps.ts'
import type { CaseOutcome } from './results.ts'
import type { SnapshotFile } from './snapshot.ts'
import type { CaseResult, TestCase, TestFile } from './test-file.ts'
import { render, staticPath, type Names } from './test-values.ts'

export interface CaseOptions {
  readonly project: Project
  readonly connectors: readonly Connector[]
  readonly flow: ProjectFlow
  readonly file: TestFile
  readonly fixtures: Names
  readonly snapshots: SnapshotFile
  readonly coverage: CoverageMeter
  /** Folder of the test file; recordings are relative to it. */
  readonly folder: string
  /** Sends requests for real and writes the recordings anew. */
  readonly record: boolean
}

/** Real time after which a case fails: a task that never returns, a flow that never rests. */
const LIMIT_MS = 30_000
/** Runs start here unless the case says otherwise, so that traces are the same on every day. */
const DEFAULT_NOW = Date.UTC(2026, 0, 1)

export async function runCase(test: TestCase, options: CaseOptions): Promise<CaseOutcome> {
  const began = performance.now()
  const outcome = (failures: readonly string[], elapsedMs: number): CaseOutcome => ({
    name: test.name,
    status: failures.length === 0 ? 'passed' : 'failed',
    failures,
    line: test.line,
    durationMs: performance.now() - began,
    elapsedMs,
  })
  const unknown = unknownTargets(test, options)
  if (unknown.length > 0) return outcome(unknown, 0)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ failures: string[]; elapsedMs: number }>((resolve) => {
    timer = setTimeout(() => {
      resolve({ failures: [`The case did not end within ${LIMIT_MS / 1000} s of real time.`], elapsedMs: 0 })
    }, LIMIT_MS)
  })
  try {
    const { failures, elapsedMs } = await Promise.race([carryOut(test, options), late])
    return outcome(failures, elapsedMs)
  } catch (error) {
    if (error instanceof PlugworkError && error.code === 'egress_recording')
      return outcome([missingRecording(error)], 0)
    if (!(error instanceof ExpressionError)) throw error
    return outcome([`An expression of the case fails: ${error.message}`], 0)
  } finally {
    clearTimeout(timer)
  }
}

function missingRecording(error: PlugworkError): string {
  return `recording: ${error.message} \`plugwork test --record\` does that.`
}

async function carryOut(test: TestCase, options: CaseOptions): Promise<{ failures: string[]; elapsedMs: number }> {
  const { file, flow, fixtures, project } = options
  const inputs = render(test.inputs ?? {}, { fixtures: { ...fixtures } })
  if (typeof inputs !== 'object' || inputs === null || Array.isArray(inputs)) {
    return { failures: ['inputs: must be an object with one key for each input'], elapsedMs: 0 }
  }
  const now = test.now ?? file.now
  const recording = test.recording ?? file.recording
  await using bench = await openBench({
    project,
    connectors: options.connectors,
    fakes: [test.fakes ?? {}, file.fakes ?? {}],
    fixtures,
    allow: [...(file.allow ?? []), ...(test.allow ?? [])],
    env: { ...file.env, ...test.env },
    secrets: { ...file.secrets, ...test.secrets },
    now: now === undefined ? DEFAULT_NOW : Date.parse(now),
    recording: recording === undefined ? null : { file: join(options.folder, recording), record: options.record },
  })
  const started = await bench.runtime.start({ tenant: TENANT, flow: flow.name, inputs, trigger: { kind: 'test' } })
  if (started.kind !== 'accepted') return { failures: refusedStart(started, test), elapsedMs: 0 }
  const startedAt = bench.clock.now()
  const driven = await driveRun(bench, started.id, test.send ?? [], fixtures)
  const result = await gatherResult(bench, driven.run.id, inputs, startedAt)
  await measure(bench, driven.run.id, options)
  const expectation = test.expect ?? {}
  const compared = { result, calls: bench.calls, fixtures, steps: stepValues(result.trace) }
  const failures = [
    ...bench.faults,
    ...unusedTraffic(bench),
    ...driven.failures,
    ...checkExpectation(expectation, compared),
    ...(expectation.snapshot ? options.snapshots.compare(test.name, result.trace) : []),
    ...(await ownCheck(test, result)),
  ]
  return { failures, elapsedMs: result.elapsedMs }
}

/** A recording that says more than what happens now is out of date. */
function unusedTraffic(bench: Bench): string[] {
  return bench.unused().map((request) => `recording: ${request} was recorded and is not made any more; record again`)
}

/** Inputs that are refused are an outcome that a case may expect: `error: invalid_inputs`. */
function refusedStart(started: { readonly kind: string }, test: TestCase): string[] {
  const expected = test.expect?.error
  const code = typeof expected === 'string' ? expected : expected?.code
  const problems = 'problems' in started ? (started.problems as readonly { message: string }[]) : []
  const list = problems.map(({ message }) => message).join(' ')
  if (code !== started.kind)
    return [`The run was not started: ${started.kind.replaceAll('_', ' ')}${list === '' ? '' : `: ${list}`}`]
  const wanted = typeof expected === 'string' ? undefined : expected?.message
  if (wanted === undefined || list.includes(wanted)) return []
  return [`error.message: expected it to contain ${JSON.stringify(wanted)}, but it is ${JSON.stringify(list)}`]
}

async function ownCheck(test: TestCase, result: CaseResult): Promise<string[]> {
  try {
    await test.check?.(result)
    return []
  } catch (error) {
    return [`check: ${error instanceof Error ? error.message : String(error)}`]
  }
}

async function gatherResult(bench: Bench, id: string, inputs: JsonObject, startedAt: number): Promise<CaseResult> {
  const run = (await bench.runtime.get(TENANT, id))!
  const events = await bench.store.eventsAfter(TENANT, null, 0, 10_000)
  return {
    status: run.status,
    reason: run.reason,
    inputs,
    outputs: run.outputs,
    error: run.error,
    trace: await wholeTrace(bench, run),
    calls: bench.calls,
    events: events.map(({ name, data }) => ({ name, data })),
    elapsedMs: (run.finishedAt ?? bench.clock.now()) - startedAt,
  }
}

/** The run's steps, each sub-flow's steps after the step that called it. */
async function wholeTrace(bench: Bench, run: RunDetail): Promise<readonly StepTrace[]> {
  const trace: StepTrace[] = []
  for (const step of run.steps) {
    trace.push(step)
    const child = step.childRunId === null ? null : await bench.runtime.get(TENANT, step.childRunId)
    if (child === null) continue
    for (const inner of await wholeTrace(bench, child)) trace.push({ ...inner, path: `${step.path}/${inner.path}` })
  }
  return trace
}

async function measure(bench: Bench, id: string, options: CaseOptions): Promise<void> {
  const run = await bench.runtime.get(TENANT, id)
  const flow = run && options.project.flows.get(run.flow)
  if (!run || !flow) return
  options.coverage.add(flow, run.steps)
  for (const step of run.steps) if (step.childRunId !== null) await measure(bench, step.childRunId, options)
}

/** Values of the steps by id; of steps in loops the last one. */
function stepValues(trace: readonly StepTrace[]): JsonObject {
  const values: { [id: string]: Json } = {}
  for (const step of trace) if (step.id !== null) values[step.id] = step.output
  return values
}

/** Names in fakes that nothing in the flow and its sub-flows has: a fake that is never asked hides a mistake. */
function unknownTargets(test: TestCase, { project, flow, file }: CaseOptions): string[] {
  const plans = reachableFlows(project, flow)
  const targets = new Set(plans.flatMap((one) => [...targetsOf(one.plan)]))
  const known = new Set(plans.flatMap((one) => [...planSteps(one.plan)].map((step) => step.path)))
  const isKnown = (name: string): boolean =>
    targets.has(name) ||
    targets.has(staticPath(name, known)) ||
    targets.has(name.replace('_', '.')) ||
    (name.endsWith('.*') && [...targets].some((target) => target.startsWith(name.slice(0, -1))))
  const failures: string[] = []
  for (const [where, names] of [
    ['fakes', Object.keys({ ...file.fakes, ...test.fakes })],
    ['not_called', test.expect?.not_called ?? []],
    ['calls', Object.keys(test.expect?.calls ?? {})],
  ] as const) {
    for (const name of names) {
      if (isKnown(name)) continue
      const meant = closest(name, targets)
      const suggestion = meant === undefined ? '' : ` Did you mean ${meant}?`
      failures.push(`${where}: ${flow.name} has no step, task or action ${name}.${suggestion}`)
    }
  }
  return failures
}
