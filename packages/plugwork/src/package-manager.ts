/** The package manager of a project, by its lock file, and how it adds packages. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PlugworkError } from '@plugwork/core/error'
import type { Context } from './context.ts'
import { UsageError } from './exit.ts'

interface PackageManager {
  readonly name: 'npm' | 'pnpm' | 'yarn' | 'bun'
  readonly add: readonly string[]
  /** The lock file that names it; null where there is none and npm is taken. */
  readonly lockFile: string | null
}

const NPM = { name: 'npm', add: ['install', '--no-audit', '--no-fund'] } as const

const MANAGERS = {
  'package-lock.json': NPM,
  'npm-shrinkwrap.json': NPM,
  'pnpm-lock.yaml': { name: 'pnpm', add: ['add'] },
  'yarn.lock': { name: 'yarn', add: ['add'] },
  'bun.lock': { name: 'bun', add: ['add'] },
  'bun.lockb': { name: 'bun', add: ['add'] },
} as const

/** The nearest lock file from the project folder upward decides (a workspace has one at its top); npm without one. */
export function packageManagerOf(directory: string): PackageManager {
  for (let folder = directory; ; folder = dirname(folder)) {
    for (const [lockFile, manager] of Object.entries(MANAGERS)) {
      if (existsSync(join(folder, lockFile))) return { ...manager, lockFile }
    }
    if (dirname(folder) === folder) return { ...NPM, lockFile: null }
  }
}

/**
 * Adds packages (`name@range`) to the project; what the package manager says goes to stderr. Throws a `UsageError` when it is
 * not there, and `packages_not_installed` when it fails.
 */
export async function addPackages(context: Context, directory: string, packages: readonly string[]): Promise<void> {
  const { name, add, lockFile } = packageManagerOf(directory)
  const args = [...add, ...packages]
  context.note(context.noteStyle.dim(`${name} ${args.join(' ')}`))
  // A shell starts `npm.cmd`; quotes keep its `^` what it is.
  const windows = process.platform === 'win32'
  const child = spawn(name, windows ? args.map((arg) => `"${arg}"`) : args, {
    cwd: directory,
    stdio: ['ignore', 2, 2],
    shell: windows,
    env: { ...process.env, ...context.environment },
  })
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail)
    child.once('exit', done)
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    const why = lockFile === null ? '' : `, which the project's ${lockFile} asks for`
    throw new UsageError(`There is no ${name} here${why}.`, `Install it, or add yourself: ${packages.join(' ')}`)
  })
  if (code === 0) return
  throw new PlugworkError(
    'packages_not_installed',
    `\`${name} ${args.join(' ')}\` failed in ${directory} (exit code ${code ?? 'none: it was killed'}); what it said is above. ` +
      'Check the network, the registry and the rights on the folder, then run this again.',
  )
}
