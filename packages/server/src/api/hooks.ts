/** Addresses for services' webhooks, and the events that came in at them. */
import type { ServiceWebhooks, WebhookEndpoint } from '@plugwork/connections'
import { z } from 'zod'
import { empty, json } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { HOOKS_PREFIX } from '../trigger/service-hooks.ts'
import { isoTime } from './shapes.ts'

const hookSchema = z
  .object({
    id: z.string(),
    connector: z.string(),
    url: z.string().describe('The address to enter at the service.'),
    connection_id: z.string().nullable().describe('Null: events are matched by the account that they name.'),
    secrets: z.int().describe('How many secrets are accepted now.'),
    unconfirmed: z.boolean().describe('The service has named a secret, which waits for `confirm`.'),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Hook' })

const secret = z.string().min(1).max(10_000).describe('What the service signs with.')
const params = z.object({ id: z.string() })
const problems = ['webhook_endpoint_not_found', 'webhook_endpoint_invalid', 'webhook_not_supported']

export interface HookRoutesOptions {
  readonly webhooks: () => Promise<ServiceWebhooks>
  readonly baseUrl: () => string
}

export function hookRoutes({ webhooks, baseUrl }: HookRoutesOptions): readonly Route[] {
  const hookOf = ({ id, connector, connectionId, secrets, unconfirmed, createdAt }: WebhookEndpoint) => ({
    id,
    connector,
    url: `${baseUrl().replace(/\/+$/, '')}${HOOKS_PREFIX}${connector}/${id}`,
    connection_id: connectionId,
    secrets,
    unconfirmed,
    created_at: isoTime(createdAt),
  })
  const actorOf = (tenant: string) => ({ tenant, user: null })
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/hooks',
      permission: 'hooks:read',
      tag: 'Webhooks of services',
      summary: 'List addresses for webhooks of services',
      answers: { 200: { description: 'All addresses.', schema: z.object({ hooks: z.array(hookSchema) }) } },
      handler: async ({ tenant }) => {
        const { endpoints } = await webhooks()
        return json(200, { hooks: (await endpoints.list(actorOf(tenant))).map(hookOf) })
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/hooks',
      permission: 'hooks:write',
      tag: 'Webhooks of services',
      summary: 'Make an address for webhooks of a service',
      description: 'The answer has the address, and the verify token for services that ask for one (Meta).',
      body: {
        schema: z.object({
          connector: z.string(),
          connection_id: z.string().optional().describe('The connection whose events come in there.'),
          secret: secret.optional().describe('Left out where the service names it (Notion).'),
        }),
      },
      answers: {
        201: { description: 'Made.', schema: hookSchema.extend({ verify_token: z.string() }).meta({ id: 'NewHook' }) },
      },
      problems,
      async handler({ tenant, body }) {
        const { endpoints } = await webhooks()
        const { endpoint, verifyToken } = await endpoints.create({
          actor: actorOf(tenant),
          connector: body.connector,
          ...(body.connection_id === undefined ? null : { connectionId: body.connection_id }),
          ...(body.secret === undefined ? null : { secret: body.secret }),
        })
        return json(201, { ...hookOf(endpoint), verify_token: verifyToken })
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/hooks/:id/rotate',
      permission: 'hooks:write',
      tag: 'Webhooks of services',
      summary: 'Replace the secret; the one before stays accepted until `retire`',
      params,
      body: { schema: z.object({ secret }) },
      answers: { 200: { description: 'Replaced.', schema: hookSchema } },
      problems,
      handler: async ({ tenant, params: { id }, body }) =>
        json(200, hookOf(await (await webhooks()).endpoints.rotate(actorOf(tenant), id, body.secret))),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/hooks/:id/retire',
      permission: 'hooks:write',
      tag: 'Webhooks of services',
      summary: 'Accept only the newest secret from now on',
      params,
      answers: { 200: { description: 'Done.', schema: hookSchema } },
      problems,
      handler: async ({ tenant, params: { id } }) =>
        json(200, hookOf(await (await webhooks()).endpoints.retire(actorOf(tenant), id))),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/hooks/:id/confirm',
      permission: 'hooks:write',
      tag: 'Webhooks of services',
      summary: 'Accept the secret that the service has named',
      description: 'Answers it, to be entered at the service (Notion).',
      params,
      answers: { 200: { description: 'Accepted.', schema: z.object({ secret: z.string() }) } },
      problems,
      handler: async ({ tenant, params: { id } }) =>
        json(200, { secret: await (await webhooks()).endpoints.confirm(actorOf(tenant), id) }),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/hooks/:id',
      permission: 'hooks:write',
      tag: 'Webhooks of services',
      summary: 'Remove an address',
      params,
      answers: { 204: { description: 'Removed.' } },
      problems,
      async handler({ tenant, params: { id } }) {
        await (await webhooks()).endpoints.remove(actorOf(tenant), id)
        return empty(204)
      },
    }),
  ]
}
