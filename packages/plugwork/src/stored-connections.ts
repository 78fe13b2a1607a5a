/**
 * Stored connections of a project, put together: store, vault, OAuth and the registrations of the settings. Several
 * processes may have them open at a time, so commands need not go through a server that owns the data folder.
 */
import { mkdirSync } from 'node:fs'
import {
  Connections,
  createOAuth,
  createStoredAuthStates,
  ringKeyProvider,
  ServiceWebhooks,
  storedConnections,
  Vault,
  type OAuth,
  type OAuthClient,
} from '@plugwork/connections'
import {
  findOAuthClient,
  openKeys,
  openSecrets,
  type Connector,
  type Egress,
  type Settings,
  type StoredConnections,
} from '@plugwork/core/node'
import { openConnectionStore } from './connection-store.ts'

/** The one tenant of this build, for which commands act. */
export const TENANT_ACTOR = { tenant: 'default', user: null } as const

export interface KeptConnections {
  readonly connections: Connections
  readonly oauth: OAuth
  /** For the runtime: what flows name with `use:`. */
  readonly stored: StoredConnections
  /** What takes webhooks of services, on the same store; whoever asks for it closes it. */
  webhooks(): ServiceWebhooks
  /** The registration with a connector's service; null when there is none. Throws `settings_invalid`. */
  client(connector: string): OAuthClient | null
  close(): Promise<void>
}

export interface KeptConnectionsOptions {
  /** The project: `secrets.env` is there, and relative paths of stored settings begin there. */
  readonly directory: string
  readonly settings: Settings
  readonly environment: { readonly [name: string]: string | undefined }
  readonly connectors: readonly Connector[]
  readonly egress: Egress
  log(level: 'warn' | 'error', message: string): void
}

/** Opens them; a key ring that cannot read them is refused here (`keys_wrong`), not at the first use. */
export async function openKeptConnections(options: KeptConnectionsOptions): Promise<KeptConnections> {
  const { directory, settings, environment, connectors, egress, log } = options
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 })
  const { ring } = openKeys(settings.dataDir, settings.keys)
  const store = await openConnectionStore(settings)
  try {
    const vault = await Vault.open({ store, keys: ringKeyProvider(ring) })
    const oauth = createOAuth({ egress, states: createStoredAuthStates({ store, keys: ring }) })
    const secrets = openSecrets(directory, environment)
    const client = (connector: string): OAuthClient | null =>
      findOAuthClient({ connector, clients: settings.connectors, environment, secrets })
    const connections = new Connections({
      store,
      vault,
      connectors,
      egress,
      directory,
      tokens: oauth,
      client: ({ connector }) => client(connector),
      log,
    })
    return {
      connections,
      oauth,
      stored: storedConnections({ connections, directory }),
      webhooks: () => new ServiceWebhooks({ store, vault, connectors, egress, log }),
      client,
      close: () => store.close(),
    }
  } catch (error) {
    await store.close()
    throw error
  }
}
