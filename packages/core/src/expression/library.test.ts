import { describe, expect, test } from 'vitest'
import { checkExpression } from './check.ts'
import { compile } from './compile.ts'
import { LIBRARY } from './library.ts'
import { signature } from './library/entry.ts'
import { parseExpression } from './parse.ts'
import { isAssignable, valueType } from './type.ts'

const scope = { get: () => undefined, now: 0, seed: 'test' }

describe.each(LIBRARY.map((entry) => [signature(entry), entry] as const))('%s', (_signature, entry) => {
  test('has a sentence and an example', () => {
    expect(entry.doc).toMatch(/^.{8,}\.$/)
    expect(entry.examples.length).toBeGreaterThan(0)
  })

  test.each(entry.examples.map(({ source, result }) => [source, result] as const))('%s', (source, result) => {
    const expression = parseExpression(source)
    const value = compile(expression)(scope)
    expect(value).toEqual(result)
    const { type } = checkExpression(expression, { lookup: () => undefined, names: () => [] })
    expect(isAssignable(valueType(value), type)).toBe(true)
  })
})

test('names are unique and the order is that of the areas', () => {
  const names = LIBRARY.map((entry) => `${entry.of ?? ''}.${entry.name}`)
  expect(new Set(names).size).toBe(names.length)
})
