/** `plugwork check`: every problem of flows, with its place. */
import { statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { loadProject, type FileProblem } from '@plugwork/core/node'
import { connectorCatalogs } from '../connectors.ts'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { findProjectFolder, openFolder } from '../project-folder.ts'
import { provided } from '../provided.ts'
import { showPath } from '../render/path.ts'
import { count } from '../render/text.ts'

export interface CheckOptions {
  readonly json?: boolean
  readonly types: boolean
}

interface Found {
  readonly problems: readonly FileProblem[]
  readonly flows: number
}

export async function check(context: Context, paths: readonly string[], options: CheckOptions): Promise<number> {
  const problems: FileProblem[] = []
  let flows = 0
  for (const path of paths.length === 0 ? ['.'] : paths) {
    const found = await checkPath(context, path, options)
    problems.push(...found.problems)
    flows += found.flows
  }
  const shown = unique(problems)
  const errors = shown.filter((problem) => problem.severity === 'error').length
  if (options.json) context.json({ problems: shown.map(describe) })
  else {
    for (const problem of shown) context.print(line(context, problem))
    const { good, bad, warn } = context.noteStyle
    const summary = `${count(flows, 'flow')} checked, `
    const warnings = shown.length - errors
    if (errors > 0)
      context.note(bad(`${summary}${count(errors, 'error')}${warnings > 0 ? `, ${count(warnings, 'warning')}` : ''}`))
    else if (warnings > 0) context.note(warn(`${summary}${count(warnings, 'warning')}`))
    else context.note(good(`${summary}no problems`))
  }
  return errors > 0 ? EXIT.failed : EXIT.done
}

async function checkPath(context: Context, name: string, options: CheckOptions): Promise<Found> {
  const path = resolve(context.workingDirectory, name)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) throw new UsageError(`There is no file or folder ${name}.`)
  const root = findProjectFolder(stat.isDirectory() ? path : dirname(path))
  const { settings } = openFolder(context, root)
  // Of a folder inside a project the whole project is loaded: its flows may call those outside.
  const project = await loadProject(root, {
    connectors: await connectorCatalogs(),
    environment: context.environment,
    dataDirectory: settings.dataDir,
    types: options.types,
    provided,
    ...(stat.isFile() ? { only: path } : {}),
  })
  try {
    const inside = (file: string): boolean => {
      const absolute = join(root, file)
      return stat.isDirectory() ? absolute.startsWith(path) : absolute === path || isTasksOf(absolute, path)
    }
    const problems = project.problems.filter((problem) => inside(problem.file))
    const flows = [...project.flows.values()].filter((flow) => inside(flow.file)).map((flow) => flow.file)
    const broken = problems.filter((problem) => problem.severity === 'error').map((problem) => problem.file)
    return {
      problems: problems.map((problem) => ({ ...problem, file: showPath(context, join(root, problem.file)) })),
      flows: new Set([...flows, ...broken]).size,
    }
  } finally {
    await project.close()
  }
}

function isTasksOf(file: string, flow: string): boolean {
  return dirname(file) === dirname(flow) && /[\\/]tasks\.\w+$/.test(file)
}

function unique(problems: readonly FileProblem[]): FileProblem[] {
  const byPlace = new Map(problems.map((found) => [JSON.stringify(describe(found)), found]))
  return [...byPlace.values()]
}

function describe(problem: FileProblem) {
  const { file, line, column, code, severity, message, suggestion, endLine, endColumn } = problem
  const end = endLine === undefined ? {} : { endLine, endColumn }
  return { file, line, column, code, severity, message, ...(suggestion === undefined ? {} : { suggestion }), ...end }
}

function line(context: Context, problem: FileProblem): string {
  const { bold, bad, warn, accent } = context.style
  const { file, line, column, code, severity, message, suggestion } = problem
  const place = bold(`${file}:${line}:${column}`)
  const label = severity === 'error' ? bad(code) : warn(code)
  const level = severity === 'error' ? '' : `${warn('warning:')} `
  return `${place} ${label} ${level}${message}${suggestion === undefined ? '' : accent(` → ${suggestion}`)}`
}
