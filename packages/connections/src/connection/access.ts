/**
 * Who may do what with a connection. Another tenant's connection does not exist, whatever the callback says. Inside a
 * tenant, a user's connection is the user's alone, and the tenant's own is for code that acts as the tenant; the
 * application's callback may allow more, or less.
 */
import type { Connection } from './connection.ts'
import { connectionError, notFound } from './errors.ts'

/** On whose behalf something is asked. */
export interface Actor {
  readonly tenant: string
  /** Null: the tenant itself (its flows, its administrators, the application's own code). */
  readonly user: string | null
}

export type ConnectionOperation = 'read' | 'use' | 'create' | 'update' | 'remove'

export interface AccessRequest {
  readonly actor: Actor
  readonly operation: ConnectionOperation
  readonly connection: Pick<Connection, 'tenant' | 'owner' | 'connector' | 'name' | 'metadata'> & {
    readonly id: string | null
  }
  /** With `use`: the action that is meant, where that is known (`github.issues.create`). */
  readonly action?: string
}

/** Decides; undefined leaves it to the default. Asked only about connections of the actor's own tenant. */
export type Authorize = (request: AccessRequest) => boolean | undefined | Promise<boolean | undefined>

/** A user may do everything with their own; the tenant with its own, and may see and remove those of its users. */
export function allowedByDefault({ actor, operation, connection }: AccessRequest): boolean {
  if (connection.owner === actor.user) return true
  return actor.user === null && (operation === 'read' || operation === 'remove')
}

export async function isAllowed(request: AccessRequest, authorize: Authorize | undefined): Promise<boolean> {
  if (request.actor.tenant !== request.connection.tenant) return false
  // Only `true` allows: a callback in JavaScript may answer anything.
  const decided: unknown = await authorize?.(request)
  return decided === undefined ? allowedByDefault(request) : decided === true
}

/** Throws `connection_not_found` to whoever may not even see it, else `connection_forbidden`. */
export async function checkAccess(request: AccessRequest, authorize: Authorize | undefined): Promise<void> {
  if (await isAllowed(request, authorize)) return
  const { connection, operation, action, actor } = request
  const visible =
    operation !== 'read' && operation !== 'create' && (await isAllowed({ ...request, operation: 'read' }, authorize))
  if (!visible && connection.id !== null) throw notFound(connection.id)
  const who = actor.user === null ? 'The tenant' : 'This user'
  const what = operation === 'use' && action !== undefined ? `use it for ${action}` : operation
  throw connectionError(
    'connection_forbidden',
    `${who} may not ${what} the connection "${connection.name}" to ${connection.connector}. Act as its owner, or allow it ` +
      'in the `authorize` callback.',
    { data: { connection: connection.id, operation } },
  )
}
