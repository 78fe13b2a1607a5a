/**
 * The corpus of the checker: each `cases/*.yaml` says in its last lines which problems it has, as `# line:column CODE`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EXPRESSION_ERRORS } from '../expression/error.ts'
import { CATALOG } from './cases/catalog.ts'
import type { Catalog } from './catalog.ts'
import { checkFlow } from './check.ts'
import { CHECK_CODES } from './codes.ts'

const folder = new URL('./cases/', import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
const read = (file: string): string => readFileSync(new URL(file, folder), 'utf8')

/** Codes whose sentence says what is wrong, and whose remedy depends on the place. */
const NEEDS_SUGGESTION = new Set(['PW1020', 'PW1030', 'PW1036', 'PW1060', 'PW1066', 'PW1068', 'PW1084'])

/** What a case expects; the world it is checked in stands in a line `# world: none`. */
function expectations(text: string): { readonly problems: readonly string[]; readonly catalog: Catalog } {
  const problems = [...text.matchAll(/^# (\d+:\d+ PW\d{4})$/gm)].map(([, line]) => line ?? '')
  return { problems, catalog: text.includes('# world: none') ? { connectors: [] } : CATALOG }
}

describe('cases', () => {
  test.each(files)('%s', (file) => {
    const text = read(file)
    const { problems, catalog } = expectations(text)
    const found = checkFlow(text, catalog).problems.map(({ line, column, code }) => `${line}:${column} ${code}`)
    expect(found).toEqual(problems)
  })

  test('every code of the checker has a case', () => {
    const seen = new Set(files.flatMap((file) => expectations(read(file)).problems.map((line) => line.split(' ')[1])))
    expect(Object.keys(CHECK_CODES).filter((code) => !seen.has(code))).toEqual([])
  })

  test('a problem says what to do: in its sentence, or in a suggestion', () => {
    const silent = files.flatMap((file) => {
      const text = read(file)
      return checkFlow(text, expectations(text).catalog).problems.flatMap(({ code, message, suggestion }) =>
        suggestion === undefined && (CHECK_CODES[code]?.always === true || NEEDS_SUGGESTION.has(code))
          ? [`${file} ${code} ${message}`]
          : [],
      )
    })
    expect(silent).toEqual([])
  })

  test('every problem has a code of one of the tables, a sentence, and an end behind its start', () => {
    for (const file of files) {
      const text = read(file)
      for (const found of checkFlow(text, expectations(text).catalog).problems) {
        expect(Object.hasOwn(CHECK_CODES, found.code) || Object.hasOwn(EXPRESSION_ERRORS, found.code)).toBe(true)
        expect(found.message).toMatch(/^[A-Z`].*[.)]$/s)
        const [start, end] = [found.line * 1e6 + found.column, (found.endLine ?? 0) * 1e6 + (found.endColumn ?? 0)]
        expect(end).toBeGreaterThanOrEqual(start)
      }
    }
  })
})
