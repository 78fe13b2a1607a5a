/**
 * One attempt of an action with everything around it: dry run, cache, limits, breaker. Flows come here with the attempt of
 * their step, `execute` with each attempt that it makes. What nobody asked for costs a map look-up.
 */
import type { Clock } from '../clock.ts'
import type { Connector } from '../connector/connector.ts'
import type { Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import { parseDuration } from '../flow/duration.ts'
import type { Json } from '../json.ts'
import type { BreakerRule } from './breaker.ts'
import { cacheKey, type ActionCache } from './cache.ts'
import { lookUpAction, runAction, type ActionRun, type ActionScope, type NamedAction } from './call.ts'
import { sleep, unlessAborted } from './call-scope.ts'
import { actionError } from './errors.ts'
import { codeOf, isOutage, isRetryable, retryAfterOf } from './failure.ts'
import { Gate } from './gate.ts'
import { toJsonValue, type JsonValue } from './json-value.ts'
import { limitRule, type LimitRule, type LimitSpec, type LimitStore } from './limit-store.ts'
import { MemoryLimitStore } from './memory-limit-store.ts'
import type { Meter } from './meters.ts'

/** The connection of a call. */
export interface ConnectionUse {
  /**
   * Which connection, unique within the tenant, and which settings: limits, cache and breaker belong to it. Another
   * account under the same name must have another key.
   */
  readonly key: string
  /** Its name, for messages and the log. */
  readonly name: string
  /** Instead of the connector's own limits; null for none. */
  readonly limits?: LimitSpec | null
  /** What the connector's `acquire` gave. Asked only when the action really runs, and once per attempt. */
  handle(scope: ActionScope): unknown
}

export interface GuardedCall extends NamedAction {
  readonly scope: ActionScope
  readonly connection: ConnectionUse | null
  readonly egress: Egress
  /** Of this call, where it is not the scope's. */
  readonly idempotencyKey?: string | undefined
  /** How long an answer may be served again: a duration, false for never. Default: what the action says. Reads only. */
  readonly cache?: string | false | undefined
  readonly dryRun?: boolean | undefined
}

/** What is found out about a call on its way. */
export interface CallFacts {
  limitWaitMs: number
  cached: boolean
  dryRun: boolean
  /** The action's own code has been called: it may have done something. */
  ran: boolean
}

export interface GuardOptions {
  readonly clock: Clock
  /** Null: no limits and no pauses. */
  readonly limits: LimitStore | null
  readonly cache: ActionCache | null
  readonly breaker: BreakerRule | null
  /** Limits of all connections of a connector together, by connector. */
  readonly connectorLimits: ReadonlyMap<string, LimitRule>
  readonly maxLimitWaitMs: number
  readonly dryRun: boolean
  log(level: LogLine['level'], message: string, data?: Json): void
}

/** Gates past which those with nothing to remember are dropped. */
const MANY_GATES = 10_000
/** One line about a broken shared store in so long. */
const COMPLAIN_EVERY_MS = 60_000

export class Guard {
  readonly #options: GuardOptions
  readonly #gates = new Map<string, Map<string, Gate>>()
  readonly #ttls = new Map<string, number>()
  readonly #flights = new Map<string, Promise<JsonValue>>()
  /** In the place of a shared store that does not answer. */
  readonly #local: MemoryLimitStore
  #gateCount = 0
  #sweepAt = MANY_GATES
  #complainedAt = -Infinity

  constructor(options: GuardOptions) {
    this.#options = options
    this.#local = new MemoryLimitStore(options.clock)
  }

  /** One attempt with checked input. */
  attempt(call: GuardedCall, input: unknown, facts: CallFacts, meter: Meter): Promise<JsonValue> {
    const { effect } = call.action
    if (effect !== 'read') {
      if (call.dryRun ?? this.#options.dryRun) return Promise.resolve(dryAnswer(call, facts, meter))
      return this.#guarded(call, input, facts, meter, runAction)
    }
    const ttlMs = this.#ttl(call)
    if (ttlMs === 0) return this.#guarded(call, input, facts, meter, runAction)
    return this.#cached(call, input, facts, meter, ttlMs)
  }

  /** Asks the service what an earlier attempt did; undefined: nothing. */
  lookUp(call: GuardedCall, input: unknown, facts: CallFacts, meter: Meter): Promise<JsonValue | undefined> {
    return this.#guarded(call, input, facts, meter, lookUpAction)
  }

  async #guarded<T>(
    call: GuardedCall,
    input: unknown,
    facts: CallFacts,
    meter: Meter,
    work: (run: ActionRun, input: unknown) => Promise<T>,
  ): Promise<T> {
    const { connector, name, action, scope, connection, egress, idempotencyKey } = call
    const gate = connection === null ? null : this.#gate(scope.tenant, connector, connection)
    const breaker = gate?.breaker ?? null
    if (breaker !== null) refuseUntil(breaker.refusal(), call, meter, this.#options.clock)
    const rule = this.#options.limits === null ? undefined : this.#options.connectorLimits.get(connector.name)
    if (gate !== null ? gate.rule !== null || rule !== undefined || gate.pausedFor() > 0 : rule !== undefined) {
      await this.#waitForLimits(call, gate, rule, facts, meter)
    }
    if (breaker !== null) refuseUntil(breaker.admit(), call, meter, this.#options.clock)
    const run: ActionRun = {
      connector,
      name,
      action,
      scope,
      egress,
      idempotencyKey,
      limits: gate,
      connection: connection === null ? '' : connection.name,
      handle: undefined,
    }
    if (connection !== null) {
      try {
        const handle = connection.handle(scope)
        ;(run as { handle: unknown }).handle = handle instanceof Promise ? await handle : handle
      } catch (error) {
        // Connections pause by themselves after one that did not open.
        breaker?.abandoned()
        throw error
      }
    }
    facts.ran = true
    try {
      const result = await work(run, input)
      breaker?.answered()
      return result
    } catch (error) {
      if (gate !== null) this.#learn(gate, error, scope, meter)
      throw error
    }
  }

  #learn(gate: Gate, error: unknown, scope: ActionScope, meter: Meter): void {
    const { breaker } = gate
    if (breaker !== null) {
      if (scope.timedOut || (!scope.aborted && isOutage(error))) {
        if (breaker.failed()) meter.breakerOpens++
      } else if (scope.aborted) breaker.abandoned()
      else breaker.answered()
    }
    const pauseMs = retryAfterOf(error)
    if (pauseMs !== undefined && pauseMs > 0 && isRetryable(error)) {
      gate.pauseUntil(this.#options.clock.now() + pauseMs)
    }
  }

  async #waitForLimits(
    call: GuardedCall,
    gate: Gate | null,
    connectorRule: LimitRule | undefined,
    facts: CallFacts,
    meter: Meter,
  ): Promise<void> {
    const { clock } = this.#options
    const { scope, connector } = call
    const maxWaitMs = Math.min(this.#options.maxLimitWaitMs, scope.deadline - clock.now())
    let waitMs = gate === null ? 0 : gate.pausedFor()
    if (waitMs > maxWaitMs) throw noRoom(call, waitMs, meter)
    if (gate?.rule != null) waitMs = Math.max(waitMs, await this.#take(call, gate.key, gate.rule, maxWaitMs, meter))
    if (connectorRule !== undefined) {
      const key = `connector:${connector.name}`
      waitMs = Math.max(waitMs, await this.#take(call, key, connectorRule, maxWaitMs, meter))
    }
    if (waitMs <= 0) return
    meter.limitWaits++
    for (; waitMs > 0; waitMs = gate === null ? 0 : gate.pausedFor()) {
      if (clock.now() + waitMs > scope.deadline) throw noRoom(call, waitMs, meter)
      meter.limitWaitMs += waitMs
      facts.limitWaitMs += waitMs
      await sleep(waitMs, clock, scope)
    }
  }

  async #take(call: GuardedCall, key: string, rule: LimitRule, maxWaitMs: number, meter: Meter): Promise<number> {
    const request = { key, rule, cost: 1, maxWaitMs }
    let answer
    try {
      const given = this.#options.limits!.take(request)
      answer = given instanceof Promise ? await unlessAborted(given, call.scope) : given
    } catch (error) {
      if (call.scope.aborted) throw error
      this.#complain('The shared limits do not answer; this process keeps the limits by itself until they do', error)
      answer = this.#local.take(request)
    }
    if (!answer.taken) throw noRoom(call, answer.waitMs, meter)
    return answer.waitMs
  }

  async #cached(call: GuardedCall, input: unknown, facts: CallFacts, meter: Meter, ttlMs: number): Promise<JsonValue> {
    const { connector, name, scope, connection } = call
    const key = cacheKey({
      tenant: scope.tenant,
      connection: connection?.key ?? '',
      connector: connector.name,
      version: connector.version,
      action: name,
      input,
    })
    const kept = await this.#kept(key, scope)
    if (kept !== null) return hit(kept, facts, meter, scope)
    // Those that ask for the same meanwhile wait for one answer; where it fails, each asks for itself.
    const flight = this.#flights.get(key)
    if (flight !== undefined) {
      const shared = await unlessAborted(flight, scope).catch(() => null)
      if (shared !== null) return hit(shared.value, facts, meter, scope)
      if (scope.aborted) throw scope.reason
    }
    meter.cacheMisses++
    const answer = this.#guarded(call, input, facts, meter, runAction)
    if (flight !== undefined) return this.#keep(key, await answer, ttlMs)
    const own = answer.then((result) => this.#keep(key, result, ttlMs)).finally(() => this.#flights.delete(key))
    this.#flights.set(key, own)
    return own
  }

  async #kept(key: string, scope: ActionScope): Promise<Json | null> {
    try {
      const found = this.#options.cache!.get(key)
      const text = found instanceof Promise ? await unlessAborted(found, scope) : found
      return text === null ? null : (JSON.parse(text) as { value: Json }).value
    } catch (error) {
      if (scope.aborted) throw error
      this.#complain('The cache of answers does not answer; actions are called as if there were none', error)
      return null
    }
  }

  async #keep(key: string, result: JsonValue, ttlMs: number): Promise<JsonValue> {
    try {
      await this.#options.cache!.set(key, JSON.stringify({ value: result.value }), ttlMs)
    } catch (error) {
      this.#complain('The cache of answers takes nothing; actions are called as if there were none', error)
    }
    return result
  }

  /** 0: not to be cached. */
  #ttl({ action, connector, name, cache }: GuardedCall): number {
    if (this.#options.cache === null || cache === false) return 0
    const text = cache ?? action.cache
    if (text === undefined) return 0
    const known = this.#ttls.get(text)
    if (known !== undefined) return known
    const ttlMs = parseDuration(text)
    if (ttlMs === null) {
      throw actionError(
        'action_option_invalid',
        `The cache time "${text}" of ${connector.name}.${name} is not a duration such as 30s.`,
      )
    }
    if (this.#ttls.size < 1_000) this.#ttls.set(text, ttlMs)
    return ttlMs
  }

  #gate(tenant: string, connector: Connector, connection: ConnectionUse): Gate {
    let gates = this.#gates.get(tenant)
    if (gates === undefined) this.#gates.set(tenant, (gates = new Map()))
    let gate = gates.get(connection.key)
    if (gate === undefined) {
      if (this.#gateCount >= this.#sweepAt) this.#sweep()
      const { clock, limits, breaker } = this.#options
      gate = new Gate({
        key: `connection:${tenant}:${connector.name}:${connection.key}`,
        breaker,
        clock,
        limits,
        onError: (error) =>
          this.#complain('The shared limits do not take a pause; only this process keeps to it', error),
      })
      gates.set(connection.key, gate)
      this.#gateCount++
    }
    const spec = (connection.limits === undefined ? connector.limits : connection.limits) ?? null
    if (gate.spec !== spec && this.#options.limits !== null) {
      const what = connection.limits == null ? `the connector ${connector.name}` : `the connection "${connection.name}"`
      gate.rule = spec === null ? null : limitRule(spec, what)
      gate.spec = spec
    }
    return gate
  }

  #sweep(): void {
    for (const [tenant, gates] of this.#gates) {
      for (const [key, gate] of gates) if (gate.blank && gates.delete(key)) this.#gateCount--
      if (gates.size === 0) this.#gates.delete(tenant)
    }
    this.#sweepAt = Math.max(MANY_GATES, this.#gateCount * 2)
  }

  #complain(what: string, error: unknown): void {
    const now = this.#options.clock.now()
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return
    this.#complainedAt = now
    // The code alone: a driver's message can hold an address with a password.
    this.#options.log('warn', `${what} (${codeOf(error)}).`)
  }
}

/** A copy, so that callers do not share it; a secret that this caller knows is taken out of what another one got. */
function hit(value: Json, facts: CallFacts, meter: Meter, scope: ActionScope): JsonValue {
  meter.cacheHits++
  facts.cached = true
  return toJsonValue(value, scope.redact)
}

function dryAnswer({ connector, name, action }: GuardedCall, facts: CallFacts, meter: Meter): JsonValue {
  meter.dryRuns++
  facts.dryRun = true
  return toJsonValue({ dry_run: true, action: `${connector.name}.${name}`, effect: action.effect })
}

function refuseUntil(closesAt: number | null, call: GuardedCall, meter: Meter, clock: Clock): void {
  if (closesAt === null) return
  meter.breakerRefusals++
  const ms = Math.max(1, Math.ceil(closesAt - clock.now()))
  throw actionError(
    'action_circuit_open',
    `${call.connector.name}.${call.name} was not called: the service behind the connection "${call.connection?.name}" failed ` +
      `several times in a row and is left alone for another ${ms} ms. Look at the errors before this one for the reason.`,
    { data: { closesAt, retryAfterMs: ms } },
  )
}

function noRoom(call: GuardedCall, waitMs: number, meter: Meter): Error {
  meter.limitRefusals++
  const ms = Math.ceil(waitMs)
  const of = call.connection === null ? '' : ` of the connection "${call.connection.name}"`
  return actionError(
    'action_rate_limited',
    `${call.connector.name}.${call.name} was not called: the limits${of} leave room in ${ms} ms only, later than the call may ` +
      'wait. Call less often, give it more time, or raise the limit where the service allows more.',
    { data: { retryAfterMs: ms } },
  )
}
