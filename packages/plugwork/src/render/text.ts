/** Pieces of readable output: durations, sizes, times, values on one line, tables. */
import { stripVTControlCharacters } from 'node:util'

/** `840 µs`-free: `0 ms`, `12 ms`, `1.24 s`, `3 m 5 s`, `2 h 10 m`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
  const units: readonly (readonly [string, number])[] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ]
  const first = units.findIndex(([, size]) => ms >= size)
  const parts: string[] = []
  let rest = ms
  for (const [unit, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) parts.push(`${count} ${unit}`)
  }
  return parts.join(' ')
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = count / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

/** Local time to the second, sortable. */
export function timestamp(at: number): string {
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 19).replace('T', ' ')
}

/** `1 run`, `2 runs`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? noun : plural}`
}

/** A value on one line: JSON with spaces and bare keys, cut to `width` characters. */
export function inline(value: unknown, width = Number.POSITIVE_INFINITY): string {
  const text = write(value)
  const shown = text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text
  // Control characters in data must not reach the terminal.
  return stripVTControlCharacters(shown)
}

function write(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${value.map(write).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    if (entries.length === 0) return '{}'
    return `{ ${entries.map(([key, item]) => `${/^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key)}: ${write(item)}`).join(', ')} }`
  }
  return JSON.stringify(value) ?? 'null'
}

/**
 * Columns padded to their widest cell; styled cells are measured without their codes. The last column is wrapped at `width`
 * where enough of it is left for words.
 */
export function table(rows: readonly (readonly string[])[], width = Number.POSITIVE_INFINITY): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, visibleLength(cell))
  }
  const indent = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0)
  return rows
    .map((row) => {
      const cells = row.map((cell, index) => {
        if (index === widths.length - 1) return wrap(cell, width - indent).join(`\n${' '.repeat(indent)}`)
        return cell + ' '.repeat(Math.max(0, widths[index]! - visibleLength(cell)))
      })
      return cells.join('  ').trimEnd()
    })
    .join('\n')
}

/** Text narrower than this is harder to read than what the terminal makes of long lines. */
const LEAST_WIDTH = 16

/** Breaks text between words; a word that is too long stays whole. */
export function wrap(text: string, width: number): string[] {
  if (width < LEAST_WIDTH || visibleLength(text) <= width) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && visibleLength(line) + 1 + visibleLength(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

export function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length
}
