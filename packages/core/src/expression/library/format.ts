import type { Format } from './entry.ts'
import { compilePattern } from './pattern.ts'
import type { PatternError } from './pattern.ts'
import { TimeError, inZone, readDuration, readTime } from './time.ts'
import { readPattern } from './time-pattern.ts'

/** Says why a literal argument is not what its parameter takes, or undefined when it is. */
export function formatError(format: Format, text: string): PatternError | undefined {
  switch (format) {
    case 'pattern': {
      const compiled = compilePattern(text)
      return 'reason' in compiled ? compiled : undefined
    }
    case 'timestamp':
      return asReason(text, readTime(text))
    case 'duration':
      return asReason(text, readDuration(text))
    case 'zone':
      return asReason(text, inZone(0, text))
    case 'time-pattern': {
      const pieces = readPattern(text)
      return 'unknown' in pieces ? unknownToken(pieces.unknown) : undefined
    }
  }
}

/** The message for letters of a time pattern that mean nothing. */
export function unknownToken(letters: string): PatternError {
  const usual = letters.replaceAll('Y', 'y').replaceAll('D', 'd')
  return {
    reason: `\`${letters}\` means nothing in a pattern of times`,
    suggestion: usual === letters ? `Text goes in single quotes: \`'${letters}'\`.` : `Did you mean \`${usual}\`?`,
  }
}

function asReason(text: string, read: unknown): PatternError | undefined {
  if (!(read instanceof TimeError)) return undefined
  return { reason: `${JSON.stringify(text)} is not ${read.expected}` }
}
