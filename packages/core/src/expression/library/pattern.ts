/** Patterns run on RE2: time grows with the text and never explodes. They are written as in JavaScript. */
import { RE2JS } from 're2js'
import type { Node } from '../ast.ts'
import { fail, overBudget, spend } from '../frame.ts'
import type { Frame } from '../frame.ts'

const LONGEST_PATTERN = 2_000
const LARGEST_PROGRAM = 10_000

export interface PatternError {
  readonly reason: string
  readonly suggestion?: string
}

const FLAGS: ReadonlyMap<string, number> = new Map([
  ['i', RE2JS.CASE_INSENSITIVE],
  ['m', RE2JS.MULTILINE],
  ['s', RE2JS.DOTALL],
])

/** Compiles a pattern, or says why it is none. Flags: `i` (letter case), `m` (lines), `s` (dot matches line ends). */
export function compilePattern(pattern: string, flags = ''): RE2JS | PatternError {
  if (pattern.length > LONGEST_PATTERN) return { reason: `it has more than ${LONGEST_PATTERN} characters` }
  let bits = 0
  for (const flag of flags) {
    const bit = FLAGS.get(flag)
    if (bit === undefined) return { reason: `there is no flag \`${flag}\`, only i, m and s` }
    bits |= bit
  }
  const unsupported = unsupportedSyntax(pattern)
  if (unsupported) return unsupported
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern), bits)
    return compiled.programSize() > LARGEST_PROGRAM ? { reason: 'it is too large: its repetitions multiply' } : compiled
  } catch (error) {
    return {
      reason: error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it is not a pattern',
    }
  }
}

/** What RE2 leaves out, so that the message can say it better than "invalid escape". */
function unsupportedSyntax(pattern: string): PatternError | undefined {
  const escaped = pattern.replaceAll(/\\\\/g, '  ')
  if (/(?:^|[^\\])\((?:\?=|\?!|\?<=|\?<!)/.test(escaped)) {
    return { reason: 'look-ahead and look-behind are not supported', suggestion: 'Capture what you need with a group.' }
  }
  if (/\\[1-9]|\\k</.test(escaped)) {
    return { reason: 'back-references are not supported', suggestion: 'Compare the captured groups instead.' }
  }
  return undefined
}

interface Compiled {
  readonly pattern: string
  readonly flags: string
  readonly compiled: RE2JS
}

// Compiling costs more than matching. The call's syntax node remembers its last pattern, which is mostly a literal; the
// memory goes with the expression, and whether it is there changes nothing but time.
const lastPattern = new WeakMap<Node, Compiled>()

/** The compiled pattern of the running call, after taking what matching this text may cost from the budget. */
export function patternFor(frame: Frame, text: string, pattern: string, flags = ''): RE2JS {
  const last = lastPattern.get(frame.node)
  if (last !== undefined && last.pattern === pattern && last.flags === flags) return charged(frame, text, last.compiled)
  spend(frame, 50 + pattern.length * 4)
  const compiled = compilePattern(pattern, flags)
  if (!(compiled instanceof RE2JS)) {
    const shown = JSON.stringify(pattern.length > 40 ? `${pattern.slice(0, 39)}…` : pattern)
    throw fail(frame, 'expression_pattern', { pattern: shown, reason: compiled.reason }, compiled.suggestion)
  }
  lastPattern.set(frame.node, { pattern, flags, compiled })
  return charged(frame, text, compiled)
}

// In the worst case each character meets each instruction of the pattern's program.
function charged(frame: Frame, text: string, compiled: RE2JS): RE2JS {
  spend(frame, Math.ceil((text.length * compiled.programSize()) / 16))
  return compiled
}

/** The groups of a match: null where a group took no part. */
export interface Match {
  readonly start: number
  readonly end: number
  readonly groups: readonly (string | null)[]
  readonly named: { readonly [name: string]: string | null }
}

/** The matches from left to right, at most `most` of them. */
export function findMatches(frame: Frame, compiled: RE2JS, text: string, most: number): Match[] {
  const matcher = compiled.matcher(text)
  const matches: Match[] = []
  while (matches.length < most && matcher.find()) {
    spend(frame, 8)
    if (matches.length >= frame.limits.arrayLength) throw overBudget(frame, 'array')
    const groups: (string | null)[] = []
    for (let group = 0; group <= matcher.groupCount(); group++) groups.push(matcher.group(group))
    matches.push({ start: matcher.start(), end: matcher.end(), groups, named: matcher.getNamedGroups() })
  }
  return matches
}
