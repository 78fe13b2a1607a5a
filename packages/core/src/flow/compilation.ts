import { ExpressionError } from '../expression/error.ts'
import { parseCondition, references, type Expression } from '../expression/parse.ts'
import { print } from '../expression/print.ts'
import type { Catalog } from './catalog.ts'
import { problem } from './codes.ts'
import { Origins, type ExpressionOrigin } from './origin.ts'
import { pointerOf, type Place } from './place.ts'
import type { FlowProblem } from './problem.ts'
import type { SourceMap } from './source-map.ts'

export interface ReportOptions {
  readonly suggestion?: string | undefined
  /** Points at the key instead of the value. */
  readonly key?: boolean
  /** Offsets into the scalar's value. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Where it is not that of the code. */
  readonly severity?: 'error' | 'warning' | undefined
}

/** What one compilation of one document carries: the catalog, what was found wrong, and where plan objects come from. */
export class Compilation {
  readonly catalog: Catalog
  readonly sources: SourceMap
  readonly origins = new Origins()
  readonly problems: FlowProblem[] = []

  constructor(catalog: Catalog, sources: SourceMap) {
    this.catalog = catalog
    this.sources = sources
  }

  report(code: string, place: Place, message: string, options: ReportOptions = {}): void {
    const { suggestion } = options
    const pointer = pointerOf(place)
    this.problems.push(
      problem(code, message.charAt(0).toUpperCase() + message.slice(1), this.#range(place, options), {
        ...(pointer === '' ? {} : { pointer }),
        ...(suggestion === undefined ? {} : { suggestion }),
        ...(options.severity === undefined ? {} : { severity: options.severity }),
      }),
    )
  }

  #range(place: Place, { key, from, to }: ReportOptions) {
    if (key === true) return this.sources.key(place.container, place.key)
    if (from === undefined || typeof place.value !== 'string') return this.sources.value(place.container, place.key)
    return this.sources.within(place.container, place.key, place.value, from, to ?? from)
  }

  /** Runs a parser of expressions over the scalar at a place; reports its error. */
  parse<T>(place: Place, parser: (source: string) => T): T | undefined {
    try {
      return parser(String(place.value))
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      this.report(error.code, place, error.message, { from: error.start ?? 0, to: error.end })
      return undefined
    }
  }

  /** Parses the scalar at a place as an expression position. */
  parseExpression(place: Place): ExpressionOrigin | undefined {
    const expression = this.parse(place, parseCondition)
    return expression === undefined ? undefined : { expression, place, located: true }
  }

  /** Remembers where the expression of `owner[field]` comes from. */
  bind(owner: object, field: string, origin: ExpressionOrigin): void {
    this.origins.setExpression(owner, field, origin)
    const { expression, place, located } = origin
    if (typeof place.value === 'string' && !place.value.includes('secrets')) return
    for (const { root, path, start, end } of references(expression)) {
      const [name] = path
      if (root !== 'secrets' || typeof name !== 'string' || !name.includes(':')) continue
      const message = `External secret sources (\`${name.split(':', 1)[0]}:…\`) are not available in this build.`
      const at = located ? { from: start, to: end } : {}
      this.report('PW1020', place, message, { ...at, suggestion: 'use `${secrets.NAME}`' })
    }
  }
}

/** Canonical source of an expression: what a plan holds, so that spelling does not change its hash. */
export function canonical(expression: Expression): string {
  return print(expression)
}
