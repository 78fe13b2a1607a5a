import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Argument, ArrowNode, EntryNode, Expression, SpreadNode } from './ast.ts'
import { checkExpression } from './check.ts'
import { compile, compileTemplate } from './compile.ts'
import type { Scope } from './compile.ts'
import { ExpressionError } from './error.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { parseCondition, parseExpression, parseTemplate } from './parse.ts'
import { print } from './print.ts'
import type { Value } from './value.ts'

const at = { start: 0, end: 0 }
const nameArbitrary = fc.constantFrom('a', 'b', 'items', 'order', '$x', 'ünï')
const keyArbitrary = fc.constantFrom('a', 'name', 'length', 'if', 'constructor', '__proto__', 'and')
const textArbitrary = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('${x}', '`', '\'"\\', '$', '\n'),
)

/** Trees as the parser can make them: a chain stands where a `?.` is, and only there. */
const { expression } = fc.letrec<{ expression: Expression; argument: Argument }>((tie) => {
  const inner = tie('expression') as fc.Arbitrary<Expression>
  const leaf: fc.Arbitrary<Expression> = fc.oneof(
    fc
      .oneof(
        fc.constantFrom(null, true, false),
        fc.nat().map(Number),
        fc.double({ min: 0, max: 1e30, noNaN: true }),
        textArbitrary,
      )
      .map((value) => ({ kind: 'literal' as const, value: Object.is(value, -0) ? 0 : value, ...at })),
    nameArbitrary.map((name) => ({ kind: 'name' as const, name, ...at })),
  )
  const spread: fc.Arbitrary<SpreadNode> = inner.map((each) => ({ kind: 'spread', expression: each, ...at }))
  const arrow: fc.Arbitrary<ArrowNode> = fc
    .tuple(fc.uniqueArray(nameArbitrary, { maxLength: 3 }), inner)
    .map(([names, body]) => ({ kind: 'arrow', parameters: names.map((name) => ({ name, ...at })), body, ...at }))
  const list = fc.array(fc.oneof({ weight: 4, arbitrary: inner }, spread, arrow), { maxLength: 3 })
  const entry: fc.Arbitrary<EntryNode | SpreadNode> = fc.oneof(
    fc
      .tuple(fc.oneof(keyArbitrary, textArbitrary, inner), inner)
      .map(([key, value]) => ({ kind: 'entry' as const, key, value, ...at })),
    spread,
  )
  const binary = fc.constantFrom('+', '-', '*', '/', '%', '**', '==', '!=', '<', '<=', '>', '>=', 'in')
  const base = { nameStart: 0, ...at }
  const node: fc.Arbitrary<Expression> = fc.oneof(
    fc
      .tuple(inner, keyArbitrary, fc.boolean())
      .map(([object, name, optional]): Expression => ({ kind: 'member', object, name, optional, ...base })),
    fc
      .tuple(inner, inner, fc.boolean())
      .map(([object, index, optional]): Expression => ({ kind: 'index', object, index, optional, ...at })),
    fc.tuple(inner, keyArbitrary, fc.boolean(), list).map(([object, name, optional, args]): Expression => ({
      kind: 'method',
      object,
      name,
      optional,
      arguments: args,
      ...base,
    })),
    fc.tuple(nameArbitrary, list).map(([name, args]): Expression => ({ kind: 'call', name, arguments: args, ...at })),
    fc
      .tuple(fc.constantFrom('!', '-'), inner)
      .map(([operator, operand]): Expression => ({ kind: 'unary', operator, operand, ...at })),
    fc
      .tuple(binary, inner, inner)
      .map(([operator, left, right]): Expression => ({ kind: 'binary', operator, left, right, ...at })),
    fc
      .tuple(fc.constantFrom('&&', '||', '??'), inner, inner)
      .map(([operator, left, right]): Expression => ({ kind: 'logical', operator, left, right, ...at })),
    fc.tuple(inner, inner, inner).map(([test, consequent, alternate]): Expression => ({
      kind: 'conditional',
      test,
      consequent,
      alternate,
      ...at,
    })),
    fc.array(fc.oneof(inner, spread), { maxLength: 3 }).map((items): Expression => ({ kind: 'array', items, ...at })),
    fc.array(entry, { maxLength: 3 }).map((entries): Expression => ({ kind: 'object', entries, ...at })),
    fc
      .array(fc.oneof(textArbitrary, inner), { maxLength: 4 })
      .map((parts): Expression => ({ kind: 'template', parts: mergeText(parts), ...at })),
  )
  return {
    argument: inner,
    expression: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, node.map(withChains)),
  }
})

function mergeText(parts: readonly (string | Expression)[]): (string | Expression)[] {
  const merged: (string | Expression)[] = []
  for (const part of parts) {
    const last = merged.at(-1)
    if (typeof part === 'string' && typeof last === 'string') merged[merged.length - 1] = last + part
    else if (part !== '') merged.push(part)
  }
  return merged
}

/** A link with `?.` becomes a chain at once: in source, `(a?.b).c`. */
function withChains(node: Expression): Expression {
  const optional = 'optional' in node && node.optional
  return optional ? { kind: 'chain', expression: node, ...at } : node
}

/** The tree without what does not change its meaning: positions. */
function shape(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(shape)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, each]) =>
      ['start', 'end', 'nameStart'].includes(key) ? [] : [[key, shape(each)]],
    ),
  )
}

const data: { readonly [name: string]: Value } = {
  a: { a: 1, name: 'x', length: 3 },
  b: null,
  items: [
    { name: 'n', a: 2 },
    { name: 'm', a: 3 },
  ],
  order: { a: { name: [1, 2] } },
  $x: 5,
  ünï: 'text',
}
const scope: Scope = {
  get: (name) => (Object.hasOwn(data, name) ? data[name] : undefined),
  isStep: (name) => name === 'b',
  now: 1_767_225_600_000,
  seed: 'seed',
}
const limits = { ...DEFAULT_LIMITS, operations: 100_000 }

function outcome(run: () => unknown): string {
  try {
    return JSON.stringify(run()) ?? 'undefined'
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.code} ${error.message}`
    throw error
  }
}

function valueOr(otherwise: Value, run: () => Value): Value {
  try {
    return run()
  } catch {
    return otherwise
  }
}

describe('print', () => {
  test('what is printed is parsed to the same tree', () => {
    fc.assert(
      fc.property(expression, (tree) => {
        const source = print(tree)
        const parsed = parseExpression(source)
        expect(shape(parsed)).toEqual(shape(tree))
        expect(print(parsed)).toBe(source)
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    'a?.b.c',
    '(a?.b).c',
    '(a?.b)?.c',
    'a?.[0].b?.c()',
    '-(-1)',
    '(2 ** 3) ** 2',
    '(-2) ** 2',
    '{ a }.a',
    'f(x => ({ a }))',
    '(a ?? b) || c',
    '5 .toFixed()',
  ])('%s', (source) => {
    const tree = parseExpression(source)
    expect(shape(parseExpression(print(tree)))).toEqual(shape(tree))
  })
})

describe('compile', () => {
  test('any tree ends with JSON or an ExpressionError, twice the same', () => {
    fc.assert(
      fc.property(expression, (tree) => {
        const run = compile(tree)
        const first = outcome(() => run(scope, limits))
        expect(outcome(() => run(scope, limits))).toBe(first)
        expect(outcome(() => compile(parseExpression(print(tree)))(scope, limits)).split(' ')[0]).toBe(
          first.split(' ')[0],
        )
      }),
      { numRuns: 2_000 },
    )
  })

  test('a result is JSON: it survives being written and read', () => {
    fc.assert(
      fc.property(expression, (tree) => {
        const value = valueOr(null, () => compile(tree)(scope, limits))
        expect(JSON.parse(JSON.stringify(value))).toEqual(value)
      }),
      { numRuns: 1_000 },
    )
  })

  test('arithmetic and logic are those of JavaScript', () => {
    fc.assert(
      fc.property(arithmetic, (source) => {
        // The same source is JavaScript; where that gives no finite number, expressions give an error.
        const reference = new Function(`return ${source}`)() as number | boolean
        const result = outcome(() => compile(parseExpression(source))(scope))
        const agrees = Number.isFinite(Number(reference)) ? JSON.stringify(reference) : 'expression_number'
        // An intermediate result that is not finite is an error here, even where JavaScript goes on to compare it.
        expect(result.startsWith('expression_number') || result === agrees).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

const { arithmetic } = fc.letrec<{ arithmetic: string; logic: string }>((tie) => {
  const numeric = tie('arithmetic') as fc.Arbitrary<string>
  const logic = tie('logic') as fc.Arbitrary<string>
  return {
    arithmetic: fc.oneof(
      { depthSize: 'small' },
      fc.nat(100).map(String),
      fc.tuple(numeric, fc.constantFrom('+', '-', '*', '/', '%'), numeric).map(([l, op, r]) => `(${l} ${op} ${r})`),
      numeric.map((each) => `(- ${each})`),
      fc.tuple(logic, numeric, numeric).map(([test, l, r]) => `(${test} ? ${l} : ${r})`),
    ),
    logic: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('true', 'false'),
      fc
        .tuple(numeric, fc.constantFrom('<', '<=', '>', '>=', '==', '!='), numeric)
        .map(([l, op, r]) => `(${l} ${op} ${r})`),
      fc.tuple(logic, fc.constantFrom('&&', '||'), logic).map(([l, op, r]) => `(${l} ${op} ${r})`),
      logic.map((each) => `!${each}`),
    ),
  }
})

describe('garbage', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        ...'a b items . ?. [ ] ( ) { } ${ } ` \' " => ? : + - * ** / ! == < && ?? or not in ... , 1 0.5 null $ \\ new this'.split(
          ' ',
        ),
      ),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 25 },
  )
  test.each([
    ['expression', (source: string) => compile(parseExpression(source))],
    ['condition', (source: string) => compile(parseCondition(source))],
    ['template', (source: string) => compileTemplate(parseTemplate(source))],
  ] as const)('as %s never throws anything but ExpressionError', (_name, make) => {
    fc.assert(
      fc.property(pieces, fc.constantFrom('', ' '), (list, glue) => {
        expect(outcome(() => make(list.join(glue))(scope, limits))).toBeTypeOf('string')
      }),
      { numRuns: 3_000 },
    )
  })

  test('what parses can be checked', () => {
    fc.assert(
      fc.property(expression, (tree) => {
        const { problems } = checkExpression(tree, { lookup: () => ({ kind: 'any' }), names: () => ['a'] })
        for (const problem of problems) expect(problem.message).not.toBe('')
      }),
      { numRuns: 1_000 },
    )
  })

  test('what the checker calls fine does not fail for its types', () => {
    fc.assert(
      fc.property(arithmetic, (source) => {
        const { problems, type } = checkExpression(parseExpression(source), {
          lookup: () => undefined,
          names: () => [],
        })
        expect(problems.filter((problem) => problem.severity === 'error')).toEqual([])
        expect(type.kind).not.toBe('any')
      }),
    )
  })
})
