/**
 * The syntax tree. `start` and `end` are offsets into the source that was parsed. Parentheses leave no trace but one: a
 * `chain` ends the reach of its `?.`, so `(a?.b).c` differs from `a?.b.c`.
 */
export type Expression =
  | LiteralNode
  | NameNode
  | MemberNode
  | IndexNode
  | MethodNode
  | CallNode
  | ChainNode
  | UnaryNode
  | BinaryNode
  | LogicalNode
  | ConditionalNode
  | ArrayNode
  | ObjectNode
  | TemplateNode

interface Span {
  readonly start: number
  readonly end: number
}

export interface LiteralNode extends Span {
  readonly kind: 'literal'
  readonly value: null | boolean | number | string
}

/** A name of the scope or of an arrow function's parameter. */
export interface NameNode extends Span {
  readonly kind: 'name'
  readonly name: string
}

/** `object.name`, `object?.name` */
export interface MemberNode extends Span {
  readonly kind: 'member'
  readonly object: Expression
  readonly name: string
  readonly optional: boolean
  /** Where the name itself begins; it ends with the node. */
  readonly nameStart: number
}

/** `object[index]`, `object?.[index]` */
export interface IndexNode extends Span {
  readonly kind: 'index'
  readonly object: Expression
  readonly index: Expression
  readonly optional: boolean
}

/** `object.name(…)`; with `object` a name that the library uses as a prefix, such as `Math`, a function of the library. */
export interface MethodNode extends Span {
  readonly kind: 'method'
  readonly object: Expression
  readonly name: string
  readonly optional: boolean
  readonly arguments: readonly Argument[]
  readonly nameStart: number
}

/** `name(…)`: a function of the library. */
export interface CallNode extends Span {
  readonly kind: 'call'
  readonly name: string
  readonly arguments: readonly Argument[]
}

/** The end of what a `?.` inside skips when its left side is null. */
export interface ChainNode extends Span {
  readonly kind: 'chain'
  readonly expression: Expression
}

export type UnaryOperator = '!' | '-'

export interface UnaryNode extends Span {
  readonly kind: 'unary'
  readonly operator: UnaryOperator
  readonly operand: Expression
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '**' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in'

export interface BinaryNode extends Span {
  readonly kind: 'binary'
  readonly operator: BinaryOperator
  readonly left: Expression
  readonly right: Expression
}

export type LogicalOperator = '&&' | '||' | '??'

export interface LogicalNode extends Span {
  readonly kind: 'logical'
  readonly operator: LogicalOperator
  readonly left: Expression
  readonly right: Expression
}

export interface ConditionalNode extends Span {
  readonly kind: 'conditional'
  readonly test: Expression
  readonly consequent: Expression
  readonly alternate: Expression
}

export interface ArrayNode extends Span {
  readonly kind: 'array'
  readonly items: readonly (Expression | SpreadNode)[]
}

export interface ObjectNode extends Span {
  readonly kind: 'object'
  readonly entries: readonly (EntryNode | SpreadNode)[]
}

/** `key: value`, `"key": value`, `[key]: value`; `{ key }` is `{ key: key }`. */
export interface EntryNode extends Span {
  readonly kind: 'entry'
  readonly key: string | Expression
  readonly value: Expression
}

/** A template string: text and expressions in turn; empty text is left out. */
export interface TemplateNode extends Span {
  readonly kind: 'template'
  readonly parts: readonly (string | Expression)[]
}

/** `...expression` in an array, an object or the arguments of a call. */
export interface SpreadNode extends Span {
  readonly kind: 'spread'
  readonly expression: Expression
}

/** `(a, b) => body`, an argument of a library call and nothing else. */
export interface ArrowNode extends Span {
  readonly kind: 'arrow'
  readonly parameters: readonly ParameterNode[]
  readonly body: Expression
}

export interface ParameterNode extends Span {
  readonly name: string
}

export type Argument = Expression | SpreadNode | ArrowNode

export type Node = Argument | EntryNode
