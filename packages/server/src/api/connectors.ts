/** Connectors: what there is, and what its actions take and give. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { json } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import type { Services } from './services.ts'

const connectorSchema = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string(),
    version: z.string(),
    actions: z.array(z.string()),
  })
  .meta({ id: 'Connector' })

const jsonSchema = z.record(z.string(), z.unknown()).describe('JSON Schema.')

const connectorDetailSchema = connectorSchema
  .extend({
    config: jsonSchema,
    packages: z.array(z.object({ name: z.string(), range: z.string() })),
    actions: z.array(
      z.object({
        name: z.string(),
        description: z.string(),
        effect: z.enum(['read', 'write', 'destructive']),
        idempotency: z.enum(['natural', 'key', 'lookup', 'none']),
        input: jsonSchema,
        output: jsonSchema,
      }),
    ),
  })
  .meta({ id: 'ConnectorDetail' })

export function connectorRoutes(services: Pick<Services, 'connectors' | 'catalog'>): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/connectors',
      permission: 'connectors:read',
      tag: 'Connectors',
      summary: 'List connectors',
      answers: {
        200: { description: 'All connectors.', schema: z.object({ connectors: z.array(connectorSchema) }) },
      },
      handler: () =>
        json(200, {
          connectors: services.connectors().map(({ name, title, description, version, actions }) => ({
            name,
            title,
            description,
            version,
            actions: Object.keys(actions),
          })),
        }),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/connectors/:name',
      permission: 'connectors:read',
      tag: 'Connectors',
      summary: 'One connector with the schemas of its config and actions',
      params: z.object({ name: z.string() }),
      answers: { 200: { description: 'The connector.', schema: connectorDetailSchema } },
      problems: ['not_found'],
      handler({ params }) {
        const connector = services.connectors().find((candidate) => candidate.name === params.name)
        const described = services.catalog().connectors.find((candidate) => candidate.name === params.name)
        if (connector === undefined || described === undefined) {
          throw new ServerError('not_found', `There is no connector ${params.name}. GET /api/v1/connectors lists them.`)
        }
        const { name, title, description, version, packages = [] } = connector
        return json(200, {
          name,
          title,
          description,
          version,
          packages,
          config: described.config,
          actions: described.actions.map((action) => ({
            name: action.name,
            description: action.description,
            effect: action.effect,
            idempotency: action.idempotency,
            input: action.input,
            output: action.output,
          })),
        })
      },
    }),
  ]
}
