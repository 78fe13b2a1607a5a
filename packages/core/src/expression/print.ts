import type { Argument, EntryNode, Expression, SpreadNode } from './ast.ts'
import { isReservedWord } from './words.ts'

/** The canonical source of an expression: parsing it gives the same tree, apart from positions. */
export function print(expression: Expression): string {
  return expressionText(expression)
}

const PRECEDENCE: { readonly [operator: string]: number } = {
  '??': 1,
  '||': 1,
  '&&': 2,
  '==': 4,
  '!=': 4,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  in: 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '%': 7,
  '**': 9,
}
const UNARY = 8
const POSTFIX = 10

function precedence(node: Expression): number {
  switch (node.kind) {
    case 'conditional':
      return 0
    case 'binary':
    case 'logical':
      return PRECEDENCE[node.operator] ?? 0
    case 'unary':
      return UNARY
    default:
      return POSTFIX
  }
}

function expressionText(node: Expression): string {
  switch (node.kind) {
    case 'literal':
      return typeof node.value === 'string' ? stringText(node.value) : plainText(node.value)
    case 'name':
      return node.name
    case 'member':
      return `${objectText(node.object)}${node.optional ? '?.' : '.'}${node.name}`
    case 'index':
      return `${objectText(node.object)}${node.optional ? '?.' : ''}[${expressionText(node.index)}]`
    case 'method':
      return `${objectText(node.object)}${node.optional ? '?.' : '.'}${node.name}${argumentsText(node.arguments)}`
    case 'call':
      return node.name + argumentsText(node.arguments)
    case 'chain':
      return expressionText(node.expression)
    case 'unary':
      return unaryText(node.operator, node.operand)
    case 'binary':
      return binaryText(node.operator, node.left, node.right)
    case 'logical':
      return `${logicalSide(node.operator, node.left, 0)} ${node.operator} ${logicalSide(node.operator, node.right, 1)}`
    case 'conditional':
      return `${operandText(node.test, 1)} ? ${expressionText(node.consequent)} : ${expressionText(node.alternate)}`
    case 'array':
      return `[${node.items.map(argumentText).join(', ')}]`
    case 'object':
      return node.entries.length === 0 ? '{}' : `{ ${node.entries.map(entryText).join(', ')} }`
    case 'template':
      return `\`${node.parts.map(partText).join('')}\``
  }
}

/** Large whole numbers have an exponent: their digits would claim a precision that they do not have. */
function plainText(value: null | boolean | number): string {
  const exact = typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)
  return exact ? String(value) : value.toExponential()
}

function unaryText(operator: string, operand: Expression): string {
  // Two minus signs side by side would be one token; a sign before a power is ambiguous to its readers.
  const double = operator === '-' && operand.kind === 'unary' && operand.operator === '-'
  const power = operand.kind === 'binary' && operand.operator === '**'
  return double || power ? `${operator}(${expressionText(operand)})` : operator + operandText(operand, UNARY)
}

function binaryText(operator: string, left: Expression, right: Expression): string {
  const level = PRECEDENCE[operator] ?? 0
  // A power groups to the right, and its base cannot be a unary operation.
  const [leftLevel, rightLevel] = operator === '**' ? [POSTFIX, UNARY] : [level, level + 1]
  return `${operandText(left, leftLevel)} ${operator} ${operandText(right, rightLevel)}`
}

function logicalSide(operator: string, side: Expression, extra: number): string {
  const mixed = side.kind === 'logical' && (side.operator === '??') !== (operator === '??')
  return mixed ? `(${expressionText(side)})` : operandText(side, (PRECEDENCE[operator] ?? 0) + extra)
}

function operandText(node: Expression, level: number): string {
  return precedence(node) < level ? `(${expressionText(node)})` : expressionText(node)
}

/** What stands before `.` or `[`: a chain in parentheses ends there; `5.toFixed` would not be read as a number. */
function objectText(node: Expression): string {
  const bare =
    precedence(node) >= POSTFIX && node.kind !== 'chain' && !(node.kind === 'literal' && typeof node.value === 'number')
  return bare ? expressionText(node) : `(${expressionText(node)})`
}

const argumentsText = (list: readonly Argument[]): string => `(${list.map(argumentText).join(', ')})`

function argumentText(node: Argument): string {
  if (node.kind === 'spread') return spreadText(node)
  if (node.kind !== 'arrow') return expressionText(node)
  const names = node.parameters.map((parameter) => parameter.name)
  const body = expressionText(node.body)
  const parameters = names.length === 1 ? names[0] : `(${names.join(', ')})`
  return `${parameters} => ${body.startsWith('{') ? `(${body})` : body}`
}

const spreadText = (node: SpreadNode): string => `...${expressionText(node.expression)}`

function entryText(node: EntryNode | SpreadNode): string {
  if (node.kind === 'spread') return spreadText(node)
  if (typeof node.key !== 'string') return `[${expressionText(node.key)}]: ${expressionText(node.value)}`
  const plain = /^[A-Za-z_$][\w$]*$/.test(node.key)
  if (plain && node.value.kind === 'name' && node.value.name === node.key && !isReservedWord(node.key)) return node.key
  return `${plain ? node.key : stringText(node.key)}: ${expressionText(node.value)}`
}

/** Control characters, line separators and lone surrogates are written as escapes, so that any transport keeps them. */
function stringText(value: string): string {
  const body = value.replaceAll(/[\\"\p{Control}\u2028\u2029\ufeff\p{Surrogate}]/gu, escapeChar)
  return `"${body}"`
}

function partText(part: string | Expression): string {
  if (typeof part !== 'string') return `\${${expressionText(part)}}`
  return part.replaceAll(/(?!\n)[\\`\p{Control}\u2028\u2029\ufeff\p{Surrogate}]|\$(?=\{|$)/gu, escapeChar)
}

const SHORT: { readonly [char: string]: string } = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeChar(char: string): string {
  if ('\\"`$'.includes(char)) return `\\${char}`
  return SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
