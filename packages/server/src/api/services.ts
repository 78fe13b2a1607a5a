import type { Catalog } from '@plugwork/core'
import type { BlobStore, Clock, Runtime, Store } from '@plugwork/core/node'
import type { Connector } from '@plugwork/core/node'
import type { Tokens } from '../auth/token.ts'
import type { FlowRegistry } from '../flow/registry.ts'
import type { Log } from '../log.ts'
import type { StopSignals } from '../stopping.ts'

/** What the routes work with; made once by `create-server.ts`. */
export interface Services {
  readonly registry: FlowRegistry
  readonly runtime: Runtime
  readonly store: Store
  readonly blobs: BlobStore
  readonly connectors: () => readonly Connector[]
  readonly catalog: () => Catalog
  readonly tokens: Tokens
  readonly clock: Clock
  readonly log: Log
  readonly stopping: StopSignals
}
