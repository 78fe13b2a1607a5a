/**
 * Tells processes apart over time. A pid alone is used again by the system; with the start time of the process, the boot
 * and the pid namespace (a container has its own) it is not.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'

/** Identity of a live process, or null when there is none with this pid. On Linux `linux:<boot>:<namespace>:<start>`. */
export function processStart(pid: number): string | null {
  if (process.platform === 'linux') return linuxStart(pid)
  if (!isAlive(pid)) return null
  if (process.platform === 'win32') return 'win32'
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return started === '' ? null : `ps:${started}`
  } catch {
    // `ps` ends with 1 for a process that has just ended; where there is no `ps`, being alive is all that can be told.
    return isAlive(pid) ? 'unknown' : null
  }
}

/**
 * Whether the process that called itself `start` still runs: `unknown` when it lives in another pid namespace of this boot
 * (a container on the same file), where only its renewals tell.
 */
export function isRunning(pid: number, start: string): 'yes' | 'no' | 'unknown' {
  const own = processStart(process.pid)
  if (own === null || start === 'unknown' || own === 'unknown') return isAlive(pid) ? 'yes' : 'no'
  const [system, boot, namespace] = start.split(':')
  const [ownSystem, ownBoot, ownNamespace] = own.split(':')
  if (system === 'linux' && ownSystem === 'linux') {
    if (boot !== ownBoot) return 'no'
    if (namespace !== ownNamespace) return 'unknown'
  }
  return processStart(pid) === start ? 'yes' : 'no'
}

function linuxStart(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // The second field is the command in parentheses, which may contain anything; the 22nd is the start time in ticks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  if (state === 'Z' || state === 'X') return null
  const boot = readOr('/proc/sys/kernel/random/boot_id', 'boot').trim()
  return `linux:${boot}:${namespaceOf()}:${fields[19]}`
}

function namespaceOf(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}

function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return fallback
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: there is one, of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
