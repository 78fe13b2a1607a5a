/** A real server on real sockets over a real store, in a folder of its own, for the tests of this package. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { builtinConnectors } from '@plugwork/connectors'
import {
  createEgress,
  createFileBlobStore,
  createRuntime,
  KeyRing,
  describeConnector,
  loadProject,
  openSqliteStore,
} from '@plugwork/core/node'
import type { Clock, Connector, Egress, Project, RuntimeOptions, Store } from '@plugwork/core/node'
import {
  Connections,
  createMemoryConnectionStore,
  createOAuth,
  createStoredAuthStates,
  ringKeyProvider,
  storedConnections,
  Vault,
  type OAuthClient,
} from '@plugwork/connections'
import { createServer } from '../create-server.ts'
import type { Server, ServerSettings } from '../create-server.ts'
import type { ServerConnections } from '../connections.ts'
import type { Log } from '../log.ts'
import type { ServiceWebhooksSource } from '../trigger/service-hooks.ts'

export const OWNER_TOKEN = 'owner-token-of-the-tests'

export interface HarnessOptions {
  /** Files of the project by path. */
  readonly files?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly settings?: Partial<ServerSettings>
  readonly runtime?: Partial<RuntimeOptions>
  /** Beside the built-in ones. */
  readonly connectors?: readonly Connector[]
  /** OAuth registrations by connector. */
  readonly oauthClients?: Readonly<Record<string, OAuthClient>>
  readonly clock?: Clock
  readonly monotonic?: () => number
  readonly log?: Log
  readonly serviceWebhooks?: ServiceWebhooksSource
  /** Files may have errors: the test is about that. */
  readonly mayBeBroken?: boolean
  /** A folder that an earlier harness left with `keep`. */
  readonly folder?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; fails where it is none. */
  json(): Record<string, unknown>
}

export interface Harness {
  readonly server: Server
  readonly store: Store
  readonly project: Project
  readonly connections: Connections
  readonly folder: string
  readonly url: string
  /** Requests an address with the owner's token, unless headers say otherwise; objects are sent as JSON. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  write(path: string, content: string): Promise<void>
  /** Stops the server; the folder is removed unless it is to be used again. */
  close(options?: { readonly keep?: boolean; readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens a server that is listening and working. */
export async function openHarness(options: HarnessOptions = {}): Promise<Harness> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'plugwork-server-')))
  const write = async (path: string, content: string) => {
    const target = join(folder, 'project', path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content)
  }
  await mkdir(join(folder, 'project'), { recursive: true })
  for (const [path, content] of Object.entries(options.files ?? {})) await write(path, content)
  const dataDir = join(folder, 'data')
  const environment = options.environment ?? {}
  const connectors = [...builtinConnectors, ...(options.connectors ?? [])]
  const load = (directory: string, only?: string) =>
    loadProject(directory, {
      connectors: connectors.map(describeConnector),
      environment,
      dataDirectory: dataDir,
      ...(only === undefined ? {} : { only }),
    })
  const project = await load(join(folder, 'project'))
  const broken = project.problems.filter((problem) => problem.severity === 'error')
  if (broken.length > 0 && options.mayBeBroken !== true)
    throw new Error(`The test's flows have errors: ${JSON.stringify(broken)}`)
  const store = await openSqliteStore({ file: join(dataDir, 'plugwork.db'), socket: '', version: 'test' })
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const blobs = createFileBlobStore(join(dataDir, 'blobs'))
  const settings: ServerSettings = {
    dataDir,
    host: '127.0.0.1',
    baseUrl: 'http://localhost:7420',
    ownerToken: OWNER_TOKEN,
    envAllow: null,
    retention: 30 * 24 * 60 * 60_000,
    ...options.settings,
  }
  const kept = await openConnections(options, connectors, egress)
  const server = await createServer({
    connections: kept,
    project,
    store,
    blobs,
    connectors,
    settings,
    environment,
    version: 'test',
    loadFile: (file) => load(dirname(file), file),
    runtime: (definitions, baseUrl) =>
      createRuntime({
        store,
        blobs,
        egress,
        connectors,
        definitions,
        key: new Uint8Array(32).fill(7),
        baseUrl,
        version: 'test',
        log: () => {},
        storedConnections: storedConnections(kept),
        ...(options.clock === undefined ? {} : { clock: options.clock }),
        ...options.runtime,
      }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.monotonic === undefined ? {} : { monotonic: options.monotonic }),
    ...(options.log === undefined ? {} : { log: options.log }),
    ...(options.serviceWebhooks === undefined ? {} : { serviceWebhooks: options.serviceWebhooks }),
  })
  await server.start()
  const { port } = await server.listen(0)
  const url = `http://127.0.0.1:${port}`

  const close = async ({ keep = false, graceMs = 2_000 } = {}) => {
    await server.close(graceMs)
    await project.close()
    await egress.close()
    if (!keep) await rm(folder, { recursive: true, force: true })
  }
  return {
    server,
    store,
    project,
    connections: kept.connections,
    folder,
    url,
    write,
    request: (method, path, body, headers) => request(url, method, path, body, headers),
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

async function request(
  url: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData
  const answer = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: {
      authorization: `Bearer ${OWNER_TOKEN}`,
      ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? (body as RequestInit['body']) : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: () => JSON.parse(text) as Record<string, unknown>,
  }
}

/** Waits until a condition holds; fails after ten seconds with what was seen last. */
export async function until<T>(read: () => Promise<T> | T, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > deadline)
      throw new Error(`The condition did not come true; the last value was ${JSON.stringify(value)}.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Stored connections in memory. */
async function openConnections(
  { oauthClients = {}, clock }: HarnessOptions,
  connectors: readonly Connector[],
  egress: Egress,
): Promise<ServerConnections> {
  const store = createMemoryConnectionStore()
  const keys = new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }])
  const vault = await Vault.open({ store, keys: ringKeyProvider(keys) })
  const oauth = createOAuth({ egress, states: createStoredAuthStates({ store, keys }) })
  const client = (connector: string): OAuthClient | null => oauthClients[connector] ?? null
  const connections = new Connections({
    store,
    vault,
    connectors,
    egress,
    tokens: oauth,
    client: ({ connector }) => client(connector),
    ...(clock === undefined ? {} : { clock }),
  })
  return { connections, oauth, client }
}
