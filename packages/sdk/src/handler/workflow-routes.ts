import { z } from 'zod'
import { json, onBehalf, readJson, type Route, type RouteContext } from './route.ts'
import { runShape, statsShape, workflowShape } from './shapes.ts'

const executeBody = z.strictObject({
  inputs: z.record(z.string(), z.json()).optional(),
  idempotency_key: z.string().min(1).max(255).optional(),
  /** Seconds to wait for the end. */
  wait: z.number().min(0).max(60).optional(),
})

const target = ({ session, parameters }: RouteContext) => ({ ...onBehalf(session), id: parameters['id']! })

/**
 * Workflows of whoever is signed in. They are not made over HTTP: a flow can name files, addresses and secrets of the
 * application, so it is the application's code that decides which flows its users get (`plug.workflows.create`).
 */
export const workflowRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/workflows',
    session: true,
    site: 'read',
    async run({ workflows, session, url }) {
      const after = url.searchParams.get('after')
      const limit = 100
      const page = await (await workflows()).list({ ...onBehalf(session), limit, ...(after === null ? {} : { after }) })
      return json({ items: page.map(workflowShape), next: page.length === limit ? page.at(-1)!.id : null })
    },
  },
  {
    method: 'GET',
    path: '/workflows/:id',
    session: true,
    site: 'read',
    run: async (context) => json(workflowShape(await (await context.workflows()).get(target(context)))),
  },
  {
    method: 'DELETE',
    path: '/workflows/:id',
    session: true,
    site: 'own',
    async run(context) {
      await (await context.workflows()).remove(target(context))
      return new Response(null, { status: 204 })
    },
  },
  {
    method: 'GET',
    path: '/workflows/:id/stats',
    session: true,
    site: 'read',
    run: async (context) => json(statsShape(await (await context.workflows()).stats(target(context)))),
  },
  {
    method: 'POST',
    path: '/workflows/:id/execute',
    session: true,
    site: 'own',
    async run(context) {
      const { inputs, idempotency_key: idempotencyKey, wait } = await readJson(context.request, executeBody)
      const run = await (
        await context.workflows()
      ).execute({
        ...target(context),
        ...(inputs === undefined ? {} : { inputs }),
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        ...(wait === undefined ? {} : { wait: wait * 1_000 }),
      })
      return json(runShape(run), run.finishedAt === null ? 202 : 200)
    },
  },
  {
    method: 'POST',
    path: '/workflows/:id/enable',
    session: true,
    site: 'own',
    run: async (context) => json(workflowShape(await (await context.workflows()).enable(target(context)))),
  },
  {
    method: 'POST',
    path: '/workflows/:id/disable',
    session: true,
    site: 'own',
    run: async (context) => json(workflowShape(await (await context.workflows()).disable(target(context)))),
  },
  {
    method: 'GET',
    path: '/runs/:id',
    session: true,
    site: 'read',
    run: async ({ workflows, session, parameters }) =>
      json(runShape(await (await workflows()).run({ ...onBehalf(session), runId: parameters['id']! }))),
  },
]
