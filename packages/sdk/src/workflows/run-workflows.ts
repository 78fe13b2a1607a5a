/** The runtime of an application's workflows: definitions that come from rows, and the user's stored connections. */
import { hash as digest } from 'node:crypto'
import { checkFlow, planHash, type Catalog, type Plan } from '@plugwork/core'
import type { FlowDocument, FlowProblem } from '@plugwork/core'
import { storedConnections } from '@plugwork/connections'
import {
  createRuntime,
  describeLazily,
  flowSignature,
  tasksOf,
  type Definitions,
  type Runtime,
  type Store,
  type StoredConnections,
} from '@plugwork/core/node'
import type { Engine } from '../engine.ts'
import type { Settings } from '../options.ts'
import type { Providers } from '../providers.ts'
import { readVersion } from '../version.ts'
import { workflowError } from './errors.ts'
import { openRunDatabase } from './run-database.ts'
import { findByName, fromRow, sourceOf, type StoredWorkflow } from './workflow.ts'

/** How long runs that are under way may take when the SDK is closed; the next process goes on with the others. */
const GRACE_MS = 5_000

/** Workflows of a tenant that another one may call. */
const MOST_WORKFLOWS = 1_000

interface Loaded {
  readonly version: number
  readonly enabled: boolean
  readonly plan: Plan
  readonly hash: string
}

export interface Checked {
  readonly plan: Plan
  readonly problems: readonly FlowProblem[]
}

export interface RunningWorkflows {
  readonly runtime: Runtime
  readonly store: Store
  close(): Promise<void>
}

/** What is known of workflows without running any: enough to check them. */
export class WorkflowDefinitions {
  readonly #engine: Engine
  readonly #settings: Settings
  readonly #providers: Providers
  readonly #tasks: ReturnType<typeof tasksOf>
  readonly #loaded = new Map<string, Loaded>()

  constructor(engine: Engine, settings: Settings, providers: Providers) {
    this.#engine = engine
    this.#settings = settings
    this.#providers = providers
    const tasks = settings.workflows?.tasks ?? {}
    const code = Object.entries(tasks).map(
      ([name, task]) => `${name}=${typeof task === 'function' ? String(task) : ''}`,
    )
    this.#tasks = tasksOf(tasks, digest('sha256', code.join('\n')).slice(0, 16))
  }

  /** Checks a flow as `plugwork check` does, against the connectors, tasks and workflows that there are. */
  async check(tenant: string, source: string | FlowDocument): Promise<Checked> {
    const others = await this.#engine.database.store.list('workflows', { tenant, limit: MOST_WORKFLOWS })
    const flows = others.map((row) => flowSignature(this.#loadOne(fromRow(row)).plan))
    return this.#check(source, { ...this.#catalog(), flows })
  }

  #check(source: string | FlowDocument, catalog: Catalog): Checked {
    const { plan, problems } = checkFlow(source, catalog)
    const errors = problems.filter(({ severity }) => severity === 'error')
    if (plan === null || errors.length > 0) {
      const said = errors.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`)
      throw workflowError('workflow_invalid', `The workflow has errors:\n${said.join('\n')}`, {
        data: { problems: errors.map(({ code, line, column, message }) => ({ code, line, column, message })) },
      })
    }
    if (plan.triggers.length > 0) {
      const kinds = [...new Set(plan.triggers.map(({ kind }) => kind))].join(', ')
      throw workflowError(
        'workflow_trigger_unsupported',
        `The workflow ${plan.flow} has triggers (${kinds}), which only \`plugwork start\` serves. Leave them out, and start it with ` +
          'plug.workflows.execute: from a route, a timer, or plug.webhooks.on.',
      )
    }
    return { plan, problems }
  }

  /** Makes the newest version of a workflow and of those it calls known to the runtime. */
  async load(workflow: StoredWorkflow): Promise<void> {
    const { plan } = this.#loadOne(workflow)
    for (const name of plan.subflows) {
      const below = await findByName(this.#engine.database.store, workflow.tenant, name)
      const known = this.#loaded.get(keyOf(workflow.tenant, name))
      if (below !== null && known?.version !== below.version) await this.load(below)
    }
  }

  get definitions(): Definitions {
    const { workflows, directory = process.cwd() } = this.#settings
    return {
      plan: (tenant, flow) => {
        const found = this.#loaded.get(keyOf(tenant, flow))
        return found === undefined || !found.enabled ? null : { plan: found.plan, hash: found.hash }
      },
      task: (_tenant, _flow, name) => this.#tasks.tasks.get(name) ?? null,
      directory: () => directory,
      secret: (tenant, name) => workflows?.secret?.(tenant, name) ?? null,
      // An application's environment is not for its users' workflows; inputs and secrets are.
      env: () => null,
    }
  }

  #loadOne(workflow: StoredWorkflow): Loaded {
    const key = keyOf(workflow.tenant, workflow.name)
    const known = this.#loaded.get(key)
    if (known?.version === workflow.version) return known
    // It was checked when it was stored; which workflows it may call is seen when it does.
    const { plan } = this.#check(sourceOf(workflow), this.#catalog())
    const loaded = { version: workflow.version, enabled: workflow.enabled, plan, hash: planHash(plan) }
    this.#loaded.set(key, loaded)
    return loaded
  }

  #catalog(): Catalog {
    return { connectors: this.#providers.connectors.map(describeLazily), tasks: this.#tasks.catalog }
  }
}

const keyOf = (tenant: string, name: string): string => `${tenant}\0${name}`

/** Opens the store of runs and takes up what an earlier process left. */
export async function openRunning(
  engine: Engine,
  settings: Settings,
  providers: Providers,
  definitions: Definitions,
): Promise<RunningWorkflows> {
  const { store, blobs } = await openRunDatabase(runDatabase(settings))
  const runtime = createRuntime({
    store,
    blobs,
    egress: engine.egress,
    connectors: providers.connectors,
    definitions,
    key: engine.keys,
    executor: engine.executor,
    storedConnections: connectionsFor(engine, settings),
    baseUrl: settings.baseUrl,
    version: readVersion(),
    log: (level, message) => settings.log(level, message),
    ...(settings.workflows?.concurrency === undefined ? {} : { maxActive: settings.workflows.concurrency }),
  })
  await runtime.open()
  return {
    runtime,
    store,
    async close() {
      await runtime.stop(GRACE_MS)
      await store.close()
    },
  }
}

/** A user's workflow uses the user's connections, and the tenant's only where `authorize` lets the user. */
function connectionsFor({ connections, choose }: Engine, { directory }: Settings): StoredConnections {
  const ofTenant = storedConnections({ connections, ...(directory === undefined ? {} : { directory }) })
  return {
    async open(request) {
      if (request.user === null) return ofTenant.open(request)
      const actor = { tenant: request.tenant, user: request.user }
      const chosen = await choose(actor, request.connector, request.name)
      if (chosen.owner === request.user) return ofTenant.open(request)
      // Throws `connection_forbidden` where the user may see what the tenant shares, and not use it.
      await connections.open(actor, chosen.id, request.action)
      return ofTenant.open({ ...request, user: null })
    },
  }
}

function runDatabase({ database, workflows }: Settings): string {
  if (workflows?.database !== undefined) return workflows.database
  if (typeof database === 'string') return database
  throw workflowError(
    'workflow_database_missing',
    'Runs cannot be kept in a store of connections. Say where they go: workflows: { database: "sqlite:./runs.db" }.',
  )
}
