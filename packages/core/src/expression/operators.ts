/** What operators do. Each takes the operands' code and gives the operation's; literal operands get their own shape. */
import type { BinaryNode, BinaryOperator, LogicalNode, UnaryNode } from './ast.ts'
import { expressionError } from './error.ts'
import type { ExpressionError } from './error.ts'
import { reserveString, overBudget, secretError, spend, truthy } from './frame.ts'
import type { Code, Frame } from './frame.ts'
import { equals } from './measure.ts'
import { SecretText, concatSecret, describeKind, isObject } from './value.ts'
import type { Value } from './value.ts'

export function compileUnary(node: UnaryNode, operand: Code): Code {
  if (node.operator === '!') {
    return (frame) => {
      const value = operand(frame)
      if (value instanceof SecretText) throw secretError('as a condition', node)
      return !value
    }
  }
  return (frame) => {
    const value = operand(frame)
    if (typeof value !== 'number') throw operandError(node, '-', value)
    return 0 - value
  }
}

export function compileLogical(node: LogicalNode, left: Code, right: Code): Code {
  switch (node.operator) {
    case '??':
      return (frame) => left(frame) ?? right(frame)
    case '&&':
      return (frame) => {
        const value = left(frame)
        return condition(frame, value, node) ? right(frame) : value
      }
    case '||':
      return (frame) => {
        const value = left(frame)
        return condition(frame, value, node) ? value : right(frame)
      }
  }
}

function condition(frame: Frame, value: Value, node: LogicalNode): boolean {
  if (value === true || value === false) return value
  frame.node = node
  return truthy(frame, value)
}

export function compileBinary(node: BinaryNode, left: Code, right: Code): Code {
  switch (node.operator) {
    case '==':
      return equality(node, left, right)
    case '!=': {
      const equal = equality(node, left, right)
      return (frame) => !equal(frame)
    }
    case 'in':
      return (frame) => contains(frame, node, left(frame), right(frame))
    case '+':
      return (frame) => {
        const a = left(frame)
        const b = right(frame)
        if (typeof a === 'number' && typeof b === 'number') return finite(node, a + b)
        return concatenate(frame, node, a, b)
      }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node, left, right)
    default:
      return arithmetic(node, left, right)
  }
}

function arithmetic(node: BinaryNode, left: Code, right: Code): Code {
  const operate = arithmeticOf(node.operator)
  return (frame) => {
    const a = left(frame)
    const b = right(frame)
    if (typeof a !== 'number' || typeof b !== 'number') throw operandError(node, node.operator, a, b)
    return finite(node, operate(a, b))
  }
}

// `+ 0` turns -0 into 0: JSON has one zero, and a value must be the same after a journey through the journal.
function arithmeticOf(operator: BinaryOperator): (a: number, b: number) => number {
  switch (operator) {
    case '*':
      return (a, b) => a * b + 0
    case '/':
      return (a, b) => a / b + 0
    case '%':
      return (a, b) => (a % b) + 0
    case '**':
      return (a, b) => a ** b + 0
    default:
      return (a, b) => a - b
  }
}

function finite(node: BinaryNode, result: number): number {
  if (Number.isFinite(result)) return result
  throw expressionError('expression_number', { operation: node.operator }, node)
}

function comparison(node: BinaryNode, left: Code, right: Code): Code {
  const limit = node.right.kind === 'literal' ? node.right.value : undefined
  if (typeof limit === 'number') {
    const holds = againstNumber(node.operator, limit)
    return (frame) => {
      const value = left(frame)
      if (typeof value === 'number') return holds(value)
      throw operandError(node, node.operator, value, limit)
    }
  }
  const holds = orderOf(node.operator)
  return (frame) => {
    const a = left(frame)
    const b = right(frame)
    if (typeof a === 'number' && typeof b === 'number') return holds(a, b)
    if (typeof a === 'string' && typeof b === 'string') return holds(a, b)
    throw operandError(node, node.operator, a, b)
  }
}

function orderOf(operator: BinaryOperator): (a: number | string, b: number | string) => boolean {
  switch (operator) {
    case '<':
      return (a, b) => a < b
    case '<=':
      return (a, b) => a <= b
    case '>':
      return (a, b) => a > b
    default:
      return (a, b) => a >= b
  }
}

function againstNumber(operator: BinaryOperator, limit: number): (value: number) => boolean {
  switch (operator) {
    case '<':
      return (value) => value < limit
    case '<=':
      return (value) => value <= limit
    case '>':
      return (value) => value > limit
    default:
      return (value) => value >= limit
  }
}

function equality(node: BinaryNode, left: Code, right: Code): Code {
  const literal = node.right.kind === 'literal' ? node.right.value : undefined
  if (literal !== undefined) {
    return (frame) => {
      const value = left(frame)
      if (value === literal) return true
      if (value instanceof SecretText && literal !== null) throw secretError('in a comparison', node)
      return false
    }
  }
  return (frame) => {
    const a = left(frame)
    const b = right(frame)
    if (typeof a !== 'object' && typeof b !== 'object') return a === b
    frame.node = node
    return equals(frame, a, b)
  }
}

/** `in`: an item of an array, a key of an object, a part of a text. */
function contains(frame: Frame, node: BinaryNode, item: Value, container: Value): boolean {
  frame.node = node
  if (item instanceof SecretText || container instanceof SecretText) throw secretError('with `in`', node)
  if (Array.isArray(container)) {
    spend(frame, container.length)
    return container.some((other: Value) => equals(frame, item, other))
  }
  if (typeof item === 'string' && isObject(container)) return Object.hasOwn(container, item)
  if (typeof item === 'string' && typeof container === 'string') {
    spend(frame, container.length >> 5)
    return container.includes(item)
  }
  throw operandError(node, 'in', item, container)
}

/** Joins two texts, either of which may be secret. Nothing is converted: a number is put into text by a template string. */
export function concatenate(frame: Frame, node: BinaryNode, left: Value, right: Value): Value {
  if (typeof left === 'string' && typeof right === 'string') {
    if (left.length + right.length > frame.limits.stringLength) {
      frame.node = node
      throw overBudget(frame, 'string')
    }
    return left + right
  }
  if (isText(left) && isText(right)) {
    frame.node = node
    reserveString(frame, textLength(left) + textLength(right))
    return concatSecret(left, right)
  }
  throw operandError(node, '+', left, right)
}

const isText = (value: Value): value is string | SecretText => typeof value === 'string' || value instanceof SecretText

export const textLength = (text: string | SecretText): number =>
  typeof text === 'string' ? text.length : text.literalLength

function operandError(node: BinaryNode | UnaryNode, operator: string, ...values: readonly Value[]): ExpressionError {
  if (operator !== '+' && values.some((value) => value instanceof SecretText)) {
    return secretError(`with \`${operator}\``, node)
  }
  return expressionError(
    'expression_type',
    { operator, types: values.map(describeKind).join(' and ') },
    { start: node.start, end: node.end, suggestion: operandAdvice(operator, values) },
  )
}

function operandAdvice(operator: string, values: readonly Value[]): string | undefined {
  if (values.includes(null)) return 'Give a value for null with `??`.'
  if (operator === '+' && values.some(isText)) return 'To put a value into text, use a template string: `…${value}…`.'
  if (operator !== 'in' && values.some((value) => typeof value === 'string')) {
    return 'Types are never converted: write `Number(text)` where a number is meant.'
  }
  return undefined
}
