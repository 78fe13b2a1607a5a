/** Runs: start, list, watch, and what can be done to one. */
import { PlugworkError } from '@plugwork/core'
import { TERMINAL } from '@plugwork/core/node'
import type { ControlOutcome, RunStatus, RunSummary } from '@plugwork/core/node'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { ServerErrorCode } from '../errors.ts'
import { jsonObject, jsonValue } from '../http/json-value.ts'
import { json } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import type { Principal } from '../auth/permission.ts'
import type { Incoming } from '../http/incoming.ts'
import { durationQuery } from './duration.ts'
import { decodeCursor, nextCursor, pageOf, pageQuery } from './paging.ts'
import { runEvents } from './run-events.ts'
import type { Services } from './services.ts'
import { RUN_STATUSES, runDetailOf, runDetailSchema, runOf, runSchema, startedOf, startedSchema } from './shapes.ts'
import { startFailure } from './start-outcome.ts'
import { RUN_HEADER } from '../trigger/webhook.ts'

/** Longest that a request waits for a run to end. */
const MAX_WAIT_MS = 10 * 60_000
/** How long `execute` waits. */
const EXECUTE_WAIT_MS = 60_000

const runParams = z.object({ id: z.string().min(1).max(64) })
const startBody = z.object({
  inputs: jsonObject.default({}),
  idempotency_key: z.string().min(1).max(200).optional().describe('The same key gives the same run.'),
  priority: z.int().min(1).max(10).optional(),
})
const controlled = z.object({ id: z.string(), status: z.enum(RUN_STATUSES) }).meta({ id: 'ControlledRun' })
const done = { 202: { description: 'Recorded; the run acts on it.', schema: controlled } }

type StartBody = z.output<typeof startBody>

export function runRoutes(services: Services): readonly Route[] {
  const { registry, runtime, store, clock } = services

  const start = async (
    flow: string,
    body: StartBody,
    principal: Principal,
    incoming: Incoming,
    waitMs: number,
  ): Promise<Reply> => {
    const { tenant } = principal
    const served = registry.get(tenant, flow)
    if (served !== null && !served.enabled) {
      throw new ServerError(
        'flow_disabled',
        `The flow ${flow} is disabled. POST /api/v1/flows/${flow}/enable enables it.`,
      )
    }
    const key = body.idempotency_key ?? incoming.header('idempotency-key')
    const outcome = await runtime.start({
      tenant,
      flow,
      inputs: body.inputs,
      trigger: { kind: 'api', actor: principal.actor },
      ...(key === undefined ? {} : { idempotencyKey: key }),
      ...(body.priority === undefined ? {} : { priority: body.priority }),
    })
    if (outcome.kind !== 'accepted' && outcome.kind !== 'existing') throw startFailure(flow, outcome)
    if (waitMs === 0 && outcome.kind === 'accepted')
      return json(202, { id: outcome.id, status: 'running' }, { [RUN_HEADER]: outcome.id })
    return startReply(await waitFor(tenant, outcome.id, waitMs), outcome.id)
  }

  /** Waits in a way that the server's own stop ends early. */
  const waitFor = async (tenant: string, id: string, waitMs: number): Promise<RunSummary | null> => {
    let forget = () => {}
    const stopped = new Promise<'stopped'>(
      (resolve) => (forget = services.stopping.waiters.onStop(() => resolve('stopped'))),
    )
    const outcome = await Promise.race([runtime.wait(tenant, id, waitMs), stopped]).finally(() => forget())
    return outcome === 'stopped' ? await runtime.wait(tenant, id, 0) : outcome
  }

  const afterControl = async (tenant: string, outcome: ControlOutcome, asked: string): Promise<Reply> => {
    if (outcome.kind === 'not_found') throw notFound(asked)
    if (outcome.kind === 'refused') throw new PlugworkError(outcome.code, outcome.message)
    const row = await store.findRun(tenant, outcome.id)
    if (row === null) throw notFound(outcome.id)
    return json(202, { id: row.id, status: row.status })
  }

  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/flows/:flow/runs',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Start a run',
      description:
        'Answers once the run is stored; with `wait`, when it has ended or the time is up. A key (body or `Idempotency-Key` ' +
        'header) that was seen before answers the run that it made.',
      params: z.object({ flow: z.string() }),
      query: z.object({ wait: durationQuery(MAX_WAIT_MS).optional() }),
      body: { schema: startBody, optional: true },
      answers: {
        200: { description: 'The run has ended.', schema: startedSchema },
        202: { description: 'The run is stored and goes on.', schema: startedSchema },
      },
      problems: ['flow_not_found', 'flow_disabled', 'concurrency_full', 'inputs_invalid', 'full'],
      logLevel: 'debug',
      handler: ({ params, query, body, principal, incoming }) =>
        start(params.flow, body, principal, incoming, query.wait ?? 0),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/flows/:flow/execute',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Start a run and wait for its end',
      params: z.object({ flow: z.string() }),
      query: z.object({ wait: durationQuery(MAX_WAIT_MS).optional() }),
      body: { schema: startBody, optional: true },
      answers: {
        200: { description: 'The run has ended.', schema: startedSchema },
        202: {
          description: 'The run goes on: it takes longer than the wait, or waits for somebody.',
          schema: startedSchema,
        },
      },
      problems: ['flow_not_found', 'flow_disabled', 'concurrency_full', 'inputs_invalid', 'full'],
      logLevel: 'debug',
      handler: ({ params, query, body, principal, incoming }) =>
        start(params.flow, body, principal, incoming, query.wait ?? EXECUTE_WAIT_MS),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs',
      permission: 'runs:read',
      tag: 'Runs',
      summary: 'List runs, newest first',
      query: z.object({
        flow: z.string().optional(),
        status: z
          .string()
          .transform((text) => text.split(','))
          .pipe(z.array(z.enum(RUN_STATUSES)))
          .optional()
          .describe('One status or several, separated by commas.'),
        since: z
          .union([z.iso.datetime({ offset: true }), z.iso.date()])
          .transform((text) => Date.parse(text))
          .optional()
          .describe('Created at or after this time.'),
        ...pageQuery,
      }),
      answers: {
        200: { description: 'A page.', schema: z.object({ runs: z.array(runSchema), next_cursor: nextCursor }) },
      },
      async handler({ query, tenant }) {
        const before = decodeCursor(query.cursor)
        const rows = await store.listRuns({
          tenant,
          limit: query.limit + 1,
          ...(query.flow === undefined ? {} : { flow: query.flow }),
          ...(query.status === undefined ? {} : { status: query.status as RunStatus[] }),
          ...(query.since === undefined ? {} : { since: query.since }),
          ...(before === undefined ? {} : { before }),
        })
        const page = pageOf(rows, query.limit, (row) => row.rid)
        return json(200, { runs: page.items.map(runOf), next_cursor: page.next })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id',
      permission: 'runs:read',
      tag: 'Runs',
      summary: 'One run with its steps',
      params: runParams,
      answers: { 200: { description: 'The run.', schema: runDetailSchema } },
      problems: ['run_not_found'],
      async handler({ params, tenant }) {
        const detail = await runtime.get(tenant, params.id)
        if (detail === null) throw notFound(params.id)
        return json(200, runDetailOf(detail))
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/events',
      permission: 'runs:read',
      tag: 'Runs',
      summary: 'Follow a run as server-sent events',
      description:
        'Events `step` (a step as in the run) and `status`; first what happened so far, then what happens. The stream ends ' +
        'with the run. `Last-Event-ID` resumes it; what happened in that very millisecond is sent again.',
      params: runParams,
      answers: { 200: { description: 'The stream.', type: 'text/event-stream' } },
      problems: ['run_not_found'],
      handler: ({ params, tenant, incoming }) =>
        runEvents({ runtime, clock, tenant, runId: params.id, incoming, stopping: services.stopping.streams }),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/runs/:id/cancel',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Cancel a run',
      description: 'Compensation runs first (`finally`, `on_cancel`); `force` leaves it out.',
      params: runParams,
      body: {
        schema: z.object({ force: z.boolean().default(false), reason: z.string().max(1000).optional() }),
        optional: true,
      },
      answers: done,
      problems: ['run_not_found', 'run_ended'],
      async handler({ params, body, tenant, principal }) {
        const { force, reason } = body
        const options = { force, actor: principal.actor, ...(reason === undefined ? {} : { reason }) }
        return afterControl(tenant, await runtime.cancel(tenant, params.id, options), params.id)
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/runs/:id/retry',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Retry a failed run in place',
      params: runParams,
      body: { schema: z.object({}), optional: true },
      answers: done,
      problems: ['run_not_found', 'run_not_failed'],
      handler: async ({ params, tenant, principal }) =>
        afterControl(tenant, await runtime.retry(tenant, params.id, principal.actor), params.id),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/runs/:id/replay',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Replay a run from a step, as a new run',
      params: runParams,
      body: {
        schema: z.object({
          from: z.string().min(1).describe('Path or id of the step to begin with.'),
          inputs: jsonObject.optional().describe('Replaces the inputs of the run.'),
          step_input: jsonObject.optional().describe('Replaces the input of that step.'),
          same_version: z.boolean().default(false).describe('On the version of the flow that the run had.'),
        }),
      },
      answers: done,
      problems: ['run_not_found', 'step_unknown', 'replay_mismatch', 'run_not_ended'],
      async handler({ params, body, tenant }) {
        const outcome = await runtime.replay(tenant, params.id, {
          from: body.from,
          sameVersion: body.same_version,
          ...(body.inputs === undefined ? {} : { inputs: body.inputs }),
          ...(body.step_input === undefined ? {} : { stepInput: body.step_input }),
        })
        return afterControl(tenant, outcome, params.id)
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/runs/:id/resolve',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Decide about a step that needs attention',
      params: runParams,
      body: {
        schema: z.discriminatedUnion('decision', [
          z.object({ step: z.string(), decision: z.literal('retry') }),
          z.object({ step: z.string(), decision: z.literal('output'), output: jsonValue }),
          z.object({ step: z.string(), decision: z.literal('fail') }),
        ]),
      },
      answers: done,
      problems: ['run_not_found', 'run_not_held', 'run_ended'],
      async handler({ params, body, tenant, principal }) {
        const decision =
          body.decision === 'output' ? { kind: body.decision, output: body.output } : { kind: body.decision }
        const outcome = await runtime.resolve(tenant, params.id, body.step, decision, principal.actor)
        return afterControl(tenant, outcome, params.id)
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/runs/:id/signals/:name',
      permission: 'runs:write',
      tag: 'Runs',
      summary: 'Send a signal to a wait of a run',
      description: 'Signals are kept from the start of the run and deduplicated by `id`. `name` is the id of the wait.',
      params: runParams.extend({ name: z.string().min(1) }),
      body: {
        schema: z.object({
          data: jsonValue.default(null),
          outcome: z.enum(['received', 'approved', 'rejected']).default('received'),
          id: z.string().max(200).optional(),
        }),
        optional: true,
      },
      answers: done,
      problems: ['run_not_found', 'run_ended', 'signal_invalid', 'signals_full'],
      async handler({ params, body, tenant, principal }) {
        const outcome = await runtime.signal(tenant, params.id, {
          name: params.name,
          outcome: body.outcome,
          data: body.data,
          actor: principal.actor,
          ...(body.id === undefined ? {} : { dedupe: body.id }),
        })
        return afterControl(tenant, outcome, params.id)
      },
    }),
  ]
}

function startReply(summary: RunSummary | null, id: string): Reply {
  if (summary === null) throw notFound(id)
  return json(TERMINAL.has(summary.status) ? 200 : 202, startedOf(summary), { [RUN_HEADER]: id })
}

function notFound(id: string): ServerError {
  const code: ServerErrorCode = 'run_not_found'
  return new ServerError(code, `There is no run ${id}. GET /api/v1/runs lists them.`)
}
