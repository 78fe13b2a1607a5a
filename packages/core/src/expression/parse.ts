import type { Expression } from './ast.ts'
import { expressionError } from './error.ts'
import type { Source } from './lex.ts'
import { SOURCE_LIMITS } from './limits.ts'
import { Parser } from './parser.ts'

export type { Expression } from './ast.ts'
export { references } from './references.ts'
export type { Reference } from './references.ts'

/** A scalar of a flow: plain text, one expression that keeps its type, or text with expressions in it. */
export type Template =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'interpolation'; readonly parts: readonly (string | Expression)[] }

/** Parses an expression without `${ }` around it. Throws `ExpressionError` with offsets into `source`. */
export function parseExpression(source: string): Expression {
  return parseWhole({ text: source, holes: false })
}

/**
 * Parses a scalar that is an expression by its position (`if`, `until`, `for_each`, …). `${x}` in it is a parenthesised
 * sub-expression.
 */
export function parseCondition(source: string): Expression {
  return parseWhole({ text: source, holes: true })
}

function parseWhole(source: Source): Expression {
  checkLength(source.text)
  if (source.text.trim() === '') throw expressionError('PW1115', {}, { start: 0, end: source.text.length })
  const parser = new Parser(source, 0)
  const expression = parser.expression()
  if (parser.next.kind !== 'end') throw parser.unexpected('an operator or the end of the expression')
  return expression
}

/**
 * Parses a scalar that is text by its position. `${…}` holds an expression, whose end is found by parsing it; `$${` is a
 * literal `${`. A scalar that is one `${…}` and nothing else keeps the type of its value.
 */
export function parseTemplate(source: string): Template {
  const text: Source = { text: source, holes: false }
  const parts: (string | Expression)[] = []
  let chunk = ''
  let position = 0
  for (;;) {
    const dollar = source.indexOf('$', position)
    if (dollar < 0) break
    chunk += source.slice(position, dollar)
    if (source.startsWith('$${', dollar)) {
      chunk += '${'
      position = dollar + 3
    } else if (source.startsWith('${', dollar)) {
      if (chunk !== '') parts.push(chunk)
      chunk = ''
      const hole = parseHole(text, dollar)
      parts.push(hole.expression)
      position = hole.end
    } else {
      chunk += '$'
      position = dollar + 1
    }
  }
  chunk += source.slice(position)
  if (chunk !== '') parts.push(chunk)
  const [only] = parts
  if (parts.length === 0 || (parts.length === 1 && typeof only === 'string')) {
    return { kind: 'literal', value: chunk }
  }
  if (parts.length === 1 && only !== undefined && typeof only !== 'string')
    return { kind: 'expression', expression: only }
  return { kind: 'interpolation', parts }
}

function parseHole(source: Source, start: number): { readonly expression: Expression; readonly end: number } {
  const open = { start, end: start + 2 }
  const first = source.text
    .slice(start + 2)
    .trimStart()
    .charAt(0)
  if (first === '') throw expressionError('PW1108', { open: '${', close: '}' }, open)
  if (first === '}') throw expressionError('PW1115', {}, open)
  const parser = new Parser(source, start + 2)
  const expression = parser.expression()
  const { kind, text, end } = parser.next
  if (kind === 'end') throw expressionError('PW1108', { open: '${', close: '}' }, open)
  if (kind !== 'punctuator' || text !== '}') throw parser.unexpected('`}` or an operator')
  checkLength(source.text.slice(start, end))
  return { expression, end }
}

function checkLength(text: string): void {
  const limit = SOURCE_LIMITS.length
  if (text.length > limit)
    throw expressionError('PW1114', { length: text.length, limit }, { start: limit, end: text.length })
}
