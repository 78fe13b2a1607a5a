import type { BinaryNode } from './ast.ts'
import type { Checker } from './check.ts'
import { closest } from './suggest.ts'
import {
  ANY,
  BOOLEAN,
  NUMBER,
  SECRET,
  STRING,
  arrayOf,
  describeType,
  describeWithArticle,
  membersOf,
  overlaps,
  primitiveOf,
  recordOf,
  union,
  withoutNull,
} from './type.ts'
import type { Type } from './type.ts'

/** The type of a binary operation; reports operands for which it can only fail. */
export function checkBinary(checker: Checker, node: BinaryNode): Type {
  const left = checker.infer(node.left)
  const right = checker.infer(node.right)
  switch (node.operator) {
    case '+':
      return addition(checker, node, left, right)
    case '==':
    case '!=':
      equality(checker, node, left, right)
      return BOOLEAN
    case 'in':
      membership(checker, node, left, right)
      return BOOLEAN
    case '<':
    case '<=':
    case '>':
    case '>=':
      ordering(checker, node, left, right)
      return BOOLEAN
    default:
      arithmetic(checker, node, left, right)
      return NUMBER
  }
}

const hasSecret = (type: Type): boolean => membersOf(type).some((member) => member.kind === 'secret')
const isText = (type: Type): boolean => overlaps(type, STRING) || hasSecret(type)
const DEFAULT_ADVICE = 'Give a value for null with `??`.'

function addition(checker: Checker, node: BinaryNode, leftType: Type, rightType: Type): Type {
  const left = checker.requireNotNull(node.left, leftType, DEFAULT_ADVICE)
  const right = checker.requireNotNull(node.right, rightType, DEFAULT_ADVICE)
  if (left.kind === 'any' && right.kind === 'any') return ANY
  const numbers = overlaps(left, NUMBER) && overlaps(right, NUMBER)
  const texts = isText(left) && isText(right)
  if (!numbers && !texts) {
    const text = isText(left) || isText(right)
    const suggestion = text ? 'To put a value into text, use a template string: `…${value}…`.' : undefined
    unusable(checker, node, [left, right], suggestion)
    return ANY
  }
  const secret = hasSecret(left) || hasSecret(right)
  if (secret) return numbers ? union(NUMBER, SECRET) : SECRET
  return numbers && texts ? union(NUMBER, STRING) : numbers ? NUMBER : STRING
}

function arithmetic(checker: Checker, node: BinaryNode, left: Type, right: Type): void {
  if (refuseSecret(checker, node, left, right)) return
  const a = checker.requireNotNull(node.left, left, DEFAULT_ADVICE)
  const b = checker.requireNotNull(node.right, right, DEFAULT_ADVICE)
  if (overlaps(a, NUMBER) && overlaps(b, NUMBER)) return
  const text = overlaps(a, STRING) || overlaps(b, STRING)
  unusable(checker, node, [a, b], text ? 'Write `Number(text)` where a number is meant.' : undefined)
}

function ordering(checker: Checker, node: BinaryNode, left: Type, right: Type): void {
  if (refuseSecret(checker, node, left, right)) return
  const a = checker.requireNotNull(node.left, left, DEFAULT_ADVICE)
  const b = checker.requireNotNull(node.right, right, DEFAULT_ADVICE)
  if (overlaps(a, NUMBER) && overlaps(b, NUMBER)) return
  if (overlaps(a, STRING) && overlaps(b, STRING)) return
  const mixed = overlaps(union(a, b), STRING) && overlaps(union(a, b), NUMBER)
  unusable(checker, node, [a, b], mixed ? 'Types are never converted: write `Number(text)`.' : undefined)
}

function equality(checker: Checker, node: BinaryNode, left: Type, right: Type): void {
  const withNull = node.right.kind === 'literal' && node.right.value === null
  if (!withNull && refuseSecret(checker, node, left, right)) return
  if (overlaps(left, right)) return
  // Whether something is null may well be asked where the types say that it is not: that is what a guard is for.
  if (left.kind === 'null' || right.kind === 'null') return
  const data = {
    result: node.operator === '==' ? 'false' : 'true',
    left: describeWithArticle(left),
    right: describeWithArticle(right),
  }
  const suggestion = nearestLiteral(left, right)
  checker.report('PW1208', data, { start: node.start, end: node.end, suggestion, severity: 'warning' })
}

/** `status == "actve"` where the type lists "active". */
function nearestLiteral(left: Type, right: Type): string | undefined {
  const texts = (type: Type): string[] =>
    membersOf(type).flatMap((member) =>
      member.kind === 'literal' && typeof member.value === 'string' ? [member.value] : [],
    )
  const [wanted, ...others] = texts(right)
  const near = wanted !== undefined && others.length === 0 ? closest(wanted, texts(left)) : undefined
  return near && `Did you mean \`${JSON.stringify(near)}\`?`
}

function membership(checker: Checker, node: BinaryNode, left: Type, right: Type): void {
  if (refuseSecret(checker, node, left, right)) return
  const container = checker.requireNotNull(node.right, right, 'Write `(value ?? [])`.')
  const array = overlaps(container, arrayOf(ANY))
  const text = overlaps(left, STRING) && (overlaps(container, STRING) || overlaps(container, recordOf(ANY)))
  if (!array && !text) unusable(checker, node, [left, container])
  const [only, ...others] = membersOf(container)
  if (
    only?.kind === 'array' &&
    others.length === 0 &&
    !overlaps(withoutNull(left), only.items) &&
    left.kind !== 'null'
  ) {
    if (only.items.kind === 'never') return
    const data = { result: 'false', left: describeWithArticle(left), right: `an item (${describeType(only.items)})` }
    const suggestion = nearestLiteral(only.items, left)
    checker.report('PW1208', data, { start: node.start, end: node.end, suggestion, severity: 'warning' })
  }
}

function refuseSecret(checker: Checker, node: BinaryNode, left: Type, right: Type): boolean {
  if (!hasSecret(left) && !hasSecret(right)) return false
  checker.report('PW1211', { use: `with \`${node.operator}\`` }, { start: node.start, end: node.end })
  return true
}

function unusable(checker: Checker, node: BinaryNode, types: readonly Type[], suggestion?: string): void {
  const data = { operator: node.operator, types: types.map(describeOperand).join(' and ') }
  checker.report('PW1207', data, { start: node.start, end: node.end, suggestion })
}

/** Literals are shown by their type: the value stands in the source. */
function describeOperand(type: Type): string {
  return describeWithArticle(type.kind === 'literal' ? primitiveOf(type) : type)
}
