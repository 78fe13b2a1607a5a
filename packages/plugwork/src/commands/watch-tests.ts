/** `plugwork test --watch`: after each change the tests run again whose outcome may be another now. */
import { basename, dirname, join, sep } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FileResult } from '@plugwork/core/testing'
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { leaveAtOnce } from '../leave.ts'
import type { Suite } from './test.ts'

export interface WatchTestsOptions {
  /** Project folders, absolute. */
  readonly folders: readonly string[]
  /** The test files there are now: they may come and go. */
  find(): Promise<readonly Suite[]>
  /** Runs and reports; answers in the order of the suites and their files. */
  run(suites: readonly Suite[]): Promise<readonly FileResult[]>
  /** Every test after every change. */
  readonly whole: boolean
}

/** Editors write a file in several steps; what follows within this time belongs to the same change. Milliseconds. */
const SETTLE_MS = 60

/** What flows, tasks, tests and fixtures are written in. Reports and logs that a run writes must not start the next. */
const SOURCE = /\.(?:[cm]?[jt]s|ya?ml|json|sql)$/

/** Runs all tests, then those that a change affects, until SIGINT or SIGTERM. */
export async function watchTests(context: Context, options: WatchTestsOptions): Promise<number> {
  const { watch } = await import('chokidar')
  const { promise: stopped, resolve: stop } = Promise.withResolvers<'stopped'>()
  const onSignal = (): void => stop('stopped')
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  let changed = new Set<string>()
  let news = Promise.withResolvers<'changed'>()
  const watcher = watch([...options.folders], {
    ignoreInitial: true,
    ignored: (path) => /[\\/](node_modules|\.[^\\/]+)$|\.snap\.yaml$/.test(path),
  })
  watcher.on('all', (_event, path) => {
    if (!SOURCE.test(path)) return
    changed.add(path)
    news.resolve('changed')
  })
  // Before that a change would be missed.
  await new Promise<void>((resolve) => watcher.once('ready', resolve))
  /** How each test file last went. */
  const last = new Map<string, FileResult>()
  try {
    let chosen = await options.find()
    for (;;) {
      if (chosen.length > 0) {
        const done = await Promise.race([remember(chosen, options, last), stopped])
        // A case may hang; nothing of a test is stored.
        if (done === 'stopped') leaveAtOnce(EXIT.interrupted)
        context.note(context.noteStyle.dim('Waiting for changes; Ctrl-C ends.'))
      }
      if ((await Promise.race([news.promise, stopped])) === 'stopped') return EXIT.interrupted
      await delay(SETTLE_MS)
      const paths = changed
      changed = new Set()
      news = Promise.withResolvers()
      chosen = choose(await options.find(), paths, last, options.whole)
      if (chosen.length > 0) context.print('')
    }
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
    await watcher.close()
  }
}

async function remember(
  suites: readonly Suite[],
  options: WatchTestsOptions,
  last: Map<string, FileResult>,
): Promise<void> {
  const results = await options.run(suites)
  const paths = suites.flatMap(({ folder, files }) => files.map((file) => join(folder.directory, file)))
  for (const [index, path] of paths.entries()) last.set(path, results[index]!)
}

function choose(
  suites: readonly Suite[],
  changed: ReadonlySet<string>,
  last: ReadonlyMap<string, FileResult>,
  whole: boolean,
): readonly Suite[] {
  const known = new Set([...last.values()].flatMap((result) => result.files ?? []))
  const affected = (suite: Suite, file: string): boolean => {
    if (whole) return true
    const path = join(suite.folder.directory, file)
    const files = last.get(path)?.files
    // New, or without a result so far: what is missing may be there now.
    if (!files) return true
    return [...changed].some((one) => files.includes(one) || (!known.has(one) && mayUse(path, one)))
  }
  return suites
    .map((suite) => ({ ...suite, files: suite.files.filter((file) => affected(suite, file)) }))
    .filter((suite) => suite.files.length > 0)
}

/**
 * A file that is not known as part of any test: data that a task reads, perhaps. It is taken to concern tests beside and
 * above it, and settings of the project to concern all.
 */
function mayUse(test: string, changed: string): boolean {
  if (basename(changed) === 'plugwork.yaml') return true
  const folder = dirname(test)
  return changed.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}
