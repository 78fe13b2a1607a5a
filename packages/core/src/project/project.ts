/**
 * A project: a folder with flows, their tasks, and `plugwork.yaml`. Loading finds every `flow.yaml`, `*.flow.yaml`,
 * `flow.ts`, `*.flow.ts` below it, compiles them, loads the tasks beside them, and keeps both current while watched.
 */
import type { Connector } from '../connector/connector.ts'
import type { Catalog } from '../flow/catalog.ts'
import type { Plan } from '../flow/plan.ts'
import type { FlowProblem } from '../flow/problem.ts'
import type { Definitions } from '../runtime/runtime.ts'
import type { ProjectPackage } from './connector-packages.ts'

export interface ProjectFlow {
  readonly name: string
  /** Relative to the project folder, `/`-separated. */
  readonly file: string
  readonly source: string
  readonly plan: Plan
  readonly hash: string
  readonly problems: readonly FlowProblem[]
}

export interface FileProblem extends FlowProblem {
  readonly file: string
}

export interface Project {
  readonly directory: string
  readonly flows: ReadonlyMap<string, ProjectFlow>
  /** Of all files, those that could not be served included. */
  readonly problems: readonly FileProblem[]
  /** Connector packages that the project's `package.json` names. */
  readonly packages: readonly ProjectPackage[]
  /** The connectors of those that were loaded. */
  readonly connectors: readonly Connector[]
  readonly definitions: Definitions
  readonly catalog: Catalog
  /** Calls back after each change that was loaded; a file that does not load keeps its last good version and is reported. */
  watch(listener: (change: ProjectChange) => void): () => void
  close(): Promise<void>
}

/** What differs after files of a project were loaded again. */
export interface ProjectChange {
  /** Names of flows that are new or were changed themselves. */
  readonly flows: readonly string[]
  /** Names of flows that are no longer there. */
  readonly removed: readonly string[]
  /** Files of tasks that were loaded anew (they, or what they import, changed), relative to the project folder. */
  readonly tasks: readonly string[]
}
