/** `plugwork test`: runs flow tests and reports what happened. */
import { statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, relative, resolve, sep } from 'node:path'
import {
  findFiles,
  isTestFile,
  junitReport,
  runTests,
  stepPercentage,
  tally,
  type FileResult,
  type FlowCoverage,
  type TestRun,
} from '@plugwork/core/testing'
import { installedConnectors } from '../connectors.ts'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { findProjectFolder, openFolder, type ProjectFolder } from '../project-folder.ts'
import { showPath } from '../render/path.ts'
import { count, duration } from '../render/text.ts'
import { recordTest } from './record-test.ts'
import { loadProjectOf } from './run.ts'
import { watchTests } from './watch-tests.ts'

export interface TestOptions {
  readonly json?: boolean
  readonly filter?: string
  readonly update?: boolean
  readonly record?: boolean
  readonly watch?: boolean
  readonly junit?: string
  readonly coverage?: boolean
  readonly coverageThreshold?: number
  readonly fromRun?: string
  readonly project?: string
  readonly dataDir?: string
}

/** Test files of one project folder. */
export interface Suite {
  readonly folder: ProjectFolder
  /** Relative to the project folder. */
  readonly files: readonly string[]
  /** What was asked for, absolute: flows below a folder belong into the coverage, tested or not. */
  readonly asked: readonly string[]
}

export async function test(context: Context, paths: readonly string[], options: TestOptions): Promise<number> {
  if (options.fromRun !== undefined) return recordTest(context, options.fromRun, options)
  if (options.watch && options.json)
    throw new UsageError('--watch runs until it is stopped; it has no one JSON document.')
  const asked = paths.length === 0 ? ['.'] : paths
  const suites = await findSuites(context, asked)
  const files = suites.reduce((sum, suite) => sum + suite.files.length, 0)
  if (files === 0 && !options.watch)
    throw new UsageError('There are no test files here.', 'Write `flow.test.yaml` beside a flow; see docs/testing.md.')
  if (options.watch) {
    return watchTests(context, {
      folders: suites.map((suite) => suite.folder.directory),
      find: () => findSuites(context, asked),
      // A report and a coverage are of all tests.
      whole: options.junit !== undefined || options.coverage === true || options.coverageThreshold !== undefined,
      run: async (chosen) => {
        const run = await runSuites(context, chosen, options)
        finish(context, run, options)
        return run.files
      },
    })
  }
  const run = await runSuites(context, suites, options)
  return finish(context, run, options)
}

async function findSuites(context: Context, paths: readonly string[]): Promise<readonly Suite[]> {
  const byRoot = new Map<string, { readonly files: Set<string>; readonly asked: string[] }>()
  for (const name of paths) {
    const path = resolve(context.workingDirectory, name)
    const stat = statSync(path, { throwIfNoEntry: false })
    if (!stat) throw new UsageError(`There is no file or folder ${name}.`)
    const root = findProjectFolder(stat.isDirectory() ? path : dirname(path))
    const { files, asked } = byRoot.get(root) ?? { files: new Set<string>(), asked: [] }
    byRoot.set(root, { files, asked })
    asked.push(path)
    if (stat.isDirectory()) {
      const { tests } = await findFiles(path)
      for (const file of tests) files.add(relative(root, join(path, file)).split(sep).join('/'))
    } else {
      const file = isTestFile(path) ? path : testFileBeside(path)
      files.add(relative(root, file).split(sep).join('/'))
    }
  }
  return [...byRoot].map(([root, { files, asked }]) => ({
    folder: openFolder(context, root),
    files: [...files].toSorted(),
    asked,
  }))
}

/** `plugwork test flow.yaml` means the tests of that flow. */
function testFileBeside(flow: string): string {
  const base = flow.replace(/(\.flow)?\.(ya?ml|ts)$/, '')
  const found = ['.test.yaml', '.test.yml', '.test.ts']
    .map((end) => base + end)
    .find((file) => statSync(file, { throwIfNoEntry: false }))
  if (found === undefined) throw new UsageError(`${flow} is no test file, and there is none beside it.`)
  return found
}

interface SuitesRun extends TestRun {
  readonly began: Date
}

async function runSuites(context: Context, suites: readonly Suite[], options: TestOptions): Promise<SuitesRun> {
  const began = new Date()
  const files: FileResult[] = []
  const coverage: FlowCoverage[] = []
  for (const { folder, files: names, asked } of suites) {
    const project = await loadProjectOf(context, folder)
    try {
      const shown = (file: string): string => showPath(context, join(folder.directory, file))
      const run = await runTests({
        project,
        connectors: [...(await installedConnectors()), ...project.connectors],
        files: names,
        ...(options.filter === undefined ? {} : { filter: options.filter }),
        ...(options.record ? { record: true } : {}),
        covers: (flow) => asked.some((path) => isBelow(join(folder.directory, flow), path)),
        snapshots: options.update ? 'update' : context.environment['CI'] ? 'compare' : 'write_missing',
        ...(options.json ? {} : { onFile: (result) => printFile(context, { ...result, file: shown(result.file) }) }),
      })
      files.push(...run.files.map((result) => ({ ...result, file: shown(result.file) })))
      coverage.push(...run.coverage.map((flow) => ({ ...flow, file: shown(flow.file) })))
    } finally {
      await project.close()
    }
  }
  return { files, coverage, began }
}

/** A flow file that was asked for is covered by its test, which reports it by itself. */
function isBelow(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function finish(context: Context, run: SuitesRun, options: TestOptions): number {
  if (options.junit !== undefined) writeReport(context, options.junit, run)
  const { passed, failed, skipped } = tally(run.files)
  const percentage = stepPercentage(run.coverage)
  const { coverageThreshold: threshold } = options
  const below = threshold !== undefined && percentage < threshold
  if (options.json) {
    context.json({
      passed,
      failed,
      skipped,
      files: run.files.map(fileDocument),
      coverage: { steps_percent: Math.round(percentage * 10) / 10, flows: run.coverage },
    })
  } else {
    if (options.coverage || threshold !== undefined) printCoverage(context, run.coverage, percentage)
    const { good, bad, dim } = context.style
    const parts = [
      ...(failed > 0 ? [bad(`${failed} failed`)] : []),
      good(`${passed} passed`),
      ...(skipped > 0 ? [dim(`${skipped} skipped`)] : []),
    ]
    context.print(parts.join(', '))
    if (below)
      context.note(bad(`Coverage of steps is ${percentage.toFixed(1)} %, below the threshold of ${threshold} %.`))
  }
  return failed > 0 || below ? EXIT.failed : EXIT.done
}

function writeReport(context: Context, name: string, { files, began }: SuitesRun): void {
  const path = resolve(context.workingDirectory, name)
  try {
    writeFileSync(path, junitReport(files, { at: began, host: hostname() }))
  } catch (error) {
    throw new UsageError(`The report cannot be written to ${name}: ${(error as Error).message}.`)
  }
}

function fileDocument(file: FileResult): object {
  return {
    file: file.file,
    flow: file.flow,
    problems: file.problems,
    cases: file.cases.map(({ name, status, reason, failures, line, durationMs, elapsedMs }) => ({
      name,
      status,
      ...(reason === undefined ? {} : { reason }),
      failures,
      line,
      duration_ms: Math.round(durationMs * 10) / 10,
      virtual_ms: elapsedMs,
    })),
  }
}

function printFile(context: Context, result: FileResult): void {
  const { bold, dim, good, bad, warn } = context.style
  context.print(`${bold(result.file)}${result.flow === null ? '' : dim(`  ${result.flow}`)}`)
  for (const { line, column, message } of result.problems)
    context.print(`  ${bad('✘')} ${result.file}:${line}:${column} ${message}`)
  for (const one of result.cases) {
    const virtual = one.elapsedMs >= 1000 ? `, ${duration(one.elapsedMs)} of virtual time` : ''
    const took = dim(`  ${duration(one.durationMs)}${virtual}`)
    if (one.status === 'passed') context.print(`  ${good('✔')} ${one.name}${took}`)
    else if (one.status === 'skipped') context.print(`  ${dim(`– ${one.name}  ${one.reason ?? ''}`)}`)
    else {
      context.print(`  ${bad('✘')} ${one.name}${took}  ${dim(`${result.file}:${one.line}`)}`)
      for (const failure of one.failures) context.print(`      ${failure}`)
    }
  }
  if (result.snapshotsWritten > 0) context.print(`  ${good(`${count(result.snapshotsWritten, 'snapshot')} written`)}`)
  for (const name of result.snapshotsObsolete)
    context.print(`  ${warn(`The snapshot ${JSON.stringify(name)} belongs to no case; --update removes it.`)}`)
}

function printCoverage(context: Context, flows: readonly FlowCoverage[], percentage: number): void {
  const { bold, dim, good, warn } = context.style
  context.print(bold('Coverage'))
  for (const { flow, file, steps, branches, missed } of flows) {
    const full = steps.reached === steps.total && branches.reached === branches.total
    const paint = full ? good : warn
    const ofBranches =
      branches.total === 0 ? '' : `, ${branches.reached} of ${count(branches.total, 'branch', 'branches')}`
    context.print(`  ${paint(`${steps.reached} of ${count(steps.total, 'step')}${ofBranches}`)}  ${flow}`)
    if (steps.reached === 0 && steps.total > 0) {
      context.print(dim(`    ${file}  no case reaches this flow`))
      continue
    }
    for (const { path, kind, at } of missed) {
      context.print(dim(`    ${file}${at ? `:${at.line}:${at.column}` : ''}  ${kind} ${path} was not reached`))
    }
  }
  context.print(`  ${percentage.toFixed(1)} % of steps`)
}
