import { SKIP, compileIndex, compileLocalMember, compileMember, notRooted } from './access.ts'
import type { RootCheck } from './access.ts'
import type {
  Argument,
  ArrayNode,
  ArrowNode,
  CallNode,
  Expression,
  IndexNode,
  MemberNode,
  MethodNode,
  NameNode,
  Node,
  ObjectNode,
  TemplateNode,
} from './ast.ts'
import { compileFunction, compileMethod } from './call.ts'
import type { ArgumentCode } from './call.ts'
import { ExpressionError, expressionError } from './error.ts'
import { Frame, checkArrayLength, reserveString, overBudget, secretError, truthy } from './frame.ts'
import type { Code, Lambda, Scope } from './frame.ts'
import { FUNCTIONS, METHODS, NAMESPACES } from './library.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { Limits } from './limits.ts'
import { measure, toText } from './measure.ts'
import { compileBinary, compileLogical, compileUnary, textLength } from './operators.ts'
import type { Template } from './parse.ts'
import { children } from './references.ts'
import { closest } from './suggest.ts'
import { SecretText, concatSecret, describeKind, isObject, setOwn } from './value.ts'
import type { Value } from './value.ts'
import { FOREIGN_NAMES } from './words.ts'

export type { Scope } from './frame.ts'

/** Runs a compiled expression. Throws `ExpressionError`, and nothing else. */
export type Evaluator = (scope: Scope, limits?: Limits) => Value

/** Compiles an expression to closures, once; the evaluator may run any number of times. */
export function compile(expression: Expression): Evaluator {
  const compiler = new Compiler()
  const code = compiler.expression(expression, NO_LOCALS)
  const cost = nodeCount(expression)
  return evaluator({ code, cost, node: expression, slots: compiler.slots })
}

/**
 * Compiles a scalar: text stays as it is, a sole expression keeps the type of its value, and in longer text null is the
 * empty string while lists and objects are JSON.
 */
export function compileTemplate(template: Template): Evaluator {
  switch (template.kind) {
    case 'literal': {
      const { value } = template
      return () => value
    }
    case 'expression':
      return compile(template.expression)
    case 'interpolation': {
      const ends = template.parts.map((part) => (typeof part === 'string' ? 0 : part.end))
      return compile({ kind: 'template', parts: template.parts, start: 0, end: Math.max(...ends) })
    }
  }
}

interface Program {
  readonly code: Code
  readonly cost: number
  readonly node: Expression
  readonly slots: number
}

function evaluator({ code, cost, node, slots }: Program): Evaluator {
  // What only reads data makes nothing new: its result is as large as the data are, and that is not its doing.
  const reads = isPath(node)
  const locals = (): Value[] => {
    const list: Value[] = []
    for (let i = 0; i < slots; i++) list.push(null)
    return list
  }
  return (scope, limits = DEFAULT_LIMITS) => {
    const frame = new Frame(scope, limits, locals(), node)
    frame.fuel -= cost
    if (frame.fuel < 0) throw overBudget(frame, 'operations')
    try {
      const result = code(frame)
      return reads || (typeof result !== 'object' && typeof result !== 'string') || result === null
        ? result
        : checkResult(frame, result, node)
    } catch (error) {
      throw asExpressionError(error, frame)
    }
  }
}

function checkResult(frame: Frame, result: Value, node: Expression): Value {
  frame.node = node
  if (typeof result === 'string') {
    if (result.length > frame.limits.resultSize) throw overBudget(frame, 'result')
  } else {
    measure(frame, result, frame.limits.resultSize, 'allowed')
  }
  return result
}

function asExpressionError(error: unknown, frame: Frame): ExpressionError {
  if (error instanceof ExpressionError) return error
  // A stack or an allocation that the engine refused: the budgets come first, so this is only a second net.
  if (error instanceof RangeError) return overBudget(frame, 'depth')
  throw error
}

function isPath(node: Expression): boolean {
  switch (node.kind) {
    case 'name':
      return true
    case 'chain':
      return isPath(node.expression)
    case 'member':
    case 'index':
      return isPath(node.object)
    default:
      return false
  }
}

/** How many nodes an evaluation passes: what it costs, apart from arrow functions, which are charged when called. */
function nodeCount(node: Node): number {
  return children(node).reduce((count, child) => count + (child.kind === 'arrow' ? 1 : nodeCount(child)), 1)
}

/** Parameters of the arrow functions around, and the slots where they live. */
type Locals = ReadonlyMap<string, number>
const NO_LOCALS: Locals = new Map()

class Compiler {
  /** Slot 0 takes what no parameter asks for. No arrow function calls itself, so each parameter has one slot for good. */
  slots = 1

  expression(node: Expression, locals: Locals): Code {
    switch (node.kind) {
      case 'literal': {
        const { value } = node
        return () => value
      }
      case 'name':
        return this.#name(node, locals)
      case 'member':
        return this.#member(node, locals)
      case 'index':
        return this.#index(node, locals)
      case 'method':
        return this.#method(node, locals)
      case 'call':
        return this.#call(node, node.name, locals)
      case 'chain': {
        const chain = this.expression(node.expression, locals)
        return (frame) => {
          const value = chain(frame)
          return value === SKIP ? null : value
        }
      }
      case 'unary':
        return compileUnary(node, this.expression(node.operand, locals))
      case 'binary':
        return compileBinary(node, this.expression(node.left, locals), this.expression(node.right, locals))
      case 'logical':
        return compileLogical(node, this.expression(node.left, locals), this.expression(node.right, locals))
      case 'conditional': {
        const test = this.expression(node.test, locals)
        const consequent = this.expression(node.consequent, locals)
        const alternate = this.expression(node.alternate, locals)
        return (frame) => {
          const value = test(frame)
          if (value === true) return consequent(frame)
          frame.node = node.test
          return truthy(frame, value) ? consequent(frame) : alternate(frame)
        }
      }
      case 'array':
        return this.#array(node, locals)
      case 'object':
        return this.#object(node, locals)
      case 'template':
        return this.#template(node, locals)
    }
  }

  #name(node: NameNode, locals: Locals): Code {
    const { name } = node
    const slot = locals.get(name)
    if (slot !== undefined) return (frame) => frame.locals[slot] ?? null
    if (name === 'now') return (frame) => new Date(frame.scope.now).toISOString()
    return (frame) => {
      const value = frame.scope.get(name)
      if (value !== undefined) return value
      throw unknownName(node)
    }
  }

  #member(node: MemberNode, locals: Locals): Code {
    const { object } = node
    if (object.kind === 'name') {
      const slot = locals.get(object.name)
      if (slot !== undefined) return compileLocalMember(node, slot)
    }
    const root = globalRoot(object, locals)
    if (root === 'steps') return stepOf(node, this.expression(object, locals), () => node.name)
    if (root === 'secrets') return secretOf(this.expression(object, locals), node.name)
    return compileMember(node, this.expression(object, locals), this.#rootCheck(object, locals))
  }

  #index(node: IndexNode, locals: Locals): Code {
    const { object, index } = node
    const root = globalRoot(object, locals)
    const name = index.kind === 'literal' && typeof index.value === 'string' ? index.value : undefined
    if (root === 'env' || root === 'secrets') {
      if (name === undefined) return thrower(expressionError('expression_dynamic_name', { root }, node))
      if (root === 'secrets') return secretOf(this.expression(object, locals), name)
    }
    const code = this.expression(object, locals)
    if (root === 'steps') return stepOf(node, code, this.expression(index, locals))
    return compileIndex(node, code, this.expression(index, locals), this.#rootCheck(object, locals))
  }

  /** Finds the step at which a chain begins: `order` in `order.items[0].sku`, `steps["a"]` in `steps["a"].id`. */
  #rootCheck(object: Expression, locals: Locals): RootCheck {
    let root = object
    for (;;) {
      if (root.kind === 'chain') {
        root = root.expression
      } else if (root.kind === 'member' || root.kind === 'index' || root.kind === 'method') {
        if (root.kind !== 'method' && globalRoot(root.object, locals) === 'steps') {
          const step = this.expression(root, locals)
          return (frame) => step(frame) === null
        }
        root = root.object
      } else {
        break
      }
    }
    if (root.kind !== 'name' || locals.has(root.name)) return notRooted
    const { name } = root
    return ({ scope }) => scope.isStep?.(name) === true && scope.get(name) === null
  }

  #method(node: MethodNode, locals: Locals): Code {
    const { object, name } = node
    if (object.kind === 'name' && NAMESPACES.has(object.name) && !locals.has(object.name)) {
      return this.#call(node, `${object.name}.${name}`, locals)
    }
    const code = this.expression(object, locals)
    const overloads = METHODS.get(name) ?? {}
    const args = node.arguments.map((arg) => this.#argument(arg, locals))
    return compileMethod(node, code, { overloads, args, rootIsNull: this.#rootCheck(object, locals) })
  }

  #call(node: CallNode | MethodNode, name: string, locals: Locals): Code {
    const entry = FUNCTIONS.get(name)
    if (entry === undefined) {
      const near = closest(name, FUNCTIONS.keys())
      const suggestion = near && `Did you mean \`${near}\`?`
      return thrower(expressionError('expression_unknown_function', { name }, { ...span(node), suggestion }))
    }
    return compileFunction(
      node,
      entry,
      node.arguments.map((arg) => this.#argument(arg, locals)),
    )
  }

  #argument(node: Argument, locals: Locals): ArgumentCode {
    if (node.kind === 'arrow') return { kind: 'lambda', lambda: this.#lambda(node, locals) }
    if (node.kind === 'spread') return { kind: 'spread', code: this.expression(node.expression, locals) }
    return { kind: 'value', code: this.expression(node, locals) }
  }

  #lambda(node: ArrowNode, locals: Locals): Lambda {
    const inner = new Map(locals)
    const slots = node.parameters.map(({ name }) => {
      inner.set(name, this.slots)
      return this.slots++
    })
    const [first = 0, second = 0, third = 0] = slots
    return { body: this.expression(node.body, inner), cost: nodeCount(node.body), first, second, third }
  }

  #array(node: ArrayNode, locals: Locals): Code {
    const items = node.items.map((item) =>
      item.kind === 'spread'
        ? { spread: true, code: this.expression(item.expression, locals), node: item }
        : { spread: false, code: this.expression(item, locals), node: item },
    )
    return (frame) => {
      const result: Value[] = []
      for (const item of items) {
        const value = item.code(frame)
        if (!item.spread) {
          result.push(value)
          continue
        }
        if (!Array.isArray(value)) throw badSpread(item.node, 'a list', value)
        frame.node = node
        frame.fuel -= value.length
        if (frame.fuel < 0) throw overBudget(frame, 'operations')
        checkArrayLength(frame, result.length + value.length)
        for (const each of value as readonly Value[]) result.push(each)
      }
      return result
    }
  }

  #object(node: ObjectNode, locals: Locals): Code {
    type Writer = (frame: Frame, target: { [key: string]: Value }) => void
    const writers = node.entries.map((entry): Writer => {
      if (entry.kind === 'spread') {
        const code = this.expression(entry.expression, locals)
        return (frame, target) => {
          const value = code(frame)
          if (value === null) return
          if (!isObject(value)) throw badSpread(entry, 'an object or null', value)
          const keys = Object.keys(value)
          frame.fuel -= keys.length
          frame.node = node
          if (frame.fuel < 0) throw overBudget(frame, 'operations')
          checkArrayLength(frame, keys.length)
          for (const key of keys) setOwn(target, key, value[key] ?? null)
        }
      }
      const code = this.expression(entry.value, locals)
      const { key } = entry
      if (typeof key === 'string') return (frame, target) => setOwn(target, key, code(frame))
      const computed = this.expression(key, locals)
      return (frame, target) => {
        const name = computed(frame)
        if (name instanceof SecretText) throw secretError('as a key', key)
        if (typeof name !== 'string') throw expressionError('expression_key', { actual: describeKind(name) }, key)
        setOwn(target, name, code(frame))
      }
    })
    return (frame) => {
      const target: { [key: string]: Value } = {}
      for (const write of writers) write(frame, target)
      return target
    }
  }

  #template(node: TemplateNode, locals: Locals): Code {
    const parts = node.parts.map((part): Code => {
      if (typeof part === 'string') return () => part
      return this.expression(part, locals)
    })
    return (frame) => {
      let text: string | SecretText = ''
      for (const part of parts) {
        const value = part(frame)
        frame.node = node
        const piece = value instanceof SecretText ? value : toText(frame, value)
        if (textLength(text) + textLength(piece) > frame.limits.stringLength) throw overBudget(frame, 'string')
        text = typeof text === 'string' && typeof piece === 'string' ? text + piece : concatSecret(text, piece)
      }
      if (typeof text === 'string') reserveString(frame, text.length)
      return text
    }
  }
}

/** The name of the scope that a node reads, as far as it is one. */
function globalRoot(node: Expression, locals: Locals): string | undefined {
  return node.kind === 'name' && !locals.has(node.name) ? node.name : undefined
}

/** `steps.name`: unlike a missing property, a step that does not exist is an error. */
function stepOf(node: MemberNode | IndexNode, steps: Code, label: Code): Code {
  return (frame) => {
    const all = steps(frame)
    const name = label(frame)
    if (typeof name !== 'string') {
      const actual = describeKind(name)
      throw expressionError('expression_index', { type: '`steps`', expected: 'text', actual }, node)
    }
    if (isObject(all) && Object.hasOwn(all, name)) return all[name] ?? null
    if (frame.scope.isStep?.(name) === true) return frame.scope.get(name) ?? null
    const near = isObject(all) ? closest(name, Object.keys(all)) : undefined
    const suggestion = near && `Did you mean \`${near}\`?`
    throw expressionError('expression_unknown_name', { name: `steps.${name}` }, { ...span(node), suggestion })
  }
}

/** `secrets.NAME` is a reference: whether there is such a secret is known where it is resolved. */
function secretOf(secrets: Code, name: string): Code {
  const reference = new SecretText([{ source: 'secret', name }])
  return (frame) => {
    const known = secrets(frame)
    return isObject(known) && Object.hasOwn(known, name) ? (known[name] ?? null) : reference
  }
}

function unknownName({ name, start, end }: NameNode): ExpressionError {
  const instead = FOREIGN_NAMES.get(name)
  const suggestion =
    instead !== undefined
      ? `Write \`${instead}\`.`
      : FUNCTIONS.has(name)
        ? `\`${name}\` is a function: call it, as in \`${name}(…)\`.`
        : undefined
  return expressionError('expression_unknown_name', { name }, { start, end, suggestion })
}

function badSpread(node: Node, expected: string, value: Value): ExpressionError {
  if (value instanceof SecretText) return secretError('it cannot be spread', node)
  return expressionError('expression_spread', { expected, actual: describeKind(value) }, node)
}

const span = ({ start, end }: Node): { readonly start: number; readonly end: number } => ({ start, end })

const thrower = (error: ExpressionError) => (): never => {
  throw error
}
