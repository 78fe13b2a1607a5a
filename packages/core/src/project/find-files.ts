/** Which files of a folder belong to a project. */
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

export interface ProjectFiles {
  /** Flow files, `/`-separated and relative to the project folder, sorted. */
  readonly flows: readonly string[]
  /** Test files (`*.test.yaml`, `*.test.ts` beside a flow), likewise. */
  readonly tests: readonly string[]
}

const FLOW_FILE = /^(?:flow|.+\.flow)\.(?:yaml|yml|ts)$/
const TEST_FILE = /\.test\.(?:yaml|yml|ts)$/
const TASKS_FILES = ['tasks.ts', 'tasks.mjs', 'tasks.js'] as const

/** True for names that make a file a flow: `flow.yaml`, `orders.flow.yaml`, `flow.ts`, `orders.flow.ts`. */
export function isFlowFile(name: string): boolean {
  return FLOW_FILE.test(name) && !TEST_FILE.test(name)
}

export function isTestFile(name: string): boolean {
  return TEST_FILE.test(name)
}

/** Folders that never hold flows: dot folders, dependencies, and the data folder wherever it is. */
export function isIgnoredFolder(path: string, dataDirectory: string | null): boolean {
  const name = path.slice(path.lastIndexOf(sep) + 1)
  return name.startsWith('.') || name === 'node_modules' || path === dataDirectory
}

/**
 * Finds the flow and test files below a folder. Symbolic links are not followed, so that a link to a parent ends nothing.
 * Throws what the file system throws when `directory` itself cannot be read; folders below that cannot are left out.
 */
export async function findFiles(directory: string, dataDirectory: string | null = null): Promise<ProjectFiles> {
  const flows: string[] = []
  const tests: string[] = []
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (folder === directory || !['EACCES', 'ENOENT', 'EPERM'].includes(error.code ?? '')) throw error
      return []
    })
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (!isIgnoredFolder(path, dataDirectory)) await visit(path)
      } else if (entry.isFile()) {
        const name = relative(directory, path).split(sep).join('/')
        if (isTestFile(entry.name)) tests.push(name)
        else if (isFlowFile(entry.name)) flows.push(name)
      }
    }
  }
  await visit(directory)
  return { flows: flows.toSorted(), tests: tests.toSorted() }
}

/** The file of tasks in a folder's listing, if there is one. */
export async function findTasksFile(folder: string): Promise<string | null> {
  const names = new Set(await readdir(folder))
  const name = TASKS_FILES.find((candidate) => names.has(candidate))
  return name === undefined ? null : join(folder, name)
}
