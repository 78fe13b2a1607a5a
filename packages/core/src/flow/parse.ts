/**
 * YAML or JSON text to a flow document with a source map. Only JSON values come out: no dates, no tags, no NaN, no
 * integers that a double cannot hold. Aliases are resolved within a budget; a `__proto__` key is a problem, never a key.
 */
import { isAlias, isMap, isScalar, isSeq, parseDocument, type Alias, type Document, type Node, type Scalar } from 'yaml'
import type { Json } from '../json.ts'
import { problem } from './codes.ts'
import type { FlowProblem } from './problem.ts'
import { SourceMap, type ScalarStyle, type Span } from './source-map.ts'

/** Longest text that is read, in UTF-16 units. */
export const MAX_SOURCE_LENGTH = 2 * 1024 * 1024
/** Values of a document after aliases are resolved. */
export const MAX_NODES = 100_000
/** Levels of nested maps and lists. */
export const MAX_DEPTH = 100

export interface ParsedFlow {
  readonly value: Json
  readonly sources: SourceMap
  /** Syntax problems; when there are any, `value` is null. Others (a duplicate key) leave the rest usable. */
  readonly problems: readonly FlowProblem[]
}

/** Reads the text of a flow file. Never throws. */
export function parseFlow(text: string): ParsedFlow {
  const sources = new SourceMap(text)
  if (text.length > MAX_SOURCE_LENGTH) {
    const message = `The file is longer than ${MAX_SOURCE_LENGTH} characters; split the flow into sub-flows.`
    return { value: null, sources, problems: [problem('PW1002', message, sources.range(0, 0))] }
  }
  try {
    const document = parseDocument(text, {
      prettyErrors: false,
      uniqueKeys: false,
      stringKeys: true,
      logLevel: 'error',
    })
    const syntax = syntaxProblems(document, text, sources)
    if (syntax.length > 0) return { value: null, sources, problems: syntax }
    return convertDocument(document, sources)
  } catch (error) {
    // The YAML parser recurses: text that nests some thousand levels ends its stack, which no option prevents.
    if (!(error instanceof RangeError)) throw error
    return { value: null, sources, problems: [problem('PW1002', TOO_DEEP, sources.range(0, 0))] }
  }
}

/** After a first error the parser reports every token that follows; these say nothing. */
const FOLLOW_UP = /^Unexpected .* (token in YAML stream|at node end)/s
const MOST_SYNTAX_PROBLEMS = 10
const TOO_DEEP = 'The document is nested too deeply to be read.'
const SEVERAL = 'A file holds one flow; remove what begins with `---` here.'

function syntaxProblems(document: Document, text: string, sources: SourceMap): FlowProblem[] {
  return [...document.errors, ...document.warnings]
    .filter((error, index) => index === 0 || !FOLLOW_UP.test(error.message))
    .slice(0, MOST_SYNTAX_PROBLEMS)
    .map((error) => {
      const [start, end] = error.pos
      const line = text.slice(text.lastIndexOf('\n', start) + 1, end)
      const suggestion = /[{$]/.test(line) ? { suggestion: 'put text with braces or commas into quotes' } : {}
      if (error.code === 'RESOURCE_EXHAUSTION') return problem('PW1002', TOO_DEEP, sources.range(start, end))
      const message = error.code === 'MULTIPLE_DOCS' ? SEVERAL : `This is not YAML: ${error.message}.`
      return problem('PW1001', message, sources.range(start, end), suggestion)
    })
}

function convertDocument(document: Document, sources: SourceMap): ParsedFlow {
  const converter = new Converter(document, sources)
  const contents = document.contents
  if (contents === null) return { value: null, sources, problems: [] }
  sources.setRoot(spanOf(contents))
  const value = converter.convert(contents, 0)
  return { value: converter.gaveUp ? null : value, sources, problems: converter.problems }
}

/** One pass over the nodes of one document. */
class Converter {
  readonly problems: FlowProblem[] = []
  readonly #document: Document
  readonly #sources: SourceMap
  readonly #aliased = new Map<Node, { readonly value: Json; readonly size: number }>()
  readonly #open = new Set<Node>()
  #nodes = 0
  /** Parts of the document were left out: what is there says nothing. */
  gaveUp = false

  constructor(document: Document, sources: SourceMap) {
    this.#document = document
    this.#sources = sources
  }

  convert(node: Node | null, depth: number): Json {
    if (node === null) return null
    if (isAlias(node)) return this.#alias(node, depth)
    const before = this.#nodes
    if (!this.#count(1, node)) return null
    if (depth > MAX_DEPTH) {
      this.gaveUp = true
      this.#report('PW1002', `Maps and lists are nested more than ${MAX_DEPTH} levels deep.`, node)
      return null
    }
    const anchored = 'anchor' in node && node.anchor !== undefined
    if (anchored) this.#open.add(node)
    const value = this.#content(node, depth)
    if (anchored) {
      this.#open.delete(node)
      this.#aliased.set(node, { value, size: this.#nodes - before })
    }
    return value
  }

  #content(node: Node, depth: number): Json {
    if (isScalar(node)) return this.#scalar(node)
    if (isSeq<Node | null>(node)) {
      const list: Json[] = []
      for (const item of node.items) {
        this.#sources.setEntry(list, list.length, { value: spanOf(item, node) })
        list.push(this.convert(item, depth + 1))
      }
      return list
    }
    if (isMap<Scalar<string>, Node | null>(node)) {
      const map: { [key: string]: Json } = {}
      for (const { key, value } of node.items) {
        const name = String(key.value)
        if (name === '__proto__') {
          this.#report('PW1003', 'The key `__proto__` is not allowed.', key)
        } else if (Object.hasOwn(map, name)) {
          this.#report('PW1003', `The key \`${name}\` stands here twice; remove one of the two.`, key)
        } else {
          this.#sources.setEntry(map, name, { key: spanOf(key), value: spanOf(value, key) })
          map[name] = this.convert(value, depth + 1)
        }
      }
      return map
    }
    return null
  }

  #scalar(node: Scalar): Json {
    const value = node.value
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
    if (
      typeof value === 'number' &&
      Number.isFinite(value) &&
      (!Number.isInteger(value) || Number.isSafeInteger(value))
    )
      return value
    if (typeof value === 'number') {
      const text = node.source ?? String(value)
      const why = Number.isFinite(value) ? 'cannot be held exactly' : 'is not a JSON value'
      this.#report('PW1004', `The number ${text} ${why}; write it as text, in quotes.`, node)
      return text
    }
    this.#report('PW1004', 'Only JSON values can stand here: text, numbers, true, false, null, lists, maps.', node)
    return null
  }

  #alias(node: Alias, depth: number): Json {
    const target = node.resolve(this.#document)
    if (target === undefined || this.#open.has(target)) {
      this.#report('PW1002', `The alias *${node.source} refers to ${target ? 'itself' : 'nothing'}.`, node)
      return null
    }
    const known = this.#aliased.get(target)
    if (known === undefined) return this.convert(target, depth)
    return this.#count(known.size, node) ? known.value : null
  }

  /** Counts values against the budget, and says once when it is used up. */
  #count(size: number, node: Node): boolean {
    this.#nodes += size
    if (this.#nodes <= MAX_NODES) return true
    if (!this.gaveUp) {
      this.gaveUp = true
      this.#report('PW1002', `The document has more than ${MAX_NODES} values (aliases resolved).`, node)
    }
    return false
  }

  #report(code: string, message: string, node: Node): void {
    const span = spanOf(node)
    this.problems.push(problem(code, message, this.#sources.range(span.start, span.end)))
  }
}

const STYLES: { readonly [type: string]: ScalarStyle } = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'block',
  BLOCK_FOLDED: 'block',
}

/** Span of a node; an absent one (`key:` with nothing after it) is where its neighbour ends. */
function spanOf(node: Node | null, neighbour?: Node): Span {
  const range = node?.range
  if (range === undefined || range === null) {
    const end = neighbour?.range?.[1] ?? 0
    return { start: end, end }
  }
  const style = isScalar(node) && node.type !== undefined ? STYLES[node.type] : undefined
  return { start: range[0], end: range[1], ...(style === undefined ? {} : { style }) }
}
