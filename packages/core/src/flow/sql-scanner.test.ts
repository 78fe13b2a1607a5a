/** Where a placeholder is one, and where an expression may stand, as each database reads its own SQL. */
import { expect, test } from 'vitest'
import { SqlScanner, type SqlDialect } from './sql-scanner.ts'

/** The author's placeholders of a text: `?`, `1` for `$1`, names. */
function placeholders(dialect: SqlDialect, text: string): (string | number)[] {
  return [...new SqlScanner(dialect).scan(text)].flatMap((token) => {
    if (typeof token === 'string') return []
    const { placeholder } = token
    return [placeholder.kind === 'next' ? '?' : placeholder.kind === 'index' ? placeholder.index : placeholder.name]
  })
}

/** Whether an expression may stand after `before`. */
function takes(dialect: SqlDialect, before: string, after = ''): boolean {
  const scanner = new SqlScanner(dialect)
  for (const _ of scanner.scan(before));
  return scanner.refuses(after) === null
}

test.each<[SqlDialect, string, (string | number)[]]>([
  ['postgres', "select 'it''s $1', $2", [2]],
  ['postgres', String.raw`select 'a\', $1, 'b'`, [1]],
  ['postgres', String.raw`select e'a\' $1', $2`, [2]],
  ['postgres', String.raw`select E'a\\', $1`, [1]],
  ['postgres', String.raw`select fine'a\', $1`, [1]],
  ['postgres', 'select $$ $1 $$, $2', [2]],
  ['postgres', "select $x$ $1 $$ $y$ ' $x$, $2", [2]],
  ['postgres', 'select a$1, b$$, $2 from t', [2]],
  ['postgres', 'select 1 /* $1 /* $2 */ $3 */, $4', [4]],
  ['postgres', 'select 1 -- $1\n, $2', [2]],
  ['postgres', "select '{}'::jsonb ? 'a', $1::text", [1]],
  ['postgres', 'select "a ""$1" from t where b = $1', [1]],
  ['mysql', String.raw`select 'it\'s ?', ?`, ['?']],
  ['mysql', String.raw`select "a\"?", ?`, ['?']],
  ['mysql', 'select `a\\`, ? from t', ['?']],
  ['mysql', 'select 5--?', ['?']],
  ['mysql', 'select 5 -- ?\n, ?', ['?']],
  ['mysql', 'select 5 # ?\n, ?', ['?']],
  ['mysql', 'select 1 /* ? */, ?', ['?']],
  ['mysql', 'select a$b, ? from t', ['?']],
  ['sqlite', String.raw`select 'a\', ?1`, [1]],
  ['sqlite', 'select [a?], :name, $other', ['name', 'other']],
])('%s: %s', (dialect, text, expected) => {
  expect(placeholders(dialect, text)).toEqual(expected)
})

test.each<[SqlDialect, string, boolean]>([
  ['postgres', String.raw`select 'a\' || `, true],
  ['postgres', String.raw`select e'a\' || `, false],
  ['postgres', 'select $x$ a ', false],
  ['postgres', 'select a$x$ + ', true],
  ['postgres', 'do $x$ a $x$ || ', true],
  ['mysql', String.raw`select 'a\' || `, false],
  ['mysql', 'select 5--', true],
  ['mysql', 'select 5 -- ', false],
  ['mysql', 'select "', false],
  ['mysql', 'select `', false],
])('%s: an expression after %s: %s', (dialect, before, expected) => {
  expect(takes(dialect, before)).toBe(expected)
})

test('text in double quotes is a text in MySQL and a name elsewhere', () => {
  const refusal = (dialect: SqlDialect): string => {
    const scanner = new SqlScanner(dialect)
    for (const _ of scanner.scan('select "'));
    return scanner.refuses('')!.message
  }
  expect(refusal('mysql')).toContain('it needs no quotes')
  expect(refusal('postgres')).toContain('a name cannot come from data')
})
