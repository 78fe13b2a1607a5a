/**
 * Budgets of one evaluation. What goes over is an `ExpressionError` whose code starts with `expression_budget_`; it is
 * raised before the memory is taken, so no expression can freeze or kill the process.
 */
export interface Limits {
  /** Operations: about one for each operator, access and call, one for each item and for each 32 characters handled. */
  readonly operations: number
  /** Nesting of arrays and objects in a result, in JSON and in comparisons. */
  readonly depth: number
  /** Characters of one string. */
  readonly stringLength: number
  /** Items of one array, keys of one object. */
  readonly arrayLength: number
  /** Size of the result: about the characters of its JSON. */
  readonly resultSize: number
}

/** The budgets when none are given. Two million operations take a tenth of a second, in the worst mix about one. */
export const DEFAULT_LIMITS: Limits = {
  operations: 2_000_000,
  depth: 128,
  stringLength: 8 * 1024 * 1024,
  arrayLength: 500_000,
  resultSize: 16 * 1024 * 1024,
}

/** Budgets of the parser: they do not depend on data, so they are the same everywhere. */
export const SOURCE_LIMITS = {
  /** Characters of an expression. */
  length: 100_000,
  /** Brackets within brackets, and the height of the syntax tree (a chain of 400 `+` has height 400). */
  nesting: 100,
  height: 500,
} as const
