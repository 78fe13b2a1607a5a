/**
 * What a condition proves. `order.total != null` proves, where it holds, that `order.total` is there, and `order` too;
 * `approval.outcome == "approved"` proves which of several shapes `approval` has. Paths are written without `?.`, so that `a?.b` and `a.b` are the same.
 */
import type { Expression } from './ast.ts'

/** What holds where a condition has had an outcome. */
export interface Facts {
  /** Paths that are not null. */
  readonly notNull: readonly string[]
  /** Members that are known to have, or not to have, one value: of a union of objects some are left out by it. */
  readonly members: readonly MemberFact[]
}

export interface MemberFact {
  /** Path of the object. */
  readonly path: string
  readonly name: string
  readonly value: boolean | number | string
  readonly equal: boolean
}

export const NO_FACTS: Facts = { notNull: [], members: [] }

/** What a condition proves when it gives `outcome`. */
export function proves(condition: Expression, outcome: boolean): Facts {
  switch (condition.kind) {
    case 'unary':
      return condition.operator === '!' ? proves(condition.operand, !outcome) : NO_FACTS
    case 'logical': {
      const decisive = condition.operator === '&&' ? outcome : condition.operator === '||' ? !outcome : false
      if (!decisive) return NO_FACTS
      return bothFacts(proves(condition.left, outcome), proves(condition.right, outcome))
    }
    case 'binary':
      return comparisonProves(condition.operator, condition.left, condition.right, outcome)
    default:
      return outcome ? provesPresent(condition) : NO_FACTS
  }
}

export function bothFacts(one: Facts, other: Facts): Facts {
  return { notNull: [...one.notNull, ...other.notNull], members: [...one.members, ...other.members] }
}

/** What is known where a value is known not to be null. */
export const provesPresent = (value: Expression): Facts => ({ notNull: prefixes(value), members: [] })

function comparisonProves(operator: string, left: Expression, right: Expression, outcome: boolean): Facts {
  if (operator === '<' || operator === '<=' || operator === '>' || operator === '>=') {
    // Comparing null is an error: after the comparison neither side is.
    return { notNull: [...prefixes(left), ...prefixes(right)], members: [] }
  }
  if (operator !== '==' && operator !== '!=') return NO_FACTS
  const equal = (operator === '==') === outcome
  if (right.kind !== 'literal') return left.kind === 'literal' ? equalityProves(right, left.value, equal) : NO_FACTS
  return equalityProves(left, right.value, equal)
}

function equalityProves(value: Expression, literal: boolean | number | string | null, equal: boolean): Facts {
  if (literal === null) return equal ? NO_FACTS : provesPresent(value)
  const notNull = equal ? prefixes(value) : []
  const node = value.kind === 'chain' ? value.expression : value
  const path = node.kind === 'member' ? pathKey(node.object) : undefined
  if (node.kind !== 'member' || path === undefined) return { notNull, members: [] }
  return { notNull, members: [{ path, name: node.name, value: literal, equal }] }
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

/** Whether a path begins at a name. */
export const beginsAt = (path: string, name: string): boolean =>
  path === JSON.stringify(name) || path.startsWith(`${JSON.stringify(name)}.`)
