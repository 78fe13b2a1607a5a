/** Types of templates, and whether a template fits the schema of the parameter or input that it is given for. */
import type { Expression, Node } from '../expression/ast.ts'
import { checkExpression } from '../expression/check.ts'
import { NO_FACTS, bothFacts, proves, provesPresent, type Facts } from '../expression/narrow.ts'
import { print } from '../expression/print.ts'
import { children, references } from '../expression/references.ts'
import { closest } from '../expression/suggest.ts'
import {
  ANY,
  SECRET,
  STRING,
  arrayOf,
  membersOf,
  union,
  withoutNull,
  type Field,
  type Type,
} from '../expression/type.ts'
import type { JsonSchema } from '../json.ts'
import type { Compilation } from './compilation.ts'
import type { ExpressionOrigin } from './origin.ts'
import { conform, type Conformity } from './conform.ts'
import { childPlace, type Place } from './place.ts'
import type { PlanIndex } from './plan-index.ts'
import type { Condition, PlanNode, Template } from './plan.ts'
import { shapeOfJson, typeOfShape, type Shape } from './shape.ts'
import type { Scope } from './scope.ts'
import { list } from './read.ts'
import { typeOfJson } from './step-types.ts'

/** Checks templates and expressions in a scope, and reports what it finds. */
export class ValueChecker {
  readonly #c: Compilation
  readonly #index: PlanIndex
  /** The step whose values are checked; null outside all steps. */
  current: PlanNode | null = null

  constructor(c: Compilation, index: PlanIndex) {
    this.#c = c
    this.#index = index
  }

  /** The type of the expression `owner[field]`; `any` where it could not be read. */
  expression(owner: object, field: string, scope: Scope, position: 'condition' | 'value' = 'value'): Type {
    const origin = this.#c.origins.expression(owner, field)
    if (origin === undefined) return ANY
    const { expression, place, located } = origin
    const { type, problems } = checkExpression(expression, scope.environment(position))
    for (const found of problems) {
      const at = located ? { from: found.start, to: found.end } : {}
      const step = found.code === 'PW1201' ? this.#hiddenStep(found, expression) : undefined
      if (step === undefined) {
        this.#c.report(found.code, place, found.message, {
          ...at,
          suggestion: found.suggestion ?? (found.code === 'PW1201' ? whatIsThere(expression, found, scope) : undefined),
          severity: found.severity,
        })
      } else {
        this.#c.report('PW1066', place, step.message, { ...at, suggestion: step.suggestion })
      }
    }
    if (print(expression).includes('wait_url')) this.#waitUrls(expression, origin)
    return type
  }

  /** A name that is no name here may be that of a step that cannot be seen from here. */
  #hiddenStep({ start, end }: { readonly start: number; readonly end: number }, expression: Expression) {
    const name = references(expression).find(
      (reference) => reference.start === start && reference.start + reference.root.length === end,
    )
    return name === undefined ? undefined : this.#index.explain(name.root, this.current)
  }

  /** `wait_url("id")` names a wait of this flow. */
  #waitUrls(node: Node, { place, located }: Pick<ExpressionOrigin, 'place' | 'located'>): void {
    const [id] = node.kind === 'call' && node.name === 'wait_url' ? node.arguments : []
    if (id?.kind === 'literal' && typeof id.value === 'string') {
      const known = this.#index.withId(id.value).some((step) => step.kind === 'wait')
      const at = located ? { from: id.start, to: id.end } : {}
      if (!known) {
        const near = closest(id.value, this.#index.waits())
        const suggestion = near === undefined ? undefined : `did you mean \`${near}\`?`
        this.#c.report('PW1058', place, `There is no \`wait\` step with the id \`${id.value}\`.`, { ...at, suggestion })
      }
    }
    for (const child of children(node)) this.#waitUrls(child, { place, located })
  }

  condition(condition: Condition, scope: Scope): void {
    if (condition.kind === 'expression') this.expression(condition, 'source', scope, 'condition')
    else for (const member of condition.members) this.condition(member, scope)
  }

  /** What a condition proves where it has had an outcome. */
  proves(condition: Condition, outcome: boolean): Facts {
    if (condition.kind === 'expression') {
      const origin = this.#c.origins.expression(condition, 'source')
      return origin === undefined ? NO_FACTS : proves(origin.expression, outcome)
    }
    const { kind, members } = condition
    // Of `any` that holds, or `all` that does not, it is not known which member made it so.
    const decisive = kind === 'any' ? !outcome : outcome
    if (!decisive && members.length > 1) return NO_FACTS
    const each = kind === 'none' ? !outcome : outcome
    return members.map((member) => this.proves(member, each)).reduce(bothFacts, NO_FACTS)
  }

  /** What is known where the expression `owner[field]` is known not to be null. */
  provesPresent(owner: object, field: string): Facts {
    const origin = this.#c.origins.expression(owner, field)
    return origin === undefined ? NO_FACTS : provesPresent(origin.expression)
  }

  /** The type of a template; everything in it is checked. */
  template(template: Template, scope: Scope): Type {
    if (this.#c.origins.isBroken(template)) return ANY
    switch (template.kind) {
      case 'literal':
        return typeOfJson(template.value)
      case 'expression':
        return this.expression(template, 'source', scope)
      case 'text':
      case 'path':
        return this.#text(template.parts, scope)
      case 'list':
        return arrayOf(union(...template.items.map((item) => this.template(item, scope))))
      case 'map': {
        const fields = new Map<string, Field>()
        for (const [key, entry] of template.entries)
          fields.set(key, { type: this.template(entry, scope), optional: false })
        return { kind: 'object', fields }
      }
      case 'sql':
        return this.#sql(template, scope)
    }
  }

  #text(parts: Extract<Template, { kind: 'text' }>['parts'], scope: Scope): Type {
    let secret = false
    for (const part of parts) {
      if (typeof part === 'string') continue
      const type = this.expression(part, 'source', scope)
      secret ||= type.kind !== 'any' && membersOf(type).some((member) => member.kind === 'secret')
    }
    return secret ? SECRET : STRING
  }

  #sql(template: Extract<Template, { kind: 'sql' }>, scope: Scope): Type {
    for (const part of template.parts) {
      if (typeof part === 'string') continue
      const type = this.expression(part, 'source', scope)
      const origin = this.#c.origins.expression(part, 'source')
      const members = membersOf(withoutNull(type))
      // The author's own `params` may be lists where the database has lists.
      const ownList = template.dialect === 'postgres' && origin?.place !== this.#c.origins.place(template)
      if (
        ownList ||
        part.spread ||
        origin === undefined ||
        !members.every((member) => member.kind === 'array') ||
        members.length === 0
      )
        continue
      const at = origin.located ? { from: origin.expression.start, to: origin.expression.end } : {}
      const suggestion = `write \`in (\${${part.source}})\``
      this.#c.report('PW1072', origin.place, 'A list is bound as several values only in `in (…)`.', {
        ...at,
        suggestion,
      })
    }
    return ANY
  }

  /** Checks that a template fits a schema. `what` names it in messages: "`url`". Gives its type. */
  fits(template: Template, schema: JsonSchema, scope: Scope, target: Target): Type {
    const shape = this.#shape(template, scope, target.place, target.keyPlace)
    const entries = template.kind === 'map' ? template.entries : []
    // The statement's own `params` are part of it.
    const given = new Set(entries.some(([, entry]) => entry.kind === 'sql') ? ['params'] : [])
    for (const { code, place, message, suggestion, key, severity } of conform(shape, schema, { ...target, given })) {
      this.#c.report(code, place, message, { suggestion, key: key === true, severity })
    }
    return typeOfShape(shape)
  }

  /** What is known of the value of a template; everything in it is checked. */
  #shape(template: Template, scope: Scope, place: Place, keyPlace?: Target['keyPlace']): Shape {
    if (this.#c.origins.isBroken(template)) return { kind: 'typed', type: ANY, place }
    switch (template.kind) {
      case 'literal':
        return shapeOfJson(template.value, place, keyPlace)
      case 'list': {
        const items = template.items.map((item, index) => this.#shape(item, scope, childPlace(place, index) ?? place))
        return { kind: 'list', items, place }
      }
      case 'map': {
        const entries = new Map<string, Shape>()
        for (const [key, entry] of template.entries) {
          const at = keyPlace?.(key) ?? childPlace(place, key) ?? this.#c.origins.place(entry) ?? place
          entries.set(key, this.#shape(entry, scope, at))
        }
        return { kind: 'map', entries, place }
      }
      default:
        return { kind: 'typed', type: this.template(template, scope), place }
    }
  }
}

/** What a template is given for. */
export interface Target extends Conformity {
  readonly place: Place
  /** Finds the place of an entry that does not stand directly below `place`. */
  readonly keyPlace?: (key: string) => Place | undefined
}

/** What may be meant by a name that is not there and like none that is. */
function whatIsThere(expression: Expression, { start }: { readonly start: number }, scope: Scope): string | undefined {
  const root = references(expression).find((reference) => reference.start === start)?.root
  if (root === 'error') return '`error` is there in `catch` and `on_error`'
  if (root === 'event') return '`event` is there in `match`; elsewhere name the step that waits'
  const names = [...new Set(scope.environment().names())]
  return names.length > 16 ? undefined : `there are ${list(names)}`
}
