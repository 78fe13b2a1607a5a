import type { z } from 'zod'

import type { Action, ActionContext, Connector } from '../connector/connector.ts'
import type { Cancellation, Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import type { Attempt } from './attempt.ts'
import { toJsonValue, type JsonValue } from '../action/json-value.ts'

export interface ActionCall {
  readonly attempt: Attempt
  readonly connector: Connector
  /** Dotted name below the connector. */
  readonly name: string
  readonly action: Action
  /** What the connection gave; undefined for an action that works without one. */
  readonly handle: unknown
  /** Name of the connection; '' without one. */
  readonly connection: string
  readonly egress: Egress
  /** Set for an action called inside a task: that key belongs to this one call of it. */
  readonly idempotencyKey?: string
}

/** Checks `input` against the action's schema. Throws `action_input_invalid`, naming every parameter that does not fit. */
export function checkActionInput(call: Pick<ActionCall, 'connector' | 'name' | 'action'>, input: Json): unknown {
  const parsed = call.action.input.safeParse(input)
  if (parsed.success) return parsed.data
  throw invalid(
    'action_input_invalid',
    `The parameters of ${call.connector.name}.${call.name} do not fit: `,
    parsed.error,
  )
}

/** Runs the action with checked input; answers its checked output as JSON. */
export async function runAction(call: ActionCall, input: unknown): Promise<JsonValue> {
  const result = await call.action.run(new Context(call), input)
  return checkActionOutput(call, result)
}

/** Asks whether an earlier attempt with the same key did its work; undefined when it did not. */
export async function lookUpAction(call: ActionCall, input: unknown): Promise<JsonValue | undefined> {
  if (call.action.lookup === undefined) {
    throw new PlugworkError(
      'action_without_lookup',
      `${call.connector.name}.${call.name} cannot look up what an earlier attempt did; use another on_interrupt.`,
    )
  }
  const found = await call.action.lookup(new Context(call), input)
  return found === null ? undefined : checkActionOutput(call, found)
}

function checkActionOutput(call: ActionCall, result: unknown): JsonValue {
  const parsed = call.action.output.safeParse(result)
  if (parsed.success) return toJsonValue(parsed.data, call.attempt.redact)
  throw invalid(
    'action_output_invalid',
    `What ${call.connector.name}.${call.name} returned does not fit its own schema (an error of the connector): `,
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
  return new PlugworkError(code, `${text}${list}.`, { data: { problems } })
}

/** What the action sees. The signal and the key are made when they are asked for. */
class Context implements ActionContext<unknown> {
  readonly #attempt: Attempt
  readonly #key: string | undefined
  readonly client: unknown
  readonly connection: string
  readonly egress: Egress
  readonly attempt: number
  readonly tenant: string

  constructor(call: ActionCall) {
    this.#attempt = call.attempt
    this.client = call.handle
    this.connection = call.connection
    this.egress = call.egress
    this.#key = call.idempotencyKey
    this.attempt = call.attempt.command.attempt
    this.tenant = call.attempt.host.tenant
  }

  get idempotencyKey(): string {
    return this.#key ?? this.#attempt.command.idempotencyKey
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get cancellation(): Cancellation {
    return this.#attempt
  }

  log(level: LogLine['level'], message: string, data?: Json): void {
    this.#attempt.log(level, message, data)
  }
}
