import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expressionDocs } from './docs.ts'
import { LIBRARY } from './library.ts'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/expressions.md'), 'utf8')

test('the page is what the library says', () => {
  // When this fails: node scripts/generate-expression-docs.ts
  expect(page).toBe(expressionDocs())
})

test('every entry is on the page', () => {
  expect(LIBRARY.filter((entry) => !page.includes(`${entry.name}(`))).toEqual([])
})
