/** Which names of `env` a plan's steps mention: they are captured when a run starts. */
import { parseExpression, references } from '../expression/parse.ts'
import type { Plan } from './plan.ts'

/** Sorted names, those of connections and triggers left out: these are read where they are used. */
export function mentionedEnv(plan: Plan): string[] {
  const names = new Set<string>()
  visitExpressions([plan.steps, plan.outputs, plan.onError, plan.onCancel, plan.settings], (source) => {
    if (!source.includes('env')) return
    for (const { root, path } of references(parseExpression(source))) {
      if (root === 'env' && typeof path[0] === 'string') names.add(path[0])
    }
  })
  return [...names].toSorted()
}

/** Properties of plan objects that hold the source of an expression. */
const EXPRESSION_FIELDS = new Set(['source', 'items', 'on', 'collect', 'until', 'match'])

/** Visits every expression of a part of a plan. Literal values are not entered: text in them is data. */
function visitExpressions(part: unknown, visit: (source: string) => void): void {
  if (typeof part !== 'object' || part === null) return
  if (Array.isArray(part)) {
    for (const item of part) visitExpressions(item, visit)
    return
  }
  if ('kind' in part && part.kind === 'literal') return
  for (const [key, value] of Object.entries(part)) {
    if (typeof value === 'object') visitExpressions(value, visit)
    else if (typeof value === 'string' && EXPRESSION_FIELDS.has(key)) visit(value)
  }
}

/** Whether the value of a name of `env` is treated as a secret in steps: it is never captured, and only handed on. */
export function isOpaqueName(name: string): boolean {
  return /KEY|TOKEN|SECRET|PASSWORD/i.test(name)
}
