/**
 * Gives memory back after a burst of work. V8 collects garbage as it allocates: a server that has nothing to do would keep
 * the heap of its busiest minute for good. Once it has been idle for some seconds, the young generation is collected, which
 * shrinks it and makes V8's own memory reducer look at the rest when that stays idle too. A full collection at once would
 * give the same memory back, but it also throws away the compiled code whose objects are not alive just then, and the
 * next burst would run a fifth slower for its first ten seconds.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 2_000
/** Looks without work after which the process counts as idle. */
const IDLE_LOOKS = 2
/** Share of one core below which nothing is going on: timers, the renewal of the store's ownership. */
const IDLE_SHARE = 0.02
/** Processor time since the last collection that makes another one worth its pause (some 5 ms), in ms. */
const WORTH_MS = 300

/** What is looked at; replaced in tests. */
export interface IdleMemoryOptions {
  /** Processor time of the process so far, in ms. */
  readonly cpuMs?: () => number
  readonly collect?: () => void
}

/** Watches until the returned function is called. Keeps no process alive. */
export function releaseMemoryWhenIdle(options: IdleMemoryOptions = {}): () => void {
  const { cpuMs = ownCpuMs, collect = collectYoung } = options
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

/** The first collection promotes what is alive, the next ones find the space empty and shrink it. */
const ROUNDS = 3

let gc: ((options: object) => void) | null = null

/** V8's own `gc`. Fetched when it is first needed. */
function collectYoung(): void {
  if (gc === null) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as (options: object) => void
    setFlagsFromString('--no-expose-gc')
  }
  for (let round = 0; round < ROUNDS; round++) gc({ type: 'minor', execution: 'sync' })
}
