import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { compile, compileTemplate } from './compile.ts'
import type { Scope } from './compile.ts'
import { ExpressionError } from './error.ts'
import { parseExpression, parseTemplate } from './parse.ts'
import { SecretText } from './value.ts'
import type { Value } from './value.ts'

const scopeOf = (data: { readonly [name: string]: Value }, extra: Partial<Scope> = {}): Scope => ({
  get: (name) => (Object.hasOwn(data, name) ? data[name] : undefined),
  now: 0,
  seed: 'step-1',
  ...extra,
})
const evaluate = (source: string, scope: Scope = scopeOf({})): Value => compile(parseExpression(source))(scope)

describe('uuid', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(evaluate('uuid()')).toBe(evaluate('uuid()'))
    expect(evaluate('uuid()', scopeOf({}, { seed: 'step-2' }))).not.toBe(evaluate('uuid()'))
  })

  test('differs between the expressions of a step that share a counter', () => {
    const step = (): Value[] => {
      const scope = scopeOf({}, { counter: { uuids: 0 } })
      return [evaluate('uuid()', scope), evaluate('uuid()', scope), evaluate('[uuid(), uuid()].unique().length', scope)]
    }
    const [first, second, count] = step()
    expect(first).not.toBe(second)
    expect(count).toBe(2)
    expect(step()).toEqual([first, second, count])
  })
})

describe('a compiled expression', () => {
  test('can run again while it is running', () => {
    const inner = compile(parseExpression('xs.map(x => x + n)'))
    const scope: Scope = scopeOf({ xs: [1, 2] }, { get: (name) => (name === 'n' ? nested(scope) : [1, 2]) })
    let depth = 0
    const nested = (outer: Scope): Value => (depth++ === 0 ? (inner(outer) as readonly number[]).length : 10)
    // The first `n` runs the whole expression once more and gives its length; after that `n` is 10.
    expect(inner(scope)).toEqual([3, 12])
  })

  test('does not change its data', () => {
    const data = Object.freeze({ list: Object.freeze([3, 1, 2]), map: Object.freeze({ a: Object.freeze({ b: 1 }) }) })
    expect(evaluate('list.sort()', scopeOf(data))).toEqual([1, 2, 3])
    expect(evaluate('merge(map, { a: { c: 2 } })', scopeOf(data))).toEqual({ a: { b: 1, c: 2 } })
    expect(evaluate('list.reverse().concat([4])', scopeOf(data))).toEqual([2, 1, 3, 4])
  })

  test('refuses what is no JSON value', () => {
    const host = { f: () => 1, big: 10n, nan: Number.NaN } as unknown as { readonly [name: string]: Value }
    for (const source of ['f.x', '[f]', '`${[big]}`', '[nan]', 'JSON.stringify([f])']) {
      expect(() => evaluate(source, scopeOf(host))).toThrow(ExpressionError)
    }
  })

  test('passes on the errors of its scope', () => {
    const scope = scopeOf(
      {},
      {
        get: () => {
          throw new Error('store is gone')
        },
      },
    )
    expect(() => evaluate('a', scope)).toThrow('store is gone')
  })

  test('hides secrets from everything that prints', () => {
    const value = compileTemplate(parseTemplate('Bearer ${secrets.KEY}'))(scopeOf({ secrets: {} }))
    expect(value).toBeInstanceOf(SecretText)
    expect([String(value), JSON.stringify({ value }), inspect({ value }), `${inspect([value])}`].join()).not.toContain(
      'KEY',
    )
  })

  test('errors say what, where and what to do', () => {
    expect(() => evaluate('order.customer.name', scopeOf({ order: {} }))).toThrow(
      expect.objectContaining({
        code: 'expression_null_member',
        message: 'Cannot read `name` of `order.customer`: it is null. If that is expected, write `?.`.',
        start: 0,
        end: 19,
      }),
    )
  })
})

describe('the worst that an expression can do', () => {
  const numbers = Array.from({ length: 100_000 }, (_, i) => i)
  const records = numbers.map((n) => ({ id: n, name: `name ${n}`, tags: ['a', 'b'] }))
  const text = 'abcdefghij '.repeat(90_000)
  const data = { numbers, records, text }
  test.each([
    'numbers.map(a => numbers.map(b => a + b))',
    'numbers.map(a => text.includes("zzz"))',
    'numbers.map(a => text.toUpperCase())',
    'numbers.map(a => text.split(" "))',
    'numbers.map(a => text.replaceAll("a", "b"))',
    'numbers.map(a => text.test("([a-z]+ )+x"))',
    'numbers.map(a => text.matchAll("[a-z]+"))',
    'numbers.map(a => text.toSnakeCase())',
    'numbers.map(a => text.slugify())',
    'numbers.map(a => sha512(text))',
    'numbers.map(a => base64Encode(text))',
    'numbers.map(a => base64Decode("QUJD".repeat(200000)))',
    'numbers.map(a => encodeURIComponent(text))',
    'numbers.map(a => JSON.stringify(records))',
    'numbers.map(a => JSON.parse("[1,2,3]".padEnd(1000000)))',
    'numbers.map(a => records == records.slice(0))',
    'numbers.map(a => records.unique().length)',
    'numbers.map(a => records.sortBy(r => r.name))',
    'numbers.map(a => formatTime(a, "yyyy-MM-dd", "Europe/Berlin"))',
    'numbers.map(a => addTime(now, "1d", "America/New_York"))',
    'numbers.map(a => `${text}${a}`).map(x => x.trim())',
    'numbers.map(a => text.slice(0, a).test(`a{${a % 100}}b`))',
    'numbers.map(a => md5(`${a}`))',
    'numbers.map(a => uuid())',
    'numbers.map(a => round(a / 3, 2).toFixed(2))',
    'numbers.map(a => records.at(a))',
    'numbers.map(a => getPath(records, "[0].tags[1]"))',
    'numbers.map(a => parseUrl("https://example.com/a?b=c"))',
  ])('ends in good time: %s', (source) => {
    const before = performance.now()
    const outcome = attempt(() => evaluate(source, scopeOf(data)))
    const took = performance.now() - before
    expect(outcome).toMatch(/^(?:value|expression_budget_|expression_pattern)/)
    expect(took).toBeLessThan(4_000)
  })
})

function attempt(run: () => Value): string {
  try {
    run()
    return 'value'
  } catch (error) {
    return error instanceof ExpressionError ? error.code : String(error)
  }
}
