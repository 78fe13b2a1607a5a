import { randomFillSync } from 'node:crypto'

/** Random bytes are drawn in blocks: asking the system for each id costs more than the rest of a start. */
const BLOCK = 4096

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Makes the ids and tokens of runs. Ids of one process increase, so that rows of new runs lie together. */
export class Ids {
  readonly #block = Buffer.alloc(BLOCK)
  #used = BLOCK
  #lastMs = 0
  #prefix = ''
  #sequence = 0

  /** A UUID version 7 (RFC 9562): milliseconds, a counter within the millisecond, randomness. */
  runId(now: number): string {
    if (now > this.#lastMs) this.#enter(now)
    else if (++this.#sequence > 0xfff) this.#enter(this.#lastMs + 1)
    const from = this.#take(8)
    let tail = `${HEX[(this.#byte(from) & 0x3f) | 0x80]}${HEX[this.#byte(from + 1)]}-`
    for (let at = from + 2; at < from + 8; at++) tail += HEX[this.#byte(at)]
    return `${this.#prefix}${HEX[this.#sequence >> 4]}${(this.#sequence & 15).toString(16)}-${tail}`
  }

  /** 128 random bits as 22 characters. */
  token(): string {
    const from = this.#take(16)
    const text = this.#block.toString('base64url', from, from + 16)
    this.#block.fill(0, from, from + 16)
    return text
  }

  #enter(ms: number): void {
    const time = ms.toString(16).padStart(12, '0')
    this.#lastMs = ms
    this.#sequence = 0
    this.#prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
  }

  /** Where the next random bytes stand. */
  #take(length: number): number {
    if (this.#used + length > BLOCK) {
      randomFillSync(this.#block)
      this.#used = 0
    }
    const from = this.#used
    this.#used += length
    return from
  }

  /** A random byte, once: what was handed out is not kept where a later reader of memory would find it. */
  #byte(at: number): number {
    const byte = this.#block[at] ?? 0
    this.#block[at] = 0
    return byte
  }
}
