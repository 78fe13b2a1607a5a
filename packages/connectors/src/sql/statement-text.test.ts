import { expect, test } from 'vitest'
import { inspectStatement } from './statement-text.ts'

test.each<['postgres' | 'mysql', string, string, number]>([
  ['postgres', 'select 1', 'SELECT', 0],
  ['postgres', '  -- commit\n /* begin */ Insert into t', 'INSERT', 0],
  ['postgres', '(select 1)', 'SELECT', 0],
  ['postgres', 'with x as (select 1) delete from t', 'DELETE', 0],
  ['postgres', "with x as (select 'delete') select * from x", 'WITH', 0],
  ['postgres', 'select * from t for update', 'SELECT', 0],
  ['postgres', String.raw`select e'\' -- ', $x$ ; commit $x$`, 'SELECT', 0],
  ['mysql', String.raw`select 'it\'s ?', "?", ?, a -- ?`, 'SELECT', 1],
  ['mysql', 'select 5--? # ?', 'SELECT', 1],
  ['mysql', '/*!50000 commit */', 'COMMIT', 0],
  ['mysql', '/*M!100100 commit */', 'COMMIT', 0],
  ['mysql', '# only a comment', '', 0],
])('%s: %s', (dialect, text, verb, marks) => {
  expect(inspectStatement(text, dialect)).toMatchObject({ verb, marks })
})
