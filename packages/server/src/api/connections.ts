/** Stored connections. No answer and no problem has a secret in it: what is encrypted is only named. */
import type { CONNECTION_ERRORS, Connection } from '@plugwork/connections'
import { z } from 'zod'
import type { KeptConnections } from '../connections.ts'
import { ServerError } from '../errors.ts'
import { jsonObject } from '../http/json-value.ts'
import { empty, json } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { nextCursor } from './paging.ts'
import { isoTime } from './shapes.ts'

const time = z.iso.datetime()
const name = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be letters, digits, dots, dashes and underscores')
const ID = /^con_[0-9a-f-]{36}$/

const connectionSchema = z
  .object({
    id: z.string(),
    owner: z.string().nullable().describe('A user; null: the tenant.'),
    connector: z.string(),
    name: z.string(),
    method: z.string().nullable().describe('How it authenticates; null where the connector has no choice.'),
    status: z.enum(['active', 'refreshing', 'needs_reauth', 'revoked', 'error']),
    reason: z.object({ code: z.string(), message: z.string(), at: time }).nullable(),
    settings: jsonObject,
    secrets: z.array(z.string()).describe('Names of the fields that are stored encrypted.'),
    metadata: jsonObject,
    scopes: z.array(z.string()).nullable(),
    expires_at: time.nullable(),
    created_at: time,
    updated_at: time,
    refreshed_at: time.nullable(),
    checked_at: time.nullable(),
  })
  .meta({ id: 'Connection' })

const testedSchema = z.object({ message: z.string(), connection: connectionSchema }).meta({ id: 'TestedConnection' })
const params = z.object({ id: z.string().max(64) })
const credential = jsonObject.describe('Secret fields of the config; stored encrypted and never answered.')
const TAG = 'Connections'

export function connectionRoutes(kept: KeptConnections): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/connections',
      permission: 'connections:read',
      tag: TAG,
      summary: 'List stored connections',
      query: z.object({
        connector: z.string().optional(),
        name: z.string().optional(),
        limit: z.coerce.number().int().min(1).max(200).default(50).describe('Rows of a page.'),
        cursor: z.string().optional().describe('`next_cursor` of the page before.'),
      }),
      answers: {
        200: {
          description: 'A page, in the order of ids.',
          schema: z.object({ connections: z.array(connectionSchema), next_cursor: nextCursor }),
        },
      },
      async handler({ query, tenant }) {
        const { connector, limit, cursor } = query
        if (cursor !== undefined && !ID.test(cursor)) {
          throw new ServerError('request_invalid', 'The cursor is not one that this server gave. Begin without it.')
        }
        const found = await kept.connections.list({
          actor: { tenant, user: null },
          limit: limit + 1,
          ...(connector === undefined ? {} : { connector }),
          ...(query.name === undefined ? {} : { name: query.name }),
          ...(cursor === undefined ? {} : { after: cursor }),
        })
        const page = found.slice(0, limit)
        return json(200, {
          connections: page.map(shown),
          next_cursor: found.length > limit ? page.at(-1)!.id : null,
        })
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/connections',
      permission: 'connections:write',
      tag: TAG,
      summary: 'Store a connection',
      description:
        'Its service is asked whether it works, unless `test` is false; what does not work is not stored. OAuth begins at `/oauth/{connector}/start`.',
      body: {
        schema: z.object({
          connector: z.string().min(1).max(100),
          name: name.default('default'),
          method: z.string().optional().describe('Default: the first of the connector.'),
          settings: jsonObject.default({}),
          credential: credential.default({}),
          metadata: jsonObject.default({}),
          test: z.boolean().default(true),
        }),
      },
      answers: { 201: { description: 'Stored.', schema: connectionSchema } },
      problems: ['connection_invalid', 'connection_exists', 'connection_check_failed'],
      async handler({ body, tenant, incoming }) {
        const actor = { tenant, user: null }
        const { test, method, ...given } = body
        const made = await kept.connections.create({ actor, ...given, ...(method === undefined ? {} : { method }) })
        if (!test) return json(201, shown(made))
        try {
          await kept.connections.check(actor, made.id, incoming.signal)
        } catch (error) {
          await kept.connections.remove(actor, made.id)
          throw error
        }
        return json(201, shown(await kept.connections.get(actor, made.id)))
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/connections/:id',
      permission: 'connections:read',
      tag: TAG,
      summary: 'One stored connection',
      params,
      answers: { 200: { description: 'The connection.', schema: connectionSchema } },
      problems: ['connection_not_found'],
      handler: async ({ params: { id }, tenant }) =>
        json(200, shown(await kept.connections.get({ tenant, user: null }, id))),
    }),
    defineRoute({
      method: 'PATCH',
      path: '/api/v1/connections/:id',
      permission: 'connections:write',
      tag: TAG,
      summary: 'Change a stored connection',
      description:
        'What is left out stays; `settings` and `metadata` replace, of `credential` each field. Flows that use it go on with what is new.',
      params,
      body: {
        schema: z.strictObject({
          name: name.optional(),
          settings: jsonObject.optional(),
          credential: credential.optional(),
          metadata: jsonObject.optional(),
        }),
      },
      answers: { 200: { description: 'As it is now.', schema: connectionSchema } },
      problems: ['connection_not_found', 'connection_invalid', 'connection_exists', 'connection_revoked'],
      async handler({ params: { id }, body, tenant }) {
        const { name: renamed, settings, credential: secrets, metadata } = body
        const changed = await kept.connections.update({ tenant, user: null }, id, {
          ...(renamed === undefined ? {} : { name: renamed }),
          ...(settings === undefined ? {} : { settings }),
          ...(secrets === undefined ? {} : { credential: secrets }),
          ...(metadata === undefined ? {} : { metadata }),
        })
        return json(200, shown(changed))
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/connections/:id',
      permission: 'connections:write',
      tag: TAG,
      summary: 'Revoke a connection at its service, and delete it',
      params,
      answers: { 204: { description: 'Deleted.' } },
      problems: ['connection_not_found'],
      async handler({ params: { id }, tenant }) {
        await kept.connections.remove({ tenant, user: null }, id)
        return empty(204)
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/connections/:id/test',
      permission: 'connections:write',
      tag: TAG,
      summary: 'Ask the service whether a connection works',
      description: 'Its state says so afterwards.',
      params,
      answers: { 200: { description: 'It works.', schema: testedSchema } },
      problems: [
        'connection_not_found',
        'connection_check_failed',
        'connection_needs_reauth',
        'connection_revoked',
      ] satisfies (keyof typeof CONNECTION_ERRORS)[],
      async handler({ params: { id }, tenant, incoming }) {
        const actor = { tenant, user: null }
        const { message } = await kept.connections.check(actor, id, incoming.signal)
        return json(200, { message, connection: shown(await kept.connections.get(actor, id)) })
      },
    }),
  ]
}

function shown(connection: Connection): z.input<typeof connectionSchema> {
  const { id, owner, connector, method, status, reason, settings, secrets, metadata, scopes } = connection
  return {
    id,
    owner,
    connector,
    name: connection.name,
    method,
    status,
    reason: reason === null ? null : { ...reason, at: isoTime(reason.at) },
    settings,
    secrets: [...secrets],
    metadata,
    scopes: scopes === null ? null : [...scopes],
    expires_at: isoTime(connection.expiresAt),
    created_at: isoTime(connection.createdAt),
    updated_at: isoTime(connection.updatedAt),
    refreshed_at: isoTime(connection.refreshedAt),
    checked_at: isoTime(connection.checkedAt),
  }
}
