/**
 * From a character of a scalar's value back to the character of the file. YAML folds lines, strips indentation and
 * resolves escapes; all of these keep the order of the characters that are not white space, so the two texts are
 * aligned by walking them together. Runs only when a problem is reported.
 */
import type { ScalarStyle } from './source-map.ts'

interface Cursor {
  /** Offset into the file. */
  at: number
  /** Second half of an escape that stands for two UTF-16 units. */
  pendingUnits: number
}

const isSpace = (character: string | undefined): boolean =>
  character === ' ' || character === '\t' || character === '\n' || character === '\r'

/** Lengths of double-quoted escapes, the backslash included. */
function escapeLength(letter: string | undefined): number {
  if (letter === 'x') return 4
  if (letter === 'u') return 6
  if (letter === 'U') return 10
  return 2
}

/** Offsets in `text` of the characters `from` and `to` of the scalar whose value is `value`. */
export function locateInScalar(
  text: string,
  span: { readonly start: number; readonly end: number; readonly style: ScalarStyle },
  value: string,
  from: number,
  to: number,
): [number, number] {
  const cursor: Cursor = { at: contentStart(text, span), pendingUnits: 0 }
  let start = span.end
  let end = span.end
  for (let index = 0; index <= value.length; index++) {
    const character = value[index]
    if (character !== undefined) skipToCharacter(text, span, character, cursor)
    if (index === from) start = Math.min(cursor.at, span.end)
    if (index === to) {
      end = Math.min(cursor.at, span.end)
      break
    }
    if (character !== undefined) consume(text, span.style, character, cursor)
  }
  return [start, Math.max(start, end)]
}

function contentStart(text: string, span: { readonly start: number; readonly style: ScalarStyle }): number {
  if (span.style === 'single' || span.style === 'double') return span.start + 1
  if (span.style === 'plain') return span.start
  const newline = text.indexOf('\n', span.start)
  return newline === -1 ? span.start : newline + 1
}

/** Moves over what YAML leaves out before the next character of the value. */
function skipToCharacter(
  text: string,
  span: { readonly end: number; readonly style: ScalarStyle },
  character: string,
  cursor: Cursor,
): void {
  if (cursor.pendingUnits > 0) return
  while (span.style === 'double' && text[cursor.at] === '\\' && isLineBreak(text, cursor.at + 1)) {
    cursor.at++
    while (isSpace(text[cursor.at]) && cursor.at < span.end) cursor.at++
  }
  if (isSpace(character)) return
  while (isSpace(text[cursor.at]) && cursor.at < span.end) cursor.at++
}

function isLineBreak(text: string, at: number): boolean {
  return text[at] === '\n' || (text[at] === '\r' && text[at + 1] === '\n')
}

function consume(text: string, style: ScalarStyle, character: string, cursor: Cursor): void {
  if (cursor.pendingUnits > 0) {
    cursor.pendingUnits--
    return
  }
  const source = text[cursor.at]
  if (style === 'double' && source === '\\') {
    const letter = text[cursor.at + 1]
    // Only \U can stand for two units; its second unit is then the next character of the value.
    const isPair = letter === 'U' && character >= '\ud800' && character <= '\udbff'
    cursor.pendingUnits = isPair ? 1 : 0
    cursor.at += escapeLength(letter)
    return
  }
  if (style === 'single' && character === "'") {
    cursor.at += 2
    return
  }
  // A folded line break is one space in the value and may be none here (the next word is found by skipping).
  if (isSpace(character) && !isSpace(source)) return
  cursor.at++
}
