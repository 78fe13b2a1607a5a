/**
 * Carries out the effects that the core asks for: one attempt of a task or action at a time, each with its secrets
 * resolved anew, its input checked, its output checked, projected, made JSON, measured and redacted. What cannot run
 * here now (a task that is missing, a schema that does not fit, a connector that is not installed, a stored connection to
 * which somebody has to sign in again) holds the step; it never fails it, because somebody can put it right.
 */
import { Slots } from '../slots.ts'
import { VALUE_LIMIT } from '../blob/blob-store.ts'
import type { Egress } from '../egress/egress.ts'
import { PlugworkError } from '../error.ts'
import type { ActionNode, TaskNode } from '../flow/plan.ts'
import type { Json, JsonObject } from '../json.ts'
import { ERRORS as ACTION_ERRORS } from '../action/errors.ts'
import type { Executor } from '../action/executor.ts'
import type { ConnectionUse, GuardedCall } from '../action/guard.ts'
import { Attempt, type AttemptCommand, type AttemptHost, type EffectCommand, type LookupCommand } from './attempt.ts'
import type { Connections, PreparedConnection } from './connections.ts'
import { ERRORS } from './errors.ts'
import { toJsonValue, type JsonValue } from '../action/json-value.ts'
import { checkSize } from './offload.ts'
import type { Clock } from '../clock.ts'
import type { Definitions, InterceptedCall, RuntimeOptions } from './runtime.ts'
import type { ResolvedValue, Secrets } from './secrets.ts'
import { wantsPerson } from './stored-connections.ts'
import { AttemptContext, unknownConnection } from './task-context.ts'

export interface EffectsOptions {
  readonly definitions: Definitions
  readonly connections: Connections
  readonly secrets: Secrets
  readonly egress: Egress
  readonly executor: Executor
  readonly clock: Clock
  readonly intercept?: RuntimeOptions['intercept']
}

export class Effects {
  readonly #options: EffectsOptions
  readonly #attempts = new Slots<Attempt>()
  readonly #forget = (attempt: Attempt): void => {
    this.#attempts.remove(attempt.slot)
    if (this.#attempts.size === 0) this.#idle?.()
  }
  #idle: (() => void) | null = null

  constructor(options: EffectsOptions) {
    this.#options = options
  }

  /** Attempts that have begun and not ended. */
  get running(): number {
    return this.#attempts.size
  }

  /** Resolves when no attempt runs any more. */
  whenIdle(): Promise<void> {
    if (this.#attempts.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle = resolve
    })
  }

  /** Aborts everything that runs and forgets it. */
  dropAll(reason: string): void {
    for (const attempt of this.#attempts) attempt.drop(reason)
  }

  /** Begins an attempt. Its run is fed when it ends, which may be before this returns. */
  begin(host: AttemptHost, command: EffectCommand): Attempt {
    const attempt = this.#attempt(host, command)
    const { intercept } = this.#options
    if (intercept === undefined) this.#resolveAndRun(attempt)
    else void this.#intercepted(attempt, intercept)
    return attempt
  }

  /** Asks the connector what became of an earlier attempt. */
  lookUp(host: AttemptHost, command: LookupCommand): Attempt {
    const attempt = this.#attempt(host, command)
    this.#resolveAndRun(attempt)
    return attempt
  }

  #attempt(host: AttemptHost, command: AttemptCommand): Attempt {
    const attempt = new Attempt(host, command, this.#options.clock, this.#forget)
    attempt.slot = this.#attempts.add(attempt)
    return attempt
  }

  #resolveAndRun(attempt: Attempt): void {
    const { node, input } = attempt.command
    try {
      const resolved = this.#options.secrets.resolve(input, attempt.host)
      if (resolved instanceof Promise) {
        resolved.then(
          (value) => this.#run(attempt, value),
          (error: unknown) => this.#failed(attempt, error),
        )
      } else {
        this.#run(attempt, resolved)
      }
    } catch (error) {
      this.#failed(attempt, error, node.kind)
    }
  }

  #run(attempt: Attempt, input: ResolvedValue): void {
    if (attempt.ended) return
    attempt.give(input.secrets)
    const { node } = attempt.command
    if (node.kind === 'task') this.#runTask(attempt, node, input.value as JsonObject)
    else void this.#runAction(attempt, node, input.value)
  }

  #runTask(attempt: Attempt, node: TaskNode, input: JsonObject): void {
    const { host } = attempt
    const task = this.#options.definitions.task(host.tenant, host.flow, node.task)
    if (task === null) {
      attempt.holdStep(
        `The task "${node.task}" of flow ${host.flow} is not loaded here. Export it from tasks.ts beside the flow, then ` +
          `resolve the step ${node.path} with a retry.`,
      )
      return
    }
    attempt.code = task.code
    let inputs = input
    try {
      if (task.validate !== undefined) inputs = task.validate(input)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      attempt.holdStep(
        `The inputs of step ${node.path} do not fit the task "${node.task}": ${attempt.redact?.(reason) ?? reason}`,
      )
      return
    }
    try {
      const context = new AttemptContext(attempt, this.#options)
      const result = task.run(inputs, context)
      if (isPromiseLike(result)) {
        result.then(
          (value) => this.#taskReturned(attempt, node, value),
          (error: unknown) => this.#failed(attempt, error),
        )
      } else {
        this.#taskReturned(attempt, node, result)
      }
    } catch (error) {
      this.#failed(attempt, error)
    }
  }

  #taskReturned(attempt: Attempt, node: TaskNode, result: unknown): void {
    attempt.returned()
    if (attempt.ended) return
    try {
      this.#complete(attempt, node, toJsonValue(result, attempt.redact))
    } catch (error) {
      this.#failed(attempt, error)
    }
  }

  async #runAction(attempt: Attempt, node: ActionNode, input: Json): Promise<void> {
    try {
      const given = this.#actionCall(attempt, node)
      const call = given instanceof Promise ? await given : given
      if (call === null) return
      if (attempt.command.type === 'lookup') {
        const found = await this.#options.executor.lookUp(call, input)
        attempt.returned()
        attempt.lookedUp(found === undefined ? undefined : project(attempt, node, found.value))
      } else {
        const output = await this.#options.executor.attempt(call, input)
        attempt.returned()
        this.#complete(attempt, node, output)
      }
    } catch (error) {
      this.#failed(attempt, error)
    }
  }

  #actionCall(attempt: Attempt, node: ActionNode): GuardedCall | null | Promise<GuardedCall> {
    const { host } = attempt
    const connector = this.#options.connections.connector(node.connector)
    const action =
      connector !== null && Object.hasOwn(connector.actions, node.action) ? connector.actions[node.action] : undefined
    if (connector === null || action === undefined) {
      const missing =
        connector === null ? `The connector "${node.connector}"` : `The action ${node.connector}.${node.action}`
      attempt.holdStep(`${missing} is not installed here. Install it, then resolve the step ${node.path} with a retry.`)
      return null
    }
    attempt.code = `${connector.name}@${connector.version}`
    const base = { scope: attempt, connector, name: node.action, action, egress: this.#options.egress }
    if (node.connection === undefined) return { ...base, connection: null }
    const declared = host.connection(node.connection)
    if (declared === null) throw unknownConnection(host.flow, node.connection)
    const { connections } = this.#options
    const stored = declared.stored !== undefined && declared.stored !== null
    const request = stored ? { ...declared, action: `${node.connector}.${node.action}` } : declared
    const prepared = connections.prepare(request)
    if (!(prepared instanceof Promise)) {
      return { ...base, connection: new StepConnection(connections, prepared, attempt) }
    }
    return prepared.then((late) => ({ ...base, connection: new StepConnection(connections, late, attempt) }))
  }

  async #intercepted(attempt: Attempt, intercept: NonNullable<RuntimeOptions['intercept']>): Promise<void> {
    const { command } = attempt
    try {
      const replaced = await intercept(interceptedCall(attempt))
      if (replaced === undefined) this.#resolveAndRun(attempt)
      else if (!attempt.ended) this.#complete(attempt, command.node, toJsonValue(replaced.output))
    } catch (error) {
      this.#failed(attempt, error)
    }
  }

  #complete(attempt: Attempt, node: TaskNode | ActionNode, output: JsonValue): void {
    // The estimate counts UTF-16 units; bytes with escapes are at most six times as many.
    if (output.size > VALUE_LIMIT / 6) {
      checkSize(`The output of step ${node.path}`, Buffer.byteLength(JSON.stringify(output.value)))
    }
    attempt.complete(project(attempt, node, output.value))
  }

  #failed(attempt: Attempt, error: unknown, kind = attempt.command.node.kind): void {
    attempt.returned(error)
    if (attempt.command.type === 'lookup') {
      const reason = error instanceof Error ? error.message : String(error)
      const text = attempt.redact?.(reason) ?? reason
      attempt.holdStep(`What became of step ${attempt.command.path} could not be looked up: ${text}`)
      return
    }
    if (wantsPerson(error)) {
      const reason = attempt.redact?.(error.message) ?? error.message
      attempt.holdStep(`${reason} Then resolve the step ${attempt.command.path} with a retry.`)
      return
    }
    attempt.fail(error, kind === 'task' ? 'task_failed' : 'action_failed', isFinal(error))
  }
}

/** The connection of a step: taken when its action really runs, given back when the attempt has returned. */
class StepConnection implements ConnectionUse {
  readonly key: string
  readonly name: string
  readonly #connections: Connections
  readonly #prepared: PreparedConnection
  readonly #attempt: Attempt

  constructor(connections: Connections, prepared: PreparedConnection, attempt: Attempt) {
    this.key = prepared.key
    this.name = prepared.request.name
    this.#connections = connections
    this.#prepared = prepared
    this.#attempt = attempt
  }

  async handle(): Promise<unknown> {
    const lease = await this.#connections.take(this.#prepared, this.#attempt)
    this.#attempt.hold(lease)
    return lease.handle
  }
}

/** Errors of the runtime's and the actions' own tables that no repetition can cure; after some of them the effect has even happened. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof PlugworkError)) return false
  const { code } = error
  if (Object.hasOwn(ERRORS, code)) return !ERRORS[code as keyof typeof ERRORS].retryable
  return Object.hasOwn(ACTION_ERRORS, code) && !ACTION_ERRORS[code as keyof typeof ACTION_ERRORS].retryable
}

/** The outputs that the author listed, or everything. */
function project(attempt: Attempt, node: TaskNode | ActionNode, output: Json): Json {
  if (node.outputs.length === 0) return output
  const name = node.kind === 'task' ? `The task "${node.task}"` : `The action ${node.connector}.${node.action}`
  if (typeof output !== 'object' || output === null || Array.isArray(output)) {
    const kind = output === null ? 'nothing' : Array.isArray(output) ? 'an array' : `a ${typeof output}`
    throw new PlugworkError(
      'output_missing',
      `${name} returned ${kind}; the flow expects an object with ${node.outputs.join(', ')}.`,
    )
  }
  const projected: { [key: string]: Json } = {}
  for (const key of node.outputs) {
    if (Object.hasOwn(output, key)) projected[key] = output[key] ?? null
    else {
      projected[key] = null
      attempt.log('warn', `${name} did not return "${key}", which the flow lists under outputs; it is null.`)
    }
  }
  return projected
}

/** Secrets show as `***` to whoever replaces a call, as in the trace. */
function interceptedCall({ host, command }: Attempt): InterceptedCall {
  const { node, path, attempt, input } = command
  return {
    kind: node.kind,
    runId: host.runId,
    flow: host.flow,
    name: node.kind === 'task' ? node.task : `${node.connector}.${node.action}`,
    path,
    attempt,
    input: JSON.parse(JSON.stringify(input)) as Json,
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
