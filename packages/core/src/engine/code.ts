/** Templates and conditions of a plan, compiled to closures. Each source text is parsed once, when its program is loaded. */
import { compile, compileTemplate } from '../expression/compile.ts'
import type { Scope } from '../expression/compile.ts'
import { ExpressionError, expressionError } from '../expression/error.ts'
import { parseCondition, references } from '../expression/parse.ts'
import type { Expression } from '../expression/parse.ts'
import { SecretText, describeKind, setOwn } from '../expression/value.ts'
import type { Value } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'
import type { Condition, Template } from '../flow/plan.ts'
import { renderPath, renderSql } from './parameters.ts'

/** Renders a value. Throws `ExpressionError` when an expression in it fails. */
export type Render = (scope: Scope) => Value
export type Test = (scope: Scope) => boolean

/** A compiled template. */
export interface Rendered {
  readonly render: Render
  /** Whether a secret can be in the value: only then it has to be searched for one. */
  readonly maySecret: boolean
}

/** Names of the scope that can hold secrets. What steps give never does: their results enter the journal as JSON. */
const SECRET_ROOTS: readonly string[] = ['secrets', 'env', 'inputs']

/** Compiles the templates of one plan. */
export class Coder {
  readonly #secretRoots: readonly string[]
  #maySecret = false

  /** `secretRoots`: names of the scope that can hold secrets. */
  constructor(secretRoots: readonly string[] = SECRET_ROOTS) {
    this.#secretRoots = secretRoots
  }

  template(template: Template): Rendered {
    this.#maySecret = false
    const render = this.#render(template)
    return { render, maySecret: this.#maySecret }
  }

  /** The value of an expression. */
  value(source: string): Rendered {
    return this.template({ kind: 'expression', source })
  }

  expression(source: string): Render {
    return compile(this.#parse(source))
  }

  condition(condition: Condition): Test {
    if (condition.kind === 'expression') {
      const code = this.expression(condition.source)
      return (scope) => isTrue(code(scope))
    }
    const members = condition.members.map((member) => this.condition(member))
    switch (condition.kind) {
      case 'all':
        return (scope) => members.every((test) => test(scope))
      case 'any':
        return (scope) => members.some((test) => test(scope))
      case 'none':
        return (scope) => !members.some((test) => test(scope))
    }
  }

  #parse(source: string): Expression {
    try {
      const expression = parseCondition(source)
      this.#maySecret ||= references(expression).some(({ root }) => this.#secretRoots.includes(root))
      return expression
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      throw new PlugworkError(
        'plan_invalid',
        `The plan holds the expression \`${source}\`, which does not parse: ${error.message}`,
      )
    }
  }

  #render(template: Template): Render {
    switch (template.kind) {
      case 'literal': {
        const { value } = template
        return () => value
      }
      case 'expression':
        return compile(this.#parse(template.source))
      case 'text': {
        const parts = template.parts.map((part) => (typeof part === 'string' ? part : this.#parse(part.source)))
        return compileTemplate({ kind: 'interpolation', parts })
      }
      case 'list': {
        const items = template.items.map((item) => this.#render(item))
        return (scope) => items.map((item) => item(scope))
      }
      case 'map': {
        const entries = template.entries.map(([key, entry]) => [key, this.#render(entry)] as const)
        return (scope) => {
          const object: { [key: string]: Value } = {}
          for (const [key, render] of entries) setOwn(object, key, render(scope))
          return object
        }
      }
      case 'sql': {
        const parts = template.parts.map((part) =>
          typeof part === 'string' ? part : { code: compile(this.#parse(part.source)), spread: part.spread },
        )
        if (template.params !== undefined) {
          throw new PlugworkError(
            'plan_invalid',
            'The plan holds an SQL text with separate `params`; they belong among its parts.',
          )
        }
        const { dialect } = template
        return (scope) => renderSql(scope, { dialect, parts })
      }
      case 'path': {
        const parts = template.parts.map((part) =>
          typeof part === 'string' ? part : compile(this.#parse(part.source)),
        )
        return (scope) => renderPath(scope, parts)
      }
    }
  }
}

/** Whether a condition's value counts as true, as in JavaScript: null, false, 0 and '' do not. */
export function isTrue(value: Value): boolean {
  if (value instanceof SecretText) throw expressionError('expression_secret', { use: 'as a condition' })
  return Boolean(value)
}

/** A value that has to be text. */
export function textOf(value: Value, what: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new PlugworkError('bad_text', `${what} must be text, not ${describeKind(value)}.`)
}

/** Whether two JSON values are the same by content, never across types; what `==` says. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof SecretText || b instanceof SecretText) {
    throw expressionError('expression_secret', { use: 'in a comparison' })
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item: Value, index) => sameValue(item, (b as readonly Value[])[index] ?? null))
  }
  const left = a as { readonly [key: string]: Value }
  const right = b as { readonly [key: string]: Value }
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  return keys.every((key) => Object.hasOwn(right, key) && sameValue(left[key] ?? null, right[key] ?? null))
}
