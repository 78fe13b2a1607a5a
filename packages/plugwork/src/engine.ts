/** Opens store, blobs, egress and runtime of a data folder in this process. */
import { mkdirSync } from 'node:fs'
import {
  createEgress,
  createFileBlobStore,
  createRuntime,
  openKeys,
  openSqliteStore,
  type BlobStore,
  type Connector,
  type Definitions,
  type Egress,
  type Runtime,
  type RuntimeOptions,
  type Settings,
  type Store,
} from '@plugwork/core/node'
import { readBuild } from './build.ts'
import { installedConnectors } from './connectors.ts'
import { dataFolder, type DataFolder } from './data-folder.ts'

export interface Engine {
  readonly folder: DataFolder
  readonly store: Store
  readonly blobs: BlobStore
  readonly egress: Egress
  readonly connectors: readonly Connector[]
  readonly version: string
  /** Makes a runtime over definitions; it is not open yet. */
  runtime(definitions: Definitions, options: Pick<RuntimeOptions, 'takeOver' | 'baseUrl' | 'log'>): Runtime
  /** Closes what the runtime does not: store (unless the server has) and egress. */
  close(): Promise<void>
}

export interface EngineOptions {
  readonly settings: Settings
  /** Path of the control socket, told to processes that find the folder owned. */
  readonly socket: string
}

/** Takes ownership of the data folder. Throws `store_owned` while another process has it. */
export async function openEngine({ settings, socket }: EngineOptions): Promise<Engine> {
  const folder = dataFolder(settings.dataDir)
  mkdirSync(folder.directory, { recursive: true, mode: 0o700 })
  const { version } = readBuild()
  const connectors = await installedConnectors()
  const keys = openKeys(folder.directory, settings.keys)
  const store = await openSqliteStore({ file: folder.database, socket, version })
  const blobs = createFileBlobStore(folder.blobs)
  const egress = createEgress({ allow: settings.egressAllow })
  return {
    folder,
    store,
    blobs,
    egress,
    connectors,
    version,
    runtime: (definitions, options) =>
      createRuntime({
        store,
        blobs,
        egress,
        connectors,
        definitions,
        key: keys.ring,
        maxActive: settings.concurrency,
        version,
        ...options,
      }),
    async close() {
      await store.close()
      await egress.close()
    },
  }
}
