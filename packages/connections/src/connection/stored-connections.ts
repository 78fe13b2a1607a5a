/** What flows name with `use:`, for the runtime of whoever keeps connections: `createRuntime({ storedConnections })`. */
import type { Json } from '@plugwork/core'
import type { StoredConnection, StoredConnectionRequest, StoredConnections } from '@plugwork/core/node'
import type { Actor } from './access.ts'
import type { OpenConnection } from './connection-requests.ts'
import type { Connection } from './connection.ts'
import type { Connections } from './connections.ts'
import { connectionError } from './errors.ts'

export interface StoredConnectionsOptions {
  readonly connections: Connections
  /** Where relative paths of stored settings begin. Default: the working directory. */
  readonly directory?: string
}

/**
 * Finds the connection of the run's user first, then the tenant's: a flow is the tenant's own code. Changing a connection
 * in any way but the renewal of its token makes another version of it.
 */
export function storedConnections({ connections, directory }: StoredConnectionsOptions): StoredConnections {
  return {
    async open(request): Promise<StoredConnection> {
      const { actor, id } = await find(connections, request)
      const { connection, config, credentials } = await connections.open(actor, id, request.action)
      return {
        id,
        version: String(connection.updatedAt),
        config,
        secrets: secretTexts({ connection, config }),
        directory: directory ?? process.cwd(),
        ...(credentials === undefined ? {} : { credentials }),
      }
    },
  }
}

async function find(
  connections: Connections,
  { tenant, user, connector, name }: StoredConnectionRequest,
): Promise<{ readonly actor: Actor; readonly id: string }> {
  const actors: Actor[] =
    user === null
      ? [{ tenant, user }]
      : [
          { tenant, user },
          { tenant, user: null },
        ]
  for (const actor of actors) {
    const found = await connections.find({ actor, connector, name })
    if (found !== null) return { actor, id: found.id }
  }
  throw connectionError(
    'connection_not_found',
    `There is no stored connection "${name}" to ${connector}${await elsewhere(connections, { tenant, user: null }, name)}. ` +
      `Add it: plugwork connection add ${connector} --name ${name}`,
    { data: { connector, name } },
  )
}

/** A name that belongs to another connector is a wrong `type:` more often than a missing connection. */
async function elsewhere(connections: Connections, actor: Actor, name: string): Promise<string> {
  const same: readonly Connection[] = await connections.list({ actor, owner: null, name, limit: 3 })
  if (same.length === 0) return ''
  return `; the one of this name is to ${same.map(({ connector }) => connector).join(', ')}`
}

/** The secrets in a config, as texts that must not be shown. */
export function secretTexts({ connection, config }: Pick<OpenConnection, 'connection' | 'config'>): readonly string[] {
  return connection.secrets.flatMap((name) => textsIn(config[name]))
}

function textsIn(value: Json | undefined): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return [String(value)]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}
