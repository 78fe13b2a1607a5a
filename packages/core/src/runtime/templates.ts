/** Templates that stand outside a run's steps: a connection's config, a trigger's keys, the concurrency key of a flow. */
import { Coder } from '../engine/code.ts'
import { parseCondition, references } from '../expression/parse.ts'
import { SecretText, type Value } from '../expression/value.ts'
import type { Template } from '../flow/plan.ts'
import type { ExpressionSource } from '../flow/plan.ts'

/** Values of the names that the template may use beside `env` and `secrets`. */
export type TemplateNames = { readonly [name: string]: Value }

/**
 * Compiles a template whose `env` names are secrets: they are resolved where the rendered value is used, and never stored.
 * The answered function renders it; it throws `ExpressionError`.
 */
export function compileOutsideTemplate(template: Template): (names: TemplateNames, now: number) => Value {
  const { render } = new Coder().template(template)
  const env: { [name: string]: Value } = {}
  for (const name of environmentNames(template)) env[name] = new SecretText([{ source: 'env', name }])
  return (names, now) =>
    render({
      now,
      seed: '',
      get: (name) => {
        if (name === 'env') return env
        return name === 'secrets' ? {} : Object.hasOwn(names, name) ? names[name] : undefined
      },
    })
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
