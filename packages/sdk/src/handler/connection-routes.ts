import { z } from 'zod'
import { actorOf } from '../actor.ts'
import { sdkError } from '../errors.ts'
import type { OnBehalf } from '../plugwork-types.ts'
import { connectionShape } from './shapes.ts'
import { json, onBehalf, readJson, type Route, type RouteContext } from './route.ts'

const fields = {
  method: z.string().min(1).optional(),
  settings: z.record(z.string(), z.json()).optional(),
  credential: z.record(z.string(), z.json()).optional(),
}

const createBody = z.strictObject({
  connector: z.string().min(1),
  name: z.string().min(1).max(100).optional(),
  ...fields,
})

const reconnectBody = z.strictObject(fields)

const target = ({ session, parameters }: RouteContext): OnBehalf & { readonly id: string } => ({
  ...onBehalf(session),
  id: parameters['id']!,
})

/** Connections of whoever is signed in. */
export const connectionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/connections',
    session: true,
    site: 'read',
    async run({ connections, session, url }) {
      const query = Object.fromEntries(url.searchParams)
      const { connector, after } = query
      const limit = Number(query['limit'] ?? 100)
      if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
        throw sdkError('sdk_body_invalid', `limit must be a whole number from 1 to 1,000, not "${query['limit']}".`)
      }
      const page = await connections.list({
        ...onBehalf(session),
        limit,
        ...(connector === undefined ? {} : { connector }),
        ...(after === undefined ? {} : { after }),
      })
      const next = page.length === limit ? page.at(-1)!.id : null
      return json({ items: page.map(connectionShape), next })
    },
  },
  {
    method: 'POST',
    path: '/connections',
    session: true,
    site: 'own',
    async run(context) {
      const { connector, ...input } = await readJson(context.request, createBody)
      await checkOffered(context, connector, input.name ?? 'default')
      const made = await context.connections.create({ ...onBehalf(context.session), connector, ...given(input) })
      return json(connectionShape(made), 201)
    },
  },
  {
    method: 'GET',
    path: '/connections/:id',
    session: true,
    site: 'read',
    run: async (context) => json(connectionShape(await context.connections.get(target(context)))),
  },
  {
    method: 'DELETE',
    path: '/connections/:id',
    session: true,
    site: 'own',
    async run(context) {
      await context.connections.disconnect(target(context))
      return new Response(null, { status: 204 })
    },
  },
  {
    method: 'POST',
    path: '/connections/:id/test',
    session: true,
    site: 'own',
    run: async (context) => json({ ...(await context.connections.test(target(context))) }),
  },
  {
    method: 'POST',
    path: '/connections/:id/refresh',
    session: true,
    site: 'own',
    run: async (context) => json(connectionShape(await context.connections.refresh(target(context)))),
  },
  {
    method: 'POST',
    path: '/connections/:id/reconnect',
    session: true,
    site: 'own',
    async run(context) {
      const input = await readJson(context.request, reconnectBody)
      return json(connectionShape(await context.connections.reconnect({ ...target(context), ...given(input) })))
    },
  },
]

/**
 * A browser may connect to services that people sign in to. Files, databases and arbitrary addresses are of the application's
 * own network: only where `authorize` answers true.
 */
async function checkOffered({ providers, settings, session }: RouteContext, name: string, as: string): Promise<void> {
  const { connector } = providers.find(name)
  if (Object.keys(connector.auth ?? {}).length > 0) return
  const actor = actorOf(session, 'http')
  const connection = { id: null, tenant: actor.tenant, owner: actor.user, connector: name, name: as, metadata: {} }
  if ((await settings.authorize?.({ actor, operation: 'create', connection, via: 'http' })) === true) return
  throw sdkError(
    'sdk_forbidden',
    `Connections to ${name} are not made over HTTP: it is no service that people sign in to. \`authorize\` may allow it.`,
    { data: { connector: name } },
  )
}

/** What was given, without what was not. */
function given<T extends object>(input: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  // Only members with a value are left.
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>
  }
}
