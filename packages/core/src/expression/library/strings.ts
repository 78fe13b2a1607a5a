import { checkArrayLength, reserveString, spend } from '../frame.ts'
import type { Frame } from '../frame.ts'
import { toText } from '../measure.ts'
import { BOOLEAN, NULL, NUMBER, STRING, arrayOf, union } from '../type.ts'
import { func, method, number, optional, text, value } from './entry.ts'
import { refuse } from './refuse.ts'

const area = 'text'

export const STRINGS = [
  method('string', 'toUpperCase', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text in capital letters.',
    examples: [['"straße".toUpperCase()', 'STRASSE']],
    run: (_frame, self) => self.toUpperCase(),
  }),
  method('string', 'toLowerCase', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text in small letters.',
    examples: [['"ABC".toLowerCase()', 'abc']],
    run: (_frame, self) => self.toLowerCase(),
  }),
  method('string', 'capitalize', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text with its first letter as a capital.',
    examples: [['"ada lovelace".capitalize()', 'Ada lovelace']],
    run: (_frame, self) => {
      const first = String.fromCodePoint(self.codePointAt(0) ?? 0)
      return self === '' ? '' : first.toUpperCase() + self.slice(first.length)
    },
  }),
  method('string', 'trim', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text without white space at its ends.',
    examples: [['"  a b ".trim()', 'a b']],
    run: (_frame, self) => self.trim(),
  }),
  method('string', 'trimStart', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text without white space at its beginning.',
    examples: [['"  a ".trimStart()', 'a ']],
    run: (_frame, self) => self.trimStart(),
  }),
  method('string', 'trimEnd', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text without white space at its end.',
    examples: [['" a  ".trimEnd()', ' a']],
    run: (_frame, self) => self.trimEnd(),
  }),
  method('string', 'includes', {
    area,
    parameters: [text('part')],
    result: BOOLEAN,
    doc: 'Whether the part is in the text.',
    examples: [['"workflow".includes("flow")', true]],
    run: (_frame, self, part) => self.includes(part),
  }),
  method('string', 'startsWith', {
    area,
    parameters: [text('part')],
    result: BOOLEAN,
    doc: 'Whether the text begins with the part.',
    examples: [['"workflow".startsWith("work")', true]],
    run: (_frame, self, part) => self.startsWith(part),
  }),
  method('string', 'endsWith', {
    area,
    parameters: [text('part')],
    result: BOOLEAN,
    doc: 'Whether the text ends with the part.',
    examples: [['"workflow".endsWith("work")', false]],
    run: (_frame, self, part) => self.endsWith(part),
  }),
  method('string', 'indexOf', {
    area,
    parameters: [text('part'), optional(number('from'))],
    result: NUMBER,
    doc: 'Where the part first is, at or after `from`; -1 when it is not there.',
    examples: [
      ['"a-b-c".indexOf("-")', 1],
      ['"a-b-c".indexOf("-", 2)', 3],
    ],
    run: (_frame, self, part, from) => self.indexOf(part, from),
  }),
  method('string', 'lastIndexOf', {
    area,
    parameters: [text('part')],
    result: NUMBER,
    doc: 'Where the part last is; -1 when it is not there.',
    examples: [['"a-b-c".lastIndexOf("-")', 3]],
    run: (_frame, self, part) => self.lastIndexOf(part),
  }),
  method('string', 'slice', {
    area,
    parameters: [optional(number('start')), optional(number('end'))],
    result: STRING,
    doc: 'The characters from `start` up to, not including, `end`. Negative positions count from the end.',
    examples: [
      ['"workflow".slice(4)', 'flow'],
      ['"workflow".slice(-4, -2)', 'fl'],
    ],
    cost: 'constant',
    run: (_frame, self, start, end) => self.slice(start, end),
  }),
  method('string', 'substring', {
    area,
    parameters: [number('start'), optional(number('end'))],
    result: STRING,
    doc: 'The characters from `start` up to, not including, `end`; a negative position is 0.',
    examples: [['"workflow".substring(0, 4)', 'work']],
    cost: 'constant',
    run: (_frame, self, start, end) => self.substring(start, end),
  }),
  method('string', 'at', {
    area,
    parameters: [number('index')],
    result: union(STRING, NULL),
    doc: 'The character at a position, counted from the end when it is negative; null when there is none.',
    examples: [['"abc".at(-1)', 'c']],
    cost: 'constant',
    run: (_frame, self, index) => self.at(index) ?? null,
  }),
  method('string', 'split', {
    area,
    parameters: [text('separator'), optional(number('limit'))],
    result: arrayOf(STRING),
    doc: 'The parts between the separators; with an empty separator the characters.',
    examples: [
      ['"a,b,c".split(",")', ['a', 'b', 'c']],
      ['"a,b,c".split(",", 2)', ['a', 'b']],
      ['"añ😀".split("")', ['a', 'ñ', '😀']],
    ],
    run: (frame, self, separator, limit = frame.limits.arrayLength + 1) => {
      spend(frame, self.length >> 2)
      // Splitting a text into its code units would tear characters apart: they are split as characters.
      const parts = separator === '' ? characters(frame, self, limit) : self.split(separator, Math.max(0, limit))
      checkArrayLength(frame, parts.length)
      return parts
    },
  }),
  method('string', 'lines', {
    area,
    parameters: [],
    result: arrayOf(STRING),
    doc: 'The lines of the text, without their ends; a line end at the end begins no further line.',
    examples: [['"a\\r\\nb\\n".lines()', ['a', 'b']]],
    run: (frame, self) => {
      spend(frame, self.length >> 2)
      const lines = self.split(/\r\n|\n|\r/, frame.limits.arrayLength + 2)
      if (lines.at(-1) === '') lines.pop()
      checkArrayLength(frame, lines.length)
      return lines
    },
  }),
  method('string', 'replace', {
    area,
    parameters: [text('part'), text('replacement')],
    result: STRING,
    doc: 'The text with the first such part replaced. The part is plain text; for patterns see `replacePattern`.',
    examples: [['"a.b.c".replace(".", "-")', 'a-b.c']],
    run: (frame, self, part, replacement) => {
      reserveString(frame, self.length + replacement.length)
      return self.replace(part, () => replacement)
    },
  }),
  method('string', 'replaceAll', {
    area,
    parameters: [text('part'), text('replacement')],
    result: STRING,
    doc: 'The text with all such parts replaced.',
    examples: [['"a.b.c".replaceAll(".", "-")', 'a-b-c']],
    run: (frame, self, part, replacement) => {
      const count = occurrences(frame, self, part)
      reserveString(frame, self.length + count * (replacement.length - part.length))
      return self.replaceAll(part, () => replacement)
    },
  }),
  method('string', 'repeat', {
    area,
    parameters: [number('count')],
    result: STRING,
    doc: 'The text so many times.',
    examples: [['"ab".repeat(3)', 'ababab']],
    run: (frame, self, count) => {
      if (!Number.isInteger(count) || count < 0) {
        throw refuse(frame, { name: 'repeat', parameter: 'count', expected: 'a whole number of at least 0' }, count)
      }
      reserveString(frame, self.length * count)
      return self.repeat(count)
    },
  }),
  method('string', 'padStart', {
    area,
    parameters: [number('length'), optional(text('fill'))],
    result: STRING,
    doc: 'The text filled up at its beginning (with spaces, or with `fill`) until it has that length.',
    examples: [['"7".padStart(3, "0")', '007']],
    run: (frame, self, length, fill) => {
      reserveString(frame, length)
      return self.padStart(length, fill)
    },
  }),
  method('string', 'padEnd', {
    area,
    parameters: [number('length'), optional(text('fill'))],
    result: STRING,
    doc: 'The text filled up at its end (with spaces, or with `fill`) until it has that length.',
    examples: [['"7".padEnd(3)', '7  ']],
    run: (frame, self, length, fill) => {
      reserveString(frame, length)
      return self.padEnd(length, fill)
    },
  }),
  method('string', 'truncate', {
    area,
    parameters: [number('length'), optional(text('ending'))],
    result: STRING,
    doc: 'The text if it has at most that many characters, else its beginning with an ending (`…`) in place of the rest.',
    examples: [
      ['"workflow".truncate(5)', 'work…'],
      ['"work".truncate(5)', 'work'],
    ],
    run: (_frame, self, length, ending = '…') =>
      self.length <= length ? self : self.slice(0, Math.max(0, length - ending.length)) + ending,
  }),
  method('string', 'normalize', {
    area,
    parameters: [optional(text('form', { choices: ['NFC', 'NFD', 'NFKC', 'NFKD'] }))],
    result: STRING,
    doc: 'The text in a Unicode normal form (NFC when none is given).',
    examples: [['"e\\u0301".normalize()', 'é']],
    run: (frame, self, form) => {
      reserveString(frame, self.length)
      spend(frame, self.length >> 2)
      return self.normalize(form)
    },
  }),
  method('string', 'slugify', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The text as a part of an address: small letters and digits, with hyphens between words.',
    examples: [['"Café à Paris!".slugify()', 'cafe-a-paris']],
    run: (frame, self) => {
      spend(frame, self.length >> 2)
      const plain = self.normalize('NFKD').replaceAll(/\p{Mark}/gu, '')
      return plain
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, ' ')
        .trim()
        .replaceAll(' ', '-')
    },
  }),
  method('string', 'toCamelCase', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The words of the text as `camelCase`.',
    examples: [['"first_name".toCamelCase()', 'firstName']],
    run: (frame, self) =>
      wordsOf(frame, self)
        .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
        .join(''),
  }),
  method('string', 'toSnakeCase', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The words of the text as `snake_case`.',
    examples: [['"firstName".toSnakeCase()', 'first_name']],
    run: (frame, self) => wordsOf(frame, self).join('_'),
  }),
  method('string', 'toKebabCase', {
    area,
    parameters: [],
    result: STRING,
    doc: 'The words of the text as `kebab-case`.',
    examples: [['"First Name".toKebabCase()', 'first-name']],
    run: (frame, self) => wordsOf(frame, self).join('-'),
  }),
  method('string', 'codePointAt', {
    area,
    parameters: [number('index')],
    result: union(NUMBER, NULL),
    doc: 'The Unicode number of the character at a position; null when there is none.',
    examples: [['"😀".codePointAt(0)', 128512]],
    cost: 'constant',
    run: (_frame, self, index) => self.codePointAt(index) ?? null,
  }),
  func('escapeHtml', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text with `& < > " \'` written so that HTML shows them.',
    examples: [['escapeHtml("<b>\\"a\\" & b</b>")', '&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;']],
    run: (frame, source) => {
      const escaped = source.replaceAll(/[&<>"']/g, (char) => HTML[char] ?? char)
      reserveString(frame, escaped.length)
      return escaped
    },
  }),
  func('String', {
    area,
    parameters: [value('value')],
    result: STRING,
    doc: 'A value as text: null is empty, lists and objects are JSON. The same as in a template string.',
    examples: [
      ['String(12.5)', '12.5'],
      ['String(null)', ''],
      ['String([1, "a"])', '[1,"a"]'],
    ],
    run: (frame, source) => toText(frame, source),
  }),
]

const HTML: { readonly [char: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function characters(frame: Frame, source: string, limit: number): string[] {
  const parts: string[] = []
  for (const char of source) {
    if (parts.length >= limit) break
    parts.push(char)
    checkArrayLength(frame, parts.length)
  }
  return parts
}

/** How often a part occurs, without overlap; an empty part occurs between all characters and at both ends. */
function occurrences(frame: Frame, source: string, part: string): number {
  if (part === '') return source.length + 1
  let count = 0
  for (let at = source.indexOf(part); at >= 0; at = source.indexOf(part, at + part.length)) {
    count++
    spend(frame, 1)
  }
  return count
}

/** The words of `some text`, `some_text`, `someText` and `SOMEText`, in small letters. */
function wordsOf(frame: Frame, source: string): string[] {
  spend(frame, source.length >> 1)
  return (source.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{Lo}+|\p{Nd}+/gu) ?? []).map((word) => word.toLowerCase())
}
