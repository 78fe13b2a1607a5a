/** Programs of the machine: found in PATH and the usual folders, or installed from Debian's packages. */
import { execFile } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where Debian puts daemons that are not in everybody's PATH. */
const FOLDERS = ['/usr/local/bin', '/usr/local/sbin', '/usr/bin', '/usr/sbin', '/bin', '/sbin']
/** One installation at a time, whoever asks for it on this machine. */
const INSTALL_LOCK = '/tmp/plugwork-test-services.lock'

export interface BinaryNeed {
  /** Names of the program, the preferred one first. */
  readonly names: readonly string[]
  /** Debian package that has it. */
  readonly packageName: string
  /** Further folders, as glob patterns; of several matches the last one is taken (the newest version). */
  readonly folders?: readonly string[]
}

/** Full path of a program; null when the machine does not have it. */
export function findBinary({ names, folders = [] }: Pick<BinaryNeed, 'names' | 'folders'>): string | null {
  const own = folders.flatMap((pattern) =>
    globSync(pattern).sort((a, b) => b.localeCompare(a, 'en', { numeric: true })),
  )
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'))
  for (const name of names) {
    const found = [...own, ...path, ...FOLDERS].map((folder) => join(folder, name)).find(isProgram)
    if (found !== undefined) return found
  }
  return null
}

function isProgram(file: string): boolean {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats !== undefined && stats.isFile() && (stats.mode & 0o111) !== 0
}

/** The program's path; installs its package where it is missing and that is possible. Throws what to do by hand. */
export async function requireBinary(need: BinaryNeed): Promise<string> {
  const found = findBinary(need)
  if (found !== null) return found
  const why = await installPackage(need.packageName)
  const installed = findBinary(need)
  if (installed !== null) return installed
  throw new Error(
    `${need.names[0]} is not installed${why === null ? '' : `, and could not be (${why})`}. Install it: apt-get install ${need.packageName}`,
  )
}

/** Installs a Debian package; answers why that was not possible, or null. */
export async function installPackage(name: string): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'this process is not root'
  if (!isDebian()) return 'this is not Debian or Ubuntu'
  // RUNLEVEL keeps the package's scripts from starting a daemon of the machine: the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const apt = (...args: string[]): Promise<unknown> =>
    run('flock', [INSTALL_LOCK, 'apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], { env, timeout: 600_000 })
  const install = (): Promise<unknown> => apt('install', '-y', '--no-install-recommends', name)
  try {
    // The lists of a fresh image are empty or old; only then they are worth their half minute.
    await install().catch(() => apt('update').then(install))
    return null
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    return `apt-get: ${(stderr || message).trim().split('\n').at(-1)}`
  }
}

function isDebian(): boolean {
  try {
    return /^ID(?:_LIKE)?=.*\b(?:debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}
