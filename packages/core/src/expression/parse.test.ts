import { describe, expect, test } from 'vitest'
import { parseCondition, parseExpression, parseTemplate, references } from './parse.ts'

const paths = (source: string): (string | number)[][] =>
  references(parseExpression(source)).map(({ root, path }) => [root, ...path])

describe('references', () => {
  test.each<[string, (string | number)[][]]>([
    ['a', [['a']]],
    ['a.b[0]["c"].d', [['a', 'b', 0, 'c', 'd']]],
    ['a?.b?.[0].c', [['a', 'b', 0, 'c']]],
    ['a[b.c].d', [['a'], ['b', 'c']]],
    [
      'a.b.map(x => x.c + d.e).length',
      [
        ['a', 'b'],
        ['d', 'e'],
      ],
    ],
    ['a.map(a => a.b)', [['a']]],
    ['Math.max(a, ...b)', [['Math'], ['a'], ['b']]],
    ['f(`${a}${b.c}`)', [['a'], ['b', 'c']]],
    ['{ a, [b]: c, ...d }', [['a'], ['b'], ['c'], ['d']]],
    ['steps["x y"].z ?? now', [['steps', 'x y', 'z'], ['now']]],
  ])('%s', (source, expected) => {
    expect(paths(source).filter(([root]) => root !== 'Math')).toEqual(expected.filter(([root]) => root !== 'Math'))
  })

  test('have offsets into the source, and say when a computed index follows', () => {
    const [first, second] = references(parseExpression('1 + order.items[i]'))
    expect(first).toEqual({ root: 'order', path: ['items'], dynamic: true, start: 4, end: 15 })
    expect(second).toEqual({ root: 'i', path: [], dynamic: false, start: 16, end: 17 })
  })
})

describe('templates', () => {
  test('keep offsets into the whole scalar', () => {
    const template = parseTemplate('total: ${order.total} EUR')
    expect(template).toMatchObject({ kind: 'interpolation', parts: ['total: ', { start: 9, end: 20 }, ' EUR'] })
  })

  test('are literal, an expression or an interpolation', () => {
    expect(parseTemplate('a $${b}')).toEqual({ kind: 'literal', value: 'a ${b}' })
    expect(parseTemplate('${a}').kind).toBe('expression')
    expect(parseTemplate('${a} ').kind).toBe('interpolation')
  })

  test('do not read past the end of an expression', () => {
    expect(parseTemplate("${a} it's # not \\ source ${b}")).toMatchObject({ kind: 'interpolation' })
  })
})

test('a condition may be written with and without ${}', () => {
  expect(parseCondition('${a.b} > 1')).toMatchObject({ kind: 'binary', left: { kind: 'member', start: 2, end: 5 } })
})
