/** All routes of the server in one list: what `create-server.ts` serves, what the tests walk through. */
import { connectionRoutes } from './api/connections.ts'
import { connectorRoutes } from './api/connectors.ts'
import { eventRoutes } from './api/events.ts'
import { flowRoutes } from './api/flows.ts'
import { hookRoutes } from './api/hooks.ts'
import type { HookRoutesOptions } from './api/hooks.ts'
import { oauthRoutes } from './api/oauth.ts'
import type { OAuthRoutesOptions } from './api/oauth.ts'
import { resumeRoutes } from './api/resume.ts'
import { runRoutes } from './api/runs.ts'
import type { Services } from './api/services.ts'
import { systemRoutes } from './api/system.ts'
import type { SystemOptions } from './api/system.ts'
import { tokenRoutes } from './api/tokens.ts'
import type { ControlOperations } from './control/operations.ts'
import { controlRoutes } from './control/routes.ts'
import type { Route } from './http/route.ts'
import type { EventFeed } from './trigger/event-feed.ts'

export interface RoutesOptions {
  readonly services: Services
  readonly tenant: string
  readonly feed: EventFeed
  readonly system: Omit<SystemOptions, 'routes'>
  readonly control: ControlOperations
  /** Stored connections; null where this server keeps none. */
  readonly oauth: Omit<OAuthRoutesOptions, 'connectors'> | null
  readonly hooks: HookRoutesOptions
}

export function serverRoutes({
  services,
  tenant,
  feed,
  system,
  control,
  oauth,
  hooks,
}: RoutesOptions): readonly Route[] {
  const routes: readonly Route[] = [
    ...flowRoutes(services),
    ...runRoutes(services),
    ...eventRoutes(services, feed),
    ...connectorRoutes(services),
    ...(oauth === null ? [] : [...connectionRoutes(oauth.kept), ...oauthRoutes({ ...oauth, ...services })]),
    ...hookRoutes(hooks),
    ...tokenRoutes(services),
    ...resumeRoutes({ ...services, tenant }),
    ...systemRoutes({ ...system, routes: () => routes }),
    ...controlRoutes(control, { ...services, tenant }),
  ]
  return routes
}
