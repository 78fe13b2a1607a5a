/** A call from code: its time limit, and its retries where they are safe. */
import type { Action, Connector } from '../connector/connector.ts'
import type { Cancellation, Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import type { Json } from '../json.ts'
import { checkActionInput, findAction, type ActionScope } from './call.ts'
import { CallScope, sleep, unlessAborted } from './call-scope.ts'
import { actionError } from './errors.ts'
import type { Machinery } from './executor.ts'
import { codeOf, isRetryable, retryAfterOf } from './failure.ts'
import type { CallFacts, ConnectionUse, GuardedCall } from './guard.ts'
import type { JsonValue } from './json-value.ts'
import type { LimitSpec } from './limit-store.ts'

/** One use of a connection; `release` ends it. */
export interface ActionLease {
  /** What the connector's `acquire` gave, or its client. */
  readonly handle: unknown
  /** Takes the connection's secrets out of outputs and log lines. */
  readonly redact?: ((text: string) => string) | undefined
  /** Told with the error that the action ended with. */
  release(error?: unknown): Promise<void> | void
}

/** The connection of a call from code. */
export interface ActionConnection {
  /** Which connection, and which settings (another account has another key); unique within the tenant. */
  readonly key: string
  readonly name: string
  /** Instead of the connector's own limits; null for none. */
  readonly limits?: LimitSpec | null
  /** Asked once per attempt, after limits and breaker let it pass; not for an answer from the cache. */
  acquire(cancellation: Cancellation): Promise<ActionLease>
}

export interface RetryOptions {
  /** Attempts after the first one. Default 2. */
  readonly times?: number
  /** Longest first pause; doubles each time. The pause is a random part of it. Default 200 ms. */
  readonly delayMs?: number
  /** Longest pause; a service that asks for more (`Retry-After`) ends the call. Default 30 s. */
  readonly maxDelayMs?: number
}

export interface ActionRequest {
  readonly tenant: string
  readonly connector: Connector
  /** Dotted name below the connector: `issues.create`. */
  readonly action: string
  readonly input: unknown
  /** Left out for an action that works without one. */
  readonly connection?: ActionConnection
  readonly egress: Egress
  /** Makes an action with `idempotency: key` safe to repeat. Left out, the service gets a new one per call. */
  readonly idempotencyKey?: string
  /** For the call with all its attempts, waits included. Default 60 s; `Infinity` for none. */
  readonly timeoutMs?: number
  /** For each attempt. Default: what is left of the call's time. */
  readonly attemptTimeoutMs?: number
  readonly retry?: RetryOptions
  /** How long the answer may be served again (`30s`); false for never. Default: what the action says. Reads only. */
  readonly cache?: string | false
  readonly signal?: AbortSignal | Cancellation
  readonly dryRun?: boolean
  /** Lines of the action. Default: the executor's log. */
  log?(level: LogLine['level'], message: string, data?: Json): void
}

export interface ActionOutcome {
  readonly output: Json
  readonly attempts: number
  /** Served from the cache. */
  readonly cached: boolean
  /** Not carried out; `output` says so instead of being the action's. */
  readonly dryRun: boolean
  /** How long limits held it back. */
  readonly limitWaitMs: number
  readonly durationMs: number
}

const DEFAULT_TIMEOUT_MS = 60_000
const DEFAULT_RETRIES = 2
const DEFAULT_DELAY_MS = 200
const DEFAULT_MAX_DELAY_MS = 30_000

/** What stays the same for all attempts of a call. */
interface Call {
  readonly request: ActionRequest
  readonly action: Action
  readonly input: unknown
  readonly scope: CallScope
  readonly facts: CallFacts
}

export async function execute(machinery: Machinery, request: ActionRequest): Promise<ActionOutcome> {
  const { tenant, connector, action: name, timeoutMs = DEFAULT_TIMEOUT_MS } = request
  const action = findAction(connector, name)
  if (request.connection === undefined && action.connectionOptional !== true) {
    throw actionError('action_option_invalid', `${connector.name}.${name} needs a connection; the call names none.`)
  }
  checkTimes(request, `${connector.name}.${name}`)
  const meter = machinery.meter(connector, name)
  const facts: CallFacts = { limitWaitMs: 0, cached: false, dryRun: false, ran: false }
  const scope = new CallScope({
    tenant,
    label: meter.action,
    clock: machinery.clock,
    timeoutMs,
    signal: request.signal,
    idempotencyKey: request.idempotencyKey,
    log: request.log ?? machinery.log,
  })
  const began = machinery.began()
  let error: string | null = null
  try {
    if (scope.aborted) throw scope.reason
    const input = checkActionInput({ connector, name, action }, request.input)
    const result = await unlessAborted(attempts(machinery, { request, action, input, scope, facts }), scope)
    return {
      output: result.value,
      attempts: scope.attempt,
      cached: facts.cached,
      dryRun: facts.dryRun,
      limitWaitMs: facts.limitWaitMs,
      durationMs: end(),
    }
  } catch (thrown) {
    error = codeOf(thrown)
    end()
    throw thrown
  }

  function end(): number {
    scope.close()
    meter.retries += scope.attempt - 1
    const connection = request.connection?.name ?? ''
    return machinery.ended({ tenant, connection, meter, facts, began, attempts: scope.attempt, error })
  }
}

/** Tries until it succeeds, may not be repeated, or there is no time left. Ends by itself once the scope is aborted. */
async function attempts(machinery: Machinery, call: Call): Promise<JsonValue> {
  const { request, scope } = call
  const { times = DEFAULT_RETRIES, delayMs = DEFAULT_DELAY_MS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = request.retry ?? {}
  let before: unknown
  for (let failures = 0; ; failures++) {
    try {
      return await attempt(machinery, call, failures)
    } catch (error) {
      // An open breaker is there to answer at once; what opened it says more.
      if (codeOf(error) === 'action_circuit_open') throw before ?? error
      before = error
      if (scope.aborted || failures >= times || !isRetryable(error) || !isRepeatable(call)) throw error
      const jittered = machinery.random() * Math.min(delayMs * 2 ** failures, maxDelayMs)
      const asked = retryAfterOf(error) ?? 0
      const pauseMs = Math.max(jittered, asked)
      if (asked > maxDelayMs || machinery.clock.now() + pauseMs >= scope.deadline) throw error
      await sleep(pauseMs, machinery.clock, scope)
      scope.attempt++
    }
  }
}

/** Whether another attempt can do no harm: nothing was done yet, or doing it twice is the same as once. */
function isRepeatable({ request, action, facts }: Call): boolean {
  if (!facts.ran || action.effect === 'read') return true
  switch (action.idempotency) {
    case 'natural':
    case 'lookup':
      return true
    case 'key':
      return request.idempotencyKey !== undefined
    case 'none':
      return false
  }
}

async function attempt(machinery: Machinery, call: Call, failures: number): Promise<JsonValue> {
  const { request, action, input, scope: whole, facts } = call
  const { connector, action: name, egress, attemptTimeoutMs, idempotencyKey, cache, dryRun } = request
  const scope = attemptTimeoutMs === undefined ? whole : attemptScope(machinery, call, attemptTimeoutMs)
  const use = request.connection === undefined ? null : new LeasedConnection(request.connection, whole)
  const guarded: GuardedCall = {
    connector,
    name,
    action,
    scope,
    connection: use,
    egress,
    // An attempt's own scope would make its own key.
    idempotencyKey: idempotencyKey ?? (scope === whole ? undefined : whole.idempotencyKey),
    cache,
    dryRun,
  }
  const meter = machinery.meter(connector, name)
  let failure: unknown
  try {
    const done = once()
    return await (scope === whole ? done : unlessAborted(done, scope))
  } catch (error) {
    failure = error
    throw error
  } finally {
    if (scope !== whole) scope.close()
  }

  async function once(): Promise<JsonValue> {
    try {
      if (failures > 0 && facts.ran && action.idempotency === 'lookup') {
        const found = await machinery.guard.lookUp(guarded, input, facts, meter)
        if (found !== undefined) return found
        await use?.release(undefined)
      }
      return await machinery.guard.attempt(guarded, input, facts, meter)
    } catch (error) {
      failure = error
      throw error
    } finally {
      // Only now has the action's code returned, whether its caller still waits or not.
      await use?.release(failure)
    }
  }
}

function attemptScope(machinery: Machinery, { request, scope }: Call, timeoutMs: number): CallScope {
  const own = new CallScope({
    tenant: request.tenant,
    label: `An attempt of ${request.connector.name}.${request.action}`,
    clock: machinery.clock,
    timeoutMs: Math.min(timeoutMs, scope.deadline - machinery.clock.now()),
    signal: scope,
    log: (level, message, data) => scope.log(level, message, data),
  })
  own.attempt = scope.attempt
  return own
}

/** Holds the lease of an attempt until it is released. */
class LeasedConnection implements ConnectionUse {
  readonly key: string
  readonly name: string
  readonly limits?: LimitSpec | null
  readonly #connection: ActionConnection
  readonly #whole: CallScope
  #lease: ActionLease | null = null

  constructor(connection: ActionConnection, whole: CallScope) {
    this.key = connection.key
    this.name = connection.name
    if (connection.limits !== undefined) this.limits = connection.limits
    this.#connection = connection
    this.#whole = whole
  }

  async handle(scope: ActionScope): Promise<unknown> {
    const lease = await this.#connection.acquire(scope)
    this.#lease = lease
    this.#whole.redact = lease.redact
    ;(scope as CallScope).redact = lease.redact
    return lease.handle
  }

  async release(error: unknown): Promise<void> {
    const lease = this.#lease
    this.#lease = null
    await lease?.release(error)
  }
}

function checkTimes(request: ActionRequest, label: string): void {
  const { timeoutMs = 1, attemptTimeoutMs = 1, retry = {} } = request
  const numbers: [string, number, number][] = [
    ['timeoutMs', timeoutMs, 1],
    ['attemptTimeoutMs', attemptTimeoutMs, 1],
    ['retry.times', retry.times ?? 0, 0],
    ['retry.delayMs', retry.delayMs ?? 0, 0],
    ['retry.maxDelayMs', retry.maxDelayMs ?? 0, 0],
  ]
  for (const [name, value, least] of numbers) {
    if (!(value >= least)) {
      throw actionError('action_option_invalid', `${name} of the call of ${label} is ${value}; give ${least} or more.`)
    }
  }
}
