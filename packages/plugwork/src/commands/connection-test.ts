/** `plugwork connection test`: asks the service whether a stored connection works; its state says so afterwards. */
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { TENANT_ACTOR } from '../stored-connections.ts'
import {
  findStored,
  fullName,
  openStored,
  shownConnection,
  withConnectors,
  type ConnectionFlags,
} from './stored-connection.ts'

export async function test(context: Context, name: string, flags: ConnectionFlags): Promise<number> {
  return withConnectors(context, flags, async (connectors) => {
    await using opened = await openStored(context, flags, connectors)
    const stored = await findStored(opened, name)
    const { message } = await opened.connections.check(TENANT_ACTOR, stored.id)
    if (flags.json) {
      context.json({ connection: shownConnection(await opened.connections.get(TENANT_ACTOR, stored.id)), message })
    } else {
      const { good, bold, dim } = context.style
      context.print(`${good('✔')} ${bold(fullName(stored))} ${dim(message)}`)
    }
    return EXIT.done
  })
}
