/**
 * What works behind `plug`, opened at its first use: the store, keys, connections, OAuth, and the executor of actions. Only
 * this file and what it imports load the core; `import 'plugwork'` does not.
 */
import {
  Connections,
  createOAuth,
  createStoredAuthStates,
  openKeyRing,
  ringKeyProvider,
  Vault,
  type Actor,
  type Connection,
  type OAuth,
  type OAuthClient,
  type OpenConnection,
} from '@plugwork/connections'
import {
  createEgress,
  createExecutor,
  systemClock,
  type ActionConnection,
  type Egress,
  type Executor,
  type KeyRing,
} from '@plugwork/core/node'
import { ClientPool, keyOf } from './client-pool.ts'
import { openDatabase, type OpenedDatabase } from './open-database.ts'
import { isFromHttp } from './actor.ts'
import { sdkError } from './errors.ts'
import type { Settings } from './options.ts'
import type { Providers } from './providers.ts'

export interface Engine {
  readonly database: OpenedDatabase
  readonly keys: KeyRing
  readonly vault: Vault
  readonly egress: Egress
  readonly connections: Connections
  readonly oauth: OAuth
  readonly executor: Executor
  client(connector: string): OAuthClient | null
  /** Finds the connection that a call means. */
  choose(actor: Actor, connector: string, nameOrId: string | undefined): Promise<Connection>
  /** A connection for the executor; who may not use it for the action is told so here. */
  lend(actor: Actor, connection: Connection, action: string): Promise<ActionConnection>
  close(): Promise<void>
}

export async function openEngine(settings: Settings, providers: Providers): Promise<Engine> {
  const { authorize, log, directory = process.cwd() } = settings
  const database = await openDatabase(settings.database)
  try {
    const { store } = database
    const keys = await openKeyRing(settings.encryptionKey, store)
    const vault = await Vault.open({ store, keys: ringKeyProvider(keys) })
    const own = isEgress(settings.egress) ? null : createEgress(settings.egress)
    const egress = own ?? (settings.egress as Egress)
    const oauth = createOAuth({
      egress,
      states: createStoredAuthStates({ store, keys }),
      returnTo: { base: settings.origin, allow: settings.returnTo ?? ['/'] },
    })
    const client = (connector: string): OAuthClient | null => providers.client(connector)
    const connections = new Connections({
      store,
      vault,
      connectors: providers.connectors,
      egress,
      directory,
      tokens: oauth,
      client: ({ connector }) => client(connector),
      authorize: (request) => authorize?.({ ...request, via: isFromHttp(request.actor) ? 'http' : 'code' }),
      log,
    })
    const executor = createExecutor({ clock: systemClock, log })
    const pool = new ClientPool({ egress, directory, log })
    const unsubscribe = connections.subscribe(({ type, connection }) => {
      if (type === 'updated' || type === 'reconnected' || type === 'removed') pool.forget(connection.id)
    })
    return {
      database,
      keys,
      vault,
      egress,
      connections,
      oauth,
      executor,
      client,
      choose: (actor, connector, nameOrId) => choose(connections, actor, connector, nameOrId),
      async lend(actor, connection, action) {
        const open = await connections.open(actor, connection.id, action)
        return lent(pool, open)
      },
      async close() {
        unsubscribe()
        await pool.close()
        await own?.close()
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}

function lent(pool: ClientPool, open: OpenConnection): ActionConnection {
  return {
    key: keyOf(open),
    name: open.connection.name,
    acquire: (cancellation) => pool.take(open, cancellation),
  }
}

/** Ids begin so; a name that does is an id all the same. */
const ID = /^con_/

async function choose(
  connections: Connections,
  actor: Actor,
  connector: string,
  nameOrId: string | undefined,
): Promise<Connection> {
  if (nameOrId !== undefined && ID.test(nameOrId)) {
    const found = await connections.get(actor, nameOrId)
    if (found.connector === connector) return found
    throw missing(actor, connector, `The connection ${nameOrId} is one to ${found.connector}, not to ${connector}.`)
  }
  const name = nameOrId ?? 'default'
  // The user's own first, then what the tenant shares where `authorize` lets the user see it.
  for (const owner of actor.user === null ? [null] : [actor.user, null]) {
    const found = await connections.find({ actor, owner, connector, name })
    if (found !== null) return found
  }
  if (nameOrId !== undefined) {
    throw missing(actor, connector, `There is no connection "${nameOrId}" to ${connector} for ${whom(actor)}.`)
  }
  const [only, second] = await connections.list({ actor, owner: actor.user, connector, limit: 2 })
  if (only === undefined)
    throw missing(actor, connector, `There is no connection to ${connector} for ${whom(actor)} yet.`)
  if (second === undefined) return only
  throw sdkError(
    'sdk_connection_ambiguous',
    `There are several connections to ${connector} for ${whom(actor)}, and none is called "default". Say which one is meant with \`connection\`.`,
    { data: { connector } },
  )
}

function whom({ user }: Actor): string {
  return user === null ? 'the tenant' : `user ${user}`
}

function missing(_actor: Actor, connector: string, what: string): Error {
  return sdkError(
    'sdk_connection_missing',
    `${what} Connect with plug.connections.getAuthUrl or plug.connections.create.`,
    {
      data: { connector },
    },
  )
}

function isEgress(given: Settings['egress']): given is Egress {
  return given !== undefined && 'request' in given && typeof given.request === 'function'
}
