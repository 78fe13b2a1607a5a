/**
 * `plug.workflows`: flows that an application stores for itself or for its users, run durably by the same runtime as
 * everything else. A workflow is started by the application; what starts by itself is served by `plugwork start`.
 */
import { randomUUID } from 'node:crypto'
import { StoreOwnedError, type RunStatus, type StartOutcome } from '@plugwork/core/node'
import type { ErrorInfo, FlowDocument, JsonObject } from '@plugwork/core'
import { actorOf } from '../actor.ts'
import type { Engine } from '../engine.ts'
import type { Settings } from '../options.ts'
import type { OnBehalf } from '../plugwork-types.ts'
import type { Providers } from '../providers.ts'
import { workflowError } from './errors.ts'
import { openRunning, WorkflowDefinitions, type RunningWorkflows } from './run-workflows.ts'
import { findByName, fromRow, toRow, viewOf, type StoredWorkflow, type Workflow } from './workflow.ts'

export interface CreateWorkflow extends OnBehalf {
  /** YAML, or what `defineFlow` gave. */
  readonly flow: string | FlowDocument
  /** Default: true. */
  readonly enabled?: boolean
}

/** One workflow: by id, or by the name in its `flow:`. */
export type WorkflowId = OnBehalf & ({ readonly id: string } | { readonly name: string })

export type ExecuteWorkflow = WorkflowId & {
  readonly inputs?: JsonObject
  /** A second call with the same key is the same run. */
  readonly idempotencyKey?: string
  /** Milliseconds to wait for the end; 0 answers as soon as the run is stored. Default 30,000. */
  readonly wait?: number
}

export interface WorkflowRun {
  readonly runId: string
  readonly workflow: string
  readonly status: RunStatus
  readonly outputs: JsonObject | null
  readonly error: ErrorInfo | null
  /** Epoch ms. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
}

/** Of the last 1,000 runs. */
export interface WorkflowStats {
  readonly runs: number
  readonly byStatus: { readonly [status: string]: number }
  /** Of those that have ended; null without any. */
  readonly averageMs: number | null
  readonly lastRun: WorkflowRun | null
}

const DEFAULT_WAIT_MS = 30_000
const STATS_RUNS = 1_000
const STATS_PAGE = 200

export class WorkflowsApi {
  readonly #engine: Engine
  readonly #settings: Settings
  readonly #providers: Providers
  readonly #definitions: WorkflowDefinitions
  #running: Promise<RunningWorkflows> | null = null

  constructor(engine: Engine, settings: Settings, providers: Providers) {
    this.#engine = engine
    this.#settings = settings
    this.#providers = providers
    this.#definitions = new WorkflowDefinitions(engine, settings, providers)
  }

  /** Throws `workflow_invalid` with every problem, `workflow_exists`, `workflow_trigger_unsupported`. */
  async create({ flow, enabled = true, ...on }: CreateWorkflow): Promise<Workflow> {
    const actor = actorOf(on, 'code')
    const { plan } = await this.#definitions.check(actor.tenant, flow)
    const now = Date.now()
    const workflow: Workflow = {
      id: `wf_${randomUUID()}`,
      tenant: actor.tenant,
      owner: actor.user,
      name: plan.flow,
      description: plan.description ?? null,
      // A document is plain JSON by its type.
      source: typeof flow === 'string' ? flow : (flow as unknown as JsonObject),
      enabled,
      createdAt: now,
      updatedAt: now,
    }
    if (await this.#engine.database.store.insert('workflows', toRow(workflow))) return workflow
    throw workflowError(
      'workflow_exists',
      `There is a workflow "${plan.flow}" already. Give it another name in \`flow:\`, or change that one with update.`,
      { data: { name: plan.flow } },
    )
  }

  /** Replaces the flow of a workflow; runs that have begun go on with the one they began with. */
  async update({ flow, ...target }: WorkflowId & { readonly flow: string | FlowDocument }): Promise<Workflow> {
    const { plan } = await this.#definitions.check(actorOf(target, 'code').tenant, flow)
    return this.#change(target, (workflow) => ({
      ...workflow,
      name: plan.flow,
      description: plan.description ?? null,
      source: typeof flow === 'string' ? flow : (flow as unknown as JsonObject),
    }))
  }

  /** The user's own, in the order of their ids; with `userId: null` all of the tenant. */
  async list({
    after,
    limit = 100,
    ...on
  }: OnBehalf & { readonly after?: string; readonly limit?: number }): Promise<readonly Workflow[]> {
    const { tenant, user } = actorOf(on, 'code')
    const rows = await this.#engine.database.store.list('workflows', {
      tenant,
      limit,
      ...(user === null ? {} : { owner: user }),
      ...(after === undefined ? {} : { after }),
    })
    return rows.map((row) => viewOf(fromRow(row)))
  }

  async get(target: WorkflowId): Promise<Workflow> {
    return viewOf(await this.#find(target))
  }

  enable(target: WorkflowId): Promise<Workflow> {
    return this.#change(target, (workflow) => ({ ...workflow, enabled: true }))
  }

  /** No further run begins; those that have begun go on. */
  disable(target: WorkflowId): Promise<Workflow> {
    return this.#change(target, (workflow) => ({ ...workflow, enabled: false }))
  }

  /** Removes the workflow; its runs stay. */
  async remove(target: WorkflowId): Promise<void> {
    const { id, version } = await this.#find(target)
    await this.#engine.database.store.remove('workflows', id, version)
  }

  /**
   * Starts a run and waits for its end. The run is stored before anything happens, and goes on in the next process when this
   * one ends. Throws `workflow_inputs_invalid`, `workflow_disabled`, `workflow_busy`; a run that fails is an answer.
   */
  async execute({
    inputs = {},
    idempotencyKey,
    wait = DEFAULT_WAIT_MS,
    ...target
  }: ExecuteWorkflow): Promise<WorkflowRun> {
    const workflow = await this.#find(target)
    if (!workflow.enabled) {
      throw workflowError('workflow_disabled', `The workflow ${workflow.name} is disabled. Enable it first.`)
    }
    const { runtime } = await this.#open()
    await this.#definitions.load(workflow)
    const outcome = await runtime.start({
      tenant: workflow.tenant,
      flow: workflow.name,
      inputs,
      trigger: { kind: 'api' },
      ...(workflow.owner === null ? {} : { user: workflow.owner }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey: `${workflow.id}/${idempotencyKey}` }),
    })
    const id = accepted(workflow, outcome)
    const summary = await runtime.wait(workflow.tenant, id, wait)
    if (summary === null) throw notFound(id)
    return runOf(summary)
  }

  /** A run of a workflow that `userId` may see, as it stands now or, with `wait` (ms), at its end. */
  async run({
    runId,
    wait = 0,
    ...on
  }: OnBehalf & { readonly runId: string; readonly wait?: number }): Promise<WorkflowRun> {
    const actor = actorOf(on, 'code')
    const { runtime } = await this.#open()
    const first = await runtime.wait(actor.tenant, runId, 0)
    if (first === null) throw notFound(runId)
    await this.#find({ ...on, name: first.flow })
    return runOf((await runtime.wait(actor.tenant, runId, wait)) ?? first)
  }

  async stats(target: WorkflowId): Promise<WorkflowStats> {
    const { tenant, name } = await this.#find(target)
    const { store, runtime } = await this.#open()
    const byStatus: Record<string, number> = {}
    let [runs, ended, totalMs] = [0, 0, 0]
    let before: number | undefined
    let lastId: string | null = null
    while (runs < STATS_RUNS) {
      const query = { tenant, flow: name, limit: STATS_PAGE, ...(before === undefined ? {} : { before }) }
      const page = await store.listRuns(query)
      for (const row of page) {
        lastId ??= row.id
        runs += 1
        byStatus[row.status] = (byStatus[row.status] ?? 0) + 1
        if (row.finishedAt === null || row.startedAt === null) continue
        ended += 1
        totalMs += row.finishedAt - row.startedAt
      }
      if (page.length < STATS_PAGE) break
      before = page.at(-1)!.rid
    }
    const last = lastId === null ? null : await runtime.wait(tenant, lastId, 0)
    return {
      runs,
      byStatus,
      averageMs: ended === 0 ? null : totalMs / ended,
      lastRun: last === null ? null : runOf(last),
    }
  }

  /** Goes on with what an earlier process left, where there are workflows at all. */
  async resume(): Promise<void> {
    const [any] = await this.#engine.database.store.list('workflows', { limit: 1 })
    if (any === undefined) return
    try {
      await this.#open()
    } catch (error) {
      // Another process of the application runs them; this one can do everything else.
      if (!(error instanceof StoreOwnedError)) throw error
      this.#settings.log('info', `workflows are run by another process: ${error.message}`)
    }
  }

  async close(): Promise<void> {
    const running = await this.#running?.catch(() => null)
    await running?.close()
  }

  #open(): Promise<RunningWorkflows> {
    this.#running ??= this.#start().catch((error: unknown) => {
      this.#running = null
      throw error
    })
    return this.#running
  }

  async #start(): Promise<RunningWorkflows> {
    return openRunning(this.#engine, this.#settings, this.#providers, this.#definitions.definitions)
  }

  async #find(target: WorkflowId): Promise<StoredWorkflow> {
    const { tenant, user } = actorOf(target, 'code')
    const { store } = this.#engine.database
    const name = 'id' in target ? target.id : target.name
    let found: StoredWorkflow | null
    if ('id' in target) {
      const row = await store.get('workflows', target.id)
      found = row === null ? null : fromRow(row)
    } else {
      found = await findByName(store, tenant, target.name)
    }
    if (found === null || found.tenant !== tenant || (user !== null && found.owner !== user)) throw notFound(name)
    return found
  }

  async #change(target: WorkflowId, change: (workflow: Workflow) => Workflow): Promise<Workflow> {
    for (;;) {
      const { version, ...workflow } = await this.#find(target)
      const next = { ...change(workflow), updatedAt: Date.now() }
      const outcome = await this.#engine.database.store.replace('workflows', toRow(next), version)
      if (outcome === 'done') return next
      if (outcome === 'taken') {
        throw workflowError('workflow_exists', `There is a workflow "${next.name}" already. Give it another name.`)
      }
    }
  }
}

function accepted(workflow: Workflow, outcome: StartOutcome): string {
  switch (outcome.kind) {
    case 'accepted':
    case 'existing':
      return outcome.id
    case 'invalid_inputs': {
      const said = outcome.problems.map(({ message }) => message).join(' ')
      throw workflowError('workflow_inputs_invalid', `The inputs do not fit the workflow ${workflow.name}: ${said}`, {
        data: { problems: outcome.problems.map((problem) => ({ ...problem })) },
      })
    }
    case 'unknown_flow':
      throw workflowError('workflow_disabled', `The workflow ${workflow.name} was disabled meanwhile.`)
    case 'concurrency_full':
      throw workflowError('workflow_busy', `The workflow ${workflow.name} runs already, and is set to skip then.`)
    case 'full':
      throw workflowError('workflow_busy', 'This process is full. Nothing was stored; try again later.', {
        data: { retryAfterMs: outcome.retryAfterSeconds * 1_000 },
      })
  }
}

function runOf(summary: {
  readonly id: string
  readonly flow: string
  readonly status: RunStatus
  readonly outputs: JsonObject | null
  readonly error: ErrorInfo | null
  readonly startedAt: number | null
  readonly finishedAt: number | null
}): WorkflowRun {
  const { id, flow, status, outputs, error, startedAt, finishedAt } = summary
  return { runId: id, workflow: flow, status, outputs, error, startedAt, finishedAt }
}

function notFound(name: string): Error {
  return workflowError('workflow_not_found', `There is no workflow or run "${name}" here.`, { data: { name } })
}
