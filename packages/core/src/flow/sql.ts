/**
 * SQL parameters. Each `${…}` of the text becomes one bound value at its place; the author's own placeholders (`?`, `$1`,
 * `:name`) become bound values at theirs, so that all are numbered together when the text is rendered. An expression
 * never becomes text of the statement: inside quotes, comments and identifiers it is a problem that shows the fix.
 */
import type { Expression } from '../expression/parse.ts'
import { parseTemplate } from '../expression/parse.ts'
import { print } from '../expression/print.ts'
import { canonical, type Compilation } from './compilation.ts'
import { childPlace, isPlainMap, listItems, mapEntries, type Place } from './place.ts'
import type { Template } from './plan.ts'
import { SqlScanner, type Placeholder, type SqlDialect } from './sql-scanner.ts'
import { broken, valueExpression } from './template.ts'

type SqlTemplate = Extract<Template, { kind: 'sql' }>
type SqlPart = SqlTemplate['parts'][number]

/** Compiles the statement at `place`, with the author's own `params` if there are any. */
export function compileSql(c: Compilation, place: Place, params: Place | undefined, dialect: SqlDialect): Template {
  const parsed = c.parse(place, parseTemplate)
  if (parsed === undefined) return broken(c)
  const texts =
    parsed.kind === 'literal' ? [parsed.value] : parsed.kind === 'expression' ? [parsed.expression] : parsed.parts
  const binder = new Binder(c, place, params)
  const scanner = new SqlScanner(dialect)
  const parts: SqlPart[] = []
  const seen: (string | Expression)[] = []
  for (const [index, text] of texts.entries()) {
    seen.push(text)
    if (typeof text === 'string') {
      for (const token of scanner.scan(text))
        parts.push(typeof token === 'string' ? token : binder.own(token.placeholder))
    } else {
      const next = texts[index + 1]
      const refused = scanner.refuses(typeof next === 'string' ? next : '')
      if (refused !== null) {
        const suggestion = refused.quoted === undefined ? undefined : quotedFix(texts, index, refused.quoted)
        c.report('PW1070', place, refused.message, { from: text.start, to: text.end, suggestion })
      }
      parts.push(bound(c, place, text, scanner.insideIn, true))
      scanner.value()
    }
  }
  binder.finish()
  const template: SqlTemplate = { kind: 'sql', dialect, parts: mergeTexts(parts) }
  c.origins.setPlace(template, place)
  return template
}

function bound(c: Compilation, place: Place, expression: Expression, spread: boolean, located: boolean): SqlPart {
  const part = { source: canonical(expression), spread }
  c.bind(part, 'source', { expression, place, located })
  return part
}

function mergeTexts(parts: readonly SqlPart[]): SqlPart[] {
  const merged: SqlPart[] = []
  for (const part of parts) {
    const last = merged.at(-1)
    if (typeof part === 'string' && typeof last === 'string') merged[merged.length - 1] = last + part
    else merged.push(part)
  }
  return merged
}

/** `like '%${x}%'` as it has to be written: `like ${"%" + x + "%"}`. Only what is inside the quotes is shown. */
function quotedFix(texts: readonly (string | Expression)[], index: number, quote: string): string | undefined {
  const pieces: string[] = []
  let from = index
  while (from > 0 && !endsQuote(texts[from - 1], quote)) from--
  for (let at = from - 1; at < texts.length; at++) {
    const text = texts[at]
    if (text === undefined) continue
    if (typeof text !== 'string') {
      pieces.push(print(text))
      continue
    }
    const inside = at < from ? text.slice(text.lastIndexOf(quote) + quote.length) : text.split(quote)[0]
    if (inside !== undefined && inside !== '') pieces.push(JSON.stringify(inside))
    if (at >= from && text.includes(quote)) break
  }
  return pieces.length === 0 ? undefined : `bind the whole value: \${${pieces.join(' + ')}}`
}

const endsQuote = (text: string | Expression | undefined, quote: string): boolean =>
  typeof text === 'string' && text.includes(quote)

/** Gives the author's own placeholders their values from `params`. */
class Binder {
  readonly #c: Compilation
  readonly #place: Place
  readonly #params: Place | undefined
  readonly #used = new Set<string | number>()
  readonly #styles = new Set<Placeholder['kind']>()
  #next = 0

  constructor(c: Compilation, place: Place, params: Place | undefined) {
    this.#c = c
    this.#place = place
    this.#params = params
  }

  own(placeholder: Placeholder): SqlPart {
    this.#styles.add(placeholder.kind)
    const key =
      placeholder.kind === 'name'
        ? placeholder.name
        : placeholder.kind === 'index'
          ? placeholder.index - 1
          : this.#next++
    this.#used.add(key)
    const value = this.#value(key)
    return value ?? bound(this.#c, this.#place, { kind: 'literal', value: null, start: 0, end: 0 }, false, false)
  }

  #value(key: string | number): SqlPart | undefined {
    const params = this.#params
    if (params === undefined) {
      this.#mismatch(this.#place, `The statement has a placeholder, but there are no \`params\`.`)
      return undefined
    }
    if (typeof params.value === 'string') return this.#dynamic(params, key)
    const item = childPlace(params, key)
    if (item === undefined) {
      const name = typeof key === 'number' ? `a value number ${key + 1}` : `\`${key}\``
      this.#mismatch(params, `The statement needs ${name}, which \`params\` does not have.`)
      return undefined
    }
    const expression = valueExpression(this.#c, item)
    return expression === undefined
      ? undefined
      : bound(this.#c, item, expression, false, typeof item.value === 'string')
  }

  /** `params: ${list}`: values are taken from the list by position, from a map by name. */
  #dynamic(params: Place, key: string | number): SqlPart | undefined {
    const parsed = this.#c.parse(params, parseTemplate)
    if (parsed?.kind !== 'expression') return undefined
    const index: Expression = { kind: 'literal', value: key, start: 0, end: 0 }
    const expression: Expression = {
      kind: 'index',
      object: parsed.expression,
      index,
      optional: false,
      start: 0,
      end: 0,
    }
    return bound(this.#c, params, expression, false, false)
  }

  finish(): void {
    const params = this.#params
    if (this.#styles.size > 1) {
      this.#mismatch(this.#place, 'The statement mixes `?`, `$1` and named placeholders; use one of them.')
      return
    }
    if (params === undefined || typeof params.value === 'string') return
    const keys = isPlainMap(params.value)
      ? mapEntries(params).map(([key, place]) => [key, place] as const)
      : listItems(params).map((place, index) => [index, place] as const)
    for (const [key, place] of keys) {
      if (this.#used.has(key)) continue
      const name = typeof key === 'number' ? `value number ${key + 1}` : `\`${key}\``
      this.#mismatch(place, `The statement has no placeholder for ${name} of \`params\`.`)
    }
  }

  #mismatch(place: Place, message: string): void {
    this.#c.report('PW1071', place, message)
  }
}
