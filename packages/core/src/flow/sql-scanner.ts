/** Reads the fixed text of an SQL statement, to know what an expression between two pieces of it would stand in. */
export type SqlDialect = 'sqlite' | 'postgres' | 'mysql'

/** A placeholder of the author: the next one, the n-th, or a named one. */
export type Placeholder =
  | { readonly kind: 'next' }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'name'; readonly name: string }

type State =
  | { readonly kind: 'code' }
  | {
      readonly kind: 'quoted'
      readonly open: string
      readonly close: string
      /** A text, not a name. */
      readonly text: boolean
      /** A backslash takes the next character along. */
      readonly escapes: boolean
    }
  | { readonly kind: 'line_comment' }
  | { readonly kind: 'block_comment'; depth: number }

export interface Refusal {
  readonly message: string
  /** The quote that the expression stands in. */
  readonly quoted?: string
}

const CODE: State = { kind: 'code' }

/** Words after which a name follows, never a value. */
const NAME_FOLLOWS: ReadonlySet<string> = new Set(
  (
    'from join into update table by as database schema ' +
    'index view column set collate constraint references role user ' +
    'truncate asc desc'
  ).split(' '),
)

const WORD = /^[\p{L}_][\p{L}\p{N}_]*|^\d[\w.]*/u
/** PostgreSQL and MySQL take `$` inside of names: `a$b$` opens no quotes, `a$1` is no parameter. */
const WORD_WITH_DOLLAR = /^[\p{L}_][\p{L}\p{N}_$]*|^\d[\w.]*/u

export class SqlScanner {
  readonly #dialect: SqlDialect
  #state: State = CODE
  /** The last word or sign of code, in lower case; '' at the start of a statement. */
  #last = ''
  #beforeLast = ''
  /** Whether the last character of code belongs to a word, so that what follows would continue it. */
  #touching = false
  /** For each open parenthesis what stands before it. */
  readonly #parentheses: string[] = []
  #afterInto = false

  constructor(dialect: SqlDialect) {
    this.#dialect = dialect
  }

  /** Whether a value here is an item of `in (…)`. */
  get insideIn(): boolean {
    return this.#state.kind === 'code' && this.#parentheses.at(-1) === 'in'
  }

  /** Reads a piece of text: the text itself, with the author's placeholders taken out. */
  *scan(text: string): Generator<string | { readonly placeholder: Placeholder }> {
    let at = 0
    let from = 0
    while (at < text.length) {
      const placeholder = this.#state.kind === 'code' ? this.#placeholder(text, at) : undefined
      if (placeholder === undefined) {
        at += this.#step(text, at)
        continue
      }
      if (at > from) yield text.slice(from, at)
      yield { placeholder: placeholder.value }
      at += placeholder.length
      from = at
      this.value()
    }
    if (from < text.length) yield text.slice(from)
  }

  /** Takes note of a bound value. */
  value(): void {
    this.#word('?')
    this.#touching = false
  }

  /** Why no expression can stand here; null when one can. `next` is the text that follows it. */
  refuses(next: string): Refusal | null {
    const state = this.#state
    if (state.kind === 'quoted') return quotedRefusal(state)
    if (state.kind !== 'code') return { message: 'An expression inside an SQL comment has no effect; remove it.' }
    const name =
      'a table, column or keyword cannot come from data; write it out, or use a `switch` step with one statement each'
    if (this.#last === '') return { message: `The SQL text itself cannot come from an expression: ${name}.` }
    if (this.#touching || /^[\w.("`]/.test(next) || this.#last === '.') {
      return { message: `An expression cannot be part of an SQL name: ${name}.` }
    }
    if (this.#parentheses.at(-1) === 'columns') return { message: `The list of columns holds names: ${name}.` }
    if (NAME_FOLLOWS.has(this.#last)) return { message: `After \`${this.#last}\` SQL needs a name: ${name}.` }
    return null
  }

  /** Moves over one token or character; answers its length. */
  #step(text: string, at: number): number {
    const state = this.#state
    switch (state.kind) {
      case 'quoted':
        return this.#inQuotes(text, at, state)
      case 'line_comment':
        if (text[at] === '\n') this.#state = CODE
        return 1
      case 'block_comment':
        return this.#inBlockComment(text, at, state)
      case 'code':
        return this.#inCode(text, at)
    }
  }

  #inQuotes(text: string, at: number, { close, escapes }: Extract<State, { kind: 'quoted' }>): number {
    if (escapes && text[at] === '\\') return 2
    if (!text.startsWith(close, at)) return 1
    // A doubled quote is a quote character of the text.
    if (close.length === 1 && close !== ']' && text[at + 1] === close) return 2
    this.#state = CODE
    return close.length
  }

  #inBlockComment(text: string, at: number, state: { depth: number }): number {
    if (text.startsWith('/*', at) && this.#dialect === 'postgres') {
      state.depth++
      return 2
    }
    if (!text.startsWith('*/', at)) return 1
    if (--state.depth === 0) this.#state = CODE
    return 2
  }

  #inCode(text: string, at: number): number {
    const character = text[at] ?? ''
    if (/\s/.test(character)) {
      this.#touching = false
      return 1
    }
    const opened = this.#open(text, at)
    if (opened > 0) return opened
    const word = (this.#dialect === 'sqlite' ? WORD : WORD_WITH_DOLLAR).exec(text.slice(at, at + 256))?.[0]
    if (word !== undefined) {
      this.#word(word.toLowerCase())
      this.#touching = true
      return word.length
    }
    this.#sign(character)
    return 1
  }

  /** Opens a quoted text or a comment; answers the length of what opened it, or 0. */
  #open(text: string, at: number): number {
    const character = text[at] ?? ''
    if (this.#opensLineComment(text, at)) {
      this.#state = { kind: 'line_comment' }
      return character === '#' ? 1 : 2
    }
    if (text.startsWith('/*', at)) {
      this.#state = { kind: 'block_comment', depth: 1 }
      return 2
    }
    const quotes = this.#dialect === 'sqlite' ? '\'"`[' : this.#dialect === 'mysql' ? '\'"`' : '\'"'
    if (quotes.includes(character)) {
      const mysql = this.#dialect === 'mysql'
      this.#state = {
        kind: 'quoted',
        open: character,
        close: character === '[' ? ']' : character,
        text: character === "'" || (character === '"' && mysql),
        // PostgreSQL: only in e'…'.
        escapes: mysql
          ? character !== '`'
          : this.#dialect === 'postgres' && character === "'" && this.#touching && this.#last === 'e',
      }
      this.#word(character)
      this.#touching = character !== "'"
      return 1
    }
    const tag = this.#dialect === 'postgres' ? /^\$([A-Za-z_]\w*)?\$/.exec(text.slice(at, at + 128))?.[0] : undefined
    if (tag === undefined) return 0
    this.#state = { kind: 'quoted', open: tag, close: tag, text: true, escapes: false }
    this.#word(tag)
    return tag.length
  }

  #opensLineComment(text: string, at: number): boolean {
    if (this.#dialect !== 'mysql') return text.startsWith('--', at)
    // `5--3` is a subtraction there: two dashes need a blank after them.
    return text[at] === '#' || /^--\s/.test(text.slice(at, at + 3))
  }

  #word(word: string): void {
    this.#beforeLast = this.#last
    this.#last = word
    if (word === 'into') this.#afterInto = true
    else if (word === 'select' || word === 'values') this.#afterInto = false
  }

  #sign(character: string): void {
    if (character === '(') {
      this.#parentheses.push(this.#last === 'in' ? 'in' : this.#afterInto ? 'columns' : '(')
      this.#afterInto = false
    } else if (character === ')') {
      this.#parentheses.pop()
    }
    if (character === ';') {
      this.#last = ''
      this.#beforeLast = ''
    } else {
      // In `in (1, ${x})` the comma must not hide the list; in `order by a, ${x}` it must not hide `by`.
      this.#word(
        character === ',' && NAME_FOLLOWS.has(this.#beforeLast) && this.#beforeLast === 'by' ? 'by' : character,
      )
    }
    this.#touching = false
  }

  #placeholder(text: string, at: number): { readonly value: Placeholder; readonly length: number } | undefined {
    const rest = text.slice(at, at + 64)
    const numbered = /^\$(\d+)\b/.exec(rest) ?? (this.#dialect === 'sqlite' ? /^\?(\d+)\b/.exec(rest) : null)
    if (numbered !== null) {
      return { value: { kind: 'index', index: Number(numbered[1]) }, length: numbered[0].length }
    }
    if (rest.startsWith('?') && this.#dialect !== 'postgres') return { value: { kind: 'next' }, length: 1 }
    const named = this.#dialect === 'sqlite' ? /^[:@$]([A-Za-z_]\w*)/.exec(rest) : null
    if (named === null || this.#last === ':') return undefined
    return { value: { kind: 'name', name: named[1] ?? '' }, length: named[0].length }
  }
}

function quotedRefusal(state: Extract<State, { kind: 'quoted' }>): Refusal {
  if (state.text) {
    return {
      message:
        'An expression inside SQL quotes would be text of the statement; it is bound as a value, so it needs no quotes.',
      quoted: state.close,
    }
  }
  return {
    message: `An expression cannot stand inside ${state.open}…${state.close}: a name cannot come from data.`,
  }
}
