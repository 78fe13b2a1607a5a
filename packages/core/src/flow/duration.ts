/** Durations and sizes as authors write them: `250ms`, `10s`, `5m`, `2h`, `30d`, or a number of seconds; `256kb`, `1mb`. */

const UNIT_MS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const UNIT_BYTES: { readonly [unit: string]: number } = { '': 1, b: 1, kb: 1024, mb: 1024 * 1024, gb: 1024 ** 3 }

/** Longest duration: 100 years, so that every due time stays a valid date. */
const MAX_DURATION_MS = 36_525 * 86_400_000

/** Milliseconds of a duration; null when it is none. Parts add up: `1h30m`. Digits in text alone are seconds. */
export function parseDuration(value: unknown): number | null {
  if (typeof value === 'number') return inRange(value * 1000)
  if (typeof value !== 'string') return null
  const text = value.trim().toLowerCase()
  if (/^\d+(\.\d+)?$/.test(text)) return inRange(Number(text) * 1000)
  if (!/^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$/.test(text) || text.length > 64) return null
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  }
  return inRange(total)
}

function inRange(milliseconds: number): number | null {
  if (!(milliseconds >= 0) || milliseconds > MAX_DURATION_MS) return null
  return Math.round(milliseconds)
}

/** Bytes of a size; null when it is none. */
export function parseSize(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([kmg]?b?)$/.exec(value.trim().toLowerCase()) : null
  if (match === null) return null
  const unit = UNIT_BYTES[match[2] ?? ''] ?? UNIT_BYTES[`${match[2]}b`]
  const bytes = Math.round(Number(match[1]) * (unit ?? 1))
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** A date, or a date and time with its zone: what has no zone would mean another time on another machine. */
const TIME = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d))?$/

/** A point in time as milliseconds since 1970; null for what is none. */
export function parseTime(value: unknown): number | null {
  const time =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && TIME.test(value)
        ? Date.parse(value.replace(' ', 'T'))
        : NaN
  return Number.isFinite(time) ? Math.ceil(time) : null
}
