import type { Argument, ArrowNode, CallNode, MethodNode, Node } from './ast.ts'
import { describeParameter } from './call.ts'
import type { Checker } from './check.ts'
import { compile } from './compile.ts'
import { ExpressionError } from './error.ts'
import { FUNCTIONS, METHODS } from './library.ts'
import { arity } from './library/entry.ts'
import type { Entry, Parameter } from './library/entry.ts'
import { formatError } from './library/format.ts'
import { closest } from './suggest.ts'
import { ANY, FUNCTION, arrayOf, describeWithArticle, isAssignable, membersOf, overlaps, union } from './type.ts'
import type { Type } from './type.ts'
import { FOREIGN_FUNCTIONS, FOREIGN_METHODS } from './words.ts'

/** The type of a function call; reports an unknown function and arguments that cannot work. */
export function checkCall(checker: Checker, node: CallNode | MethodNode, name: string): Type {
  const entry = FUNCTIONS.get(name)
  if (entry === undefined) {
    for (const arg of node.arguments) inferLoose(checker, arg)
    const near = FOREIGN_FUNCTIONS.get(name) ?? closestCall(name, FUNCTIONS.keys())
    checker.report('PW1203', { name }, { start: node.start, end: nameEnd(node, name), suggestion: near })
    return ANY
  }
  return checkArguments(checker, { node, entry, receiver: [] })
}

const nameEnd = (node: CallNode | MethodNode, name: string): number => node.start + name.length
const closestCall = (name: string, names: Iterable<string>): string | undefined => {
  const near = closest(name, names)
  return near && `Did you mean \`${near}\`?`
}

/** The type of a method call on a receiver that is not null. */
export function checkMethod(checker: Checker, node: MethodNode, receiver: Type): Type {
  const overloads = METHODS.get(node.name)
  const at = { start: node.nameStart, end: node.nameStart + node.name.length }
  if (membersOf(receiver).some((member) => member.kind === 'secret')) {
    checker.report('PW1211', { use: 'its methods cannot be called' }, at)
    for (const arg of node.arguments) inferLoose(checker, arg)
    return ANY
  }
  const candidates = Object.values(overloads ?? {}).filter((entry) => overlaps(receiver, receiverType(entry)))
  const [only] = candidates
  if (only === undefined) {
    for (const arg of node.arguments) inferLoose(checker, arg)
    checker.report(
      'PW1204',
      { name: node.name, type: describeReceiver(receiver) },
      { ...at, suggestion: advice(node.name, receiver) },
    )
    return ANY
  }
  if (candidates.length === 1) return checkArguments(checker, { node, entry: only, receiver: [receiver] })
  // Which of them it is depends on data: what can be said is only what they have in common.
  for (const arg of node.arguments) inferLoose(checker, arg)
  const types = [receiver, ...node.arguments.map(() => ANY)]
  return union(...candidates.map((entry) => entry.result(types)))
}

const receiverType = (entry: Entry): Type =>
  entry.of === 'array' ? arrayOf(ANY) : { kind: entry.of === 'number' ? 'number' : 'string' }

const describeReceiver = (type: Type): string =>
  type.kind === 'any' ? 'any type' : describeWithArticle(type.kind === 'array' ? arrayOf(ANY) : type)

function advice(name: string, receiver: Type): string | undefined {
  const foreign = FOREIGN_METHODS.get(name)
  if (foreign) return foreign
  const names = [...METHODS].flatMap(([method, overloads]) =>
    Object.values(overloads).some((entry) => overlaps(receiver, receiverType(entry))) ? [method] : [],
  )
  const near = closestCall(name, names)
  if (near) return near
  const others = Object.keys(METHODS.get(name) ?? {})
  return others.length > 0 ? `It is a method of ${others.join(' and ')}.` : undefined
}

interface Call {
  readonly node: CallNode | MethodNode
  readonly entry: Entry
  /** The type of a method's receiver. */
  readonly receiver: readonly Type[]
}

function checkArguments(checker: Checker, call: Call): Type {
  const { node, entry, receiver } = call
  const args = node.arguments
  const { least, most, words } = arity(entry)
  const spreads = args.some((arg) => arg.kind === 'spread')
  const reported = checker.problems.length
  if (!spreads && (args.length < least || args.length > most)) {
    checker.report(
      'PW1205',
      { name: entry.name, expected: words, actual: args.length },
      { start: node.start, end: node.end },
    )
  }
  if (spreads) {
    for (const arg of args) inferLoose(checker, arg)
    return entry.result([...receiver, ...args.map(() => ANY)])
  }
  // Arrow functions come last: what they are given can depend on the other arguments (the start of a `reduce`).
  const types: Type[] = [...receiver, ...args.map(() => ANY)]
  const first = receiver.length
  for (const [index, arg] of args.entries()) {
    const parameter = entry.parameters[index] ?? entry.rest
    if (arg.kind === 'arrow' || arg.kind === 'spread') continue
    types[first + index] = parameter ? checkArgument(checker, { call, parameter, arg }) : checker.infer(arg)
  }
  for (const [index, arg] of args.entries()) {
    const parameter = entry.parameters[index] ?? entry.rest
    if (arg.kind !== 'arrow') continue
    types[first + index] = checkArrow(checker, { call, parameter, arrow: arg, types })
  }
  if (checker.problems.length === reported) tryLiterals(checker, node)
  return entry.result(types)
}

function checkArgument(
  checker: Checker,
  at: {
    readonly call: Call
    readonly parameter: Parameter
    readonly arg: Exclude<Argument, { kind: 'arrow' | 'spread' }>
  },
): Type {
  const { call, parameter, arg } = at
  const { name } = call.entry
  const where = { start: arg.start, end: arg.end }
  const type = checker.infer(arg)
  if (parameter.lambda) {
    checker.report('PW1215', { name, parameter: parameter.name, example: parameter.lambda.example }, where)
    return ANY
  }
  if (membersOf(type).some((member) => member.kind === 'secret')) {
    checker.report('PW1211', { use: `as an argument of \`${name}\`` }, where)
    return ANY
  }
  const given =
    isAssignable({ kind: 'null' }, parameter.type) || type.kind === 'null'
      ? type
      : checker.requireNotNull(arg, type, 'Give a value for null with `??`.')
  const expected = describeParameter(parameter)
  if (!overlaps(given, parameter.type)) {
    const actual = describeWithArticle(given)
    checker.report('PW1206', { name, parameter: parameter.name, expected, actual }, where)
  } else if (arg.kind === 'literal' && typeof arg.value === 'string') {
    checkText(checker, { call, parameter, text: arg.value, where })
  }
  return type
}

function checkText(
  checker: Checker,
  at: {
    readonly call: Call
    readonly parameter: Parameter
    readonly text: string
    readonly where: { readonly start: number; readonly end: number }
  },
): void {
  const { call, parameter, text, where } = at
  if (parameter.choices && !parameter.choices.includes(text)) {
    const near = closest(text, parameter.choices)
    const data = { name: call.entry.name, parameter: parameter.name, expected: describeParameter(parameter) }
    const suggestion = near && `Did you mean \`${JSON.stringify(near)}\`?`
    checker.report('PW1206', { ...data, actual: JSON.stringify(text) }, { ...where, suggestion })
    return
  }
  const error = parameter.format && formatError(parameter.format, text)
  if (error === undefined) return
  if (parameter.format === 'pattern')
    checker.report('PW1213', { reason: error.reason }, { ...where, suggestion: error.suggestion })
  else checker.report('PW1218', { reason: error.reason }, { ...where, suggestion: error.suggestion })
}

function checkArrow(
  checker: Checker,
  at: {
    readonly call: Call
    readonly parameter: Parameter | undefined
    readonly arrow: ArrowNode
    readonly types: readonly Type[]
  },
): Type {
  const { call, parameter, arrow, types } = at
  const { name } = call.entry
  const gives = parameter?.lambda?.gives(types) ?? []
  if (parameter && !parameter.lambda) {
    checker.report('PW1216', { name, parameter: parameter.name }, { start: arrow.start, end: arrow.end })
  } else if (arrow.parameters.length > gives.length) {
    const data = { name, expected: gives.length, actual: arrow.parameters.length }
    checker.report('PW1219', data, { start: arrow.start, end: arrow.body.start })
  }
  const locals = arrow.parameters.map((each, index) => [each.name, gives[index] ?? ANY] as const)
  return checker.withLocals(new Map(locals), arrow.body)
}

/** A call of literals alone gives the same each time: if it fails, it is found here and not in the first run. */
function tryLiterals(checker: Checker, node: CallNode | MethodNode): void {
  const operands: readonly Node[] = node.kind === 'method' ? [node.object, ...node.arguments] : node.arguments
  const namespace =
    node.kind === 'method' && node.object.kind === 'name' && FUNCTIONS.has(`${node.object.name}.${node.name}`)
  const literal = operands.every((operand, index) => operand.kind === 'literal' || (namespace && index === 0))
  if (!literal) return
  try {
    compile(node)({ get: () => undefined, now: 0, seed: '' })
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    checker.report('PW1218', { reason: error.message }, { start: node.start, end: node.end })
  }
}

/** Infers an argument for its own problems where it is not known what the call wants. */
function inferLoose(checker: Checker, arg: Argument): Type {
  if (arg.kind === 'spread') return checker.spreadItems(arg.expression, checker.infer(arg.expression))
  if (arg.kind !== 'arrow') return checker.infer(arg)
  checker.withLocals(new Map(arg.parameters.map((parameter) => [parameter.name, ANY])), arg.body)
  return FUNCTION
}
