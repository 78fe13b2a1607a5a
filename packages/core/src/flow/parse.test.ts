import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_DEPTH, parseFlow } from './parse.ts'

/** Line and column of a character of the value at a path, and what stands there in the file. */
function locate(text: string, key: string, needle: string): { readonly at: string; readonly source: string } {
  const { value, sources } = parseFlow(text)
  const container = value as { readonly [key: string]: string }
  const scalar = container[key] ?? ''
  const from = scalar.indexOf(needle)
  const range = sources.within(container, key, scalar, from, from + needle.length)
  const line = text.split('\n')[range.line - 1] ?? ''
  return {
    at: `${range.line}:${range.column}-${range.endLine}:${range.endColumn}`,
    source: line.slice(range.column - 1, range.endColumn - 1),
  }
}

describe('positions inside scalars', () => {
  test.each([
    ['plain', 'a: some ${x.y} text', '1:9-1:15'],
    ['plain over two lines', 'a: some\n  words ${x.y}', '2:9-2:15'],
    ['single quotes', "a: 'it''s ${x.y}'", '1:11-1:17'],
    ['double quotes with escapes', 'a: "say \\"hi\\" \\u00e9\\n ${x.y}"', '1:25-1:31'],
    ['an escape of two units', 'a: "\\U0001F600 ${x.y}"', '1:16-1:22'],
    ['an escaped line break', 'a: "some \\\n   ${x.y}"', '2:4-2:10'],
    ['double quotes over two lines', 'a: "some\n\n  words ${x.y}"', '3:9-3:15'],
    ['literal block', 'a: |\n  first\n    ${x.y}\n', '3:5-3:11'],
    ['literal block with a comment', 'a: |- # note\n  ${x.y}\n', '2:3-2:9'],
    ['literal block with an indentation indicator', 'a: |2\n    ${x.y}\n', '2:5-2:11'],
    ['folded block', 'a: >\n  first\n  second\n\n  third ${x.y}\n', '5:9-5:15'],
    ['windows line ends', 'b: 1\r\na: some\r\n  ${x.y}\r\n', '3:3-3:9'],
    ['a JSON document', '{\n\t"a": "some \\t ${x.y}"\n}', '2:16-2:22'],
  ])('%s', (_, text, at) => {
    expect(locate(text, 'a', '${x.y}')).toEqual({ at, source: '${x.y}' })
  })
})

describe('values', () => {
  test('a JSON document is a document', () => {
    expect(parseFlow('{"flow": "A", "steps": [1, 2.5, null, true, "x"]}').value).toEqual({
      flow: 'A',
      steps: [1, 2.5, null, true, 'x'],
    })
  })

  test('words that other YAML versions read as true or false stay words', () => {
    expect(parseFlow('a: yes\nb: on\nc: 0o17\nd: 2024-01-01').value).toEqual({
      a: 'yes',
      b: 'on',
      c: 15,
      d: '2024-01-01',
    })
  })

  test('`__proto__` is a problem, and nobody’s prototype', () => {
    const { value, problems } = parseFlow('a: { __proto__: { polluted: true } }')
    expect(problems.map((found) => found.code)).toEqual(['PW1003'])
    expect((value as { readonly a: { readonly polluted?: boolean } }).a.polluted).toBeUndefined()
  })

  test('`constructor` and the like are keys like any other', () => {
    const { value } = parseFlow('constructor: 1\ntoString: 2')
    expect(Object.entries(value as object)).toEqual([
      ['constructor', 1],
      ['toString', 2],
    ])
  })

  test('aliases stand for what they name', () => {
    expect(parseFlow('a: &x { b: 1 }\nc: [*x, *x]').value).toEqual({ a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] })
  })

  test.each([
    ['an alias of nothing', 'a: *nothing', 'PW1002'],
    ['an alias of itself', 'a: &x [*x]', 'PW1002'],
    ['deep nesting', `${'['.repeat(MAX_DEPTH + 2)}${']'.repeat(MAX_DEPTH + 2)}`, 'PW1002'],
    ['nesting beyond the stack', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, 'PW1002'],
    ['a tag', 'a: !!js/function "x"', 'PW1001'],
    ['two documents', 'a: 1\n---\nb: 2', 'PW1001'],
    ['a key that is a list', '[a]: 1', 'PW1001'],
  ])('%s is a problem', (_, text, code) => {
    expect(parseFlow(text).problems[0]?.code).toBe(code)
  })
})

test('no text makes the parser throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab:-[]{}"\'|>&*!%#\n\t ,?$`@'), maxLength: 60 }), (text) => {
      expect(Array.isArray(parseFlow(text).problems)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
