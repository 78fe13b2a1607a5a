/** Reading members and indexes: own properties of plain data, and nothing else. */
import type { Expression, IndexNode, MemberNode, MethodNode } from './ast.ts'
import { expressionError } from './error.ts'
import type { ExpressionError } from './error.ts'
import { secretError } from './frame.ts'
import type { Code, Frame } from './frame.ts'
import { print } from './print.ts'
import { SecretText, describeKind, isObject, kindOf } from './value.ts'
import type { Value } from './value.ts'

/** What a link of a chain gives when a `?.` before it met null; the chain's end turns it into null. */
export const SKIP: Value = Object.freeze({})

/** Says whether the step at the root of a chain has no value, so that the chain is null as a whole. */
export type RootCheck = (frame: Frame) => boolean

export function compileMember(node: MemberNode, object: Code, rootIsNull: RootCheck): Code {
  const { name } = node
  return (frame) => {
    const target = object(frame)
    if (typeof target === 'object' && target !== null && Object.hasOwn(target, name)) {
      // The types say what the guard has just proved in a way that they cannot follow.
      const value = (target as { readonly [key: string]: Value | undefined })[name]
      return value === undefined ? null : value
    }
    return memberElsewhere(frame, node, target, rootIsNull)
  }
}

/** `item.name` in an arrow function, where `item` is its parameter: the commonest access of all. */
export function compileLocalMember(node: MemberNode, slot: number): Code {
  const { name } = node
  return (frame) => {
    const target = frame.locals[slot]
    if (typeof target === 'object' && target !== null && Object.hasOwn(target, name)) {
      const value = (target as { readonly [key: string]: Value | undefined })[name]
      return value === undefined ? null : value
    }
    return memberElsewhere(frame, node, target ?? null, notRooted)
  }
}

export const notRooted: RootCheck = () => false

function memberElsewhere(frame: Frame, node: MemberNode, target: Value, rootIsNull: RootCheck): Value {
  if (target === null || target === undefined) {
    if (node.optional) return SKIP
    if (rootIsNull(frame)) return null
    throw nullError('expression_null_member', node, node.name)
  }
  if (target === SKIP) return SKIP
  if (typeof target === 'string' && node.name === 'length') return target.length
  return refuseOthers(target, node)
}

/** A property that is missing is null; what has no properties at all for expressions is refused. */
function refuseOthers(target: Value, node: Expression): null {
  if (target instanceof SecretText) throw secretError('its members cannot be read', node)
  if (kindOf(target) === 'unknown') throw expressionError('expression_value', { what: typeof target }, node)
  return null
}

export function nullError(
  code: 'expression_null_member' | 'expression_null_call',
  node: MemberNode | IndexNode | MethodNode,
  name: string,
): ExpressionError {
  const what = `\`${print(node.object)}\``
  const link = node.kind === 'index' ? '?.[…]' : '?.'
  return expressionError(
    code,
    { name, what },
    { start: node.start, end: node.end, suggestion: `If that is expected, write \`${link}\`.` },
  )
}

export function compileIndex(node: IndexNode, object: Code, index: Code, rootIsNull: RootCheck): Code {
  return (frame) => {
    const target = object(frame)
    if (target === null || target === undefined) {
      if (node.optional) return SKIP
      if (rootIsNull(frame)) return null
      throw nullError('expression_null_member', node, `[${print(node.index)}]`)
    }
    if (target === SKIP) return SKIP
    return readIndex(node, target, index(frame))
  }
}

function readIndex(node: IndexNode, target: Value, index: Value): Value {
  if (typeof index === 'number' && (Array.isArray(target) || typeof target === 'string')) {
    if (Number.isInteger(index)) return (target as readonly Value[] | string)[index] ?? null
  } else if (typeof index === 'string') {
    if (isObject(target)) return Object.hasOwn(target, index) ? (target[index] ?? null) : null
    if (index === 'length' && (Array.isArray(target) || typeof target === 'string')) return target.length
  }
  if (target instanceof SecretText || index instanceof SecretText) throw secretError('as or with an index', node)
  const expected = isObject(target) ? 'text' : 'a whole number'
  const actual = typeof index === 'number' && !isObject(target) ? `${index}` : describeKind(index)
  throw expressionError('expression_index', { type: describeKind(target), expected, actual }, node)
}
