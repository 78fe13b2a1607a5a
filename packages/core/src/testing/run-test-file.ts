/** Runs the test files of a project. */
import { readFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parse } from 'yaml'
import type { Connector } from '../connector/connector.ts'
import { closest } from '../expression/suggest.ts'
import type { Json } from '../json.ts'
import type { Project, ProjectFlow } from '../project/project.ts'
import { createCoverage, type CoverageMeter } from './coverage.ts'
import { filesOfFlow, filesOfModule } from './dependencies.ts'
import { isFlowTest } from './define-flow-test.ts'
import { acceptTestFile, parseTestFile, type ParsedTestFile, type TestFileProblem } from './parse-test-file.ts'
import type { CaseOutcome, FileResult, TestRun } from './results.ts'
import { runCase } from './run-case.ts'
import { openSnapshots, type SnapshotMode } from './snapshot.ts'
import type { TestCase, TestFile } from './test-file.ts'
import type { Names } from './test-values.ts'

export interface RunTestsOptions {
  readonly project: Project
  readonly connectors: readonly Connector[]
  /** Relative to the project folder. */
  readonly files: readonly string[]
  /** Only cases whose name contains this. */
  readonly filter?: string
  readonly snapshots: SnapshotMode
  /** Sends what cases with a `recording` send for real, with the project's own secrets, and writes the recordings anew. */
  readonly record?: boolean
  /** Flows (by their file, relative to the project folder) that belong into the coverage although no case runs them. */
  readonly covers?: (flowFile: string) => boolean
  /** Called after each file. */
  readonly onFile?: (result: FileResult) => void
}

export async function runTests(options: RunTestsOptions): Promise<TestRun> {
  const coverage = createCoverage()
  for (const flow of options.project.flows.values()) if (options.covers?.(flow.file)) coverage.expect(flow)
  const files: FileResult[] = []
  for (const file of options.files) {
    const result = await runTestFile(file, options, coverage)
    files.push(result)
    options.onFile?.(result)
  }
  return { files, coverage: coverage.report() }
}

async function runTestFile(file: string, options: RunTestsOptions, coverage: CoverageMeter): Promise<FileResult> {
  const path = join(options.project.directory, file)
  const broken = (problems: readonly TestFileProblem[], flow: string | null = null): FileResult => ({
    file,
    flow,
    cases: [],
    problems,
    files: null,
    snapshotsWritten: 0,
    snapshotsObsolete: [],
  })
  const parsed = await readTestFile(path)
  if (parsed.kind === 'problems') return broken(parsed.problems)
  const flow = flowOf(options.project, file, parsed.file)
  if (typeof flow === 'string') return broken([{ line: 1, column: 1, message: flow }])
  const fixtures = readFixtures(dirname(path), parsed.file)
  if (typeof fixtures === 'string') return broken([{ line: 1, column: 1, message: fixtures }], flow.name)
  const repeated = repeatedNames(parsed.file.cases)
  if (repeated.length > 0) return broken(repeated, flow.name)

  const snapshots = openSnapshots(path, options.snapshots)
  const cases: CaseOutcome[] = []
  const chosen = parsed.file.cases.some((one) => one.only)
  for (const test of parsed.file.cases) {
    if (options.filter !== undefined && !test.name.includes(options.filter)) continue
    const skip = skipReason(test, chosen)
    if (skip !== null) cases.push(skipped(test, skip))
    else {
      const { project, connectors } = options
      cases.push(
        await runCase(test, {
          project,
          connectors,
          flow,
          file: parsed.file,
          fixtures,
          snapshots,
          coverage,
          folder: dirname(path),
          record: options.record ?? false,
        }),
      )
    }
  }
  const complete = options.filter === undefined && !chosen
  const { written, obsolete } = snapshots.save({ complete })
  const files = [
    ...filesOfModule(path),
    ...[...fixtureFiles(parsed.file), ...recordingsOf(parsed.file)].map((name) => resolve(dirname(path), name)),
    ...(await filesOfFlow(options.project, flow)),
  ]
  return { file, flow: flow.name, cases, problems: [], files, snapshotsWritten: written, snapshotsObsolete: obsolete }
}

async function readTestFile(path: string): Promise<ParsedTestFile> {
  const problem = (message: string): ParsedTestFile => ({
    kind: 'problems',
    problems: [{ line: 1, column: 1, message }],
  })
  if (!path.endsWith('.ts')) {
    try {
      return parseTestFile(readFileSync(path, 'utf8'))
    } catch (error) {
      return problem(`The file cannot be read: ${(error as Error).message}.`)
    }
  }
  try {
    // The time makes a changed file a new module (`--watch`).
    const url = `${pathToFileURL(path).href}?plugwork=${Date.now().toString(36)}`
    const { default: value } = (await import(/* @vite-ignore */ url)) as { default?: unknown }
    if (isFlowTest(value)) return acceptTestFile(value)
    return problem('The file does not export a flow test: write `export default defineFlowTest({ … })`.')
  } catch (error) {
    return problem(`The file does not load: ${(error as Error).message}`)
  }
}

/** The flow that is named, that has the test file's name, or that is alone in the folder. A text says why there is none. */
function flowOf(project: Project, file: string, test: TestFile): ProjectFlow | string {
  const flows = [...project.flows.values()]
  if (test.flow !== undefined) {
    const named = project.flows.get(test.flow)
    if (named) return named
    const meant = closest(test.flow, project.flows.keys())
    return `There is no flow ${test.flow} that could be tested${meant === undefined ? '' : `; did you mean ${meant}?`}${problemsNote(project)}`
  }
  const folder = posix.dirname(file)
  const beside = flows.filter((flow) => posix.dirname(flow.file) === folder)
  const base = posix.basename(file).replace(/\.test\.\w+$/, '')
  const same = beside.find((flow) => posix.basename(flow.file).replace(/(\.flow)?\.\w+$/, '') === base)
  if (same) return same
  if (beside.length === 1) return beside[0]!
  if (beside.length === 0) return `There is no flow beside the file that could be tested${problemsNote(project)}`
  return `There are ${beside.length} flows beside the file; name one with \`flow:\` (${beside.map((flow) => flow.name).join(', ')}).`
}

function problemsNote(project: Project): string {
  const first = project.problems.find((problem) => problem.severity === 'error')
  return first ? `; ${first.file}:${first.line}:${first.column} ${first.code} ${first.message}` : '.'
}

/** A text says what is wrong. */
function readFixtures(folder: string, test: TestFile): Names | string {
  const fixtures: Record<string, Json> = {}
  for (const [name, value] of Object.entries(test.fixtures ?? {})) {
    const file = fixtureFile(value)
    if (file === null) fixtures[name] = value as Json
    else {
      try {
        // JSON is YAML too.
        fixtures[name] = parse(readFileSync(resolve(folder, file), 'utf8')) as Json
      } catch (error) {
        return `The fixture ${name} cannot be read from ${file}: ${(error as Error).message}`
      }
    }
  }
  return fixtures
}

function recordingsOf(test: TestFile): readonly string[] {
  return [test, ...test.cases].flatMap(({ recording }) => recording ?? [])
}

function fixtureFiles(test: TestFile): readonly string[] {
  return Object.values(test.fixtures ?? {}).flatMap((value) => fixtureFile(value) ?? [])
}

function fixtureFile(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const entries = Object.entries(value)
  return entries.length === 1 && entries[0]![0] === 'file' && typeof entries[0]![1] === 'string' ? entries[0]![1] : null
}

/** Snapshots and reports tell cases apart by name. */
function repeatedNames(cases: readonly TestCase[]): TestFileProblem[] {
  const seen = new Set<string>()
  return cases.flatMap(({ name, line }) => {
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    return [{ line, column: 1, message: `Two cases have the name ${JSON.stringify(name)}.` }]
  })
}

function skipReason(test: TestCase, chosen: boolean): string | null {
  if (test.skip !== undefined && test.skip !== false) return test.skip === true ? 'skip' : test.skip
  return chosen && !test.only ? 'another case has `only`' : null
}

function skipped({ name, line }: TestCase, reason: string): CaseOutcome {
  return { name, status: 'skipped', reason, failures: [], line, durationMs: 0, elapsedMs: 0 }
}
