import { styleText } from 'node:util'
import { expect, test } from 'vitest'
import { table, wrap } from './text.ts'

test('a table wraps its last column where the screen ends, and nothing where there is none', () => {
  const rows = [
    ['name', 'what it is for, in more words'],
    [styleText('red', 'b', { validateStream: false }), 'short'],
  ]
  expect(table(rows)).toBe(`name  what it is for, in more words\n\u001b[31mb\u001b[39m     short`)
  expect(table(rows, 26)).toBe(`name  what it is for, in\n      more words\n\u001b[31mb\u001b[39m     short`)
})

test('words are never broken, and a width that is hardly one is left to the terminal', () => {
  expect(wrap('an-identifier-that-is-very-long and more', 20)).toEqual(['an-identifier-that-is-very-long', 'and more'])
  expect(wrap('some words for a narrow place', 10)).toEqual(['some words for a narrow place'])
})
