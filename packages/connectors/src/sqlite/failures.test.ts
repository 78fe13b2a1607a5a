import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { asFailure } from './failures.ts'
import { Failure } from './protocol.ts'

function thrownBy(work: (db: DatabaseSync) => void): Failure {
  const db = new DatabaseSync(':memory:')
  try {
    work(db)
  } catch (error) {
    return asFailure(error)
  } finally {
    db.close()
  }
  throw new Error('nothing was thrown')
}

test.each([
  ['sqlite_full', undefined, 'pragma max_page_count = 2; create table t (a); create table u (a); create table v (a)'],
  ['sqlite_constraint', 'not_null', 'create table t (a not null); insert into t values (null)'],
  ['sqlite_constraint', 'check', 'create table t (a check (a > 0)); insert into t values (0)'],
  ['sqlite_constraint', 'primary_key', 'create table t (a text primary key); insert into t values (1), (1)'],
  ['sqlite_constraint', 'rowid', 'create table t (a); insert into t (rowid, a) values (1, 1), (1, 1)'],
  [
    'sqlite_constraint',
    'trigger',
    "create table t (a); create trigger x before insert on t begin select raise(abort, 'no'); end; insert into t values (1)",
  ],
  ['sqlite_constraint', 'datatype', "create table t (a integer) strict; insert into t values ('x')"],
  ['sqlite_sql', undefined, 'select * from nothing'],
  ['sqlite_read_only', undefined, 'pragma query_only = 1; create table t (a)'],
  ['sqlite_busy', undefined, ''],
  ['sqlite_params', undefined, ''],
])('%s %s', (code, constraint, sql) => {
  const failure = thrownBy((db) => {
    if (code === 'sqlite_busy') throw Object.assign(new Error('database is locked'), { errcode: 517 })
    if (code === 'sqlite_params') db.prepare('select ?').get(1, 2)
    db.exec(sql)
  }).failure
  expect([failure.code, (failure.data as { constraint?: string }).constraint]).toEqual([code, constraint])
  expect(failure.message).toMatch(/^SQLite: /)
})

test('what is no error of SQLite is still an error of the connector', () => {
  expect(asFailure(new TypeError('x')).failure.code).toBe('sqlite_failed')
  const own = new Failure('sqlite_aborted', 'stopped')
  expect(asFailure(own)).toBe(own)
})
