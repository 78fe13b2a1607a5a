import { z } from 'zod'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** A duration of a query: `500ms`, `30s`, `2m`, or a number of seconds. Becomes milliseconds. */
export function durationQuery(maxMs: number) {
  return z
    .string()
    .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h)?$/, 'must be a duration such as 30s, 500ms or 2m')
    .transform((text) => {
      const [, amount, unit] = /^([\d.]+)(ms|s|m|h)?$/.exec(text)!
      return Math.min(Number(amount) * UNITS[unit ?? 's']!, maxMs)
    })
}
