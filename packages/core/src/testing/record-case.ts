/** Makes a test case out of a real run: its inputs, fakes that answer what was answered, and the outcome as expectation. */
import type { StepTrace } from '../engine/step-trace.ts'
import type { ErrorInfo } from '../error.ts'
import type { Plan } from '../flow/plan.ts'
import type { Json, JsonObject } from '../json.ts'
import type { RunDetail } from '../runtime/runtime.ts'
import { planSteps } from './plan-steps.ts'
import type { FakeAnswer, TestCaseDocument, TestMessage } from './test-file.ts'
import { staticPath } from './test-values.ts'

/** A run of a flow and of the sub-flows that it called. */
export interface RecordedRun {
  readonly run: RunDetail
  readonly plan: Plan
  /** What the steps could read of the environment. */
  readonly env: { readonly [name: string]: string }
}

export interface RecordedCase {
  readonly test: TestCaseDocument
  /** What the recording could not know; for the reader of the case. */
  readonly notes: readonly string[]
}

/** Text that stands for a secret input: the real one is not stored where it could be read. */
const SECRET = 'test-secret'

/** Makes the case. `runs` begins with the run itself. Throws nothing; what is missing is in `notes`. */
export function recordCase(name: string, runs: readonly RecordedRun[]): RecordedCase {
  const { run, plan, env } = runs[0]!
  const notes: string[] = []
  const fakes: Record<string, FakeAnswer> = {}
  for (const one of runs) Object.assign(fakes, recordFakes(one, notes))
  const messages = runs.flatMap((one) => recordMessages(one, notes))
  if (run.status === 'cancelled') messages.push({ cancel: true })
  const names = Object.keys(env)
  return {
    test: {
      name,
      ...(run.startedAt === null ? {} : { now: new Date(run.startedAt).toISOString() }),
      ...(names.length === 0 ? {} : { env: { ...env } }),
      inputs: recordInputs(run.row.inputs, plan, notes),
      ...(Object.keys(fakes).length === 0 ? {} : { fakes }),
      ...(messages.length === 0 ? {} : { send: messages }),
      expect: recordOutcome(run),
    },
    notes,
  }
}

function recordInputs(inputs: JsonObject, plan: Plan, notes: string[]): JsonObject {
  const recorded: JsonObject = {}
  for (const [name, value] of Object.entries(inputs)) {
    const secret = plan.inputs.find((input) => input.name === name)?.secret ?? false
    if (secret) notes.push(`The secret input ${name} stands as ${SECRET}.`)
    recorded[name] = secret ? SECRET : escapeTemplates(value)
  }
  return recorded
}

function recordFakes({ run, plan }: RecordedRun, notes: string[]): Record<string, FakeAnswer> {
  const known = new Set([...planSteps(plan)].map((step) => step.path))
  const called = run.steps.filter((step) => (step.kind === 'task' || step.kind === 'action') && step.attempts > 0)
  const byStep = Map.groupBy(called, (step) => staticPath(step.path, known))
  const fakes: Record<string, FakeAnswer> = {}
  for (const [path, steps] of byStep) {
    const [first] = steps
    // One call is found by its id; several (a loop's) by the path of each.
    if (steps.length === 1) fakes[first!.id ?? path] = recordAnswer(first!, notes)
    else for (const step of steps) fakes[step.path] = recordAnswer(step, notes)
  }
  return fakes
}

function recordAnswer(step: StepTrace, notes: string[]): FakeAnswer {
  const last =
    step.error !== null && step.status !== 'succeeded'
      ? { error: recordError(step.error) }
      : { returns: escapeTemplates(step.output) }
  if (step.attempts <= 1) return last
  notes.push(
    `Step ${step.path} took ${step.attempts} attempts; the errors of the earlier ones stand as \`recorded_failure\`.`,
  )
  const failures = Array.from({ length: step.attempts - 1 }, () => ({ error: 'recorded_failure' }))
  return { sequence: [...failures, last] }
}

function recordError({ code, message, data, retryable }: ErrorInfo) {
  return {
    code,
    message: escapeText(message),
    ...(data === undefined ? {} : { data: escapeTemplates(data) }),
    ...(retryable === undefined ? {} : { retryable }),
  }
}

function recordMessages({ run, plan }: RecordedRun, notes: string[]): TestMessage[] {
  const nodes = [...planSteps(plan)]
  const known = new Set(nodes.map((node) => node.path))
  return run.steps.flatMap((step): TestMessage[] => {
    if (step.kind !== 'wait' || step.status !== 'succeeded') return []
    const node = nodes.find((one) => one.path === staticPath(step.path, known))
    const value = step.output as { outcome?: string; data?: Json; actor?: string | null } | null
    if (node?.kind !== 'wait' || value?.outcome === undefined || value.outcome === 'timeout') return []
    const data = value.data === undefined || value.data === null ? {} : { data: escapeTemplates(value.data) }
    const actor = typeof value.actor === 'string' ? { as: value.actor } : {}
    if (node.wait.kind === 'event') {
      const { event } = node.wait
      if (event.kind === 'literal' && typeof event.value === 'string') return [{ event: event.value, ...data }]
      notes.push(`Step ${step.path} waited for an event whose name is computed; add it under \`send\`.`)
      return []
    }
    if (node.wait.kind === 'delay' || node.wait.kind === 'until') return []
    const name = step.id ?? step.path
    if (value.outcome === 'approved') return [{ approve: name, ...data, ...actor }]
    if (value.outcome === 'rejected') return [{ reject: name, ...data, ...actor }]
    return [{ signal: name, ...data, ...actor }]
  })
}

function recordOutcome(run: RunDetail): NonNullable<TestCaseDocument['expect']> {
  const { status, outputs, error } = run
  const known = status === 'queued' || status === 'running' ? undefined : status
  return {
    ...(known === undefined ? {} : { status: known }),
    ...(outputs === null ? {} : { outputs: escapeTemplates(outputs) as JsonObject }),
    ...(error === null
      ? {}
      : { error: { code: error.code, ...(error.step === undefined ? {} : { step: error.step }) } }),
  }
}

/** Data stays data: in a test file `${` would begin an expression. */
function escapeTemplates(value: Json): Json {
  if (typeof value === 'string') return escapeText(value)
  if (Array.isArray(value)) return value.map(escapeTemplates)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeTemplates(item)]))
}

function escapeText(text: string): string {
  return text.replaceAll('${', '$$${')
}
