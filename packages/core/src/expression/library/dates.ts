import { Temporal } from 'temporal-polyfill'
import { fail, spend } from '../frame.ts'
import type { Frame } from '../frame.ts'
import { BOOLEAN, NUMBER, STRING, objectOf } from '../type.ts'
import { duration, func, optional, text, timestamp, value, zone } from './entry.ts'
import { unknownToken } from './format.ts'
import { TimeError, durationMilliseconds, inZone, readDuration, readTime, timestampText } from './time.ts'
import { formatPieces, isoOf, parsePieces, readPattern } from './time-pattern.ts'

const area = 'dates'
const UNITS = ['milliseconds', 'seconds', 'minutes', 'hours', 'days', 'weeks', 'months', 'years'] as const
const PERIODS = ['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const
const timePattern = text('pattern', { format: 'time-pattern' })
const inZoneOrUtc = optional(zone())

export const DATES = [
  func('toTimestamp', {
    area,
    parameters: [timestamp('time'), inZoneOrUtc],
    result: STRING,
    doc: 'A time in its canonical form, in UTC. A text without an offset is a time in the zone (UTC when none is given), a number is milliseconds since 1970.',
    examples: [
      ['toTimestamp("2026-03-01T12:00:00+02:00")', '2026-03-01T10:00:00.000Z'],
      ['toTimestamp("2026-07-01 12:00", "Europe/Berlin")', '2026-07-01T10:00:00.000Z'],
      ['toTimestamp(0)', '1970-01-01T00:00:00.000Z'],
    ],
    run: (frame, at, name) => timestampText(time(frame, at, name)),
  }),
  func('toEpoch', {
    area,
    parameters: [timestamp('time'), inZoneOrUtc],
    result: NUMBER,
    doc: 'The milliseconds since 1970 of a time.',
    examples: [['toEpoch("1970-01-01T00:01:00Z")', 60000]],
    run: (frame, at, name) => time(frame, at, name),
  }),
  func('isTimestamp', {
    area,
    parameters: [value('value')],
    result: BOOLEAN,
    doc: 'Whether a value is a text that the functions for times accept.',
    examples: [
      ['isTimestamp("2026-02-28")', true],
      ['isTimestamp("2026-02-30")', false],
    ],
    run: (_frame, at) => typeof at === 'string' && typeof readTime(at) === 'number',
  }),
  func('addTime', {
    area,
    parameters: [timestamp('time'), duration('duration'), inZoneOrUtc],
    result: STRING,
    doc: 'The time so much later. With a zone, days and more keep the time of day there.',
    examples: [
      ['addTime("2026-01-31T10:00:00Z", "36h")', '2026-02-01T22:00:00.000Z'],
      ['addTime("2026-01-31T10:00:00Z", "P1M")', '2026-02-28T10:00:00.000Z'],
      ['addTime("2026-03-28T11:00:00Z", "1d", "Europe/Berlin")', '2026-03-29T10:00:00.000Z'],
    ],
    run: (frame, at, amount, name) => shifted(frame, at, { amount, zone: name, sign: 1 }),
  }),
  func('subtractTime', {
    area,
    parameters: [timestamp('time'), duration('duration'), inZoneOrUtc],
    result: STRING,
    doc: 'The time so much earlier.',
    examples: [['subtractTime("2026-03-31T10:00:00Z", "P1M")', '2026-02-28T10:00:00.000Z']],
    run: (frame, at, amount, name) => shifted(frame, at, { amount, zone: name, sign: -1 }),
  }),
  func('timeBetween', {
    area,
    parameters: [timestamp('from'), timestamp('to'), optional(text('unit', { choices: UNITS })), inZoneOrUtc],
    result: NUMBER,
    doc: 'How long it is from one time to the other, in the unit (seconds when none is given); negative when the other is earlier. Not rounded.',
    examples: [
      ['timeBetween("2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z", "hours")', 1.5],
      ['timeBetween("2026-03-01", "2026-02-01", "days")', -28],
      ['timeBetween("2026-01-15", "2026-04-15", "months")', 3],
    ],
    run: (frame, from, to, unit = 'seconds', name) => {
      const [start, end] = [zoned(frame, from, name), zoned(frame, to, name)]
      const total = start.until(end).total({ unit: unit as (typeof UNITS)[number], relativeTo: start })
      return total + 0
    },
  }),
  func('isBefore', {
    area,
    parameters: [timestamp('time'), timestamp('other')],
    result: BOOLEAN,
    doc: 'Whether the first time is earlier than the second, whatever their offsets.',
    examples: [['isBefore("2026-01-01T12:00:00+02:00", "2026-01-01T11:00:00Z")', true]],
    run: (frame, at, other) => time(frame, at) < time(frame, other),
  }),
  func('isAfter', {
    area,
    parameters: [timestamp('time'), timestamp('other')],
    result: BOOLEAN,
    doc: 'Whether the first time is later than the second, whatever their offsets.',
    examples: [['isAfter("2026-01-02", "2026-01-01T11:00:00Z")', true]],
    run: (frame, at, other) => time(frame, at) > time(frame, other),
  }),
  func('startOf', {
    area,
    parameters: [timestamp('time'), text('period', { choices: PERIODS }), inZoneOrUtc],
    result: STRING,
    doc: 'When the minute, hour, day, week (Monday), month, quarter or year of the time begins, in the zone.',
    examples: [
      ['startOf("2026-05-20T15:30:00Z", "month")', '2026-05-01T00:00:00.000Z'],
      ['startOf("2026-05-20T23:30:00Z", "day", "Europe/Berlin")', '2026-05-20T22:00:00.000Z'],
    ],
    run: (frame, at, period, name) => timestampText(periodStart(zoned(frame, at, name), period).epochMilliseconds),
  }),
  func('endOf', {
    area,
    parameters: [timestamp('time'), text('period', { choices: PERIODS }), inZoneOrUtc],
    result: STRING,
    doc: 'The last millisecond of the minute, hour, day, week, month, quarter or year of the time, in the zone.',
    examples: [['endOf("2026-02-10T00:00:00Z", "month")', '2026-02-28T23:59:59.999Z']],
    run: (frame, at, period, name) => {
      const start = periodStart(zoned(frame, at, name), period)
      return timestampText(start.add(periodLength(period)).epochMilliseconds - 1)
    },
  }),
  func('inZone', {
    area,
    parameters: [timestamp('time'), zone()],
    result: STRING,
    doc: 'The time as a text with the offset of the zone.',
    examples: [['inZone("2026-07-01T10:00:00Z", "Europe/Berlin")', '2026-07-01T12:00:00+02:00']],
    run: (frame, at, name) => zoned(frame, at, name).toString({ timeZoneName: 'never', smallestUnit: 'second' }),
  }),
  func('timeParts', {
    area,
    parameters: [timestamp('time'), inZoneOrUtc],
    result: objectOf(
      Object.fromEntries(
        ['year', 'month', 'day', 'hour', 'minute', 'second', 'millisecond', 'weekday', 'dayOfYear', 'week'].map(
          (part) => [part, NUMBER],
        ),
      ),
    ),
    doc: 'The parts of a time in the zone. `weekday` is 1 for Monday to 7 for Sunday; `week` is the ISO week.',
    examples: [
      [
        'timeParts("2026-05-20T15:30:10Z")',
        {
          year: 2026,
          month: 5,
          day: 20,
          hour: 15,
          minute: 30,
          second: 10,
          millisecond: 0,
          weekday: 3,
          dayOfYear: 140,
          week: 21,
        },
      ],
    ],
    run: (frame, at, name) => partsOf(zoned(frame, at, name)),
  }),
  func('formatTime', {
    area,
    parameters: [timestamp('time'), timePattern, inZoneOrUtc],
    result: STRING,
    doc: 'The time as a text by a pattern, in the zone: `yyyy MM dd HH mm ss SSS`, `MMM` and `EEE` for English names, `a` for AM and PM, `xxx` for the offset; other text in single quotes.',
    examples: [
      ['formatTime("2026-05-20T15:30:00Z", "dd.MM.yyyy HH:mm", "Europe/Berlin")', '20.05.2026 17:30'],
      ['formatTime("2026-05-20T15:30:00Z", "EEE, d MMM yyyy \'at\' h:mm a")', 'Wed, 20 May 2026 at 3:30 PM'],
    ],
    run: (frame, at, pattern, name) => formatPieces(zoned(frame, at, name), piecesOf(frame, pattern)),
  }),
  func('parseTime', {
    area,
    parameters: [text('text'), timePattern, inZoneOrUtc],
    result: STRING,
    doc: 'The time that a text holds by a pattern; without an offset in it, a time in the zone.',
    examples: [
      ['parseTime("20.05.2026 17:30", "dd.MM.yyyy HH:mm", "Europe/Berlin")', '2026-05-20T15:30:00.000Z'],
      ['parseTime("20 May 2026", "d MMM yyyy")', '2026-05-20T00:00:00.000Z'],
    ],
    run: (frame, source, pattern, name) => {
      const short = source.length > 200 ? '' : source.trim()
      const read = parsePieces(short, piecesOf(frame, pattern))
      const iso = read && isoOf(read)
      const epoch = iso ? readTime(iso.local + (iso.offset ?? ''), name) : new TimeError('')
      if (typeof epoch === 'number') return timestampText(epoch)
      throw fail(frame, 'expression_date', { text: shown(source), expected: `a time by the pattern \`${pattern}\`` })
    },
  }),
  func('toSeconds', {
    area,
    parameters: [duration('duration')],
    result: NUMBER,
    doc: 'The seconds of a duration; a day has 24 hours.',
    examples: [
      ['toSeconds("1h 30m")', 5400],
      ['toSeconds("PT2.5S")', 2.5],
    ],
    run: (frame, amount) => milliseconds(frame, amount) / 1000,
  }),
  func('formatDuration', {
    area,
    parameters: [duration('duration')],
    result: STRING,
    doc: 'A duration as flows write it.',
    examples: [
      ['formatDuration(5400)', '1h 30m'],
      ['formatDuration("PT36H")', '1d 12h'],
    ],
    run: (frame, amount) => {
      const total = Math.round(milliseconds(frame, amount))
      let left = Math.abs(total)
      const parts: string[] = []
      for (const [unit, size] of [
        ['d', 86_400_000],
        ['h', 3_600_000],
        ['m', 60_000],
        ['s', 1000],
        ['ms', 1],
      ] as const) {
        const count = Math.floor(left / size)
        if (count > 0) parts.push(`${count}${unit}`)
        left -= count * size
      }
      return parts.length === 0 ? '0s' : (total < 0 ? '-' : '') + parts.join(' ')
    },
  }),
  func('toIsoDuration', {
    area,
    parameters: [duration('duration')],
    result: STRING,
    doc: 'A duration in ISO 8601.',
    examples: [['toIsoDuration("1d 12h")', 'P1DT12H']],
    run: (frame, amount) => {
      const duration = read(frame, amount, readDuration(amount))
      const { years, months, weeks, days, hours, minutes, seconds, milliseconds } = duration
      const ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
      return isoDuration({ years, months, weeks, days }, ms)
    },
  }),
]

/** Carries milliseconds over into hours, minutes and seconds, but never into days. */
function isoDuration(calendar: { readonly [unit: string]: number }, milliseconds: number): string {
  const sign = Math.sign(milliseconds)
  const left = Math.abs(milliseconds)
  return Temporal.Duration.from({
    ...calendar,
    hours: sign * Math.floor(left / 3_600_000) || 0,
    minutes: sign * (Math.floor(left / 60_000) % 60) || 0,
    seconds: sign * (Math.floor(left / 1000) % 60) || 0,
    milliseconds: sign * (left % 1000) || 0,
  }).toString()
}

/** What was read, or the error that says what the text should have been. */
function read<T>(frame: Frame, source: string | number, result: T | TimeError): T {
  if (!(result instanceof TimeError)) return result
  throw fail(frame, 'expression_date', { text: shown(source), expected: result.expected })
}

const shown = (source: string | number): string =>
  JSON.stringify(typeof source === 'string' && source.length > 40 ? `${source.slice(0, 39)}…` : source)

// Time arithmetic in a zone costs some microseconds each.
function time(frame: Frame, source: string | number, name = 'UTC'): number {
  spend(frame, 40)
  read(frame, name, inZone(0, name))
  return read(frame, source, readTime(source, name))
}

function zoned(frame: Frame, source: string | number, name = 'UTC'): Temporal.ZonedDateTime {
  return read(frame, name, inZone(time(frame, source, name), name))
}

function milliseconds(frame: Frame, amount: string | number): number {
  return read(frame, amount, durationMilliseconds(read(frame, amount, readDuration(amount))))
}

function shifted(
  frame: Frame,
  at: string | number,
  by: { readonly amount: string | number; readonly zone: string | undefined; readonly sign: 1 | -1 },
): string {
  const start = zoned(frame, at, by.zone)
  const amount = read(frame, by.amount, readDuration(by.amount))
  try {
    return timestampText((by.sign > 0 ? start.add(amount) : start.subtract(amount)).epochMilliseconds)
  } catch {
    throw fail(frame, 'expression_date', {
      text: shown(by.amount),
      expected: 'a duration that leads to a time in the calendar',
    })
  }
}

function periodStart(at: Temporal.ZonedDateTime, period: string): Temporal.ZonedDateTime {
  const day = at.startOfDay()
  switch (period) {
    case 'minute':
      return at.round({ smallestUnit: 'minute', roundingMode: 'floor' })
    case 'hour':
      return at.round({ smallestUnit: 'hour', roundingMode: 'floor' })
    case 'week':
      return day.subtract({ days: day.dayOfWeek - 1 }).startOfDay()
    case 'month':
      return day.with({ day: 1 }).startOfDay()
    case 'quarter':
      return day.with({ month: day.month - ((day.month - 1) % 3), day: 1 }).startOfDay()
    case 'year':
      return day.with({ month: 1, day: 1 }).startOfDay()
    default:
      return day
  }
}

function periodLength(period: string): Temporal.DurationLike {
  return period === 'quarter' ? { months: 3 } : { [`${period}s`]: 1 }
}

function partsOf(at: Temporal.ZonedDateTime): { readonly [part: string]: number } {
  const { year, month, day, hour, minute, second, millisecond } = at
  const { dayOfWeek, dayOfYear, weekOfYear = 0 } = at
  return { year, month, day, hour, minute, second, millisecond, weekday: dayOfWeek, dayOfYear, week: weekOfYear }
}

function piecesOf(
  frame: Frame,
  pattern: string,
): Exclude<ReturnType<typeof readPattern>, { readonly unknown: string }> {
  const pieces = pattern.length > 200 ? { unknown: pattern.slice(0, 20) } : readPattern(pattern)
  if (!('unknown' in pieces)) return pieces
  const { reason, suggestion } = unknownToken(pieces.unknown)
  throw fail(frame, 'expression_date', { text: shown(pattern), expected: `a pattern of times: ${reason}` }, suggestion)
}
