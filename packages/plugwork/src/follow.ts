/** Stays with a run until it ends or parks, shows its progress, and handles Ctrl-C. */
import type { RunDetail, RunSummary } from '@plugwork/core/node'
import type { Context } from './context.ts'
import { onInterrupt } from './interrupt.ts'
import { createProgress, silentProgress, type Progress } from './render/progress.ts'
import type { Session } from './session.ts'

export interface FollowOptions {
  readonly json?: boolean
  readonly trace?: boolean
  readonly cancelOnInterrupt?: boolean
}

export interface Following extends FollowOptions {
  /** Options by which further commands find the same store: ` --project shop`. */
  readonly where: string
}

export type Followed =
  | { readonly kind: 'ended'; readonly run: RunDetail }
  /** It waits for somebody, for an event, or for longer than is worth staying. */
  | { readonly kind: 'parked'; readonly run: RunDetail }
  | { readonly kind: 'interrupted'; readonly run: RunDetail | null }

/** Timers up to this are waited for; a run that sleeps longer is left to `plugwork start` or `runs resume`. */
const STAY_MS = 5 * 60_000
const GRACE_MS = 10_000
const LOOK_MS = 400

/** Follows a run. The second Ctrl-C ends the process at once: the store is made for that. */
export async function followRun(context: Context, session: Session, id: string, options: Following): Promise<Followed> {
  const progress = options.json ? silentProgress : createProgress(context, { steps: options.trace !== true })
  const unwatch = session.watch((notice) => progress.show(notice), id)
  const interrupt = new Interrupt(context, session, id, options, progress)
  let settledWell = false
  try {
    const settled = untilSettled(session, id).catch((error: unknown) => {
      // Waiting ends with the runtime, which an interrupt stops.
      if (interrupt.asked) return interrupt.done
      throw error
    })
    const parked = await Promise.race([settled, interrupt.done])
    progress.end()
    const run = await session.get(id).catch((error: unknown) => {
      if (interrupt.asked) return null
      throw error
    })
    if (interrupt.asked) return { kind: 'interrupted', run }
    if (run === null) throw new Error(`The run ${id} has vanished from the store.`)
    settledWell = run.status === 'succeeded'
    return { kind: parked ? 'parked' : 'ended', run }
  } finally {
    unwatch()
    progress.end()
    interrupt.release()
    // A step that timed out or was interrupted may still occupy its thread.
    if (!settledWell && session.server === null) context.ending.threadsLeft = true
  }
}

/** True: the run is parked. */
async function untilSettled(session: Session, id: string): Promise<boolean> {
  for (;;) {
    const summary = await session.wait(id, LOOK_MS)
    if (summary === null || isEnded(summary)) return false
    if (await isParked(session, summary)) return true
  }
}

export function isEnded(run: Pick<RunSummary, 'status'>): boolean {
  return run.status === 'succeeded' || run.status === 'failed' || run.status === 'cancelled'
}

/** Whether nothing happens soon unless somebody does something. A parent is parked when all its open children are. */
async function isParked(session: Session, run: Pick<RunSummary, 'id' | 'status' | 'reason'>): Promise<boolean> {
  if (run.status !== 'waiting') return false
  if (run.reason === 'child') {
    const detail = await session.get(run.id)
    if (detail === null) return false
    const children = await session.list({ parentRid: detail.row.rid, limit: 1000 })
    const open = children.filter((child) => !isEnded(child))
    if (open.length === 0) return false
    return (await Promise.all(open.map((child) => isParked(session, child)))).every(Boolean)
  }
  const wakeAt = (await session.get(run.id))?.row.wakeAt ?? null
  // An approval with a time limit of a minute is decided soon, one way or the other.
  return wakeAt === null || wakeAt - Date.now() > STAY_MS
}

/** Ctrl-C while a run is followed. */
class Interrupt {
  asked = false
  readonly done: Promise<false>
  readonly #context: Context
  readonly #session: Session
  readonly #id: string
  readonly #options: Following
  readonly #progress: Progress
  readonly #finish: () => void
  /** Stops handling. */
  readonly release: () => void

  constructor(context: Context, session: Session, id: string, options: Following, progress: Progress) {
    this.#context = context
    this.#session = session
    this.#id = id
    this.#options = options
    this.#progress = progress
    const { promise, resolve } = Promise.withResolvers<false>()
    this.done = promise
    this.#finish = () => resolve(false)
    this.release = onInterrupt({ first: () => this.#handle(), second: () => this.#leave() })
  }

  #leave(): void {
    this.#progress.end()
    if (this.#session.server === null) {
      this.#context.note(`Left at once. To go on:   plugwork runs resume ${this.#id}${this.#options.where}`)
    }
  }

  #handle(): void {
    this.asked = true
    const { warn } = this.#context.noteStyle
    void this.#react((line) => this.#progress.say(warn(line))).catch((error: unknown) => {
      this.#progress.say(`${this.#context.noteStyle.bad('error')} ${(error as Error).message}`)
      this.#finish()
    })
  }

  async #react(say: (line: string) => void): Promise<void> {
    if (this.#options.cancelOnInterrupt) {
      say('Interrupted: cancelling the run, its compensation runs. Ctrl-C again to leave at once.')
      await this.#session.cancel(this.#id, { force: false, reason: 'interrupted at the command line' })
      await untilSettled(this.#session, this.#id)
    } else if (this.#session.server !== null) {
      say('Interrupted: the server goes on with the run.')
    } else {
      say(`Interrupted: running steps get ${GRACE_MS / 1000} s to finish. Ctrl-C again to leave at once.`)
      await this.#session.stop(GRACE_MS)
    }
    this.#finish()
  }
}
