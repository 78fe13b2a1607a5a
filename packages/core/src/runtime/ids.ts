import { randomFillSync } from 'node:crypto'

/** Random bytes are drawn in blocks: asking the system for each id costs more than the rest of a start. */
const BLOCK = 4096

/** Makes the ids and tokens of runs. Ids of one process increase, so that rows of new runs lie together. */
export class Ids {
  readonly #block = new Uint8Array(BLOCK)
  #used = BLOCK
  #lastMs = 0
  #sequence = 0

  /** A UUID version 7 (RFC 9562): milliseconds, a counter within the millisecond, randomness. */
  runId(now: number): string {
    if (now > this.#lastMs) {
      this.#lastMs = now
      this.#sequence = 0
    } else if (++this.#sequence > 0xfff) {
      this.#lastMs++
      this.#sequence = 0
    }
    const time = this.#lastMs.toString(16).padStart(12, '0')
    const counter = this.#sequence.toString(16).padStart(3, '0')
    const random = this.#random(8)
    random[0] = (random[0]! & 0x3f) | 0x80
    const tail = Buffer.from(random).toString('hex')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${tail.slice(0, 4)}-${tail.slice(4)}`
  }

  /** 128 random bits as 22 characters. */
  token(): string {
    return Buffer.from(this.#random(16)).toString('base64url')
  }

  #random(length: number): Uint8Array {
    if (this.#used + length > BLOCK) {
      randomFillSync(this.#block)
      this.#used = 0
    }
    const bytes = this.#block.slice(this.#used, this.#used + length)
    // Bytes that were handed out are not kept where a later reader of memory would find them.
    this.#block.fill(0, this.#used, this.#used + length)
    this.#used += length
    return bytes
  }
}
