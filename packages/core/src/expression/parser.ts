/**
 * The grammar, by recursive descent with precedence climbing for binary operators. One instance parses one expression
 * at a position of a source and stops at the first token that cannot continue it.
 */
import type {
  Argument,
  ArrowNode,
  BinaryOperator,
  EntryNode,
  Expression,
  LogicalOperator,
  Node,
  ParameterNode,
  SpreadNode,
} from './ast.ts'
import { expressionError, quote } from './error.ts'
import type { ExpressionError } from './error.ts'
import { readEscape, readToken } from './lex.ts'
import type { Source, Token } from './lex.ts'
import { SOURCE_LIMITS } from './limits.ts'
import { FOREIGN_WORDS, GRAMMAR_WORDS } from './words.ts'

const NOT_PRECEDENCE = 3

// `??` and `||` share a level: JavaScript refuses to mix them, so their order never matters.
const BINARY: { readonly [operator: string]: { readonly precedence: number; readonly name: string } } = {
  '??': { precedence: 1, name: '??' },
  '||': { precedence: 1, name: '||' },
  or: { precedence: 1, name: '||' },
  '&&': { precedence: 2, name: '&&' },
  and: { precedence: 2, name: '&&' },
  '==': { precedence: 4, name: '==' },
  '===': { precedence: 4, name: '==' },
  '!=': { precedence: 4, name: '!=' },
  '!==': { precedence: 4, name: '!=' },
  '<': { precedence: 5, name: '<' },
  '<=': { precedence: 5, name: '<=' },
  '>': { precedence: 5, name: '>' },
  '>=': { precedence: 5, name: '>=' },
  in: { precedence: 5, name: 'in' },
  '+': { precedence: 6, name: '+' },
  '-': { precedence: 6, name: '-' },
  '*': { precedence: 7, name: '*' },
  '/': { precedence: 7, name: '/' },
  '%': { precedence: 7, name: '%' },
}

const FOREIGN_OPERATORS: { readonly [operator: string]: string } = {
  '=': 'There is no assignment; to compare, write `==`.',
  ';': 'There are no statements: an expression is one value.',
  '&': 'Write `&&` or `and`.',
  '|': 'Write `||` or `or`.',
  '++': 'There is no assignment; write `x + 1`.',
  '--': 'There is no assignment; write `x - 1`.',
  '^': 'For a power, write `**`.',
}

export class Parser {
  readonly #source: Source
  #token: Token
  #previousEnd: number
  #nesting = 0
  readonly #heights = new WeakMap<object, number>()
  readonly #parenthesised = new WeakSet<Expression>()

  constructor(source: Source, position: number) {
    this.#source = source
    this.#previousEnd = position
    this.#token = readToken(source, position)
  }

  /** The token after what was parsed. */
  get next(): Token {
    return this.#token
  }

  expression(): Expression {
    this.#enter()
    const test = this.#binary(0)
    if (!this.#take('?')) return this.#leave(test)
    const consequent = this.expression()
    this.#expect(':', '`:` and the value for "otherwise"')
    const alternate = this.expression()
    const parts = { test, consequent, alternate }
    return this.#leave(
      this.#node({ kind: 'conditional', ...parts, ...this.#from(test.start) }, test, consequent, alternate),
    )
  }

  /** The error for a token that should not be there. */
  unexpected(expected: string): ExpressionError {
    const { kind, text, start, end } = this.#token
    const at = { start, end }
    if (kind === 'end') return expressionError('PW1102', { expected, found: 'the end of the expression' }, at)
    if (kind === 'name' && FOREIGN_WORDS.has(text)) {
      return expressionError('PW1104', { word: text, what: FOREIGN_WORDS.get(text) ?? '' }, at)
    }
    if (kind === 'punctuator') {
      if (text === '=>') return expressionError('PW1111', {}, at)
      if (!'()[]{},:.?`${'.includes(text) && text !== '...' && text !== '?.' && !Object.hasOwn(BINARY, text)) {
        const suggestion = FOREIGN_OPERATORS[text] ?? (text.endsWith('=') ? 'There is no assignment.' : undefined)
        return expressionError('PW1105', { operator: text }, { ...at, suggestion })
      }
    }
    return expressionError('PW1102', { expected, found: quote(this.#source.text.slice(start, end)) }, at)
  }

  #binary(minimum: number): Expression {
    let left = this.#atWord('not') ? this.#not(minimum) : this.#unary()
    for (;;) {
      const operator = this.#operator()
      if (operator === undefined || operator.precedence < Math.max(minimum, 1)) return left
      this.#advance()
      const right = this.#binary(operator.precedence + 1)
      left = this.#operation(operator.name, left, right)
    }
  }

  #operator(): { readonly precedence: number; readonly name: string } | undefined {
    const { kind, text } = this.#token
    return (kind === 'punctuator' || kind === 'name') && Object.hasOwn(BINARY, text) ? BINARY[text] : undefined
  }

  #operation(name: string, left: Expression, right: Expression): Expression {
    const at = { start: left.start, end: right.end }
    if (name === '&&' || name === '||' || name === '??') {
      for (const side of [left, right]) {
        const mixed = side.kind === 'logical' && (side.operator === '??') !== (name === '??')
        if (mixed && !this.#parenthesised.has(side)) throw expressionError('PW1110', {}, at)
      }
      return this.#node({ kind: 'logical', operator: name as LogicalOperator, left, right, ...at }, left, right)
    }
    return this.#node({ kind: 'binary', operator: name as BinaryOperator, left, right, ...at }, left, right)
  }

  /** The word binds less tightly than comparisons, as its readers expect: `not a == b` is `!(a == b)`. */
  #not(minimum: number): Expression {
    const { start, end } = this.#token
    if (minimum > NOT_PRECEDENCE) throw expressionError('PW1116', { operator: 'not' }, { start, end })
    this.#enter()
    this.#advance()
    const operand = this.#binary(NOT_PRECEDENCE)
    return this.#leave(this.#node({ kind: 'unary', operator: '!', operand, start, end: operand.end }, operand))
  }

  #unary(): Expression {
    const { kind, text, start, end } = this.#token
    if (kind !== 'punctuator' || (text !== '!' && text !== '-' && text !== '+')) return this.#power()
    if (text === '+') {
      throw expressionError(
        'PW1105',
        { operator: '+' },
        { start, end, suggestion: 'To convert text, write `Number(x)`.' },
      )
    }
    this.#enter()
    this.#advance()
    if (this.#atWord('not')) throw expressionError('PW1116', { operator: 'not' }, this.#token)
    const operand = this.#unary()
    if (operand.kind === 'binary' && operand.operator === '**' && !this.#parenthesised.has(operand)) {
      throw expressionError('PW1116', { operator: text }, { start, end: operand.end })
    }
    return this.#leave(this.#node({ kind: 'unary', operator: text, operand, start, end: operand.end }, operand))
  }

  #power(): Expression {
    const base = this.#postfix()
    if (!this.#take('**')) return base
    this.#enter()
    const exponent = this.#unary()
    return this.#leave(this.#operation('**', base, exponent))
  }

  #postfix(): Expression {
    const start = this.#token.start
    let left = this.#primary()
    let chained = false
    for (;;) {
      if (this.#at('`')) throw expressionError('PW1120', {}, this.#token)
      const optional = this.#at('?.')
      if (!optional && !this.#at('.') && !this.#at('[')) {
        if (this.#at('(')) throw expressionError('PW1112', {}, { start, end: this.#token.end })
        break
      }
      chained ||= optional
      if (optional || this.#at('.')) this.#advance()
      if (this.#at('(')) throw expressionError('PW1112', {}, { start, end: this.#token.end })
      left = this.#at('[') ? this.#index(left, optional) : this.#member(left, optional)
    }
    return chained ? this.#node({ kind: 'chain', expression: left, start: left.start, end: left.end }, left) : left
  }

  #index(object: Expression, optional: boolean): Expression {
    const open = this.#token
    this.#advance()
    const index = this.expression()
    this.#close(open, ']')
    return this.#node({ kind: 'index', object, index, optional, ...this.#from(object.start) }, object, index)
  }

  #member(object: Expression, optional: boolean): Expression {
    const name = this.#token
    if (name.kind !== 'name') throw this.unexpected('the name of a property')
    this.#advance()
    const common = { object, name: name.text, optional, nameStart: name.start }
    if (!this.#at('(')) return this.#node({ kind: 'member', ...common, ...this.#from(object.start) }, object)
    const args = this.#arguments()
    return this.#node({ kind: 'method', ...common, arguments: args, ...this.#from(object.start) }, object, ...args)
  }

  #primary(): Expression {
    const { kind, text, start, end, number } = this.#token
    if (kind === 'number' || kind === 'string') {
      this.#advance()
      return this.#node({ kind: 'literal', value: kind === 'number' ? number : text, start, end })
    }
    if (kind === 'name') return this.#name()
    if (kind === 'punctuator') {
      if (text === '(' || text === '${') return this.#group()
      if (text === '[') return this.#array()
      if (text === '{') return this.#object()
      if (text === '`') return this.#template()
      if (text === '/') throw expressionError('PW1118', {}, { start, end })
    }
    throw this.unexpected('a value')
  }

  #name(): Expression {
    const { text, start, end } = this.#token
    if (FOREIGN_WORDS.has(text)) throw this.unexpected('a value')
    const literal = text === 'null' ? null : text === 'true' ? true : text === 'false' ? false : undefined
    if (literal === undefined && GRAMMAR_WORDS.has(text)) throw this.unexpected('a value')
    this.#advance()
    if (literal !== undefined) return this.#node({ kind: 'literal', value: literal, start, end })
    if (this.#at('=>')) throw expressionError('PW1111', {}, this.#from(start))
    if (!this.#at('(')) return this.#node({ kind: 'name', name: text, start, end })
    const args = this.#arguments()
    return this.#node({ kind: 'call', name: text, arguments: args, ...this.#from(start) }, ...args)
  }

  #group(): Expression {
    const open = this.#token
    if (this.#arrowAhead()) throw expressionError('PW1111', {}, { start: open.start, end: open.end })
    this.#advance()
    const inner = this.expression()
    if (this.#at(',')) throw this.unexpected(`\`${open.text === '(' ? ')' : '}'}\` (an expression is one value)`)
    this.#close(open, open.text === '(' ? ')' : '}')
    this.#parenthesised.add(inner)
    return inner
  }

  #array(): Expression {
    const open = this.#token
    this.#advance()
    const items: (Expression | SpreadNode)[] = []
    while (!this.#at(']')) {
      items.push(this.#at('...') ? this.#spread() : this.expression())
      if (!this.#take(',')) break
    }
    this.#close(open, ']')
    return this.#node({ kind: 'array', items, ...this.#from(open.start) }, ...items)
  }

  #object(): Expression {
    const open = this.#token
    this.#advance()
    const entries: (EntryNode | SpreadNode)[] = []
    while (!this.#at('}')) {
      entries.push(this.#at('...') ? this.#spread() : this.#entry())
      if (!this.#take(',')) break
    }
    this.#close(open, '}')
    return this.#node({ kind: 'object', entries, ...this.#from(open.start) }, ...entries)
  }

  #entry(): EntryNode {
    const { kind, text, start, end } = this.#token
    if (this.#take('[')) {
      const key = this.expression()
      this.#expect(']', '`]`')
      this.#expect(':', '`:` and a value')
      const value = this.expression()
      return this.#node({ kind: 'entry', key, value, ...this.#from(start) }, key, value)
    }
    if (kind !== 'name' && kind !== 'string' && kind !== 'number') throw this.unexpected('a key or `}`')
    this.#advance()
    const key = kind === 'number' ? String(this.#numberKey(text)) : text
    if (kind === 'name' && (this.#at(',') || this.#at('}'))) {
      if (FOREIGN_WORDS.has(text) || GRAMMAR_WORDS.has(text)) throw this.unexpected('`:` and a value')
      const value = this.#node({ kind: 'name', name: text, start, end } as const)
      return this.#node({ kind: 'entry', key, value, start, end }, value)
    }
    this.#expect(':', '`:` and a value')
    const value = this.expression()
    return this.#node({ kind: 'entry', key, value, ...this.#from(start) }, value)
  }

  #numberKey(digits: string): number {
    return Number(digits.replaceAll('_', ''))
  }

  #spread(): SpreadNode {
    const { start } = this.#token
    this.#advance()
    const expression = this.expression()
    return this.#node({ kind: 'spread', expression, ...this.#from(start) }, expression)
  }

  #arguments(): Argument[] {
    const open = this.#token
    this.#advance()
    const list: Argument[] = []
    while (!this.#at(')')) {
      list.push(this.#at('...') ? this.#spread() : this.#arrowAhead() ? this.#arrow() : this.expression())
      if (!this.#take(',')) break
    }
    this.#close(open, ')')
    return list
  }

  #arrow(): ArrowNode {
    const { start } = this.#token
    this.#enter()
    const parameters: ParameterNode[] = []
    const bracket = this.#take('(')
    while (!this.#at(bracket ? ')' : '=>')) {
      const name = this.#token
      if (FOREIGN_WORDS.has(name.text) && name.kind === 'name') throw this.unexpected('a parameter')
      if (name.kind !== 'name' || GRAMMAR_WORDS.has(name.text)) throw expressionError('PW1117', {}, name)
      if (parameters.some((other) => other.name === name.text)) throw expressionError('PW1117', {}, name)
      parameters.push({ name: name.text, start: name.start, end: name.end })
      this.#advance()
      if (!this.#take(',')) break
    }
    if (bracket && !this.#take(')')) throw expressionError('PW1117', {}, this.#token)
    this.#expect('=>', '`=>`')
    if (this.#at('{')) throw expressionError('PW1121', {}, this.#token)
    if (this.#arrowAhead()) throw expressionError('PW1111', {}, this.#token)
    const body = this.expression()
    return this.#leave(this.#node({ kind: 'arrow', parameters, body, ...this.#from(start) }, body))
  }

  /** Whether `name =>` or `(…) =>` begins here. Whatever stands between the brackets is judged later. */
  #arrowAhead(): boolean {
    if (this.#token.kind === 'name') return readToken(this.#source, this.#token.end).text === '=>'
    if (!this.#at('(')) return false
    let depth = 0
    for (let token = this.#token; token.kind !== 'end'; token = readToken(this.#source, token.end)) {
      if (token.kind !== 'punctuator') continue
      if (token.text === '`' || token.text === '${') return false
      if ('([{'.includes(token.text)) depth++
      else if (')]}'.includes(token.text)) depth--
      if (depth === 0) return readToken(this.#source, token.end).text === '=>'
    }
    return false
  }

  #template(): Expression {
    const { text } = this.#source
    const start = this.#token.start
    const parts: (string | Expression)[] = []
    let chunk = ''
    let position = start + 1
    const flush = (): void => {
      if (chunk !== '') parts.push(chunk)
      chunk = ''
    }
    for (;;) {
      const char = text[position]
      if (char === undefined) throw expressionError('PW1108', { open: '`', close: '`' }, { start, end: start + 1 })
      if (char === '`') break
      if (char === '\\') {
        const escape = readEscape(text, position)
        chunk += escape.value
        position = escape.end
      } else if (char === '$' && text[position + 1] === '{') {
        flush()
        this.#goTo(position + 2)
        parts.push(this.expression())
        if (!this.#at('}')) throw this.#unclosed({ start: position, end: position + 2, text: '${' }, '}')
        position = this.#token.end
      } else {
        chunk += char
        position++
      }
    }
    flush()
    this.#goTo(position + 1)
    const expressions = parts.filter((part) => typeof part !== 'string')
    return this.#node({ kind: 'template', parts, start, end: position + 1 }, ...expressions)
  }

  #at(punctuator: string): boolean {
    return this.#token.kind === 'punctuator' && this.#token.text === punctuator
  }

  #atWord(word: string): boolean {
    return this.#token.kind === 'name' && this.#token.text === word
  }

  #take(punctuator: string): boolean {
    if (!this.#at(punctuator)) return false
    this.#advance()
    return true
  }

  #expect(punctuator: string, expected: string): void {
    if (!this.#take(punctuator)) throw this.unexpected(expected)
  }

  #close(open: Pick<Token, 'start' | 'end' | 'text'>, close: string): void {
    if (!this.#take(close)) throw this.#unclosed(open, close)
  }

  #unclosed(open: Pick<Token, 'start' | 'end' | 'text'>, close: string): ExpressionError {
    if (this.#token.kind !== 'end') return this.unexpected(`\`${close}\``)
    return expressionError('PW1108', { open: open.text, close }, { start: open.start, end: open.end })
  }

  #advance(): void {
    this.#previousEnd = this.#token.end
    this.#token = readToken(this.#source, this.#token.end)
  }

  #goTo(position: number): void {
    this.#previousEnd = position
    this.#token = readToken(this.#source, position)
  }

  #from(start: number): { readonly start: number; readonly end: number } {
    return { start, end: this.#previousEnd }
  }

  #enter(): void {
    if (++this.#nesting > SOURCE_LIMITS.nesting) {
      throw expressionError('PW1113', { limit: SOURCE_LIMITS.nesting }, this.#token)
    }
  }

  #leave<T>(node: T): T {
    this.#nesting--
    return node
  }

  /** Records the height of the tree: whoever walks it later recurses, and must not run out of stack. */
  #node<T extends Node>(node: T, ...children: readonly Node[]): T {
    const height = 1 + children.reduce((most, child) => Math.max(most, this.#heights.get(child) ?? 0), 0)
    if (height > SOURCE_LIMITS.height) {
      throw expressionError('PW1113', { limit: SOURCE_LIMITS.height }, { start: node.start, end: node.end })
    }
    this.#heights.set(node, height)
    return node
  }
}
