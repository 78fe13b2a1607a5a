import type { Clock } from '../clock.ts'
import type { ActionCache } from './cache.ts'

export interface MemoryCacheOptions {
  /** Bytes after which what was used longest ago goes. Default 32 MiB. */
  readonly maxBytes?: number
  readonly clock: Clock
}

interface Entry {
  readonly text: string
  readonly bytes: number
  readonly until: number
}

const DEFAULT_MAX_BYTES = 32 * 1024 * 1024
/** Roughly what an entry costs beside its text. */
const ENTRY_BYTES = 200

/** A cache of this process, bounded by bytes. One answer takes a quarter of it at most. */
export class MemoryCache implements ActionCache {
  readonly #maxBytes: number
  readonly #clock: Clock
  /** In the order of use: the first is the one that goes. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor({ maxBytes = DEFAULT_MAX_BYTES, clock }: MemoryCacheOptions) {
    this.#maxBytes = maxBytes
    this.#clock = clock
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): string | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    this.#entries.delete(key)
    if (entry.until <= this.#clock.now()) {
      this.#bytes -= entry.bytes
      return null
    }
    this.#entries.set(key, entry)
    return entry.text
  }

  set(key: string, text: string, ttlMs: number): void {
    const before = this.#entries.get(key)
    if (before !== undefined) this.#remove(key, before)
    // V8 keeps a character in one byte or in two; two is the safe side.
    const bytes = (key.length + text.length) * 2 + ENTRY_BYTES
    if (bytes > this.#maxBytes / 4) return
    this.#entries.set(key, { text, bytes, until: this.#clock.now() + ttlMs })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break
      this.#remove(oldest, entry)
    }
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
  }
}
