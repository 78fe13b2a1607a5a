import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { PlugworkError } from '../error.ts'
import type { Catalog } from '../flow/catalog.ts'
import { checkFlow } from '../flow/check.ts'
import type { Connector } from '../connector/connector.ts'
import type { Definitions } from '../runtime/runtime.ts'
import { createConnectorPackages } from './connector-packages.ts'
import { readEnv } from './env.ts'
import { createModuleLoader } from './module-loader.ts'
import type { Project } from './project.ts'
import { openSecrets, type SecretSource } from './secrets.ts'
import { takeSnapshot, type Snapshot } from './snapshot.ts'
import { watchProject, type ProjectWatch } from './watch.ts'

export interface LoadProjectOptions {
  /** What the checker knows of connectors (`connectorCatalog`). */
  readonly connectors: Catalog['connectors']
  readonly environment: { readonly [name: string]: string | undefined }
  /** `PLUGWORK_ENV_ALLOW`; null: flows of files may read every name they mention. */
  readonly envAllow?: readonly string[] | null
  /** Never searched for flows; holds the cache of task types. */
  readonly dataDirectory?: string | null
  /** Load this flow file and, only when it has sub-flows, the others. Absolute, or relative to the folder. */
  readonly only?: string
  /**
   * Which connector packages of the project are loaded: those that a flow mentions (`used`, the default), or all (a server,
   * which is given flows over its API, and goes on with runs of flows that have changed since).
   */
  readonly connectorPackages?: 'used' | 'all'
  /** Read the types of plain task functions with the TypeScript compiler (`plugwork check`). Default: false. */
  readonly types?: boolean
  /** Packages that files may import without having installed them, with the URLs that stand in. */
  readonly provided?: { readonly [specifier: string]: string }
}

/**
 * Loads a folder of flows. Problems in files are in `problems`; throws `project_not_found` when there is no such folder.
 * Close the project when it is no longer used: its hook for imports and its watcher end then.
 */
export async function loadProject(folder: string, options: LoadProjectOptions): Promise<Project> {
  const directory = resolve(folder)
  const found = await stat(directory).catch(() => null)
  if (!found?.isDirectory()) {
    throw new PlugworkError('project_not_found', `There is no folder ${directory}.`)
  }
  const loader = createModuleLoader(options.provided === undefined ? {} : { provided: options.provided })
  const snapshotOptions = {
    directory,
    dataDirectory: options.dataDirectory ?? null,
    connectors: options.connectors,
    packages: createConnectorPackages({ directory, builtin: options.connectors, loader }),
    allPackages: options.connectorPackages === 'all',
    loader,
    types: options.types ?? false,
    only: options.only === undefined ? undefined : relativeTo(directory, options.only),
  }
  const take = (previous: Snapshot | null): Promise<Snapshot> => takeSnapshot(snapshotOptions, checkFlow, previous)
  const first = await take(null).catch((error: unknown) => {
    loader[Symbol.dispose]()
    throw error
  })
  return openProject(first, { ...options, directory, take, dispose: () => loader[Symbol.dispose]() })
}

interface OpenOptions extends LoadProjectOptions {
  readonly directory: string
  readonly take: (previous: Snapshot | null) => Promise<Snapshot>
  readonly dispose: () => void
}

function openProject(first: Snapshot, options: OpenOptions): Project {
  const { directory } = options
  const secrets = openSecrets(directory, options.environment)
  // Flows whose files are gone still have open runs, which need their folder's tasks and connections.
  const homes = new Map<string, string>()
  // Likewise connectors whose package is gone, or does not load any more.
  const connectors = new Map<string, Connector>()
  let current = first
  const keep = (snapshot: Snapshot): void => {
    current = snapshot
    for (const { connector } of snapshot.packages.connectors) connectors.set(connector.name, connector)
    for (const flow of snapshot.flows.values()) homes.set(flow.name, dirname(join(directory, flow.file)))
  }
  keep(first)
  let watching: ProjectWatch | null = null
  return {
    directory,
    get flows() {
      return current.flows
    },
    get problems() {
      return [...current.problems, ...secrets.problems()]
    },
    get catalog() {
      return catalogFor(current, directory)
    },
    get packages() {
      return current.packages.packages
    },
    get connectors() {
      return current.packages.connectors.map(({ connector }) => connector)
    },
    definitions: {
      ...createDefinitions(() => current, homes, secrets, options),
      connector: (type) => connectors.get(type) ?? null,
    },
    watch(listener) {
      watching ??= watchProject({
        directory,
        dataDirectory: options.dataDirectory ?? null,
        current: () => current,
        take: options.take,
        keep,
      })
      return watching.subscribe(listener)
    },
    async close() {
      await watching?.close()
      options.dispose()
    },
  }
}

function createDefinitions(
  current: () => Snapshot,
  homes: ReadonlyMap<string, string>,
  secrets: SecretSource,
  options: OpenOptions,
): Definitions {
  const rules = { environment: options.environment, allow: options.envAllow ?? null }
  return {
    plan(_tenant, name) {
      const flow = current().flows.get(name)
      return flow === undefined ? null : { plan: flow.plan, hash: flow.hash }
    },
    task(_tenant, flow, name) {
      const home = homes.get(flow)
      return (home === undefined ? undefined : current().tasks.get(home)?.tasks.get(name)) ?? null
    },
    directory: (_tenant, flow) => homes.get(flow) ?? options.directory,
    secret: (_tenant, name) => secrets.get(name),
    env: (_tenant, _flow, name) => readEnv(rules, name, 'file'),
  }
}

/** What the checker knows for flows of one folder. */
function catalogFor(snapshot: Snapshot, folder: string): Catalog {
  const tasks = snapshot.taskCatalogs.get(folder)
  return tasks ? { ...snapshot.catalog, tasks } : snapshot.catalog
}

function relativeTo(directory: string, file: string): string {
  const path = resolve(directory, file)
  return path.startsWith(directory) ? path.slice(directory.length + 1).replaceAll('\\', '/') : path
}
