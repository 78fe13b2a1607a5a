import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Expression } from './ast.ts'
import { compile, compileTemplate } from './compile.ts'
import type { Evaluator, Scope } from './compile.ts'
import { EXPRESSION_ERRORS, ExpressionError } from './error.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { Limits } from './limits.ts'
import { parseCondition, parseExpression, parseTemplate } from './parse.ts'
import { SecretText, isObject, setOwn } from './value.ts'
import type { SecretReference, Value } from './value.ts'

/** One case of `cases/*.json`; see README.md there. */
interface Case {
  readonly expression?: string
  readonly repeat?: { readonly before: string; readonly times: number; readonly middle: string; readonly after: string }
  readonly as?: 'expression' | 'template' | 'condition'
  readonly data?: { readonly [name: string]: unknown }
  readonly dataJson?: string
  readonly range?: { readonly [name: string]: number }
  readonly steps?: readonly string[]
  readonly now?: number
  readonly limits?: Partial<Limits>
  readonly result?: unknown
  readonly resultJson?: string
  readonly resultLength?: number
  readonly error?: string
  readonly at?: readonly [number, number]
  readonly note?: string
}

const folder = join(import.meta.dirname, 'cases')
const files = readdirSync(folder).filter((file) => file.endsWith('.json') && !file.startsWith('check'))
const suites = files.map((file) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Case[]] as const)

const sourceOf = ({ expression, repeat }: Case): string =>
  repeat ? repeat.before.repeat(repeat.times) + repeat.middle + repeat.after.repeat(repeat.times) : (expression ?? '')

function compileCase(each: Case): Evaluator {
  const source = sourceOf(each)
  if (each.as === 'template') return compileTemplate(parseTemplate(source))
  const parse: (text: string) => Expression = each.as === 'condition' ? parseCondition : parseExpression
  return compile(parse(source))
}

function scopeOf({ data, dataJson, range, steps, now }: Case): Scope {
  const names = new Map<string, Value>(
    Object.entries(fromData((dataJson ? JSON.parse(dataJson) : data) ?? {}) as object),
  )
  for (const [name, length] of Object.entries(range ?? {}))
    names.set(
      name,
      Array.from({ length }, (_, i) => i),
    )
  return {
    get: (name) => names.get(name),
    isStep: (name) => steps?.includes(name) ?? false,
    now: now ?? 0,
    seed: 'test',
  }
}

/** `{ "$secret": [...] }` in a file stands for a `SecretText`. */
function fromData(value: unknown): Value {
  if (Array.isArray(value)) return value.map(fromData)
  if (typeof value !== 'object' || value === null) return value as Value
  if ('$secret' in value) return new SecretText(value.$secret as (string | SecretReference)[])
  const copy: { [key: string]: Value } = {}
  for (const [key, each] of Object.entries(value)) setOwn(copy, key, fromData(each))
  return copy
}

function toData(value: Value): unknown {
  if (value instanceof SecretText) return { $secret: value.parts }
  if (Array.isArray(value)) return value.map(toData)
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toData(each)])) : value
}

describe.each(suites)('%s', (_file, cases) => {
  test.each(cases.map((each) => [sourceOf(each).slice(0, 80) + (each.note ? ` (${each.note})` : ''), each] as const))(
    '%s',
    (_name, each) => {
      const before = performance.now()
      expect(observed(each)).toEqual(expected(each))
      // Whatever a case asks for, it ends: with a result or at a budget.
      expect(performance.now() - before).toBeLessThan(5_000)
    },
  )
})

interface Outcome {
  readonly error?: string
  /** The message of an error where it cannot be right: with a placeholder that nobody filled in. */
  readonly unfinished?: string
  readonly at?: readonly (number | undefined)[]
  readonly result?: unknown
}

function observed(each: Case): Outcome {
  try {
    const value = compileCase(each)(scopeOf(each), { ...DEFAULT_LIMITS, ...each.limits })
    if (each.resultJson !== undefined) return { result: JSON.stringify(value) }
    return { result: each.resultLength === undefined ? toData(value) : (value as readonly Value[]).length }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    const unfinished = /(?<!\$)\{[a-z]+\}/.test(error.message.replaceAll(sourceOf(each), ''))
    return {
      error: error.code,
      ...(each.at && { at: [error.start, error.end] }),
      ...(unfinished && { unfinished: error.message }),
    }
  }
}

function expected({ error, at, result, resultJson, resultLength }: Case): Outcome {
  if (error !== undefined) return { error, ...(at && { at }) }
  return { result: resultJson ?? resultLength ?? result }
}

test('every error of syntax and run time has a case', () => {
  const covered = new Set(suites.flatMap(([, cases]) => cases.map((each) => each.error)))
  const codes = Object.keys(EXPRESSION_ERRORS).filter((code) => !code.startsWith('PW12'))
  expect(codes.filter((code) => !covered.has(code))).toEqual([])
})

test('nothing was added to the prototypes of the host', () => {
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})
