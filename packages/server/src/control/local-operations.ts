/** The control operations over this process's own runtime and store. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { PlugworkError } from '@plugwork/core'
import type { Project, Runtime, Store } from '@plugwork/core/node'
import type { FlowRegistry } from '../flow/registry.ts'
import { ServerError } from '../errors.ts'
import type { ControlOperations, ServerInfo } from './operations.ts'

/** What the operations work on, in a server as in a command. */
export interface LocalOperationOptions {
  readonly runtime: Runtime
  readonly store: Store
  readonly tenant: string
  readonly version: string
  /** Who acts, in the records of runs. */
  readonly actor: string
  /** Null where no HTTP API is served. */
  readonly address: () => string | null
  readonly prune: ControlOperations['prune']
  readonly startFile: ControlOperations['startFile']
}

export function localOperations(options: LocalOperationOptions): ControlOperations {
  const { runtime, store, tenant, actor, version } = options
  return {
    info: async (): Promise<ServerInfo> => ({
      pid: process.pid,
      version,
      address: options.address(),
      store: store.stats(),
    }),
    listRuns: (query) => store.listRuns({ ...query, tenant }),
    getRun: (id) => runtime.get(tenant, id),
    wait: (id, timeoutMs) => runtime.wait(tenant, id, timeoutMs),
    startFile: options.startFile,
    resume: (id) => runtime.adopt(tenant, id),
    cancel: (id, { force, reason }) =>
      runtime.cancel(tenant, id, { force, actor, ...(reason === undefined ? {} : { reason }) }),
    retry: (id) => runtime.retry(tenant, id, actor),
    replay: (id, request) => runtime.replay(tenant, id, request),
    resolve: (id, step, decision) => runtime.resolve(tenant, id, step, decision, actor),
    signal: (id, request) => runtime.signal(tenant, id, { actor, ...request }),
    publish: (event) => runtime.publish(tenant, event),
    verify: (id) => runtime.verify(tenant, id),
    prune: options.prune,
    backup: (file) => store.backup(file),
  }
}

export interface FileStarterOptions {
  readonly runtime: Runtime
  readonly registry: FlowRegistry
  readonly tenant: string
  readonly actor: string
  /** Loads one flow file with the tasks beside it, as a project of its own. */
  readonly loadFile: (file: string) => Promise<Project>
}

/** Starts runs of files: of the flow as served when the file is one of the project's, else of the file as it is now. */
export function fileStarter(options: FileStarterOptions): ControlOperations['startFile'] {
  const { runtime, tenant, actor } = options
  return async ({ file, inputs, idempotencyKey, priority }) => {
    let flow: string
    try {
      flow = (await current(options, file)) ?? (await adopt(options, file))
    } catch (error) {
      if (error instanceof PlugworkError) return { kind: 'not_loaded', message: error.message }
      throw error
    }
    return await runtime.start({
      tenant,
      flow,
      inputs,
      trigger: { kind: 'command', actor },
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(priority === undefined ? {} : { priority }),
    })
  }
}

/** How long a file that was just edited may take to be loaded again. */
const RELOAD_MS = 5_000

/** The flow served from a file, once it is the file as it is now: an edit may be younger than what was loaded. */
async function current({ registry }: FileStarterOptions, file: string): Promise<string | null> {
  const deadline = performance.now() + RELOAD_MS
  for (;;) {
    const served = registry.servedFrom(file)
    if (served === null) return null
    if (served.source === (await readFile(file, 'utf8'))) return served.name
    if (performance.now() > deadline) {
      const problem = registry.fileProblems().find(({ file: name }) => file.endsWith(name))
      const said = problem === undefined ? '' : ` ${problem.file}:${problem.line} ${problem.message}`
      throw new ServerError('flow_broken', `${file} was changed and cannot be loaded as it is now.${said}`)
    }
    await delay(50)
  }
}

async function adopt({ registry, loadFile }: FileStarterOptions, file: string): Promise<string> {
  const project = await loadFile(file)
  const flow = [...project.flows.values()].find((candidate) => file.endsWith(candidate.file))
  if (flow === undefined) {
    const [problem] = project.problems
    const said = problem === undefined ? 'It holds no flow.' : `${problem.file}:${problem.line} ${problem.message}`
    await project.close()
    throw new ServerError('flow_broken', `${file} cannot be run. ${said}`)
  }
  try {
    registry.adopt(project)
  } catch (error) {
    await project.close()
    throw error
  }
  return flow.name
}
