/** Opens store, blobs, egress and runtime of a data folder in this process. */
import { mkdirSync } from 'node:fs'
import {
  createEgress,
  createExecutor,
  createFileBlobStore,
  createRuntime,
  openKeys,
  openSqliteStore,
  systemClock,
  type BlobStore,
  type Connector,
  type Definitions,
  type Egress,
  type LimitStore,
  type Runtime,
  type RuntimeOptions,
  type Settings,
  type Store,
} from '@plugwork/core/node'
import { readBuild } from './build.ts'
import { installedConnectors } from './connectors.ts'
import { dataFolder, type DataFolder } from './data-folder.ts'
import type { KeptConnections } from './stored-connections.ts'

export interface Engine {
  readonly folder: DataFolder
  readonly store: Store
  readonly blobs: BlobStore
  readonly egress: Egress
  readonly connectors: readonly Connector[]
  readonly version: string
  /** The stored connections, opened when they are first asked for. Throws where the key ring cannot read them. */
  connections(): Promise<KeptConnections>
  /** Makes a runtime over definitions; it is not open yet. */
  runtime(definitions: Definitions, options: Pick<RuntimeOptions, 'takeOver' | 'baseUrl' | 'log'>): Runtime
  /** Closes what the runtime does not. */
  close(): Promise<void>
  /** The same where a server was given the store, which it closes. */
  closeShared(): Promise<void>
}

export interface EngineOptions {
  readonly settings: Settings
  /** The project. */
  readonly directory: string
  readonly environment: { readonly [name: string]: string | undefined }
  /** Path of the control socket, told to processes that find the folder owned. */
  readonly socket: string
}

/**
 * Takes ownership of the data folder; throws `store_owned` while another process has it. With a database, opens a session
 * there beside those of other processes; the data folder then has the key ring only.
 */
export async function openEngine({ settings, directory, environment, socket }: EngineOptions): Promise<Engine> {
  const folder = dataFolder(settings.dataDir)
  mkdirSync(folder.directory, { recursive: true, mode: 0o700 })
  const { version } = readBuild()
  const connectors = await installedConnectors()
  const keys = openKeys(folder.directory, settings.keys)
  const { store, blobs, limits } = await openStore(settings, folder, { socket, version })
  const egress = createEgress({ allow: settings.egressAllow })
  let kept: Promise<KeptConnections> | null = null
  let tell: RuntimeOptions['log'] = () => undefined
  const connections = (): Promise<KeptConnections> => {
    const log = (level: 'warn' | 'error', message: string): void => tell(level, message)
    kept ??= import('./stored-connections.ts').then(({ openKeptConnections }) =>
      openKeptConnections({ directory, settings, environment, connectors, egress, log }),
    )
    return kept
  }
  const closeShared = async (): Promise<void> => {
    const opened = await kept?.catch(() => null)
    await opened?.close()
    await egress.close()
  }
  return {
    folder,
    store,
    blobs,
    egress,
    connectors,
    version,
    connections,
    closeShared,
    runtime: (definitions, options) => {
      tell = options.log
      return createRuntime({
        store,
        blobs,
        egress,
        connectors,
        definitions,
        key: keys.ring,
        executor: createExecutor({ clock: systemClock, log: options.log, ...(limits === null ? {} : { limits }) }),
        maxActive: settings.concurrency,
        // Opened by the first step that uses one: most commands never do.
        storedConnections: {
          async open(request) {
            const { connections: known, stored } = await connections()
            // Connectors of the project's packages come and go.
            const own = definitions.connector?.(request.connector)
            if (own !== undefined && own !== null) known.register(own)
            return stored.open(request)
          },
        },
        version,
        ...options,
      })
    },
    async close() {
      await store.close()
      await closeShared()
    },
  }
}

async function openStore(
  { databaseUrl }: Settings,
  folder: DataFolder,
  identity: { readonly socket: string; readonly version: string },
): Promise<{ readonly store: Store; readonly blobs: BlobStore; readonly limits: LimitStore | null }> {
  if (databaseUrl !== null) {
    const { createPostgresLimitStore, openPostgresStore } = await import('@plugwork/core/postgres')
    const { store, blobs, database } = await openPostgresStore({ url: databaseUrl, version: identity.version })
    // Processes that share the store share what a service allows.
    return { store, blobs, limits: createPostgresLimitStore({ postgres: database }) }
  }
  const store = await openSqliteStore({ file: folder.database, ...identity })
  return { store, blobs: createFileBlobStore(folder.blobs), limits: null }
}
