/**
 * The one executor of actions, for code, flows and plugins. `execute` does everything; flows use `attempt`, because their
 * engine journals attempts and retries them itself. State (limits of this process, breakers, metrics, log) belongs to
 * an executor, so a process makes one.
 */
import type { Clock } from '../clock.ts'
import type { LogLine } from '../engine/event.ts'
import type { Json } from '../json.ts'
import { ActionLog, type ActionLogEntry } from './action-log.ts'
import { runBatch, type BatchOptions, type BatchResult } from './batch.ts'
import { DEFAULT_BREAKER, type BreakerRule } from './breaker.ts'
import type { ActionCache } from './cache.ts'
import { checkActionInput } from './call.ts'
import { execute, type ActionOutcome, type ActionRequest } from './execute.ts'
import { codeOf } from './failure.ts'
import { Guard, type CallFacts, type GuardedCall } from './guard.ts'
import type { JsonValue } from './json-value.ts'
import { limitRule, type LimitSpec, type LimitStore } from './limit-store.ts'
import { MemoryCache } from './memory-cache.ts'
import { MemoryLimitStore } from './memory-limit-store.ts'
import { Meter, type ActionMetrics } from './meters.ts'
import { pagesOf, type ActionPages, type PagesOptions } from './pages.ts'

export interface ExecutorOptions {
  readonly clock: Clock
  /** From 0 to 1, for the jitter of retries. Default `Math.random`. */
  readonly random?: () => number
  /** Milliseconds for durations. Default `performance.now`. */
  readonly monotonic?: () => number
  /** Where token buckets live; a shared store makes limits hold for all processes. Null: no limits. Default: this process. */
  readonly limits?: LimitStore | null
  /** Limits of all connections of a connector together, by connector: what the service allows an app. */
  readonly connectorLimits?: { readonly [connector: string]: LimitSpec }
  /** Where answers are kept; null for nowhere. Default: 32 MiB of this process. */
  readonly cache?: ActionCache | null
  /** Null: breakers never open. Default: five outages in a row open one for 5 s, longer each time up to a minute. */
  readonly breaker?: BreakerRule | null
  /** Longest wait for a limit; the time limit of the call counts too. Default 15 minutes. */
  readonly maxLimitWaitMs?: number
  /** Only reads are carried out; anything else answers `{ dry_run: true, … }`. */
  readonly dryRun?: boolean
  /** Calls that `recent` remembers. Default 1,000. */
  readonly logSize?: number
  log(level: LogLine['level'], message: string, data?: Json): void
}

export interface Executor {
  /** Calls an action: checked, limited, cached, retried where that is safe. Throws `action_…` and what the action throws. */
  execute(request: ActionRequest): Promise<ActionOutcome>
  /** Many calls, some at a time; one result each, in order. Never throws for a call. */
  batch(requests: Iterable<ActionRequest>, options?: BatchOptions): Promise<BatchResult[]>
  /** The pages of a list, and its items, asked for as they are read. Throws `action_without_pages`. */
  pages(request: ActionRequest, options?: PagesOptions): ActionPages
  /** One attempt inside of a scope that somebody else owns: no retry, no time limit of its own. */
  attempt(call: GuardedCall, input: Json): Promise<JsonValue>
  /** Asks the action what an earlier attempt with the same key did; undefined: nothing. */
  lookUp(call: GuardedCall, input: Json): Promise<JsonValue | undefined>
  metrics(): ActionMetrics[]
  /** The last calls, the newest first. */
  recent(filter?: { readonly tenant?: string; readonly limit?: number }): ActionLogEntry[]
}

const DEFAULT_LOG_SIZE = 1_000
const DEFAULT_MAX_LIMIT_WAIT_MS = 15 * 60_000

/** Makes an executor. Throws `action_option_invalid` for limits that cannot be used. */
export function createExecutor(options: ExecutorOptions): Executor {
  return new OneExecutor(options)
}

/** What `execute` needs of the executor. */
export interface Machinery {
  readonly clock: Clock
  readonly guard: Guard
  readonly random: () => number
  meter(connector: { readonly name: string }, name: string): Meter
  began(): number
  ended(end: CallEnd): number
  log(level: LogLine['level'], message: string, data?: Json): void
}

export interface CallEnd {
  readonly tenant: string
  readonly connection: string
  readonly meter: Meter
  readonly facts: CallFacts
  readonly began: number
  readonly attempts: number
  /** Null for a call that succeeded. */
  readonly error: string | null
}

class OneExecutor implements Executor, Machinery {
  readonly clock: Clock
  readonly guard: Guard
  readonly random: () => number
  readonly #monotonic: () => number
  readonly #meters = new Map<string, Meter>()
  /** The same by connector and name, found without making text. */
  readonly #known = new WeakMap<object, Map<string, Meter>>()
  readonly #log: ActionLog
  readonly log: ExecutorOptions['log']

  constructor(options: ExecutorOptions) {
    const { clock, limits, cache, breaker } = options
    this.clock = clock
    this.random = options.random ?? Math.random
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#log = new ActionLog(options.logSize ?? DEFAULT_LOG_SIZE)
    this.log = options.log.bind(options)
    const connectorLimits = Object.entries(options.connectorLimits ?? {})
    this.guard = new Guard({
      clock,
      limits: limits === undefined ? new MemoryLimitStore(clock) : limits,
      cache: cache === undefined ? new MemoryCache({ clock }) : cache,
      breaker: breaker === undefined ? DEFAULT_BREAKER : breaker,
      connectorLimits: new Map(connectorLimits.map(([name, spec]) => [name, limitRule(spec, `the connector ${name}`)])),
      maxLimitWaitMs: options.maxLimitWaitMs ?? DEFAULT_MAX_LIMIT_WAIT_MS,
      dryRun: options.dryRun ?? false,
      log: this.log,
    })
  }

  execute(request: ActionRequest): Promise<ActionOutcome> {
    return execute(this, request)
  }

  batch(requests: Iterable<ActionRequest>, options: BatchOptions = {}): Promise<BatchResult[]> {
    return runBatch((request) => this.execute(request), requests, options)
  }

  pages(request: ActionRequest, options: PagesOptions = {}): ActionPages {
    return pagesOf((page) => this.execute(page), request, options)
  }

  async attempt(call: GuardedCall, input: Json): Promise<JsonValue> {
    const meter = this.meter(call.connector, call.name)
    const facts: CallFacts = { limitWaitMs: 0, cached: false, dryRun: false, ran: false }
    const began = this.#monotonic()
    try {
      const result = await this.guard.attempt(call, checkActionInput(call, input), facts, meter)
      this.#endAttempt(call, meter, facts, began, null)
      return result
    } catch (error) {
      this.#endAttempt(call, meter, facts, began, codeOf(error))
      throw error
    }
  }

  lookUp(call: GuardedCall, input: Json): Promise<JsonValue | undefined> {
    const meter = this.meter(call.connector, call.name)
    const facts: CallFacts = { limitWaitMs: 0, cached: false, dryRun: false, ran: false }
    return this.guard.lookUp(call, checkActionInput(call, input), facts, meter)
  }

  metrics(): ActionMetrics[] {
    return [...this.#meters.values()].map((meter) => meter.read())
  }

  recent(filter?: { readonly tenant?: string; readonly limit?: number }): ActionLogEntry[] {
    return this.#log.recent(filter)
  }

  meter(connector: { readonly name: string }, name: string): Meter {
    let named = this.#known.get(connector)
    if (named === undefined) this.#known.set(connector, (named = new Map()))
    const known = named.get(name)
    if (known !== undefined) return known
    const action = `${connector.name}.${name}`
    let meter = this.#meters.get(action)
    if (meter === undefined) this.#meters.set(action, (meter = new Meter(action)))
    named.set(name, meter)
    return meter
  }

  began(): number {
    return this.#monotonic()
  }

  /** Counts a call; answers its duration in milliseconds. */
  ended({ tenant, connection, meter, facts, began, attempts, error }: CallEnd): number {
    const durationMs = this.#monotonic() - began
    meter.ended(durationMs, error)
    const entry = this.#log.next()
    if (entry !== null) {
      entry.at = this.clock.now()
      entry.tenant = tenant
      entry.action = meter.action
      entry.connection = connection
      entry.error = error
      entry.durationMs = durationMs
      entry.attempts = attempts
      entry.cached = facts.cached
      entry.limitWaitMs = facts.limitWaitMs
      entry.dryRun = facts.dryRun
    }
    return durationMs
  }

  #endAttempt(call: GuardedCall, meter: Meter, facts: CallFacts, began: number, error: string | null): void {
    const { scope, connection } = call
    if (scope.attempt > 1) meter.retries++
    this.ended({
      tenant: scope.tenant,
      connection: connection === null ? '' : connection.name,
      meter,
      facts,
      began,
      attempts: scope.attempt,
      error,
    })
  }
}
