/** Looks at a statement's text: what kind it is and which parameters it has. Not a parser: SQLite judges the syntax. */

export interface StatementText {
  /** First word in upper case; for `WITH …` the word that says what it does. */
  readonly verb: string
  /** Highest number of a positional parameter. */
  readonly positional: number
  /** Names of `:name`, `@name`, `$name`. */
  readonly named: readonly string[]
}

/** Strings, quoted names and comments; a parameter, or a word that is no function; in this order, so that quoted ones are not seen. */
const TOKENS =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|(\?\d*)|([:@$][A-Za-z_]\w*)|\b([A-Za-z_]\w*)\b(?!\s*\()/g
const COMMENTS = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g

export function inspectSql(text: string): StatementText {
  let verb = ''
  let positional = 0
  const named = new Set<string>()
  for (const [, mark, name, word] of text.matchAll(TOKENS)) {
    if (mark !== undefined) positional = mark === '?' ? positional + 1 : Math.max(positional, Number(mark.slice(1)))
    else if (name !== undefined) named.add(name.slice(1))
    else if (
      word !== undefined &&
      (verb === '' || (verb === 'WITH' && /^(insert|replace|update|delete)$/i.test(word)))
    ) {
      verb = word.toUpperCase()
    }
  }
  return { verb, positional, named: [...named] }
}

/** Whether there is anything but comments, blanks and semicolons. */
export function hasStatement(text: string): boolean {
  return text.replaceAll(COMMENTS, '').replaceAll(/[\s;]/g, '') !== ''
}

/** Whether the statement is a plain `VACUUM`, not one into another file. */
export function isVacuum(text: string): boolean {
  return /^\s*vacuum[\s;]*$/i.test(text.replaceAll(COMMENTS, ' '))
}

/** A name as SQLite takes it literally. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
