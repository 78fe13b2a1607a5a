import type { Egress } from '../egress/egress.ts'
import { PlugworkError } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Executor } from '../action/executor.ts'
import type { ConnectionUse, GuardedCall } from '../action/guard.ts'
import type { Attempt } from './attempt.ts'
import type { ConnectionLease, Connections } from './connections.ts'
import type { TaskConnection, TaskContext } from './runtime.ts'

export interface TaskContextOptions {
  readonly connections: Connections
  readonly egress: Egress
  readonly executor: Executor
}

/** What a task gets beside its inputs. Everything but the plain facts is made when it is asked for. */
export class AttemptContext implements TaskContext {
  readonly attempt: number
  readonly run: { readonly id: string; readonly flow: string; readonly startedAt: number }
  readonly tenant: string
  readonly #attempt: Attempt
  readonly #connections: Connections
  readonly #egress: Egress
  readonly #executor: Executor
  #log: TaskContext['log'] | null = null
  #fetch: typeof globalThis.fetch | null = null
  #leases: Map<string, Promise<TaskConnection>> | null = null
  #calls = 0

  constructor(attempt: Attempt, options: TaskContextOptions) {
    const { host, command } = attempt
    this.attempt = command.attempt
    this.run = { id: host.runId, flow: host.flow, startedAt: host.startedAt }
    this.tenant = host.tenant
    this.#attempt = attempt
    this.#connections = options.connections
    this.#egress = options.egress
    this.#executor = options.executor
  }

  get idempotencyKey(): string {
    return this.#attempt.command.idempotencyKey
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get log(): TaskContext['log'] {
    const attempt = this.#attempt
    this.#log ??= {
      debug: (message, data) => attempt.log('debug', message, data),
      info: (message, data) => attempt.log('info', message, data),
      warn: (message, data) => attempt.log('warn', message, data),
      error: (message, data) => attempt.log('error', message, data),
    }
    return this.#log
  }

  /** Ends with the attempt, as everything that a task begins. */
  get fetch(): typeof globalThis.fetch {
    this.#fetch ??= (input, init) => {
      const own = init?.signal ?? (input instanceof Request ? input.signal : null)
      const signal = own === null ? this.signal : AbortSignal.any([own, this.signal])
      return this.#egress.fetch(input, { ...init, signal })
    }
    return this.#fetch
  }

  /** The same connection asked for twice is taken once. */
  connection(name: string): Promise<TaskConnection> {
    const leases = (this.#leases ??= new Map())
    const known = leases.get(name)
    if (known !== undefined) return known
    const taken = this.#take(name)
    leases.set(name, taken)
    return taken
  }

  async #take(name: string): Promise<TaskConnection> {
    const attempt = this.#attempt
    const request = attempt.host.connection(name)
    if (request === null) throw unknownConnection(attempt.host.flow, name)
    const lease = await this.#connections.use(request, attempt)
    attempt.hold(lease)
    return {
      client: lease.handle,
      call: (action, input) => this.#call(lease, action, input),
    }
  }

  async #call(lease: ConnectionLease, name: string, input: JsonObject): Promise<JsonObject> {
    const { connector } = lease
    const action = Object.hasOwn(connector.actions, name) ? connector.actions[name] : undefined
    if (action === undefined) {
      throw new PlugworkError(
        'step_unknown',
        `The connector ${connector.name} has no action "${name}". It has: ${Object.keys(connector.actions).join(', ')}.`,
      )
    }
    const call: GuardedCall = {
      scope: this.#attempt,
      connector,
      name,
      action,
      connection: new HeldConnection(lease),
      egress: this.#egress,
      // By order: an attempt that makes the same calls again gives each the key that it had.
      idempotencyKey: `${this.idempotencyKey}.${++this.#calls}`,
    }
    const output = await this.#traced(call, input)
    return output as JsonObject
  }

  async #traced(call: GuardedCall, input: Json): Promise<Json> {
    const label = `${call.connection?.name}: ${call.connector.name}.${call.name}`
    try {
      const { value } = await this.#executor.attempt(call, input)
      this.#attempt.log('debug', `${label} succeeded`)
      return value
    } catch (error) {
      this.#attempt.log('debug', `${label} failed: ${error instanceof Error ? error.message : String(error)}`)
      throw error
    }
  }
}

/** A connection that the task has taken already. */
class HeldConnection implements ConnectionUse {
  readonly key: string
  readonly name: string
  readonly #handle: unknown

  constructor({ key, name, handle }: ConnectionLease) {
    this.key = key
    this.name = name
    this.#handle = handle
  }

  handle(): unknown {
    return this.#handle
  }
}

/** The error of a step that names a connection which its flow does not declare. */
export function unknownConnection(flow: string, name: string): PlugworkError {
  return new PlugworkError(
    'connection_unknown',
    `The flow ${flow} declares no connection "${name}". Declare it under \`connections:\` of the flow.`,
  )
}
