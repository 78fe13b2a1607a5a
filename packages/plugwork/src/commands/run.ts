/** `plugwork run`: one flow, in this process or through the server that owns the folder. */
import { dirname } from 'node:path'
import { loadProject, type Project, type ProjectFlow, type StartOutcome } from '@plugwork/core/node'
import { PlugworkError } from '@plugwork/core/error'
import { connectorCatalogs } from '../connectors.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../exit.ts'
import { followRun, type FollowOptions } from '../follow.ts'
import { readInputs, type InputOptions } from '../inputs.ts'
import { openSession } from '../open-session.ts'
import { findProjectFolder, namedFile, noteProblems, openFolder, type ProjectFolder } from '../project-folder.ts'
import { provided } from '../provided.ts'
import { whereOptions } from '../render/path.ts'
import { reportFollowed } from '../report-run.ts'

export interface RunOptions extends FollowOptions, InputOptions {
  readonly dataDir?: string
  readonly databaseUrl?: string
}

export async function run(context: Context, name: string, options: RunOptions): Promise<number> {
  const file = namedFile(context, name)
  const root = findProjectFolder(dirname(file))
  const folder = openFolder(context, root, { dataDir: options.dataDir, databaseUrl: options.databaseUrl })
  const project = await loadProjectOf(context, folder, file)
  let handedOver = false
  try {
    const flow = flowOf(context, project, file, name)
    const inputs = await readInputs(context, options, flow.plan.inputs)
    const session = await openSession(context, { folder, project: async () => project, file, intent: 'work' })
    handedOver = session.server === null
    await using _closed = session
    const outcome = await session.start(flow.name, inputs)
    const id = acceptedId(outcome, flow.name)
    const reporting = { ...options, where: whereOptions(context, folder, options) }
    return reportFollowed(context, await followRun(context, session, id, reporting), reporting)
  } finally {
    // The session closes the project that it works with.
    if (!handedOver) await project.close()
  }
}

/** Loads the project of a flow file: that flow, and others only when it calls them. */
export async function loadProjectOf(context: Context, folder: ProjectFolder, only?: string): Promise<Project> {
  return loadProject(folder.directory, {
    connectors: await connectorCatalogs(),
    environment: context.environment,
    envAllow: folder.settings.envAllow,
    dataDirectory: folder.settings.dataDir,
    provided,
    connectorPackages: only === undefined ? 'all' : 'used',
    ...(only === undefined ? {} : { only }),
  })
}

function flowOf(context: Context, project: Project, file: string, name: string): ProjectFlow {
  noteProblems(context, project.directory, project.problems)
  const served = [...project.flows.values()].find((flow) => file.endsWith(flow.file))
  const broken = project.problems.some((problem) => problem.severity === 'error' && isBeside(problem.file, file))
  if (served && !broken) return served
  throw new UsageError(`${name} cannot be run: it has errors.`, 'Nothing was started.')
}

/** The file itself, or the tasks beside it. */
function isBeside(problemFile: string, file: string): boolean {
  const [folder] = /^(.*\/)?/.exec(problemFile)!
  const base = problemFile.slice(folder.length)
  return (
    file.endsWith(`/${problemFile}`) || (/^tasks\.\w+$/.test(base) && dirname(file).endsWith(folder.replace(/\/$/, '')))
  )
}

/** The id of the run, or an error that says why there is none. */
export function acceptedId(outcome: StartOutcome, flow: string): string {
  switch (outcome.kind) {
    case 'accepted':
    case 'existing':
      return outcome.id
    case 'unknown_flow':
      throw new UsageError(`There is no flow ${flow} that is enabled.`)
    case 'invalid_inputs': {
      const lines = outcome.problems.map(({ message }) => `  ${message}`)
      throw new UsageError(`The inputs of ${flow} are not valid; no run was started.\n${lines.join('\n')}`)
    }
    case 'concurrency_full':
      throw new PlugworkError(
        'concurrency_full',
        `${flow} allows no further run now (\`when_full: skip\`); its key is held by ${outcome.holders.join(', ')}.`,
        { retryable: true },
      )
    case 'full':
      throw new PlugworkError('full', `The system is full; try again in ${outcome.retryAfterSeconds} s.`, {
        retryable: true,
      })
  }
}
