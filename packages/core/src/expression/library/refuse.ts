import { fail, secretError } from '../frame.ts'
import type { Frame } from '../frame.ts'
import { SecretText, describeKind } from '../value.ts'
import type { Value } from '../value.ts'

/** The error for an argument of the right type and a value that cannot be used. */
export function refuse(
  frame: Frame,
  call: { readonly name: string; readonly parameter: string; readonly expected: string },
  actual: Value,
): Error {
  if (holdsSecret(actual)) return secretError(`in \`${call.name}\``, frame.node)
  const shown = typeof actual === 'number' || typeof actual === 'boolean' ? String(actual) : describeText(actual)
  return fail(frame, 'expression_argument', { ...call, actual: shown })
}

function describeText(actual: Value): string {
  if (typeof actual !== 'string') return describeKind(actual)
  return JSON.stringify(actual.length > 40 ? `${actual.slice(0, 39)}…` : actual)
}

/** A secret, or a list (a pair, say) that begins with one. */
const holdsSecret = (actual: Value): boolean =>
  actual instanceof SecretText || (Array.isArray(actual) && actual[0] instanceof SecretText)
