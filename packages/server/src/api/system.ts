/** Health, readiness, metrics, schedules, upkeep, and the API's own description. */
import { z } from 'zod'
import { json, text } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { openApiDocument } from '../http/openapi.ts'
import type { OpenApiOptions } from '../http/openapi.ts'
import { EXPOSITION_TYPE, exposition } from '../metrics/exposition.ts'
import type { Sample } from '../metrics/exposition.ts'
import { docsPage } from '../pages/docs-page.ts'
import type { OpenApiView } from '../pages/docs-page.ts'
import type { Readiness } from '../readiness.ts'
import type { Scheduler } from '../trigger/scheduler.ts'
import { isoTime } from './shapes.ts'

export interface SystemOptions extends OpenApiOptions {
  readonly samples: () => readonly Sample[]
  readonly readiness: Readiness
  readonly scheduler: Scheduler
  readonly prune: () => Promise<{ readonly runs: number; readonly bytesFreed: number }>
  /** All routes of the server, these included. */
  readonly routes: () => readonly Route[]
}

const healthSchema = z.object({ status: z.literal('ok'), version: z.string() })
const readySchema = z.object({
  ready: z.boolean(),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() })),
})
const scheduleSchema = z
  .object({
    flow: z.string(),
    trigger: z.int().describe("Position among the flow's triggers."),
    cron: z.string(),
    timezone: z.string(),
    last_at: z.iso.datetime().nullable(),
    next_at: z.iso.datetime(),
  })
  .meta({ id: 'Schedule' })

export function systemRoutes(options: SystemOptions): readonly Route[] {
  // Derived once, when somebody first asks: start-up does not need it.
  let document: Record<string, unknown> | undefined
  const openApi = () => (document ??= openApiDocument(options.routes(), options))
  return [
    defineRoute({
      method: 'GET',
      path: '/healthz',
      permission: 'public',
      tag: 'System',
      summary: 'The process is alive',
      answers: { 200: { description: 'It is.', schema: healthSchema } },
      logLevel: 'debug',
      handler: () => json(200, { status: 'ok', version: options.version }),
    }),
    defineRoute({
      method: 'GET',
      path: '/readyz',
      permission: 'public',
      tag: 'System',
      summary: 'The server can take work',
      answers: {
        200: { description: 'It can.', schema: readySchema },
        503: { description: 'It cannot; `checks` says why.', schema: readySchema },
      },
      logLevel: 'debug',
      async handler() {
        const state = await options.readiness.check()
        return json(state.ready ? 200 : 503, state)
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/metrics',
      permission: 'metrics:read',
      tag: 'System',
      summary: 'Metrics for Prometheus',
      answers: { 200: { description: 'Text exposition.', type: 'text/plain' } },
      logLevel: 'debug',
      handler: () => text(200, EXPOSITION_TYPE, exposition(options.samples())),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/schedules',
      permission: 'flows:read',
      tag: 'Flows',
      summary: 'Schedules with their last and next tick',
      answers: { 200: { description: 'All schedules.', schema: z.object({ schedules: z.array(scheduleSchema) }) } },
      handler: () =>
        json(200, {
          schedules: options.scheduler.list().map(({ flow, trigger, cron, timezone, lastAt, nextAt }) => ({
            flow,
            trigger,
            cron,
            timezone,
            last_at: isoTime(lastAt),
            next_at: isoTime(nextAt),
          })),
        }),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/maintenance/prune',
      permission: 'admin',
      tag: 'System',
      summary: 'Delete ended runs past their retention now',
      answers: {
        200: { description: 'What was deleted.', schema: z.object({ runs: z.int(), bytes_freed: z.int() }) },
      },
      async handler() {
        const { runs, bytesFreed } = await options.prune()
        return json(200, { runs, bytes_freed: bytesFreed })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/openapi.json',
      permission: 'public',
      tag: 'System',
      summary: 'This API as OpenAPI 3.1',
      answers: { 200: { description: 'The document.', schema: z.record(z.string(), z.unknown()) } },
      handler: () => json(200, openApi()),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/docs',
      permission: 'public',
      tag: 'System',
      summary: 'This API as a page',
      answers: { 200: { description: 'The page.', type: 'text/html' } },
      // The page reads what `openApiDocument` has just written.
      handler: () => docsPage(openApi() as unknown as OpenApiView),
    }),
  ]
}
