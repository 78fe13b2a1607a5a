/**
 * Gives memory back after a burst of work. V8 collects garbage as it allocates: a server that has nothing to do would keep
 * the heap of its busiest minute for good. Once it has been idle for some seconds, one full collection returns it.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 2_000
/** Looks without work after which the process counts as idle. */
const IDLE_LOOKS = 2
/** Share of one core below which nothing is going on: timers, the renewal of the store's ownership. */
const IDLE_SHARE = 0.02
/** Processor time since the last collection that makes another one worth its pause (some 50 ms), in ms. */
const WORTH_MS = 300

/** What is looked at; replaced in tests. */
export interface IdleMemoryOptions {
  /** Processor time of the process so far, in ms. */
  readonly cpuMs?: () => number
  readonly collect?: () => void
}

/** Watches until the returned function is called. Keeps no process alive. */
export function releaseMemoryWhenIdle(options: IdleMemoryOptions = {}): () => void {
  const { cpuMs = ownCpuMs, collect = collectAll } = options
  let before = cpuMs()
  let collectedAt = 0
  let idleLooks = 0
  const timer = setInterval(() => {
    const now = cpuMs()
    idleLooks = now - before < LOOK_MS * IDLE_SHARE ? idleLooks + 1 : 0
    before = now
    if (idleLooks < IDLE_LOOKS || now - collectedAt < WORTH_MS) return
    collect()
    collectedAt = before = cpuMs()
  }, LOOK_MS).unref()
  return () => clearInterval(timer)
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

let gc: ((options: object) => void) | null = null

/** V8's own `gc`, with the flavor that also gives pages back to the system. Fetched when it is first needed. */
function collectAll(): void {
  if (gc === null) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as (options: object) => void
    setFlagsFromString('--no-expose-gc')
  }
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
