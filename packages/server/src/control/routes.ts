/** The operations of `ControlOperations` as routes that only the local socket reaches. */
import { TERMINAL } from '@plugwork/core/node'
import type { RunNotice } from '@plugwork/core/node'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { json } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { openEventStream } from '../http/sse.ts'
import type { Services } from '../api/services.ts'
import type { ControlOperations } from './operations.ts'

export function controlRoutes(
  operations: ControlOperations,
  services: Pick<Services, 'runtime' | 'stopping'> & { readonly tenant: string },
): readonly Route[] {
  const { runtime, stopping, tenant } = services
  return [
    defineRoute({
      method: 'POST',
      path: '/control/v1/:operation',
      permission: 'admin',
      tag: 'Control',
      summary: 'Call an operation of the local control interface',
      hidden: true,
      localOnly: true,
      logLevel: 'debug',
      params: z.object({ operation: z.string() }),
      body: { schema: z.object({ arguments: z.array(z.unknown()) }), maxBytes: 64 * 1024 * 1024 },
      answers: { 200: { description: 'What the operation gave.' } },
      async handler({ params, body }) {
        if (!Object.hasOwn(operations, params.operation)) {
          throw new ServerError(
            'not_found',
            `The running server has no operation ${params.operation}. Is it older than this command?`,
          )
        }
        // The caller is this package's own client: `ControlOperations` types both ends.
        const operation = operations[params.operation as keyof ControlOperations] as (
          ...args: unknown[]
        ) => Promise<unknown>
        return json(200, { result: (await operation(...body.arguments)) ?? null })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/control/v1/watch/:id',
      permission: 'admin',
      tag: 'Control',
      summary: 'What happens to a run, as the runtime tells it',
      hidden: true,
      localOnly: true,
      logLevel: 'debug',
      params: z.object({ id: z.string() }),
      answers: { 200: { description: 'The stream.', type: 'text/event-stream' } },
      async handler({ params }) {
        const send = (notice: RunNotice) => {
          stream.send({ event: 'notice', data: notice })
          if (notice.type === 'status' && TERMINAL.has(notice.status)) stream.end()
        }
        const unwatch = runtime.watch(send, params.id)
        const stream = openEventStream(() => {
          unwatch()
          forget()
        })
        const forget = stopping.streams.onStop(() => stream.end())
        const detail = await runtime.get(tenant, params.id)
        if (detail === null || detail.finishedAt !== null) stream.end()
        return stream.reply
      },
    }),
  ]
}
