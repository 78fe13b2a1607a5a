/**
 * Every flow the server serves: those of project files, which are kept current while their files change, and those put
 * over the API, which are rows of the store. It is also where the runtime looks up what a flow names.
 *
 * A file wins over an uploaded flow of the same name. Definitions are looked up by flow name at each use, so a reload
 * reaches the next run without a gap, while runs under way stay pinned to their plan.
 */
import type { Catalog, FlowProblem, Plan } from '@plugwork/core'
import { join } from 'node:path'
import { readEnv } from '@plugwork/core/node'
import type { Definitions, EnvRules, FlowRow, Project, ProjectFlow, Store } from '@plugwork/core/node'
import { ServerError } from '../errors.ts'
import type { Log } from '../log.ts'

/** What compiling and checking a source gave. */
export interface CheckedFlow {
  /** Null when there are errors. */
  readonly plan: Plan | null
  readonly hash: string
  readonly problems: readonly FlowProblem[]
}

/** Compiles and checks a flow document against what is known around it. */
export type CheckFlow = (source: string, catalog: Catalog) => CheckedFlow

export interface ServedFlow {
  readonly tenant: string
  readonly name: string
  readonly origin: 'file' | 'api'
  /** Relative to the project folder; null for an uploaded flow. */
  readonly file: string | null
  readonly source: string
  readonly plan: Plan
  readonly hash: string
  readonly enabled: boolean
  readonly problems: readonly FlowProblem[]
}

export interface FlowRegistry {
  readonly definitions: Definitions
  list(tenant: string): readonly ServedFlow[]
  get(tenant: string, name: string): ServedFlow | null
  /** Checks a document as an upload would. */
  check(source: string): CheckedFlow
  /** Stores a flow. Throws `flow_is_file`, `flow_invalid`, `flow_name_mismatch`. */
  put(tenant: string, name: string, source: string): Promise<{ readonly flow: ServedFlow; readonly created: boolean }>
  /** Removes an uploaded flow; its open runs finish. Throws `flow_is_file`. False: there is none. */
  remove(tenant: string, name: string): Promise<boolean>
  /** Null: there is no such flow. */
  setEnabled(tenant: string, name: string, enabled: boolean): Promise<ServedFlow | null>
  /** Serves the flows of one more project (a file run by hand). Throws `flow_is_file` for a name that is taken. */
  adopt(project: Project): void
  /** The flow that is served from an absolute path; null when none is. */
  servedFrom(file: string): { readonly name: string; readonly source: string } | null
  /** Problems of files that could not be loaded, or that keep their last good version. */
  fileProblems(): Project['problems']
  /** Calls back after each change of what is served. */
  onChange(listener: () => void): () => void
  /** Ends following files, and closes the projects that were adopted. */
  close(): Promise<void>
}

export interface FlowRegistryOptions {
  readonly project: Project
  readonly store: Store
  readonly tenant: string
  readonly check: CheckFlow
  /** Folder that relative paths of uploaded flows' connections start from. */
  readonly uploadDirectory: string
  /** Which variables uploaded flows may read. */
  readonly envRules: EnvRules
  readonly now: () => number
  readonly log: Log
}

/** Meta key of the file flows that somebody disabled. */
const DISABLED_KEY = 'flows:disabled'

interface Uploaded {
  readonly row: FlowRow
  readonly checked: CheckedFlow & { readonly plan: Plan }
}

/** Opens the registry: reads uploaded flows from the store and follows the project's files. */
export async function openFlowRegistry(options: FlowRegistryOptions): Promise<FlowRegistry> {
  const { store, project, log } = options
  const projects: Project[] = [project]
  const uploaded = new Map<string, Uploaded>()
  const listeners = new Set<() => void>()
  let disabled = new Set(JSON.parse((await store.getMeta(DISABLED_KEY)) ?? '[]') as string[])

  const changed = () => {
    for (const listener of listeners) listener()
  }
  const watches = [project.watch(changed)]

  const catalog = (): Catalog => ({
    ...project.catalog,
    // Uploaded flows have no `tasks.ts`: with an empty list the checker reports each use of one.
    tasks: [],
    flows: [
      ...(project.catalog.flows ?? []),
      ...Array.from(uploaded.values(), ({ checked }) => describeFlow(checked.plan)),
    ],
  })

  for (const row of await store.listFlows(null)) {
    const checked = options.check(row.source, catalog())
    const plan = checked.plan ?? (await storedPlan(store, row.hash))
    if (plan === null) {
      log.error({ flow: row.name, problems: checked.problems.length }, 'an uploaded flow no longer compiles')
      continue
    }
    // The stored version stays in force until somebody puts a new one: an upgrade changes no flow by itself.
    uploaded.set(key(row.tenant, row.name), { row, checked: { ...checked, plan, hash: row.hash } })
  }

  const fileFlow = (name: string): { readonly project: Project; readonly flow: ProjectFlow } | null => {
    for (const candidate of projects) {
      const flow = candidate.flows.get(name)
      if (flow !== undefined) return { project: candidate, flow }
    }
    return null
  }

  const get = (tenant: string, name: string): ServedFlow | null => {
    const file = tenant === options.tenant ? fileFlow(name) : null
    if (file !== null) return servedFile(tenant, file.flow, !disabled.has(key(tenant, name)))
    const upload = uploaded.get(key(tenant, name))
    return upload === undefined ? null : servedUpload(upload)
  }

  const isUploaded = (tenant: string, name: string) => fileFlow(name) === null && uploaded.has(key(tenant, name))

  /** The project whose definitions a flow uses; of flows that are gone, the main one. */
  const owner = (name: string): Definitions => (fileFlow(name)?.project ?? project).definitions

  const definitions: Definitions = {
    plan(tenant, name) {
      const flow = get(tenant, name)
      return flow === null || !flow.enabled ? null : { plan: flow.plan, hash: flow.hash }
    },
    task: (tenant, flow, name) => (isUploaded(tenant, flow) ? null : owner(flow).task(tenant, flow, name)),
    directory: (tenant, flow) =>
      isUploaded(tenant, flow) ? options.uploadDirectory : owner(flow).directory(tenant, flow),
    secret: (tenant, name) => project.definitions.secret(tenant, name),
    env(tenant, flow, name) {
      if (!isUploaded(tenant, flow)) return owner(flow).env(tenant, flow, name)
      return readEnv(options.envRules, name, 'api')
    },
    connector: (type) => {
      const bringing = projects.find((candidate) => candidate.definitions.connector?.(type))
      return bringing?.definitions.connector?.(type) ?? null
    },
  }

  const refuseFile = (tenant: string, name: string) => {
    const file = tenant === options.tenant ? fileFlow(name) : null
    if (file === null) return
    throw new ServerError(
      'flow_is_file',
      `The flow ${name} comes from ${file.flow.file}. Edit that file; the server follows it.`,
      { extensions: { file: file.flow.file } },
    )
  }

  return {
    definitions,
    get,
    list(tenant) {
      const names = new Set<string>()
      if (tenant === options.tenant)
        for (const candidate of projects) for (const name of candidate.flows.keys()) names.add(name)
      for (const { row } of uploaded.values()) if (row.tenant === tenant) names.add(row.name)
      return Array.from(names)
        .toSorted()
        .map((name) => get(tenant, name)!)
    },
    check: (source) => options.check(source, catalog()),
    async put(tenant, name, source) {
      refuseFile(tenant, name)
      const checked = options.check(source, catalog())
      const { plan } = checked
      if (plan === null || checked.problems.some((problem) => problem.severity === 'error')) {
        throw new ServerError(
          'flow_invalid',
          `The flow ${name} has errors; \`problems\` lists them. Nothing was stored.`,
          {
            extensions: { problems: checked.problems },
          },
        )
      }
      if (plan.flow !== name) {
        throw new ServerError(
          'flow_name_mismatch',
          `The address names the flow ${name}, the document ${plan.flow}. Use one name for both.`,
        )
      }
      const existing = uploaded.get(key(tenant, name))
      const at = options.now()
      await store.putFlowVersion({ hash: checked.hash, flow: name, plan: JSON.stringify(plan), createdAt: at })
      const row: FlowRow = {
        tenant,
        name,
        hash: checked.hash,
        source,
        enabled: existing?.row.enabled ?? true,
        updatedAt: at,
      }
      await store.putFlow(row)
      const upload: Uploaded = { row, checked: { ...checked, plan } }
      uploaded.set(key(tenant, name), upload)
      changed()
      return { flow: servedUpload(upload), created: existing === undefined }
    },
    async remove(tenant, name) {
      refuseFile(tenant, name)
      const removed = await store.deleteFlow(tenant, name)
      uploaded.delete(key(tenant, name))
      if (removed) changed()
      return removed
    },
    async setEnabled(tenant, name, enabled) {
      const flow = get(tenant, name)
      if (flow === null) return null
      if (flow.origin === 'file') {
        const next = new Set(disabled)
        if (enabled) next.delete(key(tenant, name))
        else next.add(key(tenant, name))
        await store.setMeta(DISABLED_KEY, JSON.stringify([...next]))
        disabled = next
      } else {
        const upload = uploaded.get(key(tenant, name))!
        const row = { ...upload.row, enabled, updatedAt: options.now() }
        await store.putFlow(row)
        uploaded.set(key(tenant, name), { ...upload, row })
      }
      changed()
      return get(tenant, name)
    },
    adopt(guest) {
      for (const name of guest.flows.keys()) {
        const taken = fileFlow(name)
        if (taken !== null && taken.project !== guest) {
          throw new ServerError(
            'flow_is_file',
            `The running server already serves a flow ${name} from ${taken.flow.file}. Rename one of the two.`,
          )
        }
      }
      projects.push(guest)
      watches.push(guest.watch(changed))
      changed()
    },
    servedFrom(file) {
      for (const candidate of projects) {
        for (const flow of candidate.flows.values()) if (join(candidate.directory, flow.file) === file) return flow
      }
      return null
    },
    fileProblems: () => projects.flatMap((candidate) => candidate.problems),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      for (const stop of watches) stop()
      listeners.clear()
      await Promise.all(projects.filter((candidate) => candidate !== project).map((guest) => guest.close()))
    },
  }
}

function key(tenant: string, name: string): string {
  return `${tenant}/${name}`
}

async function storedPlan(store: Store, hash: string): Promise<Plan | null> {
  const version = await store.getFlowVersion(hash)
  return version === null ? null : (JSON.parse(version.plan) as Plan)
}

function servedFile(tenant: string, flow: ProjectFlow, enabled: boolean): ServedFlow {
  const { name, file, source, plan, hash, problems } = flow
  return { tenant, name, origin: 'file', file, source, plan, hash, enabled, problems }
}

function servedUpload({ row, checked }: Uploaded): ServedFlow {
  const { tenant, name, source, enabled } = row
  return {
    tenant,
    name,
    origin: 'api',
    file: null,
    source,
    plan: checked.plan,
    hash: checked.hash,
    enabled,
    problems: checked.problems,
  }
}

/** A flow as others may call it. */
function describeFlow(plan: Plan) {
  return { name: plan.flow, input: inputSchema(plan), output: outputSchema(plan) }
}

/** JSON Schema of a flow's inputs. */
export function inputSchema(plan: Plan): { readonly [key: string]: unknown } {
  return {
    type: 'object',
    properties: Object.fromEntries(
      plan.inputs.map((input) => [
        input.name,
        {
          ...input.schema,
          ...(input.description === undefined ? {} : { description: input.description }),
          ...(input.default === undefined ? {} : { default: input.default }),
          ...(input.secret ? { type: 'string', writeOnly: true } : {}),
        },
      ]),
    ),
    required: plan.inputs.filter((input) => input.required && input.default === undefined).map((input) => input.name),
    additionalProperties: false,
  }
}

function outputSchema(plan: Plan): { readonly [key: string]: unknown } {
  return { type: 'object', properties: Object.fromEntries(plan.outputs.map((output) => [output.name, {}])) }
}
