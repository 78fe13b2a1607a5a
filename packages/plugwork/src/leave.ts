import { flushCompileCache } from 'node:module'

const canReplaceItself = process.execve !== undefined && process.platform !== 'win32'

/**
 * Ends the process at once: the crash path, for which the store is made.
 *
 * `process.exit` is not at once: it joins worker threads, and one that is inside a long SQLite statement cannot be
 * stopped. Replacing the process image takes all threads with it and still gives the exit code. Where there is no
 * `execve` (Windows), the process kills itself, which has an exit code of its own.
 */
export function leaveAtOnce(code: number): never {
  if (canReplaceItself) process.execve!('/bin/sh', ['sh', '-c', `exit ${code}`], {})
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable: SIGKILL cannot be handled')
}

/**
 * Ends in order although a thread may compute on: what it computes has been given up, and it commits nothing. Where the
 * process cannot be replaced, the end waits for the thread.
 */
export async function leaveThreadsBehind(code: number): Promise<void> {
  process.exitCode = code
  if (!canReplaceItself) return
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
  flushCompileCache()
  leaveAtOnce(code)
}
