/** What running test files gives. */
import type { FlowCoverage } from './coverage.ts'
import type { TestFileProblem } from './parse-test-file.ts'

export interface CaseOutcome {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped. */
  readonly reason?: string
  /** One line for each expectation that does not hold. */
  readonly failures: readonly string[]
  readonly line: number
  /** Real time. */
  readonly durationMs: number
  /** Virtual time from start to rest. */
  readonly elapsedMs: number
}

export interface FileResult {
  /** Relative to the project folder. */
  readonly file: string
  readonly flow: string | null
  readonly cases: readonly CaseOutcome[]
  /** What kept the file from being run. */
  readonly problems: readonly TestFileProblem[]
  /** Absolute paths of all that the outcome depends on, as far as it is known; null when the file could not be run. */
  readonly files: readonly string[] | null
  readonly snapshotsWritten: number
  readonly snapshotsObsolete: readonly string[]
}

export interface TestRun {
  readonly files: readonly FileResult[]
  readonly coverage: readonly FlowCoverage[]
}

/** How many cases there are of each status; a file that could not be run counts as one that failed. */
export function tally(files: readonly FileResult[]): { passed: number; failed: number; skipped: number } {
  const cases = files.flatMap((file) => file.cases)
  const count = (status: CaseOutcome['status']): number => cases.filter((one) => one.status === status).length
  const broken = files.filter((file) => file.problems.length > 0).length
  return { passed: count('passed'), failed: count('failed') + broken, skipped: count('skipped') }
}
