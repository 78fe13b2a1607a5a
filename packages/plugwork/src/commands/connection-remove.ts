/** `plugwork connection remove`: revokes at the service what can be revoked there, and deletes the connection. */
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { TENANT_ACTOR } from '../stored-connections.ts'
import { findStored, fullName, openStored, withConnectors, type ConnectionFlags } from './stored-connection.ts'

export async function remove(context: Context, name: string, flags: ConnectionFlags): Promise<number> {
  return withConnectors(context, flags, async (connectors) => {
    await using opened = await openStored(context, flags, connectors)
    const stored = await findStored(opened, name)
    await opened.connections.remove(TENANT_ACTOR, stored.id)
    if (flags.json) context.json({ removed: { id: stored.id, connector: stored.connector, name: stored.name } })
    else context.print(`${context.style.good('✔')} ${context.style.bold(fullName(stored))} removed`)
    return EXIT.done
  })
}
