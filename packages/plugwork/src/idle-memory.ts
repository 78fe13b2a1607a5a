/**
 * Gives memory back after a burst of work. V8 collects garbage as it allocates: a server that has nothing to do would keep
 * the heap of its busiest minute for good. After some idle seconds the young generation is collected, which mostly makes
 * V8's own memory reducer look at the rest; after an idle minute everything is. A full collection throws away the compiled
 * code whose objects are not alive just then, and the next burst runs a fifth slower for its first ten seconds: too much
 * after a short pause.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 2_000
/** Looks without work after which the process counts as idle, and as idle for long. */
const IDLE_LOOKS = 2
const LONG_IDLE_LOOKS = 30
/** Share of one core below which nothing is going on: timers, the renewal of the store's ownership. */
const IDLE_SHARE = 0.02
/** Processor time since the last collection that makes another one worth its pause, in ms. */
const WORTH_MS = 300

/** What is collected: the young generation (some 5 ms), or everything (some 50 ms). */
export type Collection = 'young' | 'all'

/** What is looked at; replaced in tests. */
export interface IdleMemoryOptions {
  /** Processor time of the process so far, in ms. */
  readonly cpuMs?: () => number
  readonly collect?: (what: Collection) => void
}

/** Watches until the returned function is called. Keeps no process alive. */
export function releaseMemoryWhenIdle(options: IdleMemoryOptions = {}): () => void {
  const { cpuMs = ownCpuMs, collect = collectNow } = options
  let before = cpuMs()
  let idleLooks = 0
  /** Processor time spent since each kind of collection. */
  const spent: Record<Collection, number> = { young: before, all: before }
  const timer = setInterval(() => {
    const used = cpuMs() - before
    idleLooks = used < LOOK_MS * IDLE_SHARE ? idleLooks + 1 : 0
    spent.young += used
    spent.all += used
    if (idleLooks >= LONG_IDLE_LOOKS) collectOnce('all')
    else if (idleLooks >= IDLE_LOOKS) collectOnce('young')
    before = cpuMs()
  }, LOOK_MS).unref()
  const collectOnce = (what: Collection): void => {
    if (spent[what] < WORTH_MS) return
    collect(what)
    spent[what] = 0
  }
  return () => clearInterval(timer)
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** The first collection promotes what is alive, the next ones find the space empty. */
const YOUNG_ROUNDS = 3

let gc: ((options: object) => void) | null = null

/** V8's own `gc`. Fetched when it is first needed. */
function collectNow(what: Collection): void {
  if (gc === null) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as (options: object) => void
    setFlagsFromString('--no-expose-gc')
  }
  if (what === 'all') gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  else for (let round = 0; round < YOUNG_ROUNDS; round++) gc({ type: 'minor', execution: 'sync' })
}
