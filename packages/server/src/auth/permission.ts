/** What a token may do. A route names exactly one of these, or `public`; `admin` holds all of them. */
export const PERMISSIONS = {
  'flows:read': 'See flows, their sources, versions and problems.',
  'flows:write': 'Put, delete, enable and disable flows.',
  'runs:read': 'See runs, their steps, inputs and outputs.',
  'runs:write': 'Start, cancel, retry, replay, resolve and signal runs.',
  'events:read': 'Read the event bus.',
  'events:write': 'Publish on the event bus.',
  'hooks:read': 'See addresses for webhooks of services.',
  'hooks:write': 'Make, change and remove addresses for webhooks of services.',
  'connectors:read': 'See which connectors and actions there are.',
  'connections:read': 'See stored connections; never their secrets.',
  'connections:write': 'Make, change, test and remove stored connections, and sign in to services.',
  'metrics:read': 'Read `/metrics`.',
  admin: 'Everything, tokens and upkeep included.',
} as const

export type Permission = keyof typeof PERMISSIONS

export const PERMISSION_NAMES = Object.keys(PERMISSIONS) as [Permission, ...Permission[]]

/** Who makes a request, and what they may do. */
export interface Principal {
  readonly tenant: string
  /** For records of who did what: `token:<name>` or `local`. */
  readonly actor: string
  readonly permissions: ReadonlySet<string>
}

/** Whether a principal holds a permission, by itself or as `admin`. */
export function isAllowed(principal: Principal, permission: Permission): boolean {
  return principal.permissions.has(permission) || principal.permissions.has('admin')
}
