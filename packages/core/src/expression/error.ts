/**
 * Every error of the expression language: code to message template. `{name}` is filled in. `PW11xx` is syntax, `PW12xx`
 * what the checker finds, `expression_…` what happens while an expression runs (and what a flow's `catch` can name).
 */
export const EXPRESSION_ERRORS = {
  // syntax
  PW1101: 'Unexpected character {text}.',
  PW1102: 'Expected {expected}, but found {found}.',
  PW1103: 'This text has no closing {quote}. A quoted string ends on its own line; use `…` for text of several lines.',
  PW1104: '`{word}` is not part of the expression language, which has no {what}.',
  PW1105: '`{operator}` is not an operator of the expression language.',
  PW1106: '`{escape}` is not an escape sequence. Write `\\\\` for a backslash.',
  PW1107: '`{text}` is not a number of the expression language: {reason}.',
  PW1108: 'This `{open}` has no closing `{close}`.',
  PW1109: '`${…}` is not replaced inside a quoted string of a condition.',
  PW1110: '`??` cannot be mixed with `&&` or `||` without parentheses.',
  PW1111: 'An arrow function can only be an argument of a function or method.',
  PW1112: 'Only functions and methods of the library can be called, by their name: `name(…)` or `value.name(…)`.',
  PW1113: 'This expression is nested too deeply (limit {limit}). Compute a part of it in a `set` step.',
  PW1114: 'This expression has {length} characters (limit {limit}). Compute a part of it in a `set` step.',
  PW1115: 'Expected an expression, but there is nothing.',
  PW1116: '`{operator}` before this operand is ambiguous: put the operand or the whole in parentheses.',
  PW1117: 'Parameters of an arrow function are plain names, as in `(item, index) => …`: no defaults, no destructuring.',
  PW1118: 'There are no regular-expression literals. Write the pattern as text: `value.test("^[a-z]+$")`.',
  PW1119: 'Comments are not part of the expression language.',
  PW1120: 'A template string cannot have a function before it.',
  PW1121: 'The body of an arrow function is one expression. An object literal goes in parentheses: `x => ({ a: x })`.',
  // check
  PW1201: 'There is no `{name}` here.',
  PW1202: '`{name}` is not a property of {type}.',
  PW1203: 'There is no function `{name}`.',
  PW1204: 'There is no method `{name}` of {type}.',
  PW1205: '`{name}` takes {expected}, not {actual}.',
  PW1206: '`{parameter}` of `{name}` must be {expected}, not {actual}.',
  PW1207: '`{operator}` cannot be used with {types}.',
  PW1208: 'This comparison is always {result}: {left} never equals {right}.',
  PW1209: '{what} may be null here.',
  PW1210: '{what} is always null.',
  PW1211:
    'A secret cannot be used here: {use}. It can only be concatenated and handed to a connector, a task or a sub-flow.',
  PW1212: '`{root}[…]` needs a literal name, so that it is known before the run which names are read.',
  PW1213: 'This pattern does not work: {reason}.',
  PW1214: 'A condition must be true or false, but this is {type}.',
  PW1215: '`{parameter}` of `{name}` must be an arrow function, such as `{example}`.',
  PW1216: 'An arrow function cannot be given as `{parameter}` of `{name}`.',
  PW1217: 'Only {expected} can be spread here, not {actual}.',
  PW1218: '{reason}',
  PW1219: 'This arrow function has {actual} parameters, but `{name}` gives it {expected}.',
  PW1220: 'An index of {type} must be {expected}, not {actual}.',
  // run time
  expression_unknown_name: 'There is no `{name}` here.',
  expression_unknown_function: 'There is no function `{name}`.',
  expression_unknown_method: 'There is no method `{name}` of {type}.',
  expression_null_member: 'Cannot read `{name}` of {what}: it is null.',
  expression_null_call: 'Cannot call `{name}` on {what}: it is null.',
  expression_type: '`{operator}` cannot be used with {types}.',
  expression_index: 'An index of {type} must be {expected}, not {actual}.',
  expression_spread: 'Only {expected} can be spread here, not {actual}.',
  expression_key: 'A key of an object must be text, not {actual}.',
  expression_argument: '`{parameter}` of `{name}` must be {expected}, not {actual}.',
  expression_argument_count: '`{name}` takes {expected}, not {actual}.',
  expression_number: '`{operation}` has no finite number as its result here.',
  expression_secret: 'A secret cannot be used here: {use}. It can only be concatenated and handed on.',
  expression_dynamic_name: '`{root}[…]` needs a literal name, so that it is known before the run which names are read.',
  expression_pattern: 'The pattern {pattern} does not work: {reason}.',
  expression_date: '{text} is not {expected}.',
  expression_json: 'This text is not JSON: {reason}.',
  expression_encoding: 'This is not {expected}: {reason}.',
  expression_value: 'Something that is no JSON value was found in the data: {what}.',
  expression_budget_operations: 'The expression needed more than {limit} operations. Work on less data at once.',
  expression_budget_depth: 'The value is nested more deeply than {limit} levels.',
  expression_budget_string: 'The text would have more than {limit} characters.',
  expression_budget_array: 'The list or object would have more than {limit} entries.',
  expression_budget_result: 'The result is larger than {limit} characters of JSON.',
} as const

export type ExpressionErrorCode = keyof typeof EXPRESSION_ERRORS

export interface ErrorSpan {
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly suggestion?: string | undefined
}

/**
 * The only error that parsing, compiling and evaluating raise. `start` and `end` are offsets into the source;
 * `suggestion` says what to do instead.
 */
export class ExpressionError extends Error {
  readonly code: ExpressionErrorCode
  readonly start: number | undefined
  readonly end: number | undefined
  readonly suggestion: string | undefined

  constructor(code: ExpressionErrorCode, message: string, span: ErrorSpan = {}) {
    super(span.suggestion === undefined ? message : `${message} ${span.suggestion}`)
    this.name = 'ExpressionError'
    this.code = code
    this.start = span.start
    this.end = span.end
    this.suggestion = span.suggestion
  }
}

export type MessageData = { readonly [name: string]: string | number }

/** The message of a code with its placeholders filled in. */
export function errorMessage(code: ExpressionErrorCode, data: MessageData): string {
  return EXPRESSION_ERRORS[code].replaceAll(/\{([a-z]+)\}/g, (whole, name: string) =>
    Object.hasOwn(data, name) ? String(data[name]) : whole,
  )
}

export function expressionError(code: ExpressionErrorCode, data: MessageData, span: ErrorSpan = {}): ExpressionError {
  return new ExpressionError(code, errorMessage(code, data), span)
}

/** A piece of source or data, short enough for a message. */
export function quote(text: string): string {
  return '`' + (text.length > 60 ? text.slice(0, 59) + '…' : text) + '`'
}
