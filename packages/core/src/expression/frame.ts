import type { Node } from './ast.ts'
import { expressionError } from './error.ts'
import type { ExpressionError, ExpressionErrorCode, MessageData } from './error.ts'
import type { Limits } from './limits.ts'
import { SecretText } from './value.ts'
import type { Value } from './value.ts'

/** What an evaluation can see. Nothing else is reachable: no clock, no randomness, no locale, no host. */
export interface Scope {
  /** The value of a name; `undefined` says that there is no such name. */
  get(name: string): Value | undefined
  /** Whether a name is a step's id: a member chain that begins at a step without a value (null) is null as a whole. */
  isStep?(name: string): boolean
  /** The time of `now`, in milliseconds since 1970. */
  readonly now: number
  /** What `uuid()` is derived from: different for each step, the same when the step is computed again. */
  readonly seed: string
  /**
   * Counts the `uuid()` calls of all expressions of one step, so that two of them differ. Without it each evaluation
   * counts on its own.
   */
  readonly counter?: { uuids: number }
  /** The link that resumes a wait, for `wait_url`; absent outside a run. */
  waitUrl?(id: string): string
}

/** A compiled expression. */
export type Code = (frame: Frame) => Value

/** A compiled arrow function: where its parameters live, and what one call costs. Slot 0 takes what nobody reads. */
export interface Lambda {
  readonly body: Code
  readonly cost: number
  readonly first: number
  readonly second: number
  readonly third: number
}

/** What one evaluation carries: budgets left, the parameters of arrow functions, and where it is, for messages. */
export class Frame {
  readonly scope: Scope
  readonly limits: Limits
  readonly locals: Value[]
  readonly counter: { uuids: number }
  fuel: number
  /** The call that is running: errors of the library point at it. */
  node: Node

  constructor(scope: Scope, limits: Limits, locals: Value[], node: Node) {
    this.scope = scope
    this.limits = limits
    this.locals = locals
    this.counter = scope.counter ?? { uuids: 0 }
    this.fuel = limits.operations
    this.node = node
  }
}

/** Takes operations from the budget. */
export function spend(frame: Frame, operations: number): void {
  if ((frame.fuel -= operations) < 0) throw overBudget(frame, 'operations')
}

/** Takes operations for handling so many characters. */
export function spendCharacters(frame: Frame, characters: number): void {
  spend(frame, characters >> 5)
}

/** Refuses a text that would be too long, before it is made. */
export function checkStringLength(frame: Frame, length: number): void {
  if (length > frame.limits.stringLength) throw overBudget(frame, 'string')
}

/** Refuses a text that would be too long, and takes what making it costs. */
export function reserveString(frame: Frame, length: number): void {
  checkStringLength(frame, length)
  spendCharacters(frame, length)
}

/** Refuses an array, or the entries of an object, before they are made. */
export function checkArrayLength(frame: Frame, length: number): void {
  if (length > frame.limits.arrayLength) throw overBudget(frame, 'array')
}

const BUDGETS = {
  operations: 'operations',
  depth: 'depth',
  string: 'stringLength',
  array: 'arrayLength',
  result: 'resultSize',
} as const

export function overBudget(frame: Frame, budget: keyof typeof BUDGETS): ExpressionError {
  return fail(frame, `expression_budget_${budget}`, { limit: frame.limits[BUDGETS[budget]] })
}

/** An error of the call that is running. */
export function fail(frame: Frame, code: ExpressionErrorCode, data: MessageData, suggestion?: string): ExpressionError {
  return expressionError(code, data, { start: frame.node.start, end: frame.node.end, suggestion })
}

/** A use of a secret that is not concatenation. */
export function secretError(use: string, node: Node): ExpressionError {
  return expressionError('expression_secret', { use }, node)
}

/** Calls an arrow function with one item, its position, and perhaps a third value. */
export function callLambda(frame: Frame, lambda: Lambda, first: Value, second: Value): Value {
  if ((frame.fuel -= lambda.cost) < 0) throw overBudget(frame, 'operations')
  frame.locals[lambda.first] = first
  frame.locals[lambda.second] = second
  return lambda.body(frame)
}

export function callLambda3(frame: Frame, lambda: Lambda, first: Value, second: Value, third: Value): Value {
  frame.locals[lambda.third] = third
  return callLambda(frame, lambda, first, second)
}

/** Whether a value counts as true, as in JavaScript: null, false, 0 and '' do not. A secret counts as nothing. */
export function truthy(frame: Frame, value: Value): boolean {
  if (value === true || value === false) return value
  if (value instanceof SecretText) throw secretError('as a condition', frame.node)
  return Boolean(value)
}
