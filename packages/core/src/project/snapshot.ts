/** All of a project as its files are at one moment. Loading again makes a new one; nothing here changes. */
import { dirname, join } from 'node:path'
import type { Catalog, CatalogFlow, CatalogTask } from '../flow/catalog.ts'
import { compileDraft } from '../flow/compile.ts'
import { planHash } from '../flow/hash.ts'
import type { Plan } from '../flow/plan.ts'
import type { FlowProblem } from '../flow/problem.ts'
import { explainMissing, type ConnectorPackages, type LoadedPackages } from './connector-packages.ts'
import { projectProblem } from './errors.ts'
import { findFiles, findTasksFile } from './find-files.ts'
import { readFlowFile, type FlowFile } from './flow-file.ts'
import { errorPlace, importMessage, type ModuleLoader } from './module-loader.ts'
import type { FileProblem, ProjectFlow } from './project.ts'
import { loadTasksFile, projectPath, type TasksFile } from './tasks-file.ts'
import { readTaskTypes } from './task-types.ts'

export interface Snapshot {
  /** Flows that can be served, by name. */
  readonly flows: ReadonlyMap<string, ProjectFlow>
  readonly problems: readonly FileProblem[]
  /** By absolute folder. */
  readonly tasks: ReadonlyMap<string, TasksFile>
  /** Without tasks: these belong to a folder. */
  readonly catalog: Catalog
  /** Connector packages of the project, with the connectors that they bring. */
  readonly packages: LoadedPackages
  /** By absolute folder; null where the tasks could not be loaded. */
  readonly taskCatalogs: ReadonlyMap<string, readonly CatalogTask[] | null>
  /** Every file that was read, absolute. */
  readonly files: ReadonlySet<string>
}

export interface SnapshotOptions {
  readonly directory: string
  readonly dataDirectory: string | null
  readonly connectors: Catalog['connectors']
  readonly packages: ConnectorPackages
  /** Load every connector package, also those that no flow mentions. */
  readonly allPackages: boolean
  readonly loader: ModuleLoader
  /** Read the types of plain task functions too. */
  readonly types: boolean
  /** Load this flow file (relative) and the rest only when it has sub-flows. */
  readonly only?: string | undefined
}

/** Compiles and checks one document. */
export interface Check {
  (document: NonNullable<FlowFile['document']>, catalog: Catalog): CheckedFile
}

interface CheckedFile {
  readonly plan: Plan | null
  readonly problems: readonly FlowProblem[]
}

/** Loads everything. What does not load now keeps the version of `previous`, and is reported. */
export async function takeSnapshot(
  options: SnapshotOptions,
  check: Check,
  previous: Snapshot | null,
): Promise<Snapshot> {
  if (options.only !== undefined) {
    const read = await readFiles(options, check, [options.only], previous)
    if (!read.drafts.some(callsOthers)) return assemble(options, check, read, previous)
  }
  const { flows } = await findFiles(options.directory, options.dataDirectory)
  return assemble(options, check, await readFiles(options, check, flows, previous), previous)
}

interface Draft {
  readonly read: FlowFile
  /** Checked without knowing the other flows; final for a flow that calls none. */
  readonly checked: CheckedFile | null
  /** The plan also where the check found errors: what other flows and messages need to know of it. */
  readonly plan: Plan | null
}

interface ReadFiles {
  readonly drafts: readonly Draft[]
  readonly packages: LoadedPackages
  /** Those that are always there and those of packages. */
  readonly connectors: Catalog['connectors']
  readonly tasks: LoadedTasks
}

async function readFiles(
  options: SnapshotOptions,
  check: Check,
  files: readonly string[],
  previous: Snapshot | null,
): Promise<ReadFiles> {
  const { directory, loader } = options
  const read: FlowFile[] = []
  for (const file of files) read.push(await readFlowFile(join(directory, file), file, loader))
  const packages = await options.packages.load(options.allPackages ? null : read.map(textOf))
  const connectors = [...options.connectors, ...packages.connectors.map(({ catalog }) => catalog)]
  const folders = [...new Set(files.map((file) => dirname(join(directory, file))))]
  const tasks = await loadTasks(options, folders, previous)
  const drafts = read.map((file): Draft => {
    if (file.document === null) return { read: file, checked: null, plan: null }
    const checked = check(file.document, catalogOf(options, file, tasks, { connectors }))
    // A flow with mistakes in it is still there for those that call it, and what it calls is still checked.
    const plan = checked.plan ?? compileDraft(file.document, { connectors }).plan
    return { read: file, checked, plan: plan?.flow === '' ? null : plan }
  })
  return { drafts, tasks, packages, connectors }
}

/** Where names of connectors may stand; a TypeScript flow may have them from another file. */
function textOf({ source, document }: FlowFile): string {
  return `${source}\n${JSON.stringify(document?.value)}`
}

/** What is known around a flow: the tasks beside it belong to its folder alone. */
function catalogOf(options: SnapshotOptions, { file }: FlowFile, tasks: LoadedTasks, catalog: Catalog): Catalog {
  const known = tasks.catalogs.get(dirname(join(options.directory, file)))
  return known ? { ...catalog, tasks: known } : catalog
}

function callsOthers({ plan }: Draft): boolean {
  return plan !== null && plan.subflows.length > 0
}

function assemble(
  options: SnapshotOptions,
  check: Check,
  { drafts, tasks, packages, connectors }: ReadFiles,
  previous: Snapshot | null,
): Snapshot {
  const problems: FileProblem[] = [...packages.problems, ...tasks.problems]
  const flows = new Map<string, ProjectFlow>()
  const catalog: Catalog = {
    connectors,
    flows: drafts.flatMap(({ plan }) => (plan === null ? [] : [flowSignature(plan)])),
  }
  const twice = repeatedNames(drafts)
  for (const draft of drafts) {
    const { read } = draft
    const again = callsOthers(draft) && read.document !== null
    const found = again ? check(read.document, catalogOf(options, read, tasks, catalog)) : draft.checked
    const checked = (found?.problems ?? []).map((problem) =>
      explainMissing({ ...problem, file: read.file }, packages.packages),
    )
    const own = [...read.problems, ...checked]
    problems.push(...own)
    const twins = draft.plan === null ? undefined : twice.get(draft.plan.flow)
    if (twins !== undefined) problems.push(twinProblem(read.file, draft.plan!.flow, twins))
    else if (found?.plan) flows.set(found.plan.flow, servedFlow(read, found.plan, own))
    else {
      const last = lastGood(previous, read.file)
      if (last && !flows.has(last.name) && !twice.has(last.name)) flows.set(last.name, { ...last, problems: own })
    }
  }
  const files = new Set([...packages.files, ...drafts.flatMap(({ read }) => read.files)])
  for (const file of tasks.loaded.values()) for (const path of file.files) files.add(path)
  for (const path of tasks.broken) files.add(path)
  return { flows, problems, tasks: tasks.loaded, catalog, packages, taskCatalogs: tasks.catalogs, files }
}

function servedFlow(read: FlowFile, plan: Plan, problems: readonly FileProblem[]): ProjectFlow {
  return { name: plan.flow, file: read.file, source: read.source, plan, hash: planHash(plan), problems }
}

function twinProblem(file: string, name: string, twins: readonly string[]): FileProblem {
  const others = twins.filter((twin) => twin !== file).join(' and ')
  return projectProblem('PW1301', file, `${others} has a flow ${name} too; neither is served.`, {
    suggestion: 'Rename one of the two.',
  })
}

function lastGood(previous: Snapshot | null, file: string): ProjectFlow | undefined {
  return [...(previous?.flows.values() ?? [])].find((flow) => flow.file === file)
}

/** Names that more than one file has, with those files. */
function repeatedNames(drafts: readonly Draft[]): ReadonlyMap<string, readonly string[]> {
  const byName = Map.groupBy(
    drafts.filter(({ plan }) => plan !== null),
    ({ plan }) => plan!.flow,
  )
  return new Map(
    [...byName]
      .filter(([, found]) => found.length > 1)
      .map(([name, found]) => [name, found.map(({ read }) => read.file)]),
  )
}

interface LoadedTasks {
  readonly loaded: ReadonlyMap<string, TasksFile>
  readonly catalogs: ReadonlyMap<string, readonly CatalogTask[] | null>
  /** Files that do not load now. */
  readonly broken: readonly string[]
  readonly problems: readonly FileProblem[]
}

async function loadTasks(
  options: SnapshotOptions,
  folders: readonly string[],
  previous: Snapshot | null,
): Promise<LoadedTasks> {
  const problems: FileProblem[] = []
  const loaded = new Map<string, TasksFile>()
  const catalogs = new Map<string, readonly CatalogTask[] | null>()
  const broken: string[] = []
  for (const folder of folders) {
    const path = await findTasksFile(folder).catch(() => null)
    if (path === null) {
      catalogs.set(folder, [])
      continue
    }
    try {
      const file = await loadTasksFile(path, options.loader)
      loaded.set(folder, file)
      catalogs.set(folder, file.catalog)
    } catch (error) {
      const message = `The file does not load: ${importMessage(error)}`
      problems.push(projectProblem('PW1303', projectPath(options.directory, path), message, errorPlace(error, path)))
      broken.push(path)
      const last = previous?.tasks.get(folder)
      if (last) loaded.set(folder, last)
      catalogs.set(folder, last?.catalog ?? null)
    }
  }
  if (options.types && loaded.size > 0) {
    const cache = options.dataDirectory === null ? null : join(options.dataDirectory, 'cache')
    const types = await readTaskTypes([...loaded.values()], { directory: options.directory, cache })
    problems.push(...types.problems)
    for (const [folder, file] of loaded) catalogs.set(folder, types.catalogs.get(file.file) ?? file.catalog)
  }
  return { loaded, catalogs, broken, problems }
}

/** A flow as other flows may call it. */
export function flowSignature(plan: Plan): CatalogFlow {
  const required = plan.inputs.filter((input) => input.required && input.default === undefined)
  return {
    name: plan.flow,
    input: {
      type: 'object',
      properties: Object.fromEntries(
        plan.inputs.map((input) => [
          input.name,
          input.secret ? { ...input.schema, 'x-plugwork': 'secret' } : input.schema,
        ]),
      ),
      required: required.map((input) => input.name),
      additionalProperties: false,
    },
    output: {
      type: 'object',
      properties: Object.fromEntries(plan.outputs.map((output) => [output.name, {}])),
      required: plan.outputs.map((output) => output.name),
      additionalProperties: false,
    },
  }
}
