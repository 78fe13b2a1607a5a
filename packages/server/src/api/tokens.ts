/** API tokens: who may call, and for what. */
import type { TokenRow } from '@plugwork/core/node'
import { z } from 'zod'
import { PERMISSION_NAMES } from '../auth/permission.ts'
import { OWNER_TOKEN_ID } from '../auth/token.ts'
import { ServerError } from '../errors.ts'
import { empty, json } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import type { Services } from './services.ts'
import { isoTime } from './shapes.ts'

const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    permissions: z.array(z.string()),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Token' })

export function tokenRoutes({ tokens, clock }: Services): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/tokens',
      permission: 'admin',
      tag: 'Tokens',
      summary: 'List tokens, without their text',
      answers: { 200: { description: 'All tokens.', schema: z.object({ tokens: z.array(tokenSchema) }) } },
      handler: async ({ tenant }) => json(200, { tokens: (await tokens.list(tenant)).map(tokenOf) }),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/tokens',
      permission: 'admin',
      tag: 'Tokens',
      summary: 'Make a token',
      description: 'The answer is the only place where its text is ever shown.',
      body: {
        schema: z.object({
          name: z.string().min(1).max(100),
          permissions: z.array(z.enum(PERMISSION_NAMES)).min(1),
          expires_at: z.iso.datetime({ offset: true }).optional(),
        }),
      },
      answers: {
        201: { description: 'Made.', schema: tokenSchema.extend({ token: z.string() }).meta({ id: 'NewToken' }) },
      },
      async handler({ body, tenant }) {
        const expiresAt = body.expires_at === undefined ? null : Date.parse(body.expires_at)
        if (expiresAt !== null && expiresAt <= clock.now()) {
          throw new ServerError('request_invalid', 'The body is not acceptable at "expires_at": it lies in the past.')
        }
        const { name, permissions } = body
        const { row, token } = await tokens.create({ tenant, name, permissions, expiresAt })
        return json(201, { ...tokenOf(row), token })
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/tokens/:id',
      permission: 'admin',
      tag: 'Tokens',
      summary: 'Delete a token; it is refused at once',
      params: z.object({ id: z.string() }),
      answers: { 204: { description: 'Deleted.' } },
      problems: ['not_found'],
      async handler({ params, tenant }) {
        if (params.id === OWNER_TOKEN_ID) {
          throw new ServerError(
            'request_invalid',
            "The owner's token is replaced by PLUGWORK_OWNER_TOKEN, not deleted.",
          )
        }
        if (!(await tokens.remove(tenant, params.id)))
          throw new ServerError('not_found', `There is no token ${params.id}.`)
        return empty(204)
      },
    }),
  ]
}

function tokenOf(row: TokenRow) {
  return {
    id: row.id,
    name: row.name,
    permissions: row.permissions,
    created_at: isoTime(row.createdAt),
    expires_at: isoTime(row.expiresAt),
  }
}
