/**
 * What a power cut would take, as far as it can be had without one: the process runs under strace, and what it had written
 * to the database's log and not synced when it was killed is cut off. Linux only, and where strace may trace.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { delay } from './node.ts'

/** Whether processes can be traced here. */
export function canTrace(): boolean {
  try {
    execFileSync('strace', ['-D', '-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The words before a command that has its writes and syncs written to a file. `-D`: the command stays our own child. */
export function traced(file: string): readonly string[] {
  return ['strace', '-D', '-f', '-y', '-s', '0', '-o', file, '-e', 'trace=pwrite64,fsync,fdatasync']
}

/** Cuts off what the killed process had not synced of the log. */
export async function loseUnsynced(trace: string, pid: number, dataDir: string): Promise<void> {
  const log = join(dataDir, 'plugwork.db-wal')
  const until = Date.now() + 10_000
  let text = ''
  // The tracer writes on for a moment: the main thread's end comes last.
  while (!new RegExp(`^${pid} +\\+{3} killed`, 'm').test(text)) {
    if (Date.now() > until) throw new Error(`the trace ${trace} does not end`)
    await delay(20)
    text = existsSync(trace) ? readFileSync(trace, 'utf8') : ''
  }
  const from = firstUnsynced(text, log)
  if (from < Infinity) truncateSync(log, from)
  // The index of the log is memory shared between processes; no power cut leaves it.
  rmSync(join(dataDir, 'plugwork.db-shm'), { force: true })
}

/**
 * Lowest offset written since the last sync of the file. A sync counts when it has returned, which may stand in a line of
 * its own (`<... fsync resumed>`) when another thread's call came in between.
 */
function firstUnsynced(text: string, file: string): number {
  let from = Infinity
  const syncing = new Set<string>()
  for (const line of text.split('\n')) {
    const [, thread = '', call = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    const write = /^pwrite64\(\d+<([^>]*)>, .*?, \d+, (\d+)(?:\)| <unfinished)/.exec(call)
    if (write?.[1] === file) from = Math.min(from, Number(write[2]))
    const sync = /^f(?:data)?sync\(\d+<([^>]*)>/.exec(call)
    if (sync?.[1] === file && call.includes('<unfinished')) syncing.add(thread)
    const isBack = /^<\.\.\. f(?:data)?sync resumed>/.test(call) && syncing.delete(thread)
    if ((isBack || sync?.[1] === file) && call.endsWith('= 0')) from = Infinity
  }
  return from
}
