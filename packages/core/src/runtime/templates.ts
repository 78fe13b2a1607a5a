/** Templates that stand outside a run's steps: a connection's config, a trigger's keys, the concurrency key of a flow. */
import { Coder } from '../engine/code.ts'
import type { Node } from '../expression/ast.ts'
import { parseCondition, references } from '../expression/parse.ts'
import { children } from '../expression/references.ts'
import { SecretText, type Value } from '../expression/value.ts'
import type { Template } from '../flow/plan.ts'
import type { ExpressionSource } from '../flow/plan.ts'

/** Values of the names that the template may use beside `env` and `secrets`. */
export type TemplateNames = { readonly [name: string]: Value }

/** Whether a variable of the environment is set, and allowed for the flow. */
export type IsSet = (name: string) => boolean

/** Renders a template. A variable that has a fallback (`env.URL ?? 'http://…'`) is null unless `isSet` says that it is set. */
export type OutsideTemplate = (names: TemplateNames, now: number, isSet?: IsSet) => Value

/**
 * Compiles a template whose `env` names are secrets: they are resolved where the rendered value is used, and never stored.
 * The answered function renders it; it throws `ExpressionError`.
 */
export function compileOutsideTemplate(template: Template): OutsideTemplate {
  const { render } = new Coder().template(template)
  const secrets: { [name: string]: Value } = {}
  for (const name of environmentNames(template)) secrets[name] = new SecretText([{ source: 'env', name }])
  const optional = namesWithFallback(template)
  return (names, now, isSet = () => true) => {
    const missing = optional.filter((name) => !isSet(name))
    const env =
      missing.length === 0 ? secrets : { ...secrets, ...Object.fromEntries(missing.map((name) => [name, null])) }
    return render({
      now,
      seed: '',
      get: (name) => {
        if (name === 'env') return env
        return name === 'secrets' ? {} : Object.hasOwn(names, name) ? names[name] : undefined
      },
    })
  }
}

/** Names of the environment that a template mentions. */
export function environmentNames(template: Template): ReadonlySet<string> {
  const names = new Set<string>()
  for (const source of sourcesOf(template)) {
    for (const { root, path } of references(parseCondition(source))) {
      if (root === 'env' && typeof path[0] === 'string') names.add(path[0])
    }
  }
  return names
}

/** Names of the environment that stand left of `??` wherever the template mentions them. */
function namesWithFallback(template: Template): readonly string[] {
  const names = new Map<string, boolean>()
  const visit = (node: Node, fallback: boolean): void => {
    const inner = node.kind === 'chain' ? node.expression : node
    const name = environmentName(inner)
    if (name !== null) {
      names.set(name, fallback && names.get(name) !== false)
    } else if (inner.kind === 'logical' && inner.operator === '??') {
      visit(inner.left, true)
      visit(inner.right, fallback)
    } else {
      for (const child of children(inner)) visit(child, false)
    }
  }
  for (const source of sourcesOf(template)) visit(parseCondition(source), false)
  return [...names].flatMap(([name, always]) => (always ? [name] : []))
}

/** `env.NAME` or `env["NAME"]`. */
function environmentName(node: Node): string | null {
  if (node.kind !== 'member' && node.kind !== 'index') return null
  if (node.object.kind !== 'name' || node.object.name !== 'env') return null
  if (node.kind === 'member') return node.name
  return node.index.kind === 'literal' && typeof node.index.value === 'string' ? node.index.value : null
}

function sourcesOf(template: Template): readonly ExpressionSource[] {
  switch (template.kind) {
    case 'literal':
      return []
    case 'expression':
      return [template.source]
    case 'text':
    case 'path':
      return template.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.source]))
    case 'list':
      return template.items.flatMap(sourcesOf)
    case 'map':
      return template.entries.flatMap(([, entry]) => sourcesOf(entry))
    case 'sql': {
      const sources = template.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.source]))
      return template.params === undefined ? sources : [...sources, ...sourcesOf(template.params)]
    }
  }
}
