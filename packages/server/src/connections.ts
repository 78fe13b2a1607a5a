/**
 * Stored connections in a server: what routes work with, their events on the bus, and tokens kept alive that nobody uses.
 * Who keeps them opens them before the server starts, so that a wrong key is no surprise of a request.
 */
import type { ConnectionEvent, Connections, OAuth, OAuthClient } from '@plugwork/connections'
import type { JsonObject } from '@plugwork/core'
import type { Clock, Connector, Runtime } from '@plugwork/core/node'
import type { Log } from './log.ts'

/** What a program hands in. */
export interface ServerConnections {
  readonly connections: Connections
  readonly oauth: OAuth
  /** The application's registration with a connector's service; null when there is none. */
  client(connector: string): OAuthClient | null
}

/** The same as routes have it. */
export interface KeptConnections extends ServerConnections {
  start(): void
  close(): Promise<void>
}

/** Well below every provider's idle time that is known; each token is refreshed by one process only. */
const EVERY_MS = 5 * 60_000
const FIRST_MS = 30_000

export function keepConnections(
  { connections, oauth, client }: ServerConnections,
  options: {
    readonly runtime: Pick<Runtime, 'publish'>
    readonly connectors: () => readonly Connector[]
    readonly tenant: string
    readonly clock: Clock
    readonly log: Log
    /** An event is on the bus. */
    readonly published: () => void
  },
): KeptConnections {
  const { runtime, connectors, tenant, clock, log, published } = options
  const stop = new AbortController()
  const publishing = new Set<Promise<void>>()
  let cancel = (): void => {}
  let sweeping: Promise<void> = Promise.resolve()

  const publish = async (event: ConnectionEvent): Promise<void> => {
    const name = busName(event)
    if (name === null || event.connection.tenant !== tenant) return
    try {
      await runtime.publish(tenant, { name, data: busData(event) })
      published()
    } catch (error) {
      log.error({ err: error, event: name, connection: event.connection.id }, 'an event could not be published')
    }
  }
  const unsubscribe = connections.subscribe((event) => {
    const one = publish(event).finally(() => publishing.delete(one))
    publishing.add(one)
  })

  const sweep = async (): Promise<void> => {
    try {
      for (const connector of connectors()) connections.register(connector)
      const refreshed = await connections.keepAlive(stop.signal)
      if (refreshed > 0) log.info({ refreshed }, 'tokens that nobody used were refreshed')
    } catch (error) {
      if (!stop.signal.aborted) log.error({ err: error }, 'tokens could not be kept alive; it is tried again in 5 min')
    }
    arm(EVERY_MS)
  }
  const arm = (ms: number): void => {
    if (!stop.signal.aborted) cancel = clock.at(clock.now() + ms, () => void (sweeping = sweep()))
  }

  return {
    oauth,
    client,
    /** Those of the project's packages come and go, so they are made known at each use. */
    get connections() {
      for (const connector of connectors()) connections.register(connector)
      return connections
    },
    start: () => arm(FIRST_MS),
    async close() {
      cancel()
      stop.abort(new Error('The server stops.'))
      unsubscribe()
      await sweeping
      await Promise.all(publishing)
    },
  }
}

/** A refresh is no news; what changes who may do what, or wants somebody, is. */
function busName(event: ConnectionEvent): string | null {
  if (event.type === 'status') {
    if (event.to === 'refreshing' || event.from === 'refreshing') {
      return event.to === 'active' || event.to === 'refreshing' ? null : `plugwork.connection.${event.to}`
    }
    return `plugwork.connection.${event.to}`
  }
  return event.type === 'refreshed' ? null : `plugwork.connection.${event.type}`
}

function busData({ connection }: ConnectionEvent): JsonObject {
  const { id, connector, name, owner, status, reason } = connection
  return { id, connector, name, owner, status, reason: reason === null ? null : { ...reason } }
}
