import { providerShape } from './shapes.ts'
import { json, type Route } from './route.ts'

/** What users can connect to. */
export const providerRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/providers',
    session: true,
    site: 'read',
    run: async ({ providers }) => json({ items: providers.list().map(providerShape) }),
  },
]
