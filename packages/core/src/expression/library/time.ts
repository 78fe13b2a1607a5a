/**
 * Reading times, durations and zones. A time is an ISO 8601 text or a number of milliseconds since 1970; a duration is
 * written as in flows (`90s`, `2h`, `1d 12h`), in ISO 8601 (`PT2H`, `P1M`), or as a number of seconds. Nothing depends
 * on the machine: the zone is UTC unless one is named.
 */
import { Temporal } from 'temporal-polyfill'

/** Why a text is no time, duration or zone. */
export class TimeError {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

const LAST_EPOCH = 8.64e15

/** Milliseconds since 1970 of a time. Texts without an offset are in `zone`. */
export function readTime(source: string | number, zone = 'UTC'): number | TimeError {
  if (typeof source === 'number') {
    return Math.abs(source) <= LAST_EPOCH ? Math.trunc(source) : new TimeError('a number of milliseconds since 1970')
  }
  const text = source.length > 100 ? '' : source.trim()
  try {
    if (/^[+-]?\d{4,6}-\d\d-\d\d$/.test(text))
      return Temporal.PlainDate.from(text).toZonedDateTime(zone).epochMilliseconds
    if (/[zZ]$|[+-]\d\d(?::?\d\d)?(?:\[[^\]]*\])?$/.test(text) && /\d[tT ]\d/.test(text)) {
      return Temporal.Instant.from(text).epochMilliseconds
    }
    return Temporal.PlainDateTime.from(text).toZonedDateTime(zone).epochMilliseconds
  } catch {
    return new TimeError('a time such as `2026-01-31T10:00:00Z` or `2026-01-31`')
  }
}

/** The canonical text of a time: UTC with milliseconds, as JavaScript's `toISOString`. */
export const timestampText = (epoch: number): string => new Date(epoch).toISOString()

const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g
const UNITS: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** A duration. Days and more stay calendar days, so that adding one keeps the time of day in a zone. */
export function readDuration(source: string | number): Temporal.Duration | TimeError {
  const expected = new TimeError('a duration such as `90s`, `2h`, `30d`, `1d 12h`, `PT2H`, or a number of seconds')
  try {
    if (typeof source === 'number') {
      return Number.isFinite(source) ? Temporal.Duration.from({ milliseconds: Math.round(source * 1000) }) : expected
    }
    const text = source.length > 100 ? '' : source.trim()
    if (/^[+-]?[pP]/.test(text)) return Temporal.Duration.from(text)
    if (!/^-?(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w)\s*)+$/.test(text)) return expected
    const sign = text.startsWith('-') ? -1 : 1
    let [days, milliseconds] = [0, 0]
    for (const [, amount = '0', unit = 's'] of text.matchAll(PART)) {
      const size = UNITS[unit] ?? 0
      const whole = Number(amount)
      if (size >= 86_400_000 && Number.isInteger(whole)) days += (whole * size) / 86_400_000
      else milliseconds += Math.round(whole * size)
    }
    return Temporal.Duration.from({ days: days * sign || 0, milliseconds: milliseconds * sign || 0 })
  } catch {
    return expected
  }
}

/** The milliseconds of a duration of fixed length: a day is 24 hours, months and years have no length. */
export function durationMilliseconds(duration: Temporal.Duration): number | TimeError {
  if (duration.years !== 0 || duration.months !== 0) {
    return new TimeError('a duration without months and years, whose length depends on the date')
  }
  return duration.with({ weeks: 0, days: 0 }).total('milliseconds') + (duration.weeks * 7 + duration.days) * 86_400_000
}

/** A moment in a zone, or what was expected in place of the zone. */
export function inZone(epoch: number, zone: string): Temporal.ZonedDateTime | TimeError {
  try {
    return Temporal.Instant.fromEpochMilliseconds(epoch).toZonedDateTimeISO(zone)
  } catch {
    return new TimeError('a time zone such as `Europe/Berlin`, `UTC` or `+02:00`')
  }
}
