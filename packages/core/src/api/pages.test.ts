import { expect, test } from 'vitest'
import { cursorPages, nextLink, offsetPages } from './pages.ts'

test.each([
  // docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
  [
    '<https://api.github.com/repositories/1300192/issues?page=2>; rel="prev", <https://api.github.com/repositories/1300192/issues?page=4>; rel="next", <https://api.github.com/repositories/1300192/issues?page=515>; rel="last"',
    'page=4',
  ],
  ['<https://a.example/x?after=Y,Z;1&per_page=2>; title="a, b"; rel="prefetch next"', 'after=Y,Z;1&per_page=2'],
  ['<https://a.example/x?page=1>; rel=next', 'page=1'],
  ['<https://a.example/x?page=1>; rel="prev"', null],
  ['<https://a.example/x>; rel="next"', null],
  ['', null],
  [undefined, null],
])('the next link of %s', (header, cursor) => expect(nextLink(header)).toBe(cursor))

test('cursors go on until there is none', () => {
  const pages = cursorPages('items')
  expect(pages.next({ channel: 'C1' }, { next_cursor: 'abc' })).toEqual({ channel: 'C1', cursor: 'abc' })
  expect(pages.next({ channel: 'C1' }, { next_cursor: null })).toBeNull()
  expect(pages.next({ channel: 'C1' }, { next_cursor: '' })).toBeNull()
})

test('offsets go on while pages are full', () => {
  const pages = offsetPages('rows', 2)
  expect(pages.next({}, { rows: [1, 2] })).toEqual({ offset: 2 })
  expect(pages.next({ offset: 2 }, { rows: [1, 2] })).toEqual({ offset: 4 })
  expect(pages.next({ offset: 4 }, { rows: [1] })).toBeNull()
  expect(pages.next({ limit: 1, offset: 4 }, { rows: [1] })).toEqual({ limit: 1, offset: 5 })
  expect(pages.next({}, { rows: [] })).toBeNull()
})
