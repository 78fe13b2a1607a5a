import { expect, test } from 'vitest'
import type { Template } from '../flow/plan.ts'
import { Coder } from './code.ts'
import { SecretText } from '../expression/value.ts'

const scope = (names: { readonly [name: string]: never }) => ({ get: (name: string) => names[name], now: 0, seed: '' })
const render = (template: Template, names: object) =>
  new Coder().template(template).render(scope(names as { [name: string]: never }))

const sql = (
  dialect: 'sqlite' | 'postgres' | 'mysql',
  ...parts: (string | { source: string; spread: boolean })[]
): Template => ({
  kind: 'sql',
  dialect,
  parts,
})
const one = (source: string) => ({ source, spread: false })
const many = (source: string) => ({ source, spread: true })

test('each expression is one bound value, numbered for PostgreSQL', () => {
  const parts = ['select * from t where a = ', one('x'), ' and b = ', one('y')] as const
  const names = { x: '1; drop table t', y: [1, 2] }
  const params = ['1; drop table t', [1, 2]]
  expect(render(sql('sqlite', ...parts), names)).toEqual({ text: 'select * from t where a = ? and b = ?', params })
  expect(render(sql('postgres', ...parts), names)).toEqual({ text: 'select * from t where a = $1 and b = $2', params })
})

test('a list in `in (…)` is one value for each item', () => {
  const template = sql('postgres', 'a = ', one('x'), ' and b in (', many('list'), ') and c = ', one('x'))
  expect(render(template, { x: 0, list: [1, 2, 3] })).toEqual({
    text: 'a = $1 and b in ($2, $3, $4) and c = $5',
    params: [0, 1, 2, 3, 0],
  })
  expect(render(template, { x: 0, list: 7 })).toMatchObject({ params: [0, 7, 0] })
})

test('an empty list has no rows, also under `not in`', () => {
  const inList = (dialect: 'sqlite' | 'mysql') => sql(dialect, 'b not in (', many('list'), ')')
  expect(render(inList('sqlite'), { list: [] })).toEqual({ text: 'b not in (select null where 1 = 0)', params: [] })
  expect(render(inList('mysql'), { list: [] })).toMatchObject({ text: 'b not in (select null from dual where 1 = 0)' })
  expect(() => render(sql('sqlite', 'b in (1, ', many('list'), ')'), { list: [] })).toThrow(
    expect.objectContaining({ code: 'sql_empty_list' }),
  )
})

const path = (...parts: (string | { source: string })[]): Template => ({ kind: 'path', parts })

test('an expression in a path is one segment', () => {
  expect(render(path('/users/', { source: 'id' }, '/posts'), { id: 'a/b?c d' })).toBe('/users/a%2Fb%3Fc%20d/posts')
  expect(render(path('/v', { source: 'n' }), { n: 2 })).toBe('/v2')
})

test.each([[''], [null], ['..'], ['.'], [{}]])('%j cannot be a segment', (id) => {
  expect(() => render(path('/users/', { source: 'id' }), { id })).toThrow(
    expect.objectContaining({ code: 'path_segment' }),
  )
})

test('a secret in a path stays a reference', () => {
  const rendered = render(path('/bot', { source: 'token' }, '/send'), {
    token: new SecretText([{ source: 'secret', name: 'T' }]),
  })
  expect(rendered instanceof SecretText && rendered.parts).toEqual(['/bot', { source: 'secret', name: 'T' }, '/send'])
})
