/** The last calls of actions: what, for whom, how long, how it ended. Never inputs, outputs or messages of errors. */

export interface ActionLogEntry {
  /** When the call ended; epoch ms. */
  readonly at: number
  readonly tenant: string
  /** `github.issues.create`. */
  readonly action: string
  /** Name of the connection; '' without one. */
  readonly connection: string
  /** Code of the error; null for a call that succeeded. */
  readonly error: string | null
  readonly durationMs: number
  readonly attempts: number
  readonly cached: boolean
  readonly limitWaitMs: number
  readonly dryRun: boolean
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** A ring whose entries are written over in place: keeping the log allocates nothing once it is full. */
export class ActionLog {
  readonly #size: number
  readonly #ring: Mutable<ActionLogEntry>[] = []
  #next = 0

  constructor(size: number) {
    this.#size = size
  }

  /** The entry to fill in; null where no log is kept. */
  next(): Mutable<ActionLogEntry> | null {
    if (this.#size === 0) return null
    const at = this.#next
    this.#next = at + 1 === this.#size ? 0 : at + 1
    let entry = this.#ring[at]
    if (entry === undefined) {
      entry = {
        at: 0,
        tenant: '',
        action: '',
        connection: '',
        error: null,
        durationMs: 0,
        attempts: 0,
        cached: false,
        limitWaitMs: 0,
        dryRun: false,
      }
      this.#ring.push(entry)
    }
    return entry
  }

  /** Copies, the newest first. */
  recent(filter: { readonly tenant?: string; readonly limit?: number } = {}): ActionLogEntry[] {
    const { tenant, limit = this.#size } = filter
    const found: ActionLogEntry[] = []
    for (let back = 1; back <= this.#ring.length && found.length < limit; back++) {
      const entry = this.#ring[(this.#next - back + this.#ring.length) % this.#ring.length]!
      if (tenant === undefined || entry.tenant === tenant) found.push({ ...entry })
    }
    return found
  }
}
