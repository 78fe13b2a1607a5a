import { SlotMap } from '../slots.ts'
import type { RunSummary } from './runtime.ts'

/** How long the end of a run is remembered for whoever asks for it right after its start; real time. */
const KEEP_MS = 50

/** Who waits for the end of which run; and the ends of a moment ago, so that a webhook need not read its run back. */
export class Ends {
  readonly #waiters = new SlotMap<number, ((summary: RunSummary) => void)[]>()
  #young = new Map<number, RunSummary>()
  #old = new Map<number, RunSummary>()
  #timer: ReturnType<typeof setTimeout> | null = null
  /** Runs that have ended, by status. */
  readonly counts: { [status: string]: number } = { succeeded: 0, failed: 0, cancelled: 0 }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  add(rid: number, summary: RunSummary): void {
    this.counts[summary.status] = (this.counts[summary.status] ?? 0) + 1
    const waiters = this.#waiters.delete(rid)
    if (waiters !== undefined) {
      for (const waiter of waiters) waiter(summary)
      return
    }
    this.#young.set(rid, summary)
    if (this.#timer === null) this.#timer = setTimeout(() => this.#turn(), KEEP_MS).unref()
  }

  /** The end of a run that ended just now. */
  recent(rid: number): RunSummary | null {
    return this.#young.get(rid) ?? this.#old.get(rid) ?? null
  }

  /** Calls back when the run ends. */
  wait(rid: number, waiter: (summary: RunSummary) => void): void {
    const waiters = this.#waiters.get(rid)
    if (waiters === undefined) this.#waiters.set(rid, [waiter])
    else waiters.push(waiter)
  }

  #turn(): void {
    this.#timer = null
    this.#old = this.#young
    this.#young = new Map()
    if (this.#old.size > 0) this.#timer = setTimeout(() => this.#turn(), KEEP_MS).unref()
  }
}
