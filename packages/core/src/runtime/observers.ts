import { SlotMap } from '../slots.ts'
import type { RunStatus } from '../store/store.ts'
import type { RunNotice } from './runtime.ts'

type Listener = (notice: RunNotice) => void
type StatusListener = (status: RunStatus, reason: string | null) => void

/** Listeners to what happens to runs. They are told only what is durable. */
export class Observers {
  readonly #all = new Set<Listener>()
  readonly #byRun = new SlotMap<string, Set<Listener>>()
  readonly #status = new SlotMap<string, Set<StatusListener>>()

  /** Without a run: the statuses of all runs. With one: its steps as well. The returned function ends it. */
  watch(listener: Listener, runId?: string): () => void {
    if (runId === undefined) {
      this.#all.add(listener)
      return () => void this.#all.delete(listener)
    }
    const listeners = this.#byRun.get(runId) ?? new Set()
    this.#byRun.set(runId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#byRun.get(runId) === listeners) this.#byRun.delete(runId)
    }
  }

  /** Hears of the status of one run only, which costs no notices of its steps. */
  watchStatus(runId: string, listener: StatusListener): () => void {
    const listeners = this.#status.get(runId) ?? new Set()
    this.#status.set(runId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#status.get(runId) === listeners) this.#status.delete(runId)
    }
  }

  /** The status of a run has changed, durably. */
  statusChanged(runId: string, status: RunStatus, reason: string | null): void {
    const listeners = this.#status.get(runId)
    if (listeners !== undefined) for (const listener of listeners) listener(status, reason)
  }

  /** Whether anybody follows the run. */
  watches(runId: string): boolean {
    return this.#byRun.has(runId)
  }

  /** Tells the listeners to all runs. */
  notifyAll(notice: RunNotice): void {
    for (const listener of this.#all) call(listener, notice)
  }

  /** Tells the listeners to this run. */
  notifyRun(notice: RunNotice): void {
    const listeners = this.#byRun.get(notice.runId)
    if (listeners !== undefined) for (const listener of listeners) call(listener, notice)
  }
}

/** A listener that throws is its owner's error and surfaces as an uncaught one; it disturbs neither runs nor others. */
function call(listener: Listener, notice: RunNotice): void {
  try {
    listener(notice)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
