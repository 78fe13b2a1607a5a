/** What the outcome of a test file depends on: flows, the flows that these call, and the files they are made of. */
import { dirname, join } from 'node:path'
import { findTasksFile } from '../project/find-files.ts'
import { readModuleGraph } from '../project/module-graph.ts'
import type { Project, ProjectFlow } from '../project/project.ts'

/** The flow and all that it calls, directly or not. */
export function reachableFlows(project: Project, flow: ProjectFlow): readonly ProjectFlow[] {
  const found = new Map<string, ProjectFlow>()
  const visit = (one: ProjectFlow | undefined): void => {
    if (!one || found.has(one.name)) return
    found.set(one.name, one)
    for (const name of one.plan.subflows) visit(project.flows.get(name))
  }
  visit(flow)
  return [...found.values()]
}

/** Absolute paths of the files of a flow and of all that it calls, their tasks and relative imports included. */
export async function filesOfFlow(project: Project, flow: ProjectFlow): Promise<readonly string[]> {
  const files = new Set<string>()
  for (const { file } of reachableFlows(project, flow)) {
    const path = join(project.directory, file)
    for (const one of filesOfModule(path)) files.add(one)
    const tasks = await findTasksFile(dirname(path)).catch(() => null)
    if (tasks !== null) for (const one of filesOfModule(tasks)) files.add(one)
  }
  return [...files]
}

/** A TypeScript file with what it imports relatively; any other file alone. */
export function filesOfModule(path: string): readonly string[] {
  return /\.[cm]?[jt]s$/.test(path) ? readModuleGraph(path).files : [path]
}
