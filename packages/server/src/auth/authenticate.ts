/** From a request to a principal: the local socket's owner, or the holder of a bearer token. Denies by default. */
import { ServerError } from '../errors.ts'
import type { Attempts } from './attempts.ts'
import type { Incoming } from '../http/incoming.ts'
import type { Route } from '../http/route.ts'
import { isAllowed } from './permission.ts'
import type { Principal } from './permission.ts'
import type { Tokens } from './token.ts'

/** Who acts on a public route. */
function nobody(tenant: string): Principal {
  return { tenant, actor: 'public', permissions: new Set() }
}

/** The principal of a request, once it may use the route. Throws `unauthenticated`, `too_many_attempts`, `forbidden`, `tenant_mismatch`. */
export async function authorize(options: {
  readonly incoming: Incoming
  readonly route: Route
  readonly tokens: Tokens
  readonly attempts: Attempts
  readonly tenant: string
}): Promise<Principal> {
  const { incoming, route, tokens, attempts, tenant } = options
  if (route.permission === 'public') return nobody(tenant)
  const principal = incoming.local ? localOwner(tenant) : await bearer(incoming, tokens, attempts)
  const slug = incoming.header('x-tenant-slug')
  if (slug !== undefined && slug !== principal.tenant) {
    throw new ServerError(
      'tenant_mismatch',
      `X-Tenant-Slug names "${slug}", but the token belongs to tenant "${principal.tenant}".`,
    )
  }
  if (!isAllowed(principal, route.permission)) {
    throw new ServerError(
      'forbidden',
      `${route.method} ${route.path} needs the permission ${route.permission}, which this token lacks.`,
      { extensions: { permission: route.permission } },
    )
  }
  return principal
}

/** The owner of the data folder, who alone can open the control socket. */
function localOwner(tenant: string): Principal {
  return { tenant, actor: 'local', permissions: new Set(['admin']) }
}

async function bearer(incoming: Incoming, tokens: Tokens, attempts: Attempts): Promise<Principal> {
  const header = incoming.header('authorization')
  const challenge = { headers: { 'www-authenticate': 'Bearer realm="plugwork"' } }
  if (header === undefined) {
    throw new ServerError('unauthenticated', 'Send `Authorization: Bearer <token>`.', challenge)
  }
  const match = /^Bearer +([\x21-\x7e]+)$/i.exec(header)
  const { remoteAddress } = incoming
  const principal = match === null ? null : await tokens.verify(match[1]!, () => attempts.check(remoteAddress))
  if (principal === null) {
    if (match !== null) attempts.failed(remoteAddress, match[1]!)
    throw new ServerError('unauthenticated', 'The token is unknown, expired, or not a bearer token.', challenge)
  }
  return principal
}
