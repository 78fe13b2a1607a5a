/**
 * The checker: everything that is wrong with a flow, before anything runs. It compiles the document, walks the plan in
 * the order in which steps run, and gives each expression the types of what it can see. It never throws, whatever the
 * text is, and takes well under a millisecond for a step.
 */
import {
  describeWithArticle,
  isAssignable,
  ANY,
  NULL,
  SECRET,
  STRING,
  NUMBER,
  objectOf,
  recordOf,
  typeFromJsonSchema,
  union,
  type Type,
} from '../expression/type.ts'
import type { Catalog } from './catalog.ts'
import { ReferenceChecker } from './check-references.ts'
import { handlerScope, StepChecker } from './check-steps.ts'
import { TriggerChecker } from './check-triggers.ts'
import { compileDraft, sortProblems, type FlowSource } from './compile.ts'
import type { Compilation } from './compilation.ts'
import { isOpaqueName } from './mentions.ts'
import { childPlace, rootPlace } from './place.ts'
import type { Plan, PlanInput } from './plan.ts'
import { PlanIndex } from './plan-index.ts'
import type { FlowProblem } from './problem.ts'
import { Scope, nullable } from './scope.ts'
import { containsSecret } from './secret-types.ts'
import { conform } from './conform.ts'
import { shapeOfJson } from './shape.ts'
import { typeOfJson } from './step-types.ts'
import { ValueChecker } from './values.ts'

export interface CheckedFlow {
  readonly problems: readonly FlowProblem[]
  /** Null when there is an error among the problems. */
  readonly plan: Plan | null
  /** Types of the steps' values by path; null when the document could not be read at all. */
  readonly types: ReadonlyMap<string, Type> | null
}

/** Reports every problem of a flow. */
export function checkFlow(source: FlowSource, catalog: Catalog): CheckedFlow {
  const { plan, compilation } = compileDraft(source, catalog)
  const types = plan === null ? null : new FlowChecker(compilation, plan).check()
  const problems = sortProblems(withoutTwins(compilation.problems))
  return { problems, plan: problems.some((found) => found.severity === 'error') ? null : plan, types }
}

/** The same finding at the same place, once. */
function withoutTwins(problems: readonly FlowProblem[]): FlowProblem[] {
  const seen = new Set<string>()
  return problems.filter((found) => {
    const key = `${found.line}:${found.column} ${found.code} ${found.pointer ?? ''} ${found.message}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

class FlowChecker {
  readonly #c: Compilation
  readonly #plan: Plan
  readonly #index: PlanIndex
  readonly #values: ValueChecker
  readonly #references: ReferenceChecker
  readonly #steps: StepChecker

  constructor(c: Compilation, plan: Plan) {
    this.#c = c
    this.#plan = plan
    this.#index = new PlanIndex(plan)
    this.#values = new ValueChecker(c, this.#index)
    this.#references = new ReferenceChecker(c, this.#values, plan)
    this.#steps = new StepChecker(c, this.#values, this.#references)
  }

  check(): ReadonlyMap<string, Type> {
    const plan = this.#plan
    const outer = new Scope().addName('env', recordOf(ANY)).addName('secrets', recordOf(SECRET))
    const top = globalScope(plan)
    this.#references.connections(outer)
    new TriggerChecker(this.#c, this.#values, this.#index).check(plan, outer)
    this.#settings(top)
    const main = top.child()
    this.#steps.block(plan.steps, main, { handlesError: false })
    this.#outputs(main)
    this.#handlers(top, main)
    for (const input of plan.inputs) this.#default(input)
    return this.#steps.types
  }

  #default(input: PlanInput): void {
    if (input.default === undefined || input.default === null) return
    const place = this.#c.origins.place(input)
    const at = (place && childPlace(place, 'default')) ?? place ?? rootPlace(null)
    const expected = typeFromJsonSchema(input.schema)
    if (input.secret) {
      this.#c.report('PW1084', at, `The default of the secret \`${input.name}\` stands in the flow file.`)
    } else if (!isAssignable(typeOfJson(input.default), expected)) {
      this.#c.report('PW1065', at, `The default of \`${input.name}\` is not ${describeWithArticle(expected)}.`)
    } else {
      const target = { root: input.schema, what: 'the default', of: `the input \`${input.name}\`` }
      for (const { place: where, message, suggestion, key } of conform(
        shapeOfJson(input.default, at),
        input.schema,
        target,
      )) {
        this.#c.report('PW1065', where, message, { suggestion, key: key === true })
      }
    }
  }

  #settings(top: Scope): void {
    const key = this.#plan.settings.concurrency?.key
    if (key === undefined) return
    const type = this.#values.template(key, top)
    if (containsSecret(type)) {
      this.#c.report(
        'PW1067',
        this.#c.origins.place(key) ?? rootPlace(null),
        'The concurrency key would be stored with a secret in it.',
      )
    }
  }

  #outputs(main: Scope): void {
    this.#values.current = null
    for (const { name, value } of this.#plan.outputs) {
      const type = this.#values.template(value, main)
      if (!containsSecret(type)) continue
      this.#c.report(
        'PW1067',
        this.#c.origins.place(value) ?? rootPlace(null),
        `The output \`${name}\` would be stored with a secret in it.`,
      )
    }
  }

  /** Handlers of the flow see every step that may have run. */
  #handlers(top: Scope, main: Scope): void {
    const { onError = [], onCancel = [] } = this.#plan
    const ran = top.child()
    for (const [id, type] of main.ownSteps()) ran.addStep(id, nullable(type))
    this.#steps.block(onError, handlerScope(ran), { handlesError: true, noExit: "in the flow's `on_error`" })
    this.#steps.block(onCancel, ran.child(), { handlesError: false, noExit: 'in `on_cancel`' })
  }
}

/** Names that every step sees. */
function globalScope(plan: Plan): Scope {
  const inputs = objectOf(Object.fromEntries(plan.inputs.map((input) => [input.name, inputType(input)])))
  const env = objectOf(Object.fromEntries(plan.env.map((name) => [name, isOpaqueName(name) ? SECRET : STRING])))
  return new Scope()
    .addName('inputs', inputs)
    .addName('env', env)
    .addName('secrets', recordOf(SECRET))
    .addName('run', objectOf({ id: STRING, attempt: NUMBER, started_at: STRING }))
    .addName('flow', objectOf({ name: STRING, version: STRING }))
    .addName('trigger', ANY)
}

function inputType(input: PlanInput): Type {
  const type = input.secret ? SECRET : typeFromJsonSchema(input.schema)
  const always = input.required || (input.default !== undefined && input.default !== null)
  return always ? type : union(type, NULL)
}
