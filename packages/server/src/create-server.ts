/**
 * The composition root of the server: takes the parts that a program has opened (project, store, blobs) and puts the
 * HTTP API, webhooks, schedules, event triggers and the control socket around one runtime.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createCertificates, WEBHOOK_ERRORS } from '@plugwork/connections/webhooks'
import {
  CONNECTOR_ERRORS,
  createEgress,
  EGRESS_ERRORS,
  PROJECT_ERRORS,
  ACTION_ERRORS,
  RUNTIME_ERRORS,
  STORE_ERRORS,
  systemClock,
} from '@plugwork/core/node'
import {
  CONNECTION_ERRORS,
  CONNECTION_STORE_ERRORS,
  JWT_ERRORS,
  OAUTH_ERRORS,
  VAULT_ERRORS,
} from '@plugwork/connections'
import type { BlobStore, Clock, Connector, Definitions, Egress, Project, Runtime, Store } from '@plugwork/core/node'
import type { Services } from './api/services.ts'
import { createAttempts } from './auth/attempts.ts'
import { createTokens, ensureOwnerToken } from './auth/token.ts'
import { keepConnections } from './connections.ts'
import type { ServerConnections } from './connections.ts'
import { listenControl } from './control/listen.ts'
import { fileStarter, localOperations } from './control/local-operations.ts'
import { ERRORS, ServerError } from './errors.ts'
import type { ErrorTables } from './errors.ts'
import { checkUpload } from './flow/check-upload.ts'
import { openFlowRegistry } from './flow/registry.ts'
import type { FlowRegistry } from './flow/registry.ts'
import { createDispatch } from './http/dispatch.ts'
import type { Mount } from './http/dispatch.ts'
import { createFetch } from './http/fetch-adapter.ts'
import type { FetchHandler } from './http/fetch-adapter.ts'
import { createHostCheck, isLoopback } from './http/host-check.ts'
import { requestIds } from './http/incoming.ts'
import { createNodeServer } from './http/node-adapter.ts'
import type { Route } from './http/route.ts'
import { createRouteTable } from './http/router.ts'
import { silentLog } from './log.ts'
import type { Log } from './log.ts'
import { collectSamples } from './metrics/collect.ts'
import { createHttpMetrics } from './metrics/http-metrics.ts'
import { createReadiness } from './readiness.ts'
import { createRetention } from './retention.ts'
import { serverRoutes } from './routes.ts'
import { createStopping } from './stopping.ts'
import { createEventFeed } from './trigger/event-feed.ts'
import { createEventTriggers } from './trigger/event-trigger.ts'
import { createRenderer } from './trigger/render.ts'
import { createServiceHooks } from './trigger/service-hooks.ts'
import type { ServiceWebhooksSource } from './trigger/service-hooks.ts'
import { createScheduler } from './trigger/scheduler.ts'
import { createTriggerRecord } from './trigger/trigger-record.ts'
import { createWebhooks } from './trigger/webhook.ts'

/** The one tenant of this build. */
export const DEFAULT_TENANT = 'default'

export interface ServerSettings {
  /** Absolute; the control socket and files of uploaded flows are in it. */
  readonly dataDir: string
  /** Address to listen on; decides whether tokens must have been set up before. */
  readonly host: string
  /** Public address, for links and for the Host check. Null: where the server listens. */
  readonly baseUrl: string | null
  /** `PLUGWORK_OWNER_TOKEN`. */
  readonly ownerToken: string | null
  /** `PLUGWORK_ENV_ALLOW`. */
  readonly envAllow: readonly string[] | null
  /** How long ended runs are kept where a flow does not say; milliseconds. */
  readonly retention: number
  /** Largest body of a request where route or trigger do not say. Default: 4 MiB. */
  readonly maxBodyBytes?: number
}

export interface ServerOptions {
  readonly project: Project
  readonly store: Store
  readonly blobs: BlobStore
  readonly connectors: readonly Connector[]
  /** For certificates that signed webhooks name. Default: one of the server's own. */
  readonly egress?: Egress
  /**
   * Makes the runtime over the server's definitions: those of the project, and of flows put over the API. `baseUrl` is
   * the server's public address, known once it listens.
   */
  readonly runtime: (definitions: Definitions, baseUrl: () => string) => Runtime
  readonly settings: ServerSettings
  /** Stored connections, opened; who hands them in closes them after the server. Absent: there are no routes for them. */
  readonly connections?: ServerConnections
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** Loads one flow file with the tasks beside it, for `plugwork run` on a folder that this server owns. */
  readonly loadFile: (file: string) => Promise<Project>
  /** Webhooks of services; absent: there are none. */
  readonly serviceWebhooks?: ServiceWebhooksSource
  readonly clock?: Clock
  /** Milliseconds that never jump. Default: the process's own. */
  readonly monotonic?: () => number
  readonly log?: Log
}

export interface Server {
  /** The API as a fetch handler, for mounting in another framework. Works without `listen`. */
  readonly fetch: FetchHandler
  /** The token that this start made for the owner; null when there was one. It cannot be read again. */
  readonly ownerToken: string | null
  readonly routes: readonly Route[]
  /** Parts of the address space whose paths are data. */
  readonly mounts: readonly Mount[]
  readonly runtime: Runtime
  readonly registry: FlowRegistry
  /** Takes over earlier runs and begins with schedules, event triggers and retention. Requests wait until the first is done. */
  start(): Promise<void>
  /** Serves on `settings.host`. Throws what the system says when the port is taken. */
  listen(port: number): Promise<{ readonly address: string; readonly port: number }>
  /** Serves the control socket, to other commands of the same user. */
  listenControl(path: string): Promise<void>
  /** Takes no new work, answers who waits, stops the runtime and closes the store. */
  close(graceMs: number): Promise<{ readonly unfinished: number }>
}

/** Time for answers that are ready to reach their clients. */
const ANSWER_MS = 500
const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024

/** Codes that an answer may carry, with their status. */
const ERROR_TABLES: ErrorTables = [
  ERRORS,
  ACTION_ERRORS,
  RUNTIME_ERRORS,
  STORE_ERRORS,
  PROJECT_ERRORS,
  CONNECTOR_ERRORS,
  EGRESS_ERRORS,
  WEBHOOK_ERRORS,
  CONNECTION_ERRORS,
  OAUTH_ERRORS,
  JWT_ERRORS,
  VAULT_ERRORS,
  CONNECTION_STORE_ERRORS,
]

/** Puts a server together. Nothing runs or listens yet. Throws `auth_not_set_up`. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { project, store, blobs, connectors, settings, version } = options
  const { log = silentLog, clock = systemClock, monotonic = () => performance.now() } = options
  const tenant = DEFAULT_TENANT
  const loopback = isLoopback(settings.host)
  const maxBodyBytes = settings.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES

  await assertAuthSetUp({ store, settings, loopback, tenant })
  const owner = await ensureOwnerToken({
    store,
    tenant,
    configured: settings.ownerToken ?? undefined,
    now: clock.now(),
  })
  const registry = await openFlowRegistry({
    project,
    store,
    tenant,
    check: checkUpload,
    uploadDirectory: join(settings.dataDir, 'files'),
    envRules: { environment: options.environment, allow: settings.envAllow },
    now: () => clock.now(),
    log,
  })
  let address: string | null = null
  const baseUrl = () => settings.baseUrl ?? address ?? `http://${urlHost(settings.host)}`
  const runtime = options.runtime(registry.definitions, baseUrl)
  const streams = createStopping()
  const waiters = createStopping()
  const tokens = createTokens({ store, now: () => clock.now() })
  const services: Services = {
    registry,
    runtime,
    store,
    blobs,
    connectors: () => [...connectors, ...project.connectors],
    catalog: () => project.catalog,
    tokens,
    clock,
    log,
    stopping: { streams, waiters },
  }

  const renderer = createRenderer(registry.definitions)
  const record = createTriggerRecord({ runtime, tenant, log })
  const feed = createEventFeed({ store, log })
  const triggers = { registry, runtime, store, renderer, record, tenant, clock, log }
  const scheduler = createScheduler({ ...triggers, monotonic })
  const eventTriggers = createEventTriggers({ ...triggers, feed })
  const egress = options.egress ?? createEgress()
  const webhooks = createWebhooks({
    certificates: createCertificates({ egress, clock }),
    registry,
    runtime,
    renderer,
    tenant,
    clock,
    log,
    maxBodyBytes,
    baseUrl,
    loopback,
    stopping: waiters,
  })
  const hooks = createServiceHooks({
    source: options.serviceWebhooks ?? null,
    runtime,
    tenant,
    maxBodyBytes,
    baseUrl,
    published: () => feed.wake(),
    log,
  })
  const kept =
    options.connections === undefined
      ? null
      : keepConnections(options.connections, {
          runtime,
          connectors: services.connectors,
          tenant,
          clock,
          log,
          published: () => feed.wake(),
        })
  const retention = createRetention({ runtime, clock, defaultRetentionMs: settings.retention, log })
  const readiness = createReadiness({ store, clock })
  const http = createHttpMetrics()

  const control = localOperations({
    runtime,
    store,
    tenant,
    version,
    actor: 'local',
    address: () => address,
    prune: retention.prune,
    startFile: fileStarter({ runtime, registry, tenant, actor: 'local', loadFile: options.loadFile }),
  })
  const routes = serverRoutes({
    services,
    tenant,
    feed,
    control,
    oauth: kept === null ? null : { kept, baseUrl, errorTables: ERROR_TABLES, log },
    hooks: { webhooks: () => hooks.webhooks(), baseUrl },
    system: {
      version,
      baseUrl,
      errorTables: ERROR_TABLES,
      samples: () => [...collectSamples({ runtime, store, http, version }), ...hooks.samples()],
      readiness,
      scheduler,
      prune: retention.prune,
    },
  })
  let closing = false
  const started = Promise.withResolvers<void>()
  // Who waits for the start is told when it fails; without anybody waiting that is no unhandled rejection.
  started.promise.catch(() => {})
  let starting: Promise<void> | null = started.promise
  const dispatch = createDispatch({
    table: createRouteTable(routes),
    mounts: [webhooks, hooks],
    tokens,
    attempts: createAttempts(monotonic),
    tenant,
    errorTables: ERROR_TABLES,
    hostCheck: createHostCheck({ loopback, baseUrl: settings.baseUrl }),
    maxBodyBytes,
    metrics: http,
    log,
    starting: () => starting,
    closing: () => closing,
  })
  const requestId = requestIds(randomBytes(4).toString('hex'))
  const servers: HttpServer[] = []
  let controlPath: string | null = null

  return {
    fetch: createFetch({ dispatch, requestId }),
    ownerToken: owner,
    routes,
    mounts: [webhooks, hooks],
    runtime,
    registry,
    async start() {
      try {
        await runtime.open()
      } catch (cause) {
        started.reject(new ServerError('store_unavailable', 'The server could not take up its work.', { cause }))
        throw cause
      }
      readiness.recovered()
      starting = null
      started.resolve()
      await scheduler.start()
      await eventTriggers.start()
      await hooks.start()
      retention.start()
      kept?.start()
    },
    async listen(port) {
      const server = createNodeServer({ dispatch, requestId, local: false })
      servers.push(server)
      server.listen(port, settings.host)
      await once(server, 'listening')
      const bound = server.address() as AddressInfo
      address = `http://${urlHost(bound.address)}:${bound.port}`
      return { address, port: bound.port }
    },
    async listenControl(path) {
      const server = createNodeServer({ dispatch, requestId, local: true })
      servers.push(server)
      controlPath = path
      await listenControl(server, path)
    },
    async close(graceMs) {
      const began = monotonic()
      closing = true
      readiness.closing()
      streams.stop()
      const drained = Promise.all(servers.map(closeServer))
      await Promise.all([scheduler.close(), eventTriggers.close(), retention.close(), kept?.close()])
      webhooks.close()
      feed.close()
      // Requests that wait for a run get half of the grace; then they are answered with what there is.
      await within(drained, graceMs / 2)
      waiters.stop()
      await within(drained, ANSWER_MS)
      // What is not published yet stays in its store.
      await hooks.close(ANSWER_MS)
      const left = Math.max(0, graceMs - (monotonic() - began))
      const result = await runtime.stop(left)
      for (const server of servers) server.closeAllConnections()
      await drained
      if (controlPath !== null) await rm(controlPath, { force: true })
      await registry.close()
      readiness.close()
      if (options.egress === undefined) await egress.close()
      await store.close()
      return result
    },
  }
}

/** Beyond loopback somebody else could be first to use a fresh server, so a token must exist before it is reachable. */
async function assertAuthSetUp(options: {
  readonly store: Store
  readonly settings: ServerSettings
  readonly loopback: boolean
  readonly tenant: string
}): Promise<void> {
  const { store, settings, loopback, tenant } = options
  if (loopback || settings.ownerToken !== null || (await store.listTokens(tenant)).length > 0) return
  throw new ServerError(
    'auth_not_set_up',
    `Plugwork was told to listen on ${settings.host}, which other machines reach, but no token has been set up. ` +
      'Set PLUGWORK_OWNER_TOKEN, or start once on 127.0.0.1 and keep the token that is printed.',
  )
}

/** An address to listen on as an address to go to: `0.0.0.0` is every address of this machine, and none to request. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

/** Stops accepting; resolves when the last connection has ended. Connections end as they fall idle. */
function closeServer(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve()
    const sweep = setInterval(() => server.closeIdleConnections(), 20)
    server.close(() => {
      clearInterval(sweep)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** Resolves with the promise, or after a time. */
async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
  await Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
