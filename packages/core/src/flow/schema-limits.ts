/** The rules of a schema that its type does not say, for values that are written out: ranges and lengths. */
import type { Json, JsonSchema } from '../json.ts'

/** How a fixed value breaks the limits of its schema; null when it does not. */
export function checkLimits(value: Json, schema: JsonSchema): string | null {
  if (typeof value === 'number') return numberLimits(value, schema)
  if (typeof value === 'string')
    return lengthLimits([...value].length, 'characters', schema['minLength'], schema['maxLength'])
  if (Array.isArray(value)) return lengthLimits(value.length, 'items', schema['minItems'], schema['maxItems'])
  return null
}

function numberLimits(value: number, schema: JsonSchema): string | null {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  if (typeof minimum === 'number' && value < minimum) return `is at least ${minimum}, not ${value}`
  if (typeof maximum === 'number' && value > maximum) return `is at most ${maximum}, not ${value}`
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum)
    return `is more than ${exclusiveMinimum}, not ${value}`
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum)
    return `is less than ${exclusiveMaximum}, not ${value}`
  if (schema['type'] === 'integer' && !Number.isInteger(value)) return `is a whole number, not ${value}`
  return null
}

function lengthLimits(length: number, unit: string, least: unknown, most: unknown): string | null {
  if (typeof least === 'number' && length < least) return `has at least ${least} ${unit}, not ${length}`
  if (typeof most === 'number' && length > most) return `has at most ${most} ${unit}, not ${length}`
  return null
}
