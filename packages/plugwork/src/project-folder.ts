/** Which project a command works on, with its settings. */
import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readSettings, type FileProblem, type ReadSettings, type SettingName } from '@plugwork/core/node'
import type { Context } from './context.ts'
import { UsageError } from './exit.ts'
import { showPath } from './render/path.ts'

export interface ProjectFolder {
  readonly directory: string
  readonly settings: ReadSettings['values']
  readonly origins: ReadSettings['origins']
}

export type SettingFlags = { readonly [name in SettingName]?: string | undefined }

/** The nearest folder with a `plugwork.yaml`, upward from `start`; `start` itself where there is none. */
export function findProjectFolder(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'plugwork.yaml'))) return folder
    if (dirname(folder) === folder) return start
  }
}

/** A folder that was named on the command line. Throws a `UsageError` when it is none. */
export function namedFolder(context: Context, name: string): string {
  const directory = resolve(context.workingDirectory, name)
  const found = statSync(directory, { throwIfNoEntry: false })
  if (!found) throw new UsageError(`There is no folder ${name}.`)
  if (!found.isDirectory()) throw new UsageError(`${name} is a file; a project folder is needed.`)
  return directory
}

/** A file that was named on the command line. Throws a `UsageError` when it is none. */
export function namedFile(context: Context, name: string): string {
  const file = resolve(context.workingDirectory, name)
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) throw new UsageError(`There is no file ${name}.`)
  if (!found.isFile()) throw new UsageError(`${name} is a folder; name the flow file in it.`)
  return file
}

/** Reads the settings of a project; warnings go to stderr. */
export function openFolder(context: Context, directory: string, flags: SettingFlags = {}): ProjectFolder {
  const { environment, workingDirectory } = context
  const { values, origins, problems } = readSettings({ directory, flags, environment, workingDirectory })
  noteProblems(context, directory, problems)
  return { directory, settings: values, origins }
}

/** Problems on stderr, one line each. */
export function noteProblems(context: Context, directory: string, problems: readonly FileProblem[]): void {
  const { warn, bad, dim } = context.noteStyle
  for (const problem of problems) {
    const place =
      problem.file === 'environment'
        ? 'environment'
        : `${showPath(context, join(directory, problem.file))}:${problem.line}:${problem.column}`
    const level = problem.severity === 'error' ? bad('error') : warn('warning')
    const suggestion = problem.suggestion === undefined ? '' : ` ${problem.suggestion}`
    context.note(`${level} ${place} ${dim(problem.code)} ${problem.message}${suggestion}`)
  }
}
