/** Which ticks of a schedule are to be started now. Pure: times in, times out. */
import { hash } from 'node:crypto'
import { Cron } from 'croner'

/** A tick that is started at most this late is on time; a later one was missed, and the catch-up policy decides. */
export const ON_TIME_MS = 10_000
/** Missed ticks older than this are not caught up. */
export const CATCH_UP_WINDOW_MS = 24 * 60 * 60_000
/** Most ticks of one schedule that are started in one pass; the rest follows in the next. */
export const MAX_TICKS = 100

/** Ticks of a cron expression in a time zone. */
export interface Ticks {
  /** The first tick after a time; null when there is none. */
  next(after: number): number | null
  /** The last tick at or before a time. */
  last(until: number): number | null
}

export function ticksOf(cron: string, timezone: string): Ticks {
  const job = new Cron(cron, { timezone, paused: true })
  return {
    next: (after) => job.nextRun(new Date(after))?.getTime() ?? null,
    // `previousRuns` gives those before its reference.
    last: (until) => job.previousRuns(1, new Date(until + 1000))[0]?.getTime() ?? null,
  }
}

/** Delay of a tick within the jitter: random between ticks, but the same whenever it is computed again. */
export function jitterOf(seed: string, tick: number, jitterMs: number): number {
  if (jitterMs === 0) return 0
  const bits = Number.parseInt(hash('sha256', `${seed}@${tick}`).slice(0, 12), 16)
  return bits % (jitterMs + 1)
}

export interface DuePlan {
  /** Ticks to start, oldest first. */
  readonly start: readonly number[]
  /** Missed ticks that are left out lie from the first to before the second of these times. Null: none. */
  readonly left: { readonly from: number; readonly before: number } | null
  /** The first tick that is not settled; null when there are no more. */
  readonly next: number | null
}

/** Plans one pass over a schedule whose first unsettled tick is `nextAt`. */
export function planDue(options: {
  readonly ticks: Ticks
  readonly nextAt: number
  readonly now: number
  readonly catchUp: 'none' | 'last' | 'all'
  readonly jitter: (tick: number) => number
  /** The most that `jitter` gives. */
  readonly maxJitter: number
}): DuePlan {
  const { ticks, nextAt, now, catchUp, jitter } = options
  const begin = firstWanted(options)
  if (begin === null || begin > now) return { start: [], left: leftOut(nextAt, begin), next: begin }
  const start: number[] = []
  let tick: number | null = begin
  while (tick !== null && tick + jitter(tick) <= now && start.length < MAX_TICKS) {
    // Without catching up, what is late is left out, and so is all before it.
    if (catchUp === 'none' && tick + jitter(tick) < now - ON_TIME_MS) start.length = 0
    else start.push(tick)
    tick = ticks.next(tick)
  }
  return { start, left: leftOut(nextAt, start[0] ?? tick), next: tick }
}

/** The first tick that the policy wants, at or after `nextAt`. */
function firstWanted(options: Parameters<typeof planDue>[0]): number | null {
  const { ticks, nextAt, now, catchUp, jitter, maxJitter } = options
  const from = (time: number) => (time <= nextAt ? nextAt : ticks.next(time - 1))
  switch (catchUp) {
    case 'none':
      return from(now - ON_TIME_MS - maxJitter)
    case 'last': {
      if (now - nextAt - jitter(nextAt) <= ON_TIME_MS) return nextAt
      const last = ticks.last(now)
      return last === null || last < nextAt ? nextAt : last
    }
    case 'all':
      return from(now - CATCH_UP_WINDOW_MS)
  }
}

function leftOut(nextAt: number, begin: number | null): DuePlan['left'] {
  return begin === null || begin <= nextAt ? null : { from: nextAt, before: begin }
}
