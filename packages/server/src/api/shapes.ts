/** What the API shows of runs, steps and flows: the schemas of the OpenAPI document, and the functions that fill them. */
import type { ErrorInfo, Json, StepTrace } from '@plugwork/core'
import type { RunDetail, RunRow, RunSummary } from '@plugwork/core/node'
import { z } from 'zod'
import type { ServedFlow } from '../flow/registry.ts'
import { inputSchema } from '../flow/registry.ts'
import { jsonObject, jsonValue } from '../http/json-value.ts'

export const RUN_STATUSES = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'] as const

const time = z.iso.datetime()

export const errorSchema = z
  .looseObject({
    code: z.string(),
    message: z.string(),
    step: z.string().optional().describe('Path of the step that raised it.'),
    data: jsonValue.optional(),
  })
  .meta({ id: 'RunError' })

export const startedSchema = z
  .object({
    id: z.string(),
    status: z.enum(RUN_STATUSES),
    outputs: jsonObject.optional(),
    error: errorSchema.optional(),
  })
  .meta({ id: 'StartedRun' })

export const stepSchema = z
  .object({
    path: z.string().describe('Static path with the iterations filled in, such as `loop[3]/send`.'),
    kind: z.string(),
    id: z.string().nullable(),
    name: z.string().nullable().describe('Task, action or sub-flow.'),
    status: z.string(),
    attempts: z.int(),
    started_at: time.nullable(),
    ended_at: time.nullable(),
    input: jsonValue,
    output: jsonValue,
    error: errorSchema.nullable(),
    logs: z.array(z.object({ at: time, level: z.string(), message: z.string(), data: jsonValue.optional() })),
    child_run_id: z.string().nullable(),
    code: z.string().nullable().describe('Hash of the code that ran.'),
  })
  .meta({ id: 'Step' })

export const runSchema = z
  .object({
    id: z.string(),
    flow: z.string(),
    flow_hash: z.string(),
    status: z.enum(RUN_STATUSES),
    reason: z.string().nullable().describe('Why a waiting run waits.'),
    priority: z.int(),
    trigger: jsonObject,
    inputs: jsonObject,
    outputs: jsonObject.nullable(),
    error: errorSchema.nullable(),
    forked_from: z.string().nullable(),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
  })
  .meta({ id: 'Run' })

export const runDetailSchema = runSchema.extend({ steps: z.array(stepSchema) }).meta({ id: 'RunDetail' })

export const problemItemSchema = z
  .object({
    code: z.string(),
    severity: z.enum(['error', 'warning']),
    message: z.string(),
    line: z.int(),
    column: z.int(),
    suggestion: z.string().optional(),
    file: z.string().optional(),
  })
  .meta({ id: 'FlowProblem' })

export const flowSchema = z
  .object({
    name: z.string(),
    description: z.string().nullable(),
    origin: z.enum(['file', 'api']),
    file: z.string().nullable(),
    hash: z.string(),
    enabled: z.boolean(),
    triggers: z.array(z.looseObject({ kind: z.string() })).describe('Without what their auth compares with.'),
    problems: z.array(problemItemSchema),
  })
  .meta({ id: 'Flow' })

export const flowDetailSchema = flowSchema
  .extend({ source: z.string(), inputs: z.record(z.string(), z.unknown()).describe('JSON Schema of the inputs.') })
  .meta({ id: 'FlowDetail' })

/** Time as the API writes it: RFC 3339 in UTC. */
export function isoTime(at: number): string
export function isoTime(at: number | null): string | null
export function isoTime(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}

export function startedOf(summary: RunSummary) {
  return {
    id: summary.id,
    status: summary.status,
    ...(summary.outputs === null ? {} : { outputs: summary.outputs }),
    ...(summary.error === null ? {} : { error: errorOf(summary.error) }),
  }
}

export function runOf(row: RunRow) {
  return {
    id: row.id,
    flow: row.flow,
    flow_hash: row.flowHash,
    status: row.status,
    reason: row.reason,
    priority: row.priority,
    trigger: row.trigger,
    inputs: row.inputs,
    outputs: row.outputs,
    error: row.error === null ? null : errorOf(row.error),
    forked_from: row.forkedFrom,
    created_at: isoTime(row.createdAt),
    started_at: isoTime(row.startedAt),
    finished_at: isoTime(row.finishedAt),
  }
}

/** The detail's own fields win over the row's: the row may hold references to blobs where the detail holds values. */
export function runDetailOf(detail: RunDetail) {
  return {
    ...runOf(detail.row),
    status: detail.status,
    reason: detail.reason,
    outputs: detail.outputs,
    error: detail.error === null ? null : errorOf(detail.error),
    steps: detail.steps.map(stepOf),
  }
}

export function stepOf(step: StepTrace) {
  return {
    path: step.path,
    kind: step.kind,
    id: step.id,
    name: step.name,
    status: step.status,
    attempts: step.attempts,
    started_at: isoTime(step.startedAt),
    ended_at: isoTime(step.endedAt),
    input: step.input,
    output: step.output,
    error: step.error === null ? null : errorOf(step.error),
    logs: step.logs.map((line) => ({ ...line, at: isoTime(line.at) })),
    child_run_id: step.childRunId,
    code: step.code,
  }
}

function errorOf(error: ErrorInfo): { code: string; message: string; step?: string; data?: Json } {
  return {
    code: error.code,
    message: error.message,
    ...(error.step === undefined ? {} : { step: error.step }),
    ...(error.data === undefined ? {} : { data: error.data }),
  }
}

export function flowOf(flow: ServedFlow) {
  return {
    name: flow.name,
    description: flow.plan.description ?? null,
    origin: flow.origin,
    file: flow.file,
    hash: flow.hash,
    enabled: flow.enabled,
    triggers: flow.plan.triggers.map(triggerOf),
    problems: flow.problems.map(problemOf),
  }
}

export function flowDetailOf(flow: ServedFlow) {
  return { ...flowOf(flow), source: flow.source, inputs: inputSchema(flow.plan) }
}

/** A trigger as people know it. Templates of its auth are left out: an author may have written a key there as text. */
function triggerOf(trigger: ServedFlow['plan']['triggers'][number]) {
  switch (trigger.kind) {
    case 'webhook':
      return {
        kind: 'webhook',
        method: trigger.method,
        path: trigger.path,
        auth: trigger.auth?.type ?? null,
        respond: typeof trigger.respond === 'string' ? trigger.respond : `with_step ${trigger.respond.withStep}`,
      }
    case 'schedule': {
      const { cron, timezone } = trigger
      return {
        kind: 'schedule',
        cron,
        timezone,
        catch_up: trigger.catchUp,
        max_instances: trigger.maxInstances ?? null,
      }
    }
    case 'event':
      return { kind: 'event', event: trigger.event }
    case 'manual':
      return { kind: 'manual' }
  }
}

export function problemOf(problem: ServedFlow['problems'][number] & { readonly file?: string }) {
  return {
    code: problem.code,
    severity: problem.severity,
    message: problem.message,
    line: problem.line,
    column: problem.column,
    ...(problem.suggestion === undefined ? {} : { suggestion: problem.suggestion }),
    ...(problem.file === undefined ? {} : { file: problem.file }),
  }
}
