/**
 * One call of an action's own code: input checked, run, output checked and made JSON. Everything that calls an action
 * goes through here (flows, tasks, `execute`); what surrounds the call is in `executor.ts`.
 */
import type { z } from 'zod'
import type { Action, ActionContext, Connector } from '../connector/connector.ts'
import type { Cancellation, Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import type { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import { actionError } from './errors.ts'
import { toJsonValue, type JsonValue } from './json-value.ts'

/** What surrounds one attempt. Flows bring the attempt of their step, `execute` makes its own. */
export interface ActionScope extends Cancellation {
  readonly tenant: string
  /** Counts from 1. */
  readonly attempt: number
  readonly idempotencyKey: string
  /** When time is up; epoch ms, `Infinity` where there is no limit. */
  readonly deadline: number
  /** It was aborted because time was up. */
  readonly timedOut: boolean
  /** Takes the secrets that this attempt was given out of what it leaves behind. */
  readonly redact: ((text: string) => string) | undefined
  log(level: LogLine['level'], message: string, data?: Json): void
}

/** Where a connector tells of a pause that the service asked for. */
export interface Pausable {
  pauseUntil(until: number): void
}

/** An action of a connector. */
export interface NamedAction {
  readonly connector: Connector
  /** Dotted name below the connector. */
  readonly name: string
  readonly action: Action
}

/** What an action's code is run with. */
export interface ActionRun extends NamedAction {
  readonly scope: ActionScope
  /** What the connection gave; undefined for an action that works without one. */
  readonly handle: unknown
  /** Name of the connection; '' without one. */
  readonly connection: string
  readonly egress: Egress
  /** Of this call, where it is not the scope's: several calls of one task each have their own. */
  readonly idempotencyKey?: string | undefined
  readonly limits: Pausable | null
}

/** Finds an action by its dotted name. Throws `action_unknown`. */
export function findAction(connector: Connector, name: string): Action {
  const action = Object.hasOwn(connector.actions, name) ? connector.actions[name] : undefined
  if (action !== undefined) return action
  throw actionError(
    'action_unknown',
    `The connector ${connector.name} has no action "${name}". It has: ${Object.keys(connector.actions).join(', ')}.`,
  )
}

/** Checks `input` against the action's schema. Throws `action_input_invalid`, naming every parameter that does not fit. */
export function checkActionInput({ connector, name, action }: NamedAction, input: unknown): unknown {
  const parsed = action.input.safeParse(input)
  if (parsed.success) return parsed.data
  throw invalid('action_input_invalid', `The parameters of ${connector.name}.${name} do not fit: `, parsed.error)
}

/** Runs the action with checked input; answers its checked output as JSON. */
export async function runAction(run: ActionRun, input: unknown): Promise<JsonValue> {
  return checkActionOutput(run, await run.action.run(new Context(run), input))
}

/** Asks whether an earlier attempt with the same key did its work; undefined when it did not. */
export async function lookUpAction(run: ActionRun, input: unknown): Promise<JsonValue | undefined> {
  if (run.action.lookup === undefined) {
    throw actionError(
      'action_without_lookup',
      `${run.connector.name}.${run.name} cannot look up what an earlier attempt did; use another on_interrupt.`,
    )
  }
  const found = await run.action.lookup(new Context(run), input)
  return found === null ? undefined : checkActionOutput(run, found)
}

function checkActionOutput(run: ActionRun, result: unknown): JsonValue {
  const parsed = run.action.output.safeParse(result)
  if (parsed.success) return toJsonValue(parsed.data, run.scope.redact)
  throw invalid(
    'action_output_invalid',
    `What ${run.connector.name}.${run.name} returned does not fit its own schema (an error of the connector): `,
    parsed.error,
  )
}

function invalid(
  code: 'action_input_invalid' | 'action_output_invalid',
  text: string,
  error: z.ZodError,
): PlugworkError {
  const problems = error.issues.map(({ path, message }) => ({ field: path.map(String).join('.'), message }))
  const list = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ')
  return actionError(code, `${text}${list}.`, { data: { problems } })
}

/** What the action sees. The signal and the key are made when they are asked for. */
class Context implements ActionContext<unknown> {
  readonly #scope: ActionScope
  readonly #key: string | undefined
  readonly #limits: Pausable | null
  readonly client: unknown
  readonly connection: string
  readonly egress: Egress

  constructor(run: ActionRun) {
    this.#scope = run.scope
    this.client = run.handle
    this.connection = run.connection
    this.egress = run.egress
    this.#key = run.idempotencyKey
    this.#limits = run.limits
  }

  get idempotencyKey(): string {
    return this.#key ?? this.#scope.idempotencyKey
  }

  get attempt(): number {
    return this.#scope.attempt
  }

  get tenant(): string {
    return this.#scope.tenant
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  get cancellation(): Cancellation {
    return this.#scope
  }

  rateLimited(pause: { readonly until: number }): void {
    this.#limits?.pauseUntil(pause.until)
  }

  log(level: LogLine['level'], message: string, data?: Json): void {
    this.#scope.log(level, message, data)
  }
}
