/** Looks at a statement's text: which words it begins with. Not a parser: the server judges the syntax. */

/** Strings, quoted names and comments, which hold no words of the statement. */
const HIDDEN = {
  postgres:
    /(?<![\w$])[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g,
  // Comments that begin with `/*!` are executed.
  mysql:
    /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`]|``)*`|--(?:[\s][^\n]*|$)|#[^\n]*|\/\*(?!M?!)[\s\S]*?(?:\*\/|$)/g,
} as const

export interface StatementText {
  /** The text in upper case, with strings and comments left out, blanks made single. */
  readonly bare: string
  /** First word; for `WITH …` the word that says what it does. */
  readonly verb: string
  /** How many `?` it has. */
  readonly marks: number
}

export function inspectStatement(text: string, dialect: keyof typeof HIDDEN): StatementText {
  const bare = text
    .replaceAll(HIDDEN[dialect], (hidden) => (/^(?:--|#|\/\*)/.test(hidden) ? ' ' : " '' "))
    .replaceAll(/\/\*M?!\d*/g, ' ')
    .replaceAll(/[\s(]+/g, ' ')
    .trim()
    .toUpperCase()
  const first = /^[A-Z]+/.exec(bare)?.[0] ?? ''
  const inner =
    first === 'WITH' ? /\b(?:INSERT|REPLACE|UPDATE|DELETE|MERGE)\b(?! (?:OF|NOWAIT|SKIP))/.exec(bare)?.[0] : null
  return { bare, verb: inner ?? first, marks: bare.split('?').length - 1 }
}

/** Statements whose rows are counted as affected. */
export const COUNTED: ReadonlySet<string> = new Set(['INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'MERGE'])
