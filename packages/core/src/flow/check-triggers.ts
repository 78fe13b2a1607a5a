/** Checks triggers against the rest of the flow: the inputs that they give, the steps that they name. */
import { closest } from '../expression/suggest.ts'
import { ANY, objectOf, STRING, type Type } from '../expression/type.ts'
import type { Compilation } from './compilation.ts'
import { inputsSchema } from './inputs.ts'
import { childPlace, rootPlace, type Place } from './place.ts'
import type { InputMapping, Plan, PlanTrigger, Template } from './plan.ts'
import type { PlanIndex } from './plan-index.ts'
import type { Scope } from './scope.ts'
import { containsSecret } from './secret-types.ts'
import type { ValueChecker } from './values.ts'

type Webhook = Extract<PlanTrigger, { kind: 'webhook' }>

/** Names of a webhook's request, and their types. */
const REQUEST: { readonly [name: string]: Type } = { body: ANY, query: ANY, headers: ANY, path: ANY }

export class TriggerChecker {
  readonly #c: Compilation
  readonly #values: ValueChecker
  readonly #index: PlanIndex

  constructor(c: Compilation, values: ValueChecker, index: PlanIndex) {
    this.#c = c
    this.#values = values
    this.#index = index
  }

  /** Checks all triggers of the flow. `outer` has `env` and `secrets`. */
  check(plan: Plan, outer: Scope): void {
    const seen = new Set<string>()
    for (const trigger of plan.triggers) {
      const place = this.#c.origins.place(trigger) ?? rootPlace(null)
      const key = identity(trigger)
      if (key !== null && seen.has(key)) this.#c.report('PW1085', place, 'The flow has this trigger already.')
      if (key !== null) seen.add(key)
      this.#trigger(trigger, plan, place, outer)
    }
  }

  #trigger(trigger: PlanTrigger, plan: Plan, place: Place, outer: Scope): void {
    const scope = outer
      .child()
      .addName('trigger', ANY)
      .addName('flow', objectOf({ name: STRING, version: STRING }))
    switch (trigger.kind) {
      case 'webhook':
        this.#auth(trigger, outer)
        this.#respond(trigger, place)
        for (const [name, type] of Object.entries(REQUEST)) scope.addName(name, type)
        this.#mapping(trigger.inputMapping, plan, place, scope)
        return
      case 'schedule':
        this.#inputs(trigger.inputs ?? { kind: 'literal', value: {} }, plan, place, scope)
        return
      case 'event':
        scope.addName('event', ANY)
        if (trigger.match !== undefined) this.#values.expression(trigger, 'match', scope, 'condition')
        if (trigger.inputs !== undefined) this.#mapping(trigger.inputs, plan, place, scope)
        return
      case 'manual':
    }
  }

  #auth({ auth }: Webhook, outer: Scope): void {
    const templates = Object.values(auth ?? {}).filter((value): value is Template => typeof value === 'object')
    for (const template of templates) this.#values.template(template, outer)
  }

  #respond({ respond }: Webhook, place: Place): void {
    if (typeof respond === 'string' || this.#index.withId(respond.withStep).length > 0) return
    const near = closest(respond.withStep, this.#index.ids())
    this.#c.report(
      'PW1058',
      optionPlace(place, 'respond'),
      `There is no step \`${respond.withStep}\` that could answer.`,
      {
        suggestion: near === undefined ? undefined : `did you mean \`${near}\`?`,
      },
    )
  }

  #mapping(mapping: InputMapping, plan: Plan, place: Place, scope: Scope): void {
    if (typeof mapping === 'string') return
    this.#inputs({ kind: 'map', entries: Object.entries(mapping) }, plan, optionPlace(place, 'input_mapping'), scope)
  }

  #inputs(template: Template, plan: Plan, place: Place, scope: Scope): void {
    const schema = inputsSchema(plan.inputs)
    const at = template.kind === 'map' || template.kind === 'literal' ? optionPlace(place, 'inputs') : place
    const type = this.#values.fits(template, schema, scope, {
      root: schema,
      what: 'the inputs',
      of: `the flow \`${plan.flow}\``,
      place: at,
    })
    if (containsSecret(type))
      this.#c.report('PW1067', at, 'The inputs would be stored with a secret in them; read it in a step.')
  }
}

/** The place of an option, wherever the trigger's form puts it. */
function optionPlace(place: Place, key: string): Place {
  for (const inside of [place, ...['webhook', 'schedule', 'event'].map((kind) => childPlace(place, kind))]) {
    const found = inside === undefined ? undefined : childPlace(inside, key)
    if (found !== undefined) return found
  }
  return place
}

/** What two triggers that do the same have in common; null where several may be the same. */
function identity(trigger: PlanTrigger): string | null {
  switch (trigger.kind) {
    case 'webhook':
      return `webhook ${trigger.method} ${trigger.path}`
    case 'schedule':
      return `schedule ${trigger.cron} ${trigger.timezone} ${JSON.stringify(trigger.inputs ?? null)}`
    case 'event':
      return `event ${trigger.event} ${trigger.match ?? ''}`
    case 'manual':
      return 'manual'
  }
}
