import { z } from 'zod'
import { requestOf } from '../actions.ts'
import { sdkError } from '../errors.ts'
import { json, readJson, type Route } from './route.ts'

const callBody = z.strictObject({
  params: z.record(z.string(), z.unknown()).optional(),
  connection: z.string().min(1).optional(),
  idempotency_key: z.string().min(1).max(255).optional(),
  dry_run: z.boolean().optional(),
})

/** Actions on connections of whoever is signed in. What needs no connection is not offered: it would be a proxy for strangers. */
export const actionRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/actions/:connector/:action',
    session: true,
    site: 'own',
    async run({ calling, request, parameters, session }) {
      const body = await readJson(request, callBody)
      const { userId, tenantId } = session
      const prepared = await requestOf(
        calling,
        {
          connector: parameters['connector']!,
          action: parameters['action']!,
          params: body.params ?? {},
          userId,
          signal: request.signal,
          ...(tenantId === undefined ? {} : { tenantId }),
          ...(body.connection === undefined ? {} : { connection: body.connection }),
          ...(body.idempotency_key === undefined ? {} : { idempotencyKey: body.idempotency_key }),
          ...(body.dry_run === undefined ? {} : { dryRun: body.dry_run }),
        },
        'http',
      )
      if (prepared.connection === undefined) {
        throw sdkError('sdk_forbidden', 'Over HTTP an action needs a connection. Name one with `connection`.')
      }
      const outcome = await (await calling.open()).executor.execute(prepared)
      const { output, attempts, cached, dryRun, durationMs } = outcome
      return json({ output, attempts, cached, dry_run: dryRun, duration_ms: durationMs })
    },
  },
]
