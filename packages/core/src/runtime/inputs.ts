/**
 * Inputs of runs, and data of waits, against their schemas. The rules are those of `flow/input.ts`; here are the
 * validators kept, and the secrets handled that sub-flows and replays hand on.
 */
import { holdsSecret, seal } from '../engine/secrets.ts'
import { PlugworkError } from '../error.ts'
import { SecretText, setOwn, type Value } from '../expression/value.ts'
import {
  inputValidator,
  valueValidator,
  type InputProblem,
  type InputValidator,
  type ValueValidator,
} from '../flow/input.ts'
import type { Plan } from '../flow/plan.ts'
import type { Json, JsonObject, JsonSchema } from '../json.ts'

/** Inputs as a caller gives them; those of a sub-flow may hold secret texts. */
export type GivenInputs = { readonly [name: string]: Value }

export type CheckedInputs =
  | { readonly kind: 'valid'; readonly inputs: { readonly [name: string]: Value } }
  | { readonly kind: 'invalid'; readonly problems: readonly InputProblem[] }

/** Checks the inputs of runs against their flow before anything is stored. Validators are made once per plan. */
export class InputChecker {
  readonly #ofPlans = new WeakMap<Plan, InputValidator>()
  readonly #ofSchemas = new WeakMap<JsonSchema, ValueValidator>()

  /** Makes the plan's validator, if that has not been done. */
  async prepare(plan: Plan): Promise<void> {
    if (!this.isReady(plan)) this.#ofPlans.set(plan, await inputValidator(plan))
  }

  isReady(plan: Plan): boolean {
    return this.#ofPlans.has(plan)
  }

  /**
   * Every problem of every input, or the inputs with defaults filled in; what is not given is null. The plan has been
   * prepared.
   */
  check(plan: Plan, given: GivenInputs): CheckedInputs {
    const validate = this.#ofPlans.get(plan)
    if (validate === undefined) {
      throw new PlugworkError('internal_unreachable', `The flow ${plan.flow} was not prepared; please report this.`)
    }
    if (holdsSecret(given)) return checkWithSecrets(plan, given, validate)
    // Proved free of secrets just above.
    const { inputs, problems } = validate(given as JsonObject)
    return problems.length === 0 ? { kind: 'valid', inputs } : { kind: 'invalid', problems }
  }

  /** Every way in which a value does not fit a schema (of a form, of a webhook's body); empty when it fits. */
  async problems(schema: JsonSchema, value: Json): Promise<readonly string[]> {
    let validate = this.#ofSchemas.get(schema)
    if (validate === undefined) this.#ofSchemas.set(schema, (validate = await valueValidator(schema)))
    return validate(value)
  }
}

/** A text that stands for a secret one while the rules are applied, so that no rule and no message sees the secret. */
const STAND_IN = '***'

/** Inputs of type secret take a secret text as it is; in any other input a secret would be stored, and is refused. */
function checkWithSecrets(plan: Plan, given: GivenInputs, validate: InputValidator): CheckedInputs {
  const visible: { [name: string]: Json } = {}
  for (const [name, value] of Object.entries(given)) {
    setOwn(visible, name, value instanceof SecretText ? STAND_IN : seal(value).json)
  }
  const misplaced = plan.inputs
    .filter(({ name, secret }) => !secret && Object.hasOwn(given, name) && holdsSecret(given[name] ?? null))
    .map(({ name }) => name)
  const checked = validate(visible)
  const problems = [
    ...misplaced.map((input) => ({ input, message: `\`${input}\` is a secret, but the input is not of type secret.` })),
    ...checked.problems.filter(({ input }) => !misplaced.includes(input)),
  ]
  if (problems.length > 0) return { kind: 'invalid', problems }
  const inputs: { [name: string]: Value } = { ...checked.inputs }
  for (const [name, value] of Object.entries(given)) if (value instanceof SecretText) setOwn(inputs, name, value)
  return { kind: 'valid', inputs }
}
