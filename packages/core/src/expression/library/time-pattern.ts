/** Texts of times by a pattern such as `yyyy-MM-dd HH:mm`. Names of months and days are English: no locale is reachable. */
import { RE2JS } from 're2js'
import type { Temporal } from 'temporal-polyfill'

const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' ')

type Formatter = (at: Temporal.ZonedDateTime) => string

const padded = (value: number, length: number): string => String(value).padStart(length, '0')
const offset = (at: Temporal.ZonedDateTime): string => at.offset.slice(0, 6)

const TOKENS: ReadonlyMap<string, Formatter> = new Map<string, Formatter>([
  ['yyyy', (at) => padded(at.year, 4)],
  ['yy', (at) => padded(at.year % 100, 2)],
  ['MMMM', (at) => MONTHS[at.month - 1] ?? ''],
  ['MMM', (at) => (MONTHS[at.month - 1] ?? '').slice(0, 3)],
  ['MM', (at) => padded(at.month, 2)],
  ['M', (at) => String(at.month)],
  ['dd', (at) => padded(at.day, 2)],
  ['d', (at) => String(at.day)],
  ['EEEE', (at) => DAYS[at.dayOfWeek - 1] ?? ''],
  ['EEE', (at) => (DAYS[at.dayOfWeek - 1] ?? '').slice(0, 3)],
  ['HH', (at) => padded(at.hour, 2)],
  ['H', (at) => String(at.hour)],
  ['hh', (at) => padded(at.hour % 12 || 12, 2)],
  ['h', (at) => String(at.hour % 12 || 12)],
  ['mm', (at) => padded(at.minute, 2)],
  ['m', (at) => String(at.minute)],
  ['ss', (at) => padded(at.second, 2)],
  ['s', (at) => String(at.second)],
  ['SSS', (at) => padded(at.millisecond, 3)],
  ['a', (at) => (at.hour < 12 ? 'AM' : 'PM')],
  ['DDD', (at) => padded(at.dayOfYear, 3)],
  ['ww', (at) => padded(at.weekOfYear ?? 0, 2)],
  ['Q', (at) => String(Math.ceil(at.month / 3))],
  ['xxx', (at) => offset(at)],
  ['xx', (at) => offset(at).replace(':', '')],
  ['VV', (at) => at.timeZoneId],
])

/** The tokens for the documentation. */
export const PATTERN_TOKENS: readonly string[] = [...TOKENS.keys()]

type Piece = { readonly token: string } | { readonly text: string }

/** The pieces of a pattern, or the part of it that is no token. Text stands in single quotes; `''` is a quote. */
export function readPattern(pattern: string): readonly Piece[] | { readonly unknown: string } {
  const pieces: Piece[] = []
  for (const [whole, quoted, letters] of pattern.matchAll(/'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g)) {
    if (quoted !== undefined) pieces.push({ text: quoted === '' ? "'" : quoted.replaceAll("''", "'") })
    else if (letters === undefined) pieces.push({ text: whole })
    else if (TOKENS.has(whole)) pieces.push({ token: whole })
    else return { unknown: whole }
  }
  return pieces
}

export function formatPieces(at: Temporal.ZonedDateTime, pieces: readonly Piece[]): string {
  return pieces.map((piece) => ('text' in piece ? piece.text : (TOKENS.get(piece.token)?.(at) ?? ''))).join('')
}

const names = (list: readonly string[], length?: number): string => list.map((name) => name.slice(0, length)).join('|')

const READERS: { readonly [token: string]: string } = {
  yyyy: '\\d{4}',
  yy: '\\d{2}',
  MM: '\\d{2}',
  M: '\\d{1,2}',
  dd: '\\d{2}',
  d: '\\d{1,2}',
  SSS: '\\d{3}',
  a: 'AM|PM',
  HH: '\\d{2}',
  H: '\\d{1,2}',
  hh: '\\d{2}',
  h: '\\d{1,2}',
  mm: '\\d{2}',
  m: '\\d{1,2}',
  ss: '\\d{2}',
  s: '\\d{1,2}',
  xxx: '[+-]\\d{2}:\\d{2}|Z',
  xx: '[+-]\\d{4}|Z',
  MMMM: names(MONTHS),
  MMM: names(MONTHS, 3),
  EEEE: names(DAYS),
  EEE: names(DAYS, 3),
}

/** The numbers that a text holds by a pattern; undefined when it does not fit, or the pattern cannot be read back. */
export function parsePieces(text: string, pieces: readonly Piece[]): ReadonlyMap<string, string> | undefined {
  const readers = pieces.map((piece) => ('text' in piece ? RE2JS.quote(piece.text) : READERS[piece.token]))
  if (readers.includes(undefined)) return undefined
  // `dMdM…` can be read in many ways: only an engine without backtracking finds that out in time.
  const source = readers.map((reader, index) => ('text' in (pieces[index] ?? {}) ? reader : `(${reader})`)).join('')
  const match = RE2JS.compile(`^(?:${source})$`, RE2JS.CASE_INSENSITIVE).exec(text)
  if (match === null) return undefined
  const tokens = pieces.flatMap((piece) => ('token' in piece ? [piece.token] : []))
  return new Map(tokens.map((token, index) => [token, String(match[index + 1] ?? '')]))
}

/** The ISO text of what was read, without an offset, and the offset where there was one. */
export function isoOf(read: ReadonlyMap<string, string>): {
  readonly local: string
  readonly offset: string | undefined
} {
  const get = (...tokens: readonly string[]): string | undefined =>
    tokens.map((token) => read.get(token)).find((found) => found)
  const month = get('MM', 'M') ?? String(1 + Math.max(0, monthIndex(get('MMMM', 'MMM') ?? 'jan')))
  const shortYear = get('yy')
  const year = get('yyyy') ?? (shortYear ? String(2000 + Number(shortYear)) : '1970')
  const half = get('a')?.toUpperCase()
  const twelve = get('hh', 'h')
  const hour = get('HH', 'H') ?? (twelve ? String((Number(twelve) % 12) + (half === 'PM' ? 12 : 0)) : '0')
  const two = (value: string | undefined, otherwise: string): string => (value ?? otherwise).padStart(2, '0')
  const date = `${year}-${two(month, '1')}-${two(get('dd', 'd'), '1')}`
  const time = `${two(hour, '0')}:${two(get('mm', 'm'), '0')}:${two(get('ss', 's'), '0')}.${get('SSS') ?? '000'}`
  const zone = get('xxx', 'xx')
  return { local: `${date}T${time}`, offset: zone?.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2').toUpperCase() }
}

const monthIndex = (name: string): number =>
  MONTHS.findIndex((month) => month.slice(0, 3).toLowerCase() === name.slice(0, 3).toLowerCase())
