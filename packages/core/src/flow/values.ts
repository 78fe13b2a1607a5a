/** Types of templates, and whether a template fits the schema of the parameter or input that it is given for. */
import type { Expression, Node } from '../expression/ast.ts'
import { checkExpression } from '../expression/check.ts'
import { print } from '../expression/print.ts'
import { children, references } from '../expression/references.ts'
import { closest } from '../expression/suggest.ts'
import {
  ANY,
  NULL,
  SECRET,
  STRING,
  arrayOf,
  describeType,
  isAssignable,
  mayBeNull,
  membersOf,
  overlaps,
  typeFromJsonSchema,
  union,
  withoutNull,
  type Field,
  type Type,
} from '../expression/type.ts'
import type { JsonSchema } from '../json.ts'
import type { Compilation } from './compilation.ts'
import type { ExpressionOrigin } from './origin.ts'
import { resolveReference } from './parameters.ts'
import { childPlace, isPlainMap, type Place } from './place.ts'
import type { PlanIndex } from './plan-index.ts'
import type { Condition, PlanNode, Template } from './plan.ts'
import { list } from './read.ts'
import { checkLimits } from './schema-limits.ts'
import type { Scope } from './scope.ts'
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
          suggestion: found.suggestion,
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
    const resolved = resolveReference(schema, target.root)
    if (this.#c.origins.isBroken(template)) return ANY
    if (template.kind === 'map' || (template.kind === 'literal' && isPlainMap(template.value))) {
      const object = objectSchema(resolved, target.root)
      if (object !== undefined) return this.#fitsObject(template, object, scope, target)
    }
    const items = resolved['items']
    if (template.kind === 'list' && isPlainMap(items) && resolved['type'] === 'array') {
      const types = template.items.map((item, index) =>
        this.fits(item, items, scope, {
          ...target,
          what: `item ${index + 1} of ${target.what}`,
          place: this.#place(item, target.place),
        }),
      )
      return arrayOf(union(...types))
    }
    const type = this.template(template, scope)
    if (template.kind !== 'sql') this.#compare(template, type, resolved, target)
    return type
  }

  #place(template: Template, fallback: Place): Place {
    return this.#c.origins.place(template) ?? fallback
  }

  #fitsObject(template: Template, schema: JsonSchema, scope: Scope, target: Target): Type {
    const entries = entriesOf(template)
    const properties = isPlainMap(schema['properties']) ? schema['properties'] : {}
    const required = Array.isArray(schema['required']) ? schema['required'].map(String) : []
    const open = schema['additionalProperties'] !== false
    const fields = new Map<string, Field>()
    const folded = new Set(entries.flatMap(([, entry]) => (entry.kind === 'sql' ? ['params'] : [])))
    for (const [key, entry] of entries) {
      const place = target.keyPlace?.(key) ?? childPlace(target.place, key) ?? this.#place(entry, target.place)
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined
      const extra = isPlainMap(schema['additionalProperties']) ? schema['additionalProperties'] : undefined
      if (property === undefined && (!open || target.strict === true) && extra === undefined) {
        this.#unknownKey(key, place, Object.keys(properties), target, open)
      }
      const known = isPlainMap(property) ? property : extra
      const what = `\`${key}\``
      const type =
        known === undefined
          ? this.template(entry, scope)
          : this.fits(entry, known, scope, { root: target.root, what, of: target.of, place, accepts: target.accepts })
      fields.set(key, { type, optional: false })
    }
    for (const key of required) {
      const property = properties[key]
      const hasDefault = isPlainMap(property) && 'default' in property
      if (entries.some(([name]) => name === key) || hasDefault || folded.has(key)) continue
      const description =
        isPlainMap(property) && typeof property['description'] === 'string' ? `: ${property['description']}` : ''
      this.#c.report('PW1060', target.place, `${target.of} needs \`${key}\`${description.replace(/\.$/, '')}.`, {
        key: target.pointAtKey !== false,
      })
    }
    return { kind: 'object', fields }
  }

  #unknownKey(key: string, place: Place, known: readonly string[], target: Target, warn: boolean): void {
    const near = closest(key, known)
    const has =
      known.length === 0 ? 'there are none' : `there are ${list(known.slice(0, 12))}${known.length > 12 ? ', …' : ''}`
    this.#c.report('PW1061', place, `${target.of} has no \`${key}\`; ${has}.`, {
      key: true,
      suggestion: near === undefined ? undefined : `did you mean \`${near}\`?`,
      ...(warn ? { severity: 'warning' as const } : {}),
    })
  }

  #compare(template: Template, given: Type, schema: JsonSchema, target: Target): void {
    const expected = typeFromJsonSchema(inlineReferences(schema, target.root))
    if (given.kind === 'any' || expected.kind === 'any') return
    const secret = membersOf(given).some((member) => member.kind === 'secret')
    if (secret && target.accepts !== 'secret') {
      if (schema['x-plugwork'] === 'secret' || schema['writeOnly'] === true) return
      const message = `${target.what} of ${target.of} would be stored with a secret in it.`
      this.#c.report('PW1067', target.place, message, { suggestion: 'give the input `type: secret`' })
      return
    }
    const bare = secret
      ? union(...membersOf(given).map((member) => (member.kind === 'secret' ? STRING : member)))
      : given
    if (!overlaps(withoutNull(bare), expected) && !(bare.kind === 'null' && mayBeNull(expected))) {
      this.#mismatch(template, bare, expected, target)
    } else if (template.kind === 'literal') {
      const found = checkLimits(template.value, schema)
      if (found !== null) this.#c.report('PW1062', target.place, `${target.what} of ${target.of} ${found}.`)
    } else if (mayBeNull(bare) && !isAssignable(NULL, expected)) {
      const message = `${target.what} of ${target.of} is ${describeType(expected)}, but this may be null.`
      this.#c.report('PW1068', target.place, message, { suggestion: 'give a value for null with `??`' })
    }
  }

  #mismatch(template: Template, given: Type, expected: Type, target: Target): void {
    const message = `${target.what} of ${target.of} is ${describeType(expected)}, not ${describeType(given)}.`
    const choices = membersOf(expected).flatMap((member) => (member.kind === 'literal' ? [String(member.value)] : []))
    const near = template.kind === 'literal' ? closest(String(template.value), choices) : undefined
    this.#c.report('PW1062', target.place, message, {
      suggestion: near === undefined ? undefined : `did you mean \`${near}\`?`,
    })
  }
}

/** What a template is given for. */
export interface Target {
  /** The whole schema, for `$ref`. */
  readonly root: JsonSchema
  /** The value in words: "`url`". */
  readonly what: string
  /** What it belongs to: "`http.get`", "the task `Charge`". */
  readonly of: string
  readonly place: Place
  /** Whether secrets may be given. */
  readonly accepts?: 'secret' | undefined
  /** Finds the place of an entry that does not stand directly below `place`. */
  readonly keyPlace?: (key: string) => Place | undefined
  /** Unknown keys are reported even where the schema is open. */
  readonly strict?: boolean
  /** Missing keys are reported at the value instead of at its key. */
  readonly pointAtKey?: boolean
}

function entriesOf(template: Template): readonly (readonly [string, Template])[] {
  if (template.kind === 'map') return template.entries
  if (template.kind !== 'literal' || !isPlainMap(template.value)) return []
  return Object.entries(template.value).map(([key, value]) => [key, { kind: 'literal', value }])
}

/** The schema that describes an object's keys, if there is exactly one. */
function objectSchema(schema: JsonSchema, root: JsonSchema): JsonSchema | undefined {
  if (isPlainMap(schema['properties']) || schema['type'] === 'object') return schema
  const variants = ['anyOf', 'oneOf'].flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : []))
  const objects = variants
    .filter(isPlainMap)
    .map((variant) => resolveReference(variant, root))
    .filter((variant) => variant['type'] === 'object')
  return objects.length === 1 ? objects[0] : undefined
}

/** `typeFromJsonSchema` resolves references against the schema it is given. */
function inlineReferences(schema: JsonSchema, root: JsonSchema): JsonSchema {
  return schema === root || root['$defs'] === undefined ? schema : { ...schema, $defs: root['$defs'] }
}
