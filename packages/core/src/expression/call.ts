/** Calls of the library, compiled: operands are checked against the entry's parameters, then its `run` is called. */
import type { CallNode, MethodNode } from './ast.ts'
import { SKIP, nullError } from './access.ts'
import type { RootCheck } from './access.ts'
import { expressionError } from './error.ts'
import type { ExpressionError } from './error.ts'
import { overBudget, secretError, spend } from './frame.ts'
import type { Code, Frame, Lambda } from './frame.ts'
import type { Overloads } from './library.ts'
import { arity } from './library/entry.ts'
import type { Entry, Operand, Parameter, Run } from './library/entry.ts'
import { describeType } from './type.ts'
import type { Type } from './type.ts'
import { SecretText, describeKind, isObject, kindOf } from './value.ts'
import type { Value } from './value.ts'

/** An argument: a value to compute, a list of values to spread, or an arrow function. */
export type ArgumentCode =
  | { readonly kind: 'value'; readonly code: Code }
  | { readonly kind: 'spread'; readonly code: Code }
  | { readonly kind: 'lambda'; readonly lambda: Lambda }

export function compileFunction(node: CallNode | MethodNode, entry: Entry, args: readonly ArgumentCode[]): Code {
  const prepared = prepare(node, entry, args)
  if (typeof prepared === 'function') return prepared
  const { operands, run } = prepared
  const charge = entry.cost === 'linear'
  const [a, b, c, d] = operands
  return (frame) => {
    const first = a?.(frame)
    const second = b?.(frame)
    const third = c?.(frame)
    const fourth = d?.(frame)
    frame.node = node
    if (charge) spend(frame, weight(first) + weight(second) + weight(third) + weight(fourth))
    return checked(frame, run(frame, first, second, third, fourth))
  }
}

export function compileMethod(
  node: MethodNode,
  object: Code,
  options: { readonly overloads: Overloads; readonly args: readonly ArgumentCode[]; readonly rootIsNull: RootCheck },
): Code {
  const { overloads, rootIsNull } = options
  const forArray = overloads.array && compileOn(node, overloads.array, options.args)
  const forString = overloads.string && compileOn(node, overloads.string, options.args)
  const forNumber = overloads.number && compileOn(node, overloads.number, options.args)
  return (frame) => {
    const self = object(frame)
    if (forArray !== undefined && Array.isArray(self)) return forArray(frame, self)
    if (forString !== undefined && typeof self === 'string') return forString(frame, self)
    if (forNumber !== undefined && typeof self === 'number') return forNumber(frame, self)
    if (self === SKIP) return SKIP
    if (self === null || self === undefined) {
      if (node.optional) return SKIP
      if (rootIsNull(frame)) return null
      throw nullError('expression_null_call', node, node.name)
    }
    throw unknownMethod(node, self, overloads)
  }
}

type OnReceiver = (frame: Frame, self: Value) => Value

function compileOn(node: MethodNode, entry: Entry, args: readonly ArgumentCode[]): OnReceiver {
  const prepared = prepare(node, entry, args)
  if (typeof prepared === 'function') return prepared
  const { operands, run } = prepared
  const linear = entry.cost === 'linear'
  const [a, b, c] = operands
  if (a === undefined) {
    return (frame, self) => {
      frame.node = node
      if (linear) spend(frame, weight(self))
      return checked(frame, run(frame, self))
    }
  }
  const [only] = args
  if (b === undefined && only?.kind === 'lambda' && entry.parameters[0]?.lambda) {
    const { lambda } = only
    return (frame, self) => {
      frame.node = node
      if (linear) spend(frame, weight(self))
      return checked(frame, run(frame, self, lambda))
    }
  }
  return (frame, self) => {
    const first = a(frame)
    const second = b?.(frame)
    const third = c?.(frame)
    frame.node = node
    if (linear) spend(frame, weight(self) + weight(first) + weight(second) + weight(third))
    return checked(frame, run(frame, self, first, second, third))
  }
}

type OperandCode = (frame: Frame) => Operand
type Prepared = { readonly operands: readonly OperandCode[]; readonly run: Run }

/** Operands in the order of the parameters, each with its check. A call that can never work becomes code that throws. */
function prepare(node: CallNode | MethodNode, entry: Entry, args: readonly ArgumentCode[]): Prepared | (() => never) {
  const spreads = args.some((arg) => arg.kind === 'spread')
  const { least, most, words } = arity(entry)
  const wrongCount = (count: number): ExpressionError =>
    expressionError('expression_argument_count', { name: entry.name, expected: words, actual: count }, node)
  if (!spreads && (args.length < least || args.length > most)) return raise(wrongCount(args.length))
  if (spreads) {
    const lists = args.map((arg) => argumentList(node, arg))
    return { operands: [(frame) => lists.flatMap((list) => list(frame))], run: spreadRun(node, entry, wrongCount) }
  }
  const operands: OperandCode[] = []
  for (const [index, parameter] of entry.parameters.entries()) {
    const arg = args[index]
    if (arg === undefined) operands.push(() => undefined)
    else operands.push(operand({ node, entry, parameter, arg }))
  }
  const { rest } = entry
  if (rest) {
    const codes = args.slice(entry.parameters.length).map((arg) => operand({ node, entry, parameter: rest, arg }))
    operands.push((frame) => codes.map((code) => code(frame) as Value))
  }
  return { operands, run: entry.run }
}

const raise = (error: ExpressionError) => (): never => {
  throw error
}

function operand(at: {
  readonly node: CallNode | MethodNode
  readonly entry: Entry
  readonly parameter: Parameter
  readonly arg: ArgumentCode
}): OperandCode {
  const { node, entry, parameter, arg } = at
  if (arg.kind === 'lambda') {
    const { lambda } = arg
    return parameter.lambda
      ? () => lambda
      : raise(wrongArgument({ node, entry, parameter, actual: 'an arrow function' }))
  }
  if (parameter.lambda) {
    return raise(wrongArgument({ node, entry, parameter, actual: 'a value' }))
  }
  const { code } = arg
  const fits = guard(parameter)
  return (frame) => {
    const value = code(frame)
    if (!fits(value)) throw badValue(node, entry, parameter, value)
    return value
  }
}

/** Arguments that are not all known before the call: their number and types are checked then. */
function spreadRun(node: CallNode | MethodNode, entry: Entry, wrongCount: (count: number) => ExpressionError): Run {
  const fixed = entry.parameters.length
  const { least, most } = arity(entry)
  return (frame, a, b) => {
    // A method is called with its receiver before the list.
    const receiver = entry.of === undefined ? [] : [a]
    const given = (entry.of === undefined ? a : b) as readonly Value[]
    if (given.length < least || given.length > most) throw wrongCount(given.length)
    for (const [index, value] of given.entries()) {
      const parameter = entry.parameters[index] ?? entry.rest
      if (parameter && !guard(parameter)(value)) throw badValue(node, entry, parameter, value)
    }
    const operands: Operand[] = Array.from({ length: fixed }, (_, index) => given[index])
    if (entry.rest) operands.push(given.slice(fixed))
    const [first, second, third, fourth] = [...receiver, ...operands]
    return entry.run(frame, first, second, third, fourth)
  }
}

function argumentList(node: CallNode | MethodNode, arg: ArgumentCode): (frame: Frame) => readonly Value[] {
  if (arg.kind === 'lambda') {
    return raise(expressionError('expression_spread', { expected: 'a list', actual: 'an arrow function' }, node))
  }
  const { code } = arg
  if (arg.kind === 'value') return (frame) => [code(frame)]
  return (frame) => {
    const list = code(frame)
    if (Array.isArray(list)) return list as readonly Value[]
    throw expressionError('expression_spread', { expected: 'a list', actual: describeKind(list) }, node)
  }
}

/** The check of a parameter's type, as cheap as it can be: it runs at every call. */
function guard({ type, choices }: Parameter): (value: Value) => boolean {
  if (choices) return (value) => typeof value === 'string' && choices.includes(value)
  switch (type.kind) {
    case 'any':
      return (value) => !(value instanceof SecretText)
    case 'string':
      return (value) => typeof value === 'string'
    case 'number':
      return (value) => typeof value === 'number'
    case 'boolean':
      return (value) => typeof value === 'boolean'
    case 'array': {
      if (type.items.kind === 'any') return Array.isArray
      const fits = guard({ name: '', type: type.items, optional: false })
      return (value) => Array.isArray(value) && value.every(fits)
    }
    case 'object':
      return isObject
    case 'union': {
      const guards = type.members.map((member: Type) => guard({ name: '', type: member, optional: false }))
      return (value) => guards.some((fits) => fits(value))
    }
    default:
      return (value) => kindOf(value) === type.kind
  }
}

function badValue(node: CallNode | MethodNode, entry: Entry, parameter: Parameter, value: Value): ExpressionError {
  if (value instanceof SecretText) return secretError(`as an argument of \`${entry.name}\``, node)
  const shown =
    parameter.choices && typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : describeKind(value)
  return wrongArgument({ node, entry, parameter, actual: shown })
}

function wrongArgument(at: {
  readonly node: CallNode | MethodNode
  readonly entry: Entry
  readonly parameter: Parameter
  readonly actual: string
}): ExpressionError {
  const { node, entry, parameter, actual } = at
  const expected = describeParameter(parameter)
  return expressionError('expression_argument', { name: entry.name, parameter: parameter.name, expected, actual }, node)
}

/** What a parameter takes, in words. */
export function describeParameter({ type, choices, lambda }: Parameter): string {
  if (lambda) return `an arrow function such as \`${lambda.example}\``
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(' or ')
  return describeType(type)
}

function unknownMethod(node: MethodNode, self: Value, overloads: Overloads): ExpressionError {
  if (self instanceof SecretText) return secretError('its methods cannot be called', node)
  const others = Object.keys(overloads)
  return expressionError(
    'expression_unknown_method',
    { name: node.name, type: describeKind(self) },
    {
      start: node.start,
      end: node.end,
      suggestion: others.length > 0 ? `It is a method of ${others.join(' and ')}.` : undefined,
    },
  )
}

/** What handling an operand costs: one for each item, and for each 32 characters. */
function weight(operand: Operand): number {
  if (typeof operand === 'string') return operand.length >> 5
  return Array.isArray(operand) ? operand.length : 0
}

/** The last line of defence: entries refuse before they allocate. */
function checked(frame: Frame, result: Value): Value {
  if (typeof result === 'string') {
    if (result.length > frame.limits.stringLength) throw overBudget(frame, 'string')
  } else if (Array.isArray(result) && result.length > frame.limits.arrayLength) {
    throw overBudget(frame, 'array')
  }
  return result
}
