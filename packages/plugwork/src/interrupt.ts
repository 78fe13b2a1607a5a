/**
 * Ctrl-C for commands that have something to bring to an end: the first asks for it, the second ends the process at once,
 * even while this thread is busy (a task that computes) or another one is (a long SQLite statement).
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { EXIT } from './exit.ts'
import { leaveAtOnce } from './leave.ts'

export interface InterruptHandlers {
  first(): void
  /** The last words. */
  second(): void
}

/**
 * Two signals within this time are one Ctrl-C: a terminal signals every process of the group, and `npx`, `npm run` and our
 * launcher pass on what they get besides. A person is slower. Milliseconds.
 */
const SAME_PRESS_MS = 100

/** Handles SIGINT and SIGTERM until the answered function is called. */
export function onInterrupt(handlers: InterruptHandlers): () => void {
  let first = Number.NaN
  const onSignal = (): void => {
    const now = performance.now()
    if (Number.isNaN(first)) {
      first = now
      clearEcho()
      handlers.first()
    } else if (now - first > SAME_PRESS_MS) {
      clearEcho()
      handlers.second()
      leaveAtOnce(EXIT.interrupted)
    }
  }
  const watcher = watchTerminal()
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
    watcher?.stdin?.end()
  }
}

/** The terminal has written `^C` where the next line goes. */
function clearEcho(): void {
  if (process.stderr.isTTY && process.env['TERM'] !== 'dumb') process.stderr.write('\r\u001b[K')
}

/**
 * Counts the terminal's Ctrl-C in a process of the same group, because this one cannot while its thread is busy. After
 * the second it gives us half a second to leave by ourselves, then kills us. It ends when its stdin does; a signal makes
 * `read` fail too, hence the comparison.
 */
const WATCHER = `
n=0 seen=0
asked() { n=$((n+1)); [ $n -lt 2 ] || { sleep 0.5; kill -KILL "$1" 2>/dev/null; exit; }; }
trap 'asked "$1"' INT
while :; do read -r _ || { [ $n -gt $seen ] || exit 0; seen=$n; }; done`

function watchTerminal(): ChildProcess | null {
  if (process.platform === 'win32' || !(process.stdin.isTTY || process.stderr.isTTY)) return null
  const watcher = spawn('/bin/sh', ['-c', WATCHER, 'plugwork-interrupt', String(process.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // Without it only the busy case is lost.
  watcher.on('error', () => {})
  watcher.stdin.on('error', () => {})
  watcher.unref()
  ;(watcher.stdin as unknown as { unref(): void }).unref()
  return watcher
}
