/**
 * What the expressions of a step see. A scope holds the names of one block; the scopes around it are looked through
 * after it. Steps are added as the checker passes them, so an expression sees what has run before it and nothing else.
 */
import type { CheckEnvironment } from '../expression/check.ts'
import { NO_FACTS, bothFacts, type Facts } from '../expression/narrow.ts'
import { ANY, NULL, objectOf, recordOf, union, type Type } from '../expression/type.ts'

export interface ScopeEntry {
  readonly type: Type
  readonly isStep: boolean
}

export class Scope {
  readonly #parent: Scope | null
  readonly #own = new Map<string, ScopeEntry>()
  /** Whether steps with labels (ids that hold expressions) are in this scope: `steps[…]` may then be anything. */
  #labelled = false
  #facts: Facts = NO_FACTS

  constructor(parent: Scope | null = null) {
    this.#parent = parent
  }

  child(): Scope {
    return new Scope(this)
  }

  /** Adds a name that is no step: a loop's item, a variable, `error`. */
  addName(name: string, type: Type): this {
    this.#own.set(name, { type, isStep: false })
    return this
  }

  addStep(id: string, type: Type): void {
    this.#own.set(id, { type, isStep: true })
  }

  /** Adds what a condition has proven for everything that is checked in this scope from here on. */
  prove(facts: Facts): this {
    this.#facts = bothFacts(this.#facts, facts)
    return this
  }

  addLabel(): void {
    this.#labelled = true
  }

  /** The entry of a name, in this scope or around it. */
  find(name: string): ScopeEntry | undefined {
    return this.#own.get(name) ?? this.#parent?.find(name)
  }

  /** Steps that were added to this scope itself. */
  ownSteps(): ReadonlyMap<string, Type> {
    return new Map([...this.#own].filter(([, entry]) => entry.isStep).map(([id, entry]) => [id, entry.type]))
  }

  /** Ids of the steps that are visible here. */
  *stepNames(): Generator<string> {
    for (const [id, { isStep }] of this.#own) if (isStep) yield id
    if (this.#parent !== null) yield* this.#parent.stepNames()
  }

  /** What the checker of expressions asks. */
  environment(position: 'condition' | 'value' = 'value'): CheckEnvironment {
    return {
      lookup: (name) => (name === 'steps' ? this.#stepsType() : this.find(name)?.type),
      names: () => ['steps', ...this.#names()],
      isStep: (name) => this.find(name)?.isStep === true,
      facts: () => this.#allFacts(),
      position,
    }
  }

  #allFacts(): Facts {
    const parent = this.#parent
    return parent === null ? this.#facts : bothFacts(parent.#allFacts(), this.#facts)
  }

  *#names(): Generator<string> {
    yield* this.#own.keys()
    if (this.#parent !== null) yield* this.#parent.#names()
  }

  /** `steps["label"]`: what has a label is known when it runs. Steps with plain ids are read by their id. */
  #stepsType(): Type {
    return this.#seesLabels() ? recordOf(ANY) : objectOf({})
  }

  #seesLabels(): boolean {
    const parent = this.#parent
    return this.#labelled || (parent !== null && parent.#seesLabels())
  }
}

export const nullable = (type: Type): Type => union(type, NULL)

/** `error` of a handler. */
export const ERROR_TYPE: Type = objectOf({
  message: { kind: 'string' },
  code: { kind: 'string' },
  step: union({ kind: 'string' }, NULL),
  data: ANY,
  cause: ANY,
})
