/**
 * Where the parts of a document were written. The index hangs on the identity of the containers (maps and lists) that
 * `parse.ts` made, so values stay plain JSON and a document that was never text simply has no index.
 */
import { locateInScalar } from './scalar-offset.ts'
import type { SourcePosition } from './plan.ts'

export interface SourceRange extends SourcePosition {
  readonly endLine: number
  readonly endColumn: number
}

export type ScalarStyle = 'plain' | 'single' | 'double' | 'block'

/** Offsets into the text: where a node begins and ends, and how its scalar is written. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly style?: ScalarStyle
}

interface EntrySpans {
  readonly key?: Span
  readonly value: Span
}

/** The start of everything: where problems go that have no better place. */
const START: SourceRange = { line: 1, column: 1, endLine: 1, endColumn: 1 }

export class SourceMap {
  readonly #text: string
  readonly #lineStarts: readonly number[]
  readonly #entries = new Map<object, Map<string | number, EntrySpans>>()
  #root: Span = { start: 0, end: 0 }

  constructor(text: string) {
    this.#text = text
    const lineStarts = [0]
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1)
    this.#lineStarts = lineStarts
  }

  /** Whether the document was read from text. */
  get known(): boolean {
    return this.#text !== ''
  }

  setRoot(span: Span): void {
    this.#root = span
  }

  setEntry(container: object, key: string | number, spans: EntrySpans): void {
    let entries = this.#entries.get(container)
    if (entries === undefined) this.#entries.set(container, (entries = new Map()))
    entries.set(key, spans)
  }

  /** Range of the value at `key` of a container; of the whole document for a null container. */
  value(container: object | null, key: string | number): SourceRange {
    return this.#range(this.#valueSpan(container, key))
  }

  /** Range of the key itself; of the value where there is no key (list items). */
  key(container: object | null, key: string | number): SourceRange {
    if (container === null) return this.#range(this.#root)
    const spans = this.#entries.get(container)?.get(key)
    return spans === undefined ? START : this.#range(spans.key ?? spans.value)
  }

  /** Range of the characters `from` to `to` of the scalar's value. */
  within(container: object | null, key: string | number, value: string, from: number, to: number): SourceRange {
    const span = this.#valueSpan(container, key)
    if (span?.style === undefined) return this.#range(span)
    const [start, end] = locateInScalar(this.#text, { ...span, style: span.style }, value, from, to)
    return this.range(start, end)
  }

  /** Range of two offsets into the text. */
  range(start: number, end: number): SourceRange {
    const from = this.#position(start)
    const to = this.#position(Math.max(start, end))
    return { ...from, endLine: to.line, endColumn: to.column }
  }

  #valueSpan(container: object | null, key: string | number): Span | undefined {
    return container === null ? this.#root : this.#entries.get(container)?.get(key)?.value
  }

  #range(span: Span | undefined): SourceRange {
    return span === undefined ? START : this.range(span.start, span.end)
  }

  #position(offset: number): SourcePosition {
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (this.#lineStarts[low] ?? 0) + 1 }
  }
}
