/**
 * What this process has seen of runs: under which epoch a row stood when it was read or written here, and whether a
 * concurrency key or a status makes a write to it more than plain. Only a memory: what is not in it is looked up.
 */
export interface KnownRun {
  /** Epoch in the row. A write is fenced when the row has another one by then, and it is not ours. */
  readonly epoch: number
  readonly keyed: boolean
}

/** Runs remembered at most; past that all are forgotten. */
const LIMIT = 50_000

export class KnownRuns {
  readonly #runs = new Map<number, KnownRun>()

  get(rid: number): KnownRun | undefined {
    return this.#runs.get(rid)
  }

  epochOf(rid: number): number | undefined {
    return this.#runs.get(rid)?.epoch
  }

  note(rid: number, run: KnownRun): void {
    if (this.#runs.size >= LIMIT && !this.#runs.has(rid)) this.#runs.clear()
    this.#runs.set(rid, run)
  }

  forget(rid: number): void {
    this.#runs.delete(rid)
  }
}
