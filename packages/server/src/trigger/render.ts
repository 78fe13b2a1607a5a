/**
 * Renders templates of triggers: a webhook's mapping and secrets, a schedule's inputs. Compiled once per plan object,
 * because a template belongs to a plan and plans do not change.
 */
import { PlugworkError, SecretText, compile, isObject, parseExpression, references } from '@plugwork/core'
import type { Evaluator, Json, Scope, SecretReference, Template, Value } from '@plugwork/core'
import type { Definitions } from '@plugwork/core/node'

/** Names that a trigger's expressions see. */
export type TriggerScope = { readonly [name: string]: Value }

export interface RenderContext {
  readonly tenant: string
  readonly flow: string
  readonly now: number
  readonly names: TriggerScope
}

export interface Renderer {
  /** A value without secrets. Throws `ExpressionError`; `trigger_secret` where a secret would be stored. */
  value(template: Template, context: RenderContext): Json
  /** A text with its secrets filled in; '' where one is not set. */
  text(template: Template, context: RenderContext): Promise<string>
  /** The value of an expression. */
  expression(source: string, context: RenderContext): Value
}

/** A compiled template, and the names of `env` it reads. */
interface Compiled {
  readonly env: readonly string[]
  run(scope: Scope): Value
}

/** How `env.NAME` is given: as a reference that is read where the text is compared, or as the text itself. */
type EnvMode = 'reference' | 'text'

/** Variables that are secrets by their name; their text never enters a stored value. */
const OPAQUE = /KEY|TOKEN|SECRET|PASSWORD/i

/** A renderer that reads `env` and `secrets` through the definitions of the flow. */
export function createRenderer(definitions: Definitions): Renderer {
  const templates = new WeakMap<Template, Compiled>()
  const expressions = new Map<string, Compiled>()

  const compiledTemplate = (template: Template): Compiled => {
    let compiled = templates.get(template)
    if (compiled === undefined) {
      const env = new Set<string>()
      compiled = { run: compileTemplate(template, env), env: [...env] }
      templates.set(template, compiled)
    }
    return compiled
  }

  const compiledExpression = (source: string): Compiled => {
    let compiled = expressions.get(source)
    if (compiled === undefined) {
      const env = new Set<string>()
      compiled = { run: compileExpression(source, env), env: [...env] }
      expressions.set(source, compiled)
    }
    return compiled
  }

  const scopeOf = (context: RenderContext, env: readonly string[], mode: EnvMode): Scope => ({
    now: context.now,
    seed: `${context.tenant}/${context.flow}/${context.now}`,
    get(name) {
      if (Object.hasOwn(context.names, name)) return context.names[name]
      if (name === 'flow') return { name: context.flow }
      // Members of `secrets` are references by themselves.
      if (name === 'secrets') return {}
      if (name === 'env')
        return Object.fromEntries(env.map((variable) => [variable, readVariable(variable, context, mode)]))
      return undefined
    },
  })

  const readVariable = (name: string, context: RenderContext, mode: EnvMode): Value => {
    if (mode === 'reference' || OPAQUE.test(name)) return new SecretText([{ source: 'env', name }])
    return definitions.env(context.tenant, context.flow, name)
  }

  const secretText = async (reference: SecretReference, context: RenderContext): Promise<string> => {
    switch (reference.source) {
      case 'env':
        return definitions.env(context.tenant, context.flow, reference.name) ?? ''
      case 'secret':
        return (await definitions.secret(context.tenant, reference.name)) ?? ''
      default:
        throw new PlugworkError('internal_template', 'A trigger cannot read a sealed input.')
    }
  }

  return {
    expression(source, context) {
      const { run, env } = compiledExpression(source)
      return run(scopeOf(context, env, 'text'))
    },
    value(template, context) {
      const { run, env } = compiledTemplate(template)
      return plain(run(scopeOf(context, env, 'text')), context.flow)
    },
    async text(template, context) {
      const { run, env } = compiledTemplate(template)
      const value = run(scopeOf(context, env, 'reference'))
      if (!(value instanceof SecretText)) return value === null ? '' : String(value)
      const parts = value.parts.map((part) => (typeof part === 'string' ? part : secretText(part, context)))
      return (await Promise.all(parts)).join('')
    },
  }
}

function compileExpression(source: string, env: Set<string>): Evaluator {
  const expression = parseExpression(source)
  for (const { root, path } of references(expression)) {
    if (root === 'env' && typeof path[0] === 'string') env.add(path[0])
  }
  return compile(expression)
}

function compileTemplate(template: Template, env: Set<string>): (scope: Scope) => Value {
  switch (template.kind) {
    case 'literal': {
      const { value } = template
      return () => value
    }
    case 'expression':
      return compileExpression(template.source, env)
    case 'text': {
      const parts = template.parts.map((part) =>
        typeof part === 'string' ? part : compileExpression(part.source, env),
      )
      return (scope) => parts.map((part) => (typeof part === 'string' ? part : part(scope))).reduce(joinText, '')
    }
    case 'list': {
      const items = template.items.map((item) => compileTemplate(item, env))
      return (scope) => items.map((item) => item(scope))
    }
    case 'map': {
      const entries = template.entries.map(([key, value]) => [key, compileTemplate(value, env)] as const)
      return (scope) => Object.fromEntries(entries.map(([key, render]) => [key, render(scope)]))
    }
    case 'sql':
    case 'path':
      throw new PlugworkError('internal_template', `A trigger cannot hold a template of kind ${template.kind}.`)
  }
}

/** Interpolation: null is the empty string, lists and objects are JSON, and a secret keeps the whole text secret. */
function joinText(left: Value, right: Value): Value {
  const text =
    right === null ? '' : typeof right === 'object' && !(right instanceof SecretText) ? JSON.stringify(right) : right
  const before = left instanceof SecretText ? left.parts : [String(left)]
  if (text instanceof SecretText) return new SecretText([...before, ...text.parts])
  return left instanceof SecretText ? new SecretText([...before, String(text)]) : `${String(left)}${String(text)}`
}

/** The value as JSON; a secret in it would be stored with the run. */
function plain(value: Value, flow: string): Json {
  if (value instanceof SecretText) {
    throw new PlugworkError(
      'trigger_secret',
      `A trigger of flow ${flow} puts a secret into an input, where it would be stored. Read it in a step instead.`,
    )
  }
  if (Array.isArray(value)) return value.map((item: Value) => plain(item, flow))
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, flow)]))
  return value as Json
}
