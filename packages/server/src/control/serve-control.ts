/**
 * The control socket of a command that works on a data folder (`plugwork run`): other commands can look at its runs and
 * decide about them meanwhile. There is no HTTP API here, and nothing is started for others: the process ends with its run.
 */
import type { Runtime, Store } from '@plugwork/core/node'
import { ACTION_ERRORS, RUNTIME_ERRORS, STORE_ERRORS } from '@plugwork/core/node'
import { rm } from 'node:fs/promises'
import { createAttempts } from '../auth/attempts.ts'
import { createTokens } from '../auth/token.ts'
import { ERRORS } from '../errors.ts'
import { createDispatch } from '../http/dispatch.ts'
import { requestIds } from '../http/incoming.ts'
import { createNodeServer } from '../http/node-adapter.ts'
import { createRouteTable } from '../http/router.ts'
import { silentLog } from '../log.ts'
import { createHttpMetrics } from '../metrics/http-metrics.ts'
import { createStopping } from '../stopping.ts'
import { listenControl } from './listen.ts'
import { localOperations } from './local-operations.ts'
import { controlRoutes } from './routes.ts'

export interface ServeControlOptions {
  readonly runtime: Runtime
  readonly store: Store
  readonly tenant: string
  readonly version: string
  /** Who acts, in the records of runs. */
  readonly actor: string
  /** How long ended runs are kept where a flow does not say. */
  readonly retentionMs: number
}

const MAX_BODY_BYTES = 4 * 1024 * 1024

/** Listens on the socket; the returned function ends it. */
export async function serveControl(path: string, options: ServeControlOptions): Promise<() => Promise<void>> {
  const { runtime, store, tenant } = options
  const streams = createStopping()
  const waiters = createStopping()
  const operations = localOperations({
    ...options,
    address: () => null,
    prune: () => runtime.prune({ defaultRetentionMs: options.retentionMs }),
    startFile: async () => ({
      kind: 'not_loaded',
      message: `Process ${process.pid} works on this data folder for a command of its own; start the run when it has ended.`,
    }),
  })
  const routes = controlRoutes(operations, { runtime, tenant, stopping: { streams, waiters } })
  const dispatch = createDispatch({
    table: createRouteTable(routes),
    mounts: [],
    attempts: createAttempts(() => performance.now()),
    tokens: createTokens({ store, now: () => Date.now() }),
    tenant,
    errorTables: [ERRORS, ACTION_ERRORS, RUNTIME_ERRORS, STORE_ERRORS],
    hostCheck: () => undefined,
    maxBodyBytes: MAX_BODY_BYTES,
    metrics: createHttpMetrics(),
    log: silentLog,
    closing: () => streams.stopped,
  })
  const server = createNodeServer({ dispatch, requestId: requestIds('control'), local: true })
  await listenControl(server, path)
  // A command must not stay because somebody could still ask.
  server.unref()
  return async () => {
    streams.stop()
    waiters.stop()
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
    await rm(path, { force: true })
  }
}
