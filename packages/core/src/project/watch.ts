/** Follows the files of a project: after a change everything is loaded again, and listeners hear what differs. */
import type { FSWatcher } from 'chokidar'
import { dirname } from 'node:path'
import { projectProblem } from './errors.ts'
import { isIgnoredFolder } from './find-files.ts'
import type { Project, ProjectChange } from './project.ts'
import type { Snapshot } from './snapshot.ts'
import { projectPath } from './tasks-file.ts'

type Listener = Parameters<Project['watch']>[0]

export interface ProjectWatch {
  subscribe(listener: Listener): () => void
  close(): Promise<void>
}

export interface WatchOptions {
  readonly directory: string
  readonly dataDirectory: string | null
  current(): Snapshot
  take(previous: Snapshot | null): Promise<Snapshot>
  keep(snapshot: Snapshot): void
}

/** Editors write a file in several steps; what follows within this time belongs to the same change. Milliseconds. */
const SETTLE_MS = 60

/** Starts watching. chokidar is loaded here and not before: commands that do not watch never pay for it. */
export function watchProject(options: WatchOptions): ProjectWatch {
  const listeners = new Set<Listener>()
  let closed = false
  let timer: NodeJS.Timeout | null = null
  let work: Promise<void> = Promise.resolve()

  const reload = async (): Promise<void> => {
    if (closed) return
    const before = options.current()
    // Files may vanish while they are read: the last version stays, and the next change loads again.
    const after = await options.take(before).catch((error: unknown): Snapshot => {
      const message = `The project cannot be loaded: ${(error as Error).message}`
      return { ...before, problems: [projectProblem('PW1302', '.', message)] }
    })
    if (closed) return
    options.keep(after)
    for (const file of after.files) if (outside(options.directory, file)) watcher?.add(file)
    const change = difference(options.directory, before, after)
    if (change !== null) for (const listener of listeners) listener(change)
  }
  const schedule = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(() => {
      timer = null
      work = work.then(reload)
    }, SETTLE_MS)
  }
  let watcher: FSWatcher | null = null
  const opened = openWatcher(options).then((opening) => {
    watcher = opening
    watcher.on('all', schedule)
    // Between the first load and now a file may have changed unseen.
    watcher.once('ready', schedule)
  })
  return {
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      closed = true
      if (timer !== null) clearTimeout(timer)
      listeners.clear()
      await opened
      await watcher?.close()
      await work
    },
  }
}

async function openWatcher(options: WatchOptions): Promise<FSWatcher> {
  const { watch } = await import('chokidar')
  const { directory, dataDirectory } = options
  const extra = [...options.current().files].filter((file) => outside(directory, file))
  return watch([directory, ...extra], {
    ignoreInitial: true,
    ignored: (path, stats) =>
      path !== directory && (stats === undefined || stats.isDirectory()) && isIgnoredFolder(path, dataDirectory),
  })
}

function outside(directory: string, file: string): boolean {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if (folder === directory) return false
  }
  return true
}

/** Null when nothing that anybody could notice is different. */
function difference(directory: string, before: Snapshot, after: Snapshot): ProjectChange | null {
  const flows: string[] = []
  for (const [name, flow] of after.flows) {
    const old = before.flows.get(name)
    if (old?.source !== flow.source || old.hash !== flow.hash || old.file !== flow.file) flows.push(name)
  }
  const removed = [...before.flows.keys()].filter((name) => !after.flows.has(name))
  const tasks: string[] = []
  for (const [folder, { file, hash }] of after.tasks) {
    if (before.tasks.get(folder)?.hash !== hash) tasks.push(projectPath(directory, file))
  }
  const sameProblems = JSON.stringify(before.problems) === JSON.stringify(after.problems)
  const isSame = flows.length === 0 && removed.length === 0 && tasks.length === 0 && sameProblems
  return isSame ? null : { flows, removed, tasks }
}
