import { expressionError, quote } from './error.ts'

/** Text to read tokens from. `holes`: `${` is a token too, as conditions need it. */
export interface Source {
  readonly text: string
  readonly holes: boolean
}

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'punctuator' | 'end'
  readonly start: number
  readonly end: number
  /** The name, the punctuator, or the string's value. */
  readonly text: string
  readonly number: number
}

// Longest first: the first that matches is the token. Those that the grammar never uses are here for their message.
const PUNCTUATORS =
  '>>>= ... === !== **= <<= >>= >>> &&= ||= ??= => == != <= >= && || ?? ** ++ -- += -= *= /= %= &= |= ^= << >> ' +
  '( ) [ ] { } , : . ? < > + - * / % ! ` = ; & | ^ ~ @ #'
const LONGEST_FIRST: readonly string[] = PUNCTUATORS.split(' ')

const SPACE = /[\s\uFEFF]*/y
const NAME = /[\p{ID_Start}$_][\p{ID_Continue}$\u200C\u200D]*/uy
const NUMBER =
  /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*(?:\.[0-9][0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?/y
const NUMBER_TAIL = /[\p{ID_Continue}$]*/uy

/** The token that begins at `position` or after white space there. */
export function readToken(source: Source, position: number): Token {
  const { text } = source
  const start = position + match(SPACE, text, position).length
  const char = text[start]
  if (char === undefined) return token('end', start, start, '')
  if (char === '"' || char === "'") return readString(source, start)
  if (char === '$' && text[start + 1] === '{') {
    if (source.holes) return token('punctuator', start, start + 2, '${')
    throw expressionError(
      'PW1101',
      { text: '`${`' },
      { start, end: start + 2, suggestion: 'This is an expression already.' },
    )
  }
  if (isDigit(char) || (char === '.' && isDigit(text[start + 1]))) return readNumber(text, start)
  const name = match(NAME, text, start)
  if (name !== '') return token('name', start, start + name.length, name)
  if (char === '/' && (text[start + 1] === '/' || text[start + 1] === '*')) {
    throw expressionError('PW1119', {}, { start, end: start + 2 })
  }
  if (char === '?' && text[start + 1] === '.' && !isDigit(text[start + 2]))
    return token('punctuator', start, start + 2, '?.')
  const punctuator = LONGEST_FIRST.find((candidate) => text.startsWith(candidate, start))
  if (punctuator !== undefined) return token('punctuator', start, start + punctuator.length, punctuator)
  const symbol = String.fromCodePoint(text.codePointAt(start) ?? 0)
  throw expressionError('PW1101', { text: quote(symbol) }, { start, end: start + symbol.length })
}

const token = (kind: Token['kind'], start: number, end: number, text: string, number = 0): Token => ({
  kind,
  start,
  end,
  text,
  number,
})

function match(pattern: RegExp, text: string, position: number): string {
  pattern.lastIndex = position
  return pattern.exec(text)?.[0] ?? ''
}

const isDigit = (char: string | undefined): boolean => char !== undefined && char >= '0' && char <= '9'

function readNumber(text: string, start: number): Token {
  const digits = match(NUMBER, text, start)
  const tail = match(NUMBER_TAIL, text, start + digits.length)
  const end = start + digits.length + tail.length
  const bad = (reason: string): Error => expressionError('PW1107', { text: digits + tail, reason }, { start, end })
  if (tail === 'n') throw bad('there are no big integers; integers beyond 2^53 are texts')
  if (tail !== '') throw bad(`${quote(tail)} does not belong to it`)
  if (/^0[0-9]/.test(digits)) throw bad('it begins with 0')
  if (/__|_$|_\.|\._|^0[xXoObB]_|_[eE]/.test(digits)) throw bad('`_` stands between two digits')
  const number = Number(digits.replaceAll('_', ''))
  if (!Number.isFinite(number)) throw bad('it is too large')
  if (Number.isInteger(number) && !Number.isSafeInteger(number) && !/[eE.]/.test(digits)) {
    throw bad('integers beyond 2^53 lose digits; write it as text')
  }
  return token('number', start, end, digits, number)
}

function readString(source: Source, start: number): Token {
  const { text } = source
  const delimiter = text.charAt(start)
  let value = ''
  let position = start + 1
  for (;;) {
    const char = text[position]
    if (char === undefined || char === '\n' || char === '\r') {
      throw expressionError('PW1103', { quote: delimiter }, { start, end: position })
    }
    if (char === delimiter) return token('string', start, position + 1, value)
    if (char === '\\') {
      const escape = readEscape(text, position)
      value += escape.value
      position = escape.end
    } else if (source.holes && text.startsWith('$${', position)) {
      value += '${'
      position += 3
    } else if (source.holes && text.startsWith('${', position)) {
      throw holeInString(text, { start, delimiter, hole: position })
    } else {
      value += char
      position++
    }
  }
}

function holeInString(text: string, at: { start: number; delimiter: string; hole: number }): Error {
  const close = text.indexOf(at.delimiter, text.indexOf('}', at.hole) + 1)
  const body = text.slice(at.start + 1, close < 0 ? text.length : close)
  return expressionError(
    'PW1109',
    {},
    { start: at.hole, end: at.hole + 2, suggestion: `Use a template string: \`${body}\`.` },
  )
}

const ESCAPES: { readonly [char: string]: string } = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  '0': '\0',
}

const CODE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})/y

/** The escape sequence at the backslash at `position`, as in JavaScript; one that means nothing there is an error. */
export function readEscape(text: string, position: number): { readonly value: string; readonly end: number } {
  const char = text.charAt(position + 1)
  const plain = Object.hasOwn(ESCAPES, char)
    ? ESCAPES[char]
    : '\\\'"`$/'.includes(char) && char !== ''
      ? char
      : undefined
  const octal = char === '0' && isDigit(text[position + 2])
  if (plain !== undefined && !octal) return { value: plain, end: position + 2 }
  CODE.lastIndex = position
  const code = CODE.exec(text)
  const point = Number.parseInt(code?.[1] ?? code?.[2] ?? code?.[3] ?? 'ffffff', 16)
  if (code === null || point > 0x10ffff) {
    throw expressionError(
      'PW1106',
      { escape: text.slice(position, position + 2) },
      { start: position, end: position + 2 },
    )
  }
  return { value: String.fromCodePoint(point), end: position + code[0].length }
}
