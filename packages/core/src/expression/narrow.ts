/**
 * What a condition proves about null. `order.total != null` proves, where it holds, that `order.total` is there, and
 * `order` too. Paths are written without `?.`, so that `a?.b` and `a.b` are the same.
 */
import type { Expression } from './ast.ts'

/** The paths that are not null when a condition gives `outcome`. */
export function provenNotNull(condition: Expression, outcome: boolean): readonly string[] {
  switch (condition.kind) {
    case 'unary':
      return condition.operator === '!' ? provenNotNull(condition.operand, !outcome) : []
    case 'logical': {
      const decisive = condition.operator === '&&' ? outcome : condition.operator === '||' ? !outcome : false
      if (!decisive) return []
      return [...provenNotNull(condition.left, outcome), ...provenNotNull(condition.right, outcome)]
    }
    case 'binary':
      return comparisonProves(condition.operator, condition.left, condition.right, outcome)
    default:
      return outcome ? prefixes(condition) : []
  }
}

function comparisonProves(operator: string, left: Expression, right: Expression, outcome: boolean): readonly string[] {
  if (operator === '<' || operator === '<=' || operator === '>' || operator === '>=') {
    // Comparing null is an error: after the comparison neither side is.
    return [...prefixes(left), ...prefixes(right)]
  }
  const equal = (operator === '==' && outcome) || (operator === '!=' && !outcome)
  const different = (operator === '!=' && outcome) || (operator === '==' && !outcome)
  if (right.kind !== 'literal') return []
  const proves = right.value === null ? different : equal
  return proves ? prefixes(left) : []
}

function prefixes(node: Expression): readonly string[] {
  const key = pathKey(node)
  if (key === undefined) return []
  if (node.kind === 'member' || node.kind === 'index') return [key, ...prefixes(node.object)]
  return node.kind === 'chain' ? prefixes(node.expression) : [key]
}

/** A text that is the same for the same path, or undefined when the node is no constant path. */
export function pathKey(node: Expression): string | undefined {
  switch (node.kind) {
    case 'name':
      return JSON.stringify(node.name)
    case 'chain':
      return pathKey(node.expression)
    case 'member': {
      const object = pathKey(node.object)
      return object && `${object}.${JSON.stringify(node.name)}`
    }
    case 'index': {
      const object = pathKey(node.object)
      return object && node.index.kind === 'literal' ? `${object}.${JSON.stringify(node.index.value)}` : undefined
    }
    default:
      return undefined
  }
}
