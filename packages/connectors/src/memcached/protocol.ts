/**
 * The text protocol of memcached (doc/protocol.txt of its sources): what a command looks like, and how bytes of the server
 * become answers. Every server, and every proxy in front of one, speaks it. Values are bytes from end to end.
 */

/** One value of a retrieval. */
export interface Item {
  readonly key: string
  readonly flags: number
  /** Token for `cas`; null where the server sends none. */
  readonly cas: string | null
  readonly value: Buffer
}

export type Answer =
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'items'; readonly items: readonly Item[] }
  /** `ERROR`, `CLIENT_ERROR …`, `SERVER_ERROR …` */
  | { readonly kind: 'error'; readonly line: string }
  /** An answer that is larger than it may be; what follows on the socket is the rest of it. */
  | { readonly kind: 'too-large' }
  | { readonly kind: 'garbage' }

/** What a command is answered with. */
export type Expected = 'line' | 'items'

const LINE_END = Buffer.from('\r\n')
/** No line of the protocol is longer: a key has 250 bytes. */
const MAX_LINE = 2_048

/** `set key 0 60 5\r\nhello\r\n` and its like. */
export function storageCommand(words: readonly (string | number)[], value: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${words.join(' ')} ${value.length}\r\n`), value, LINE_END])
}

/** Storage with a cas token, which comes after the length. */
export function casCommand(words: readonly (string | number)[], value: Buffer, cas: string): Buffer {
  return Buffer.concat([Buffer.from(`${words.join(' ')} ${value.length} ${cas}\r\n`), value, LINE_END])
}

export const lineCommand = (words: readonly (string | number)[]): Buffer => Buffer.from(`${words.join(' ')}\r\n`)

/** Cuts what a socket gives into answers, in the order of the commands. */
export class AnswerReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #length = 0
  #items: Item[] = []
  #bytes = 0
  #header: { key: string; flags: number; cas: string | null; size: number } | null = null

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** The next answer; null where bytes are missing. */
  next(expected: Expected): Answer | null {
    for (;;) {
      if (this.#header !== null) {
        const { size, ...header } = this.#header
        if (this.#length < size + 2) return null
        const value = this.#take(size)
        if (!this.#take(2).equals(LINE_END)) return { kind: 'garbage' }
        this.#items.push({ ...header, value })
        this.#header = null
      }
      const line = this.#takeLine()
      if (line === null) return this.#length > MAX_LINE ? { kind: 'garbage' } : null
      if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)\b/.test(line)) return this.#done({ kind: 'error', line })
      if (expected === 'line') return { kind: 'line', line }
      if (line === 'END') return this.#done({ kind: 'items', items: this.#items })
      const [, key, flags, size, cas = null] = /^VALUE (\S+) (\d+) (\d+)(?: (\d+))?$/.exec(line) ?? []
      if (key === undefined) return { kind: 'garbage' }
      this.#bytes += Number(size)
      if (this.#bytes > this.#maxBytes) return { kind: 'too-large' }
      this.#header = { key, flags: Number(flags), cas, size: Number(size) }
    }
  }

  #done(answer: Answer): Answer {
    this.#items = []
    this.#bytes = 0
    return answer
  }

  #takeLine(): string | null {
    const all = this.#joined()
    const end = all.indexOf(LINE_END)
    if (end < 0 || end > MAX_LINE) return null
    const line = this.#take(end).toString()
    this.#take(2)
    return line
  }

  #take(count: number): Buffer {
    const all = this.#joined()
    this.#chunks = [all.subarray(count)]
    this.#length -= count
    return all.subarray(0, count)
  }

  /** Joined only when something is taken, so that a long value is copied once and not with every chunk of it. */
  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }
}
