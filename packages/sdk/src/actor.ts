import type { Actor } from '@plugwork/connections'
import { sdkError } from './errors.ts'

/** Actors that came through the handler, from somebody's browser. */
const fromHttp = new WeakSet<Actor>()

/** On whose behalf a call is made. Throws `sdk_user_missing`. */
export function actorOf(
  on: { readonly userId: string | null; readonly tenantId?: string },
  via: 'code' | 'http',
): Actor {
  const { userId, tenantId = 'default' } = on
  if (userId === undefined || userId === '' || tenantId === '') {
    throw sdkError(
      'sdk_user_missing',
      'The call does not say for whom it is: give `userId`, or null for what belongs to the tenant itself.',
    )
  }
  const actor: Actor = { tenant: tenantId, user: userId }
  if (via === 'http') fromHttp.add(actor)
  return actor
}

/** Whether a call came through the handler. */
export function isFromHttp(actor: Actor): boolean {
  return fromHttp.has(actor)
}
