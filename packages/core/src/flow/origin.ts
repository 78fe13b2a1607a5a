/**
 * Where the parts of a plan were written. A plan is plain JSON without positions; while it is being made, this table
 * remembers for each of its objects the place in the document, and for each expression its syntax tree, so that the
 * checker can walk the plan, parse nothing twice, and point at a column inside a scalar.
 */
import type { Expression } from '../expression/parse.ts'
import type { Place } from './place.ts'

export interface ExpressionOrigin {
  readonly expression: Expression
  /** The scalar (or the value) in which it stands. */
  readonly place: Place
  /** Whether the tree's offsets are offsets into that scalar's value; else only the scalar itself can be pointed at. */
  readonly located: boolean
}

export class Origins {
  readonly #places = new WeakMap<object, Place>()
  readonly #expressions = new WeakMap<object, Map<string, ExpressionOrigin>>()
  readonly #dependsOn = new Map<string, readonly Place[]>()
  readonly #broken = new WeakSet<object>()

  setPlace(owner: object, place: Place): void {
    this.#places.set(owner, place)
  }

  place(owner: object): Place | undefined {
    return this.#places.get(owner)
  }

  /** `field` names the property of the plan object that holds the expression's source. */
  setExpression(owner: object, field: string, origin: ExpressionOrigin): void {
    let fields = this.#expressions.get(owner)
    if (fields === undefined) this.#expressions.set(owner, (fields = new Map()))
    fields.set(field, origin)
  }

  expression(owner: object, field: string): ExpressionOrigin | undefined {
    return this.#expressions.get(owner)?.get(field)
  }

  /** The names under `depends_on` of the step at a path, which the plan keeps only as an order of branches. */
  setDependsOn(path: string, names: readonly Place[]): void {
    this.#dependsOn.set(path, names)
  }

  dependsOn(path: string): readonly Place[] {
    return this.#dependsOn.get(path) ?? []
  }

  /** Marks a plan object that only holds the place of something unusable, so that no problem is reported twice. */
  markBroken(owner: object): void {
    this.#broken.add(owner)
  }

  isBroken(owner: object): boolean {
    return this.#broken.has(owner)
  }
}
