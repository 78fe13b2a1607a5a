/**
 * How a function or method of the library is declared: one entry holds its name, parameters, types, documentation,
 * examples (which are run by a test) and what it does. `compile.ts`, `check.ts` and the docs all read this table.
 */
import type { Frame, Lambda } from '../frame.ts'
import { ANY, NUMBER, STRING, arrayOf, recordOf } from '../type.ts'
import type { Type } from '../type.ts'
import type { Value, ValueObject } from '../value.ts'

export type Receiver = 'array' | 'string' | 'number'

/** What the text of a literal argument has to be; the checker tries it. */
export type Format = 'pattern' | 'timestamp' | 'duration' | 'zone' | 'time-pattern'

export interface Parameter<T = unknown> {
  readonly name: string
  readonly type: Type
  readonly optional: boolean
  readonly format?: Format
  /** The texts that are accepted, where only some are. */
  readonly choices?: readonly string[]
  /** An arrow function: an example of one, and what it is given. */
  readonly lambda?: LambdaParameter
  /** Never there: carries the type of the operand for `run`. */
  readonly operand?: T
}

export interface LambdaParameter {
  readonly example: string
  /** Types of what the arrow function is given. */
  readonly gives: (types: OperandTypes) => readonly Type[]
}

/** Types of a call's operands: a method's receiver and then the arguments; an arrow function has the type of its body. */
export type OperandTypes = readonly Type[]

export interface Example {
  readonly source: string
  readonly result: Value
}

export type Area = 'text' | 'patterns' | 'numbers' | 'lists' | 'objects' | 'dates' | 'encoding' | 'run'

export interface Entry {
  readonly name: string
  /** The type whose method it is; absent: a function. */
  readonly of?: Receiver
  readonly area: Area
  readonly parameters: readonly Parameter[]
  /** Further arguments, any number of them. */
  readonly rest?: Parameter
  readonly result: (types: OperandTypes) => Type
  readonly doc: string
  readonly examples: readonly Example[]
  /** Whether a call costs as much as its operands are long, or about nothing. */
  readonly cost: 'linear' | 'constant'
  /** Receives the operands in order; what is left out is undefined, what is beyond the parameters comes as one array. */
  readonly run: Run
}

export type Operand = Value | Lambda | readonly Value[] | undefined
export type Run = (frame: Frame, a?: Operand, b?: Operand, c?: Operand, d?: Operand) => Value

type OperandsOf<P extends readonly Parameter[]> = { [K in keyof P]: P[K] extends Parameter<infer T> ? T : never }

interface Declaration<P extends readonly Parameter[], R> {
  readonly area: Area
  readonly parameters: P
  readonly rest?: Parameter<R>
  readonly result: Type | ((types: OperandTypes) => Type)
  readonly doc: string
  readonly examples: readonly (readonly [source: string, result: Value])[]
  readonly cost?: 'linear' | 'constant'
}

interface ReceiverOperand {
  readonly array: readonly Value[]
  readonly string: string
  readonly number: number
}

/** Declares a function: `name(…)`. */
export function func<const P extends readonly Parameter[], R = never>(
  name: string,
  declaration: Declaration<P, R> & {
    readonly run: (
      frame: Frame,
      ...operands: [...OperandsOf<P>, ...([R] extends [never] ? [] : [readonly R[]])]
    ) => Value
  },
): Entry {
  return entry(name, undefined, declaration, declaration.run)
}

/** Declares a method of a type: `value.name(…)`. */
export function method<K extends Receiver, const P extends readonly Parameter[], R = never>(
  of: K,
  name: string,
  declaration: Declaration<P, R> & {
    readonly run: (
      frame: Frame,
      self: ReceiverOperand[K],
      ...operands: [...OperandsOf<P>, ...([R] extends [never] ? [] : [readonly R[]])]
    ) => Value
  },
): Entry {
  return entry(name, of, declaration, declaration.run)
}

function entry(
  name: string,
  of: Receiver | undefined,
  declaration: Declaration<readonly Parameter[], unknown>,
  run: (frame: Frame, ...operands: never) => Value,
): Entry {
  const { result, examples, cost = 'linear', ...rest } = declaration
  return {
    name,
    ...(of && { of }),
    ...rest,
    result: typeof result === 'function' ? result : () => result,
    examples: examples.map(([source, value]) => ({ source, result: value })),
    cost,
    // The compiler checks every operand against its parameter before it calls; the declaration tied both together.
    run: run as Run,
  }
}

/** A parameter that must be given. */
function required<T>(type: Type) {
  return (name: string, extra: Pick<Parameter, 'format' | 'choices'> = {}): Parameter<T> => ({
    name,
    type,
    optional: false,
    ...extra,
  })
}

export const text = required<string>(STRING)
export const number = required<number>(NUMBER)
export const list = required<readonly Value[]>(arrayOf(ANY))
export const object = required<ValueObject>(recordOf(ANY))
export const value = required<Value>(ANY)
export const texts = required<readonly string[]>(arrayOf(STRING))
export const timestamp = (name: string): Parameter<string | number> => ({
  name,
  type: { kind: 'union', members: [STRING, NUMBER] },
  optional: false,
  format: 'timestamp',
})
export const duration = (name: string): Parameter<string | number> => ({
  name,
  type: { kind: 'union', members: [STRING, NUMBER] },
  optional: false,
  format: 'duration',
})
export const zone = (name = 'zone'): Parameter<string> => text(name, { format: 'zone' })
export const pattern = (name = 'pattern'): Parameter<string> => text(name, { format: 'pattern' })

/** The same parameter when it can be left out. */
export const optional = <T>(parameter: Parameter<T>): Parameter<T | undefined> => ({
  ...(parameter as Parameter<T | undefined>),
  optional: true,
})

/** An arrow function. `gives` says of which types its parameters are; for a method of arrays: the item and its index. */
export function lambda(
  name: string,
  example: string,
  gives: (types: OperandTypes) => readonly Type[] = (types) => [itemType(types[0] ?? ANY), NUMBER],
): Parameter<Lambda> {
  return { name, type: { kind: 'function' }, optional: false, lambda: { example, gives } }
}

/** The type of an array's items. */
export function itemType(type: Type): Type {
  if (type.kind === 'array') return type.items
  if (type.kind === 'union') {
    const arrays = type.members.filter((member) => member.kind === 'array')
    if (arrays.length === 1 && arrays[0]) return arrays[0].items
  }
  return ANY
}

/** How the entry is called, in text: `items.slice(start, end?)`. Made from the table, so that it cannot be wrong. */
export function signature(item: Entry): string {
  const parameters = item.parameters.map((parameter) => (parameter.optional ? `${parameter.name}?` : parameter.name))
  if (item.rest) parameters.push(`...${item.rest.name}`)
  const receiver = item.of === undefined ? '' : `${{ array: 'list', string: 'text', number: 'number' }[item.of]}.`
  return `${receiver}${item.name}(${parameters.join(', ')})`
}

/** How many arguments an entry takes, in words. */
export function arity(item: Entry): { readonly least: number; readonly most: number; readonly words: string } {
  const least = item.parameters.filter((parameter) => !parameter.optional).length
  const most = item.rest ? Number.POSITIVE_INFINITY : item.parameters.length
  const noun = (count: number): string => `${count === 0 ? 'no' : count} argument${count === 1 ? '' : 's'}`
  const words =
    least === most
      ? noun(least)
      : most === Number.POSITIVE_INFINITY
        ? `at least ${noun(least)}`
        : `${least} to ${noun(most)}`
  return { least, most, words }
}
