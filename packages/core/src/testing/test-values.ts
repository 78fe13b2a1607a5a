/** Values of tests that hold templates, and the small languages of tests: durations, names with `*`. */
import { compile, compileTemplate, type Scope } from '../expression/compile.ts'
import { parseCondition, parseTemplate } from '../expression/parse.ts'
import type { Value } from '../expression/value.ts'
import type { Json } from '../json.ts'

export type Names = { readonly [name: string]: Json }

/** Fills in the templates of a value. Throws `ExpressionError`. */
export function render(value: Json, names: Names): Json {
  if (typeof value === 'string') {
    // Data has no secrets in it, so what comes out is JSON.
    return value.includes('${') ? (compileTemplate(parseTemplate(value))(scopeOf(names)) as Json) : value
  }
  if (Array.isArray(value)) return value.map((item) => render(item, names))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, render(item, names)]))
  }
  return value
}

/** Whether a condition holds. Throws `ExpressionError`, and an error when it is neither true nor false. */
export function holds(condition: string, names: Names): boolean {
  const value = compile(parseCondition(condition))(scopeOf(names))
  if (typeof value === 'boolean') return value
  throw new TypeError(`The condition \`${condition}\` is ${JSON.stringify(value)}, neither true nor false.`)
}

function scopeOf(names: Names): Scope {
  return {
    get: (name): Value | undefined => (Object.hasOwn(names, name) ? names[name] : undefined),
    now: 0,
    seed: 'flow test',
  }
}

const UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `2h` or a number of seconds; the schema has checked the form. */
export function milliseconds(duration: string | number): number {
  if (typeof duration === 'number') return duration * 1000
  const match = /^([\d.]+)([a-z]+)$/.exec(duration)!
  return Number(match[1]) * UNITS[match[2]!]!
}

/**
 * The path of a step in its flow: `loop[2]/send` and, after a retry in place, `loop[2]/send@2` are both `loop/send`.
 * `known` are the flow's own paths: these may hold an `@` themselves (`set@2`).
 */
export function staticPath(path: string, known: ReadonlySet<string>): string {
  const plain = path
    .split('/')
    .map((segment) => (/^(case|branch)\[\d+\]$/.test(segment) ? segment : segment.replace(/(\[\d+\])+(?=$|@)/, '')))
    .join('/')
  if (known.has(plain)) return plain
  const first = plain.replace(/@\d+$/, '')
  return known.has(first) ? first : plain
}
