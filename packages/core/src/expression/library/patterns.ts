import { checkStringLength, reserveString } from '../frame.ts'
import { BOOLEAN, NULL, STRING, arrayOf, recordOf, union } from '../type.ts'
import { setOwn } from '../value.ts'
import type { Value } from '../value.ts'
import { func, method, optional, pattern, text } from './entry.ts'
import { findMatches, patternFor } from './pattern.ts'
import type { Match } from './pattern.ts'

const area = 'patterns'
const flags = optional(text('flags'))
const GROUPS = arrayOf(union(STRING, NULL))

export const PATTERNS = [
  method('string', 'test', {
    area,
    parameters: [pattern(), flags],
    result: BOOLEAN,
    doc: 'Whether the pattern is found in the text; `^` and `$` tie it to the ends.',
    examples: [
      ['"order-17".test("^order-[0-9]+$")', true],
      ['"ORDER".test("order", "i")', true],
    ],
    run: (frame, self, source, flagText) => patternFor(frame, self, source, flagText).test(self),
  }),
  method('string', 'match', {
    area,
    parameters: [pattern(), flags],
    result: union(GROUPS, NULL),
    doc: 'The first match as a list, the whole of it and then its groups; null when there is none.',
    examples: [
      ['"order-17".match("([a-z]+)-([0-9]+)")', ['order-17', 'order', '17']],
      ['"order".match("[0-9]")', null],
    ],
    run: (frame, self, source, flagText) => {
      const [match] = findMatches(frame, patternFor(frame, self, source, flagText), self, 1)
      return match ? match.groups : null
    },
  }),
  method('string', 'matchAll', {
    area,
    parameters: [pattern(), flags],
    result: arrayOf(GROUPS),
    doc: 'All matches, each as `match` gives it.',
    examples: [
      [
        '"a1 b2".matchAll("([a-z])[0-9]")',
        [
          ['a1', 'a'],
          ['b2', 'b'],
        ],
      ],
    ],
    run: (frame, self, source, flagText) =>
      findMatches(frame, patternFor(frame, self, source, flagText), self, Number.POSITIVE_INFINITY).map(
        (match) => match.groups,
      ),
  }),
  method('string', 'capture', {
    area,
    parameters: [pattern(), flags],
    result: union(recordOf(union(STRING, NULL)), NULL),
    doc: 'The named groups of the first match as an object; null when there is none.',
    examples: [['"2026-03".capture("(?<year>[0-9]{4})-(?<month>[0-9]{2})")', { year: '2026', month: '03' }]],
    run: (frame, self, source, flagText) => {
      const [match] = findMatches(frame, patternFor(frame, self, source, flagText), self, 1)
      if (match === undefined) return null
      const groups: { [key: string]: Value } = {}
      for (const name of Object.keys(match.named)) setOwn(groups, name, match.named[name] ?? null)
      return groups
    },
  }),
  method('string', 'replacePattern', {
    area,
    parameters: [pattern(), text('replacement'), flags],
    result: STRING,
    doc: 'The text with every match replaced; `$1` is the first group, `$&` the match, `$<name>` a named group, `$$` a dollar sign.',
    examples: [
      ['"a1b22".replacePattern("[0-9]+", "#")', 'a#b#'],
      ['"Ada Lovelace".replacePattern("([A-Za-z]+) ([A-Za-z]+)", "$2, $1")', 'Lovelace, Ada'],
    ],
    run: (frame, self, source, replacement, flagText) => {
      const matches = findMatches(frame, patternFor(frame, self, source, flagText), self, Number.POSITIVE_INFINITY)
      const pieces: string[] = []
      let [from, length] = [0, self.length]
      for (const match of matches) {
        const inserted = expand(replacement, match)
        length += inserted.length
        checkStringLength(frame, length)
        pieces.push(self.slice(from, match.start), inserted)
        from = match.end
      }
      pieces.push(self.slice(from))
      reserveString(frame, length)
      return pieces.join('')
    },
  }),
  method('string', 'splitPattern', {
    area,
    parameters: [pattern(), flags],
    result: arrayOf(STRING),
    doc: 'The parts of the text between the matches.',
    examples: [['"a, b;c".splitPattern("[,;] *")', ['a', 'b', 'c']]],
    run: (frame, self, source, flagText) => {
      const matches = findMatches(frame, patternFor(frame, self, source, flagText), self, Number.POSITIVE_INFINITY)
      const parts: string[] = []
      let from = 0
      for (const { start, end } of matches) {
        // An empty match splits between characters, and not at the ends.
        if (end === start && (start === 0 || start === self.length)) continue
        parts.push(self.slice(from, start))
        from = end
      }
      parts.push(self.slice(from))
      return parts
    },
  }),
  func('quotePattern', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text as a pattern that matches just it.',
    examples: [['quotePattern("1+1")', '1\\+1']],
    run: (frame, source) => {
      reserveString(frame, source.length * 2)
      return source.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, (char) => (char === '-' || char === '/' ? char : `\\${char}`))
    },
  }),
]

/** Fills the placeholders of a replacement, as JavaScript does. */
function expand(replacement: string, match: Match): string {
  if (!replacement.includes('$')) return replacement
  return replacement.replaceAll(/\$(?:\$|&|([1-9][0-9]?)|<([^>]*)>)/g, (whole, digits?: string, name?: string) => {
    if (whole === '$$') return '$'
    if (whole === '$&') return match.groups[0] ?? ''
    if (name !== undefined) return Object.hasOwn(match.named, name) ? (match.named[name] ?? '') : whole
    const group = Number(digits)
    return group < match.groups.length ? (match.groups[group] ?? '') : whole
  })
}
