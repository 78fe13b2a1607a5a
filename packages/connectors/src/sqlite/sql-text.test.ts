import { expect, test } from 'vitest'
import { hasStatement, inspectSql, isVacuum, quoteName } from './sql-text.ts'

test.each([
  ['select 1', 'SELECT', 0, []],
  ['select \'?\', "?", `?`, [?] -- ?\n /* ? :a */ from t where a = ?', 'SELECT', 1, []],
  ['select ?, ?5, ?', 'SELECT', 6, []],
  ['update t set a = :a where b = @b or c = $c or d = :a', 'UPDATE', 0, ['a', 'b', 'c']],
  ['/* insert */ WITH x AS (select 1) Insert into t select * from x', 'INSERT', 0, []],
  ["with x as (select replace('a', 'b', 'c')) select 1", 'WITH', 0, []],
  ["select 'it''s ?', ?", 'SELECT', 1, []],
  ['select /* never closed ? ', 'SELECT', 0, []],
])('%s', (text, verb, positional, named) => {
  expect(inspectSql(text)).toEqual({ verb, positional, named })
})

test('comments and semicolons are no statement', () => {
  expect([';', ' -- x', '/* a */ ;\n'].map(hasStatement)).toEqual([false, false, false])
  expect(hasStatement('-- x\nselect 1')).toBe(true)
})

test('only a plain VACUUM is one', () => {
  expect(['vacuum', ' VACUUM ; -- all', 'vacuum /* x */'].map(isVacuum)).toEqual([true, true, true])
  expect(["vacuum into 'x'", 'vacuum main', 'select 1'].map(isVacuum)).toEqual([false, false, false])
})

test('names are quoted', () => expect(quoteName('a"b')).toBe('"a""b"'))
