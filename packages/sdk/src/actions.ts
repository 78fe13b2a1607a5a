/** `plug.actions`: actions by name, for code that learns names at run time; `plug.github.issues.create` ends here too. */
import type { Json } from '@plugwork/core'
import type {
  ActionLogEntry,
  ActionMetrics,
  ActionOutcome,
  ActionPages,
  ActionRequest,
  BatchOptions,
  BatchResult,
  PagesOptions,
} from '@plugwork/core/node'
import type { z } from 'zod'
import type { Connectable } from './connectable.ts'
import { actorOf } from './actor.ts'
import type { Engine } from './engine.ts'
import { sdkError } from './errors.ts'
import type { CallOptions, ConnectorsByName } from './plugwork-types.ts'
import type { Providers } from './providers.ts'

/** A call by name. */
export interface ActionCall extends CallOptions {
  readonly params?: unknown
  readonly dryRun?: boolean
}

/** One of many calls. */
export interface BatchCall extends ActionCall {
  readonly connector: string
  readonly action: string
}

type NamedActions<Given extends readonly Connectable[], Name> = Name extends keyof ConnectorsByName<Given>
  ? ConnectorsByName<Given>[Name] extends { readonly actions: infer Actions }
    ? Actions
    : never
  : never

type InputOf<Action> = Action extends { readonly input: infer Input extends z.ZodType } ? z.input<Input> : never
type OutputOf<Action> = Action extends { readonly output: infer Output extends z.ZodType } ? z.output<Output> : never

export interface ActionsApi<Given extends readonly Connectable[]> {
  /** Calls an action. Throws `action_…`, `sdk_…`, `connection_…`, and what the action fails with. */
  execute<
    Name extends keyof ConnectorsByName<Given> & string,
    ActionName extends keyof NamedActions<Given, Name> & string,
  >(
    connector: Name,
    action: ActionName,
    call: ActionCall & { readonly params?: InputOf<NamedActions<Given, Name>[ActionName]> },
  ): Promise<OutputOf<NamedActions<Given, Name>[ActionName]>>
  /** The same, with what is known of the call beside its output: attempts, duration, whether it came from the cache. */
  call(connector: string, action: string, call: ActionCall): Promise<ActionOutcome>
  /** Many calls, some at a time; one result each, in order. Never throws for a call. */
  batch(calls: Iterable<BatchCall>, options?: BatchOptions): Promise<BatchResult[]>
  /** The pages of a list, asked for as they are read; `.items()` gives what is in them. */
  pages(connector: string, action: string, call: ActionCall, options?: PagesOptions): ActionPages
  /** Counts and durations of every action that this process called. */
  metrics(): readonly ActionMetrics[]
  /** The last calls, the newest first: durations, attempts, cache, limits; never inputs or outputs. */
  recent(filter?: { readonly tenantId?: string; readonly limit?: number }): readonly ActionLogEntry[]
}

export interface Calling {
  readonly providers: Providers
  open(): Promise<Engine>
  /** The engine if it is open. */
  opened(): Engine | null
}

/** Finds connection and action of a call; everything but the call itself. */
export async function requestOf(
  { providers, open }: Calling,
  { connector: name, action, ...call }: BatchCall,
  via: 'code' | 'http' = 'code',
): Promise<ActionRequest> {
  const { connector } = providers.find(name)
  const known = Object.hasOwn(connector.actions, action) ? connector.actions[action] : undefined
  if (known === undefined) throw noAction(name, action, Object.keys(connector.actions))
  const actor = actorOf(call, via)
  const engine = await open()
  const optional = known.connectionOptional === true && call.connection === undefined
  const connection = optional ? null : await engine.choose(actor, name, call.connection)
  return {
    tenant: actor.tenant,
    connector,
    action,
    input: call.params ?? {},
    egress: engine.egress,
    ...(connection === null ? {} : { connection: await engine.lend(actor, connection, `${name}.${action}`) }),
    ...(call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey }),
    ...(call.timeout === undefined ? {} : { timeoutMs: call.timeout }),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
    ...(call.cache === undefined ? {} : { cache: call.cache }),
    ...(call.dryRun === undefined ? {} : { dryRun: call.dryRun }),
  }
}

export class Actions {
  readonly #calling: Calling

  constructor(calling: Calling) {
    this.#calling = calling
  }

  async execute(connector: string, action: string, call: ActionCall): Promise<Json> {
    return (await this.call(connector, action, call)).output
  }

  async call(connector: string, action: string, call: ActionCall): Promise<ActionOutcome> {
    const request = await requestOf(this.#calling, { ...call, connector, action })
    return (await this.#calling.open()).executor.execute(request)
  }

  async batch(calls: Iterable<BatchCall>, options: BatchOptions = {}): Promise<BatchResult[]> {
    const { executor } = await this.#calling.open()
    const all = [...calls]
    // A call whose connection cannot be had has its own result, as one whose action fails.
    const prepared = await Promise.allSettled(all.map((call) => requestOf(this.#calling, call)))
    const ready = prepared.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const results = (await executor.batch(ready, options)).values()
    return prepared.map((one) =>
      one.status === 'fulfilled' ? results.next().value! : { ok: false, error: one.reason as Error },
    )
  }

  pages(connector: string, action: string, call: ActionCall, options: PagesOptions = {}): ActionPages {
    let pages: Promise<ActionPages> | null = null
    const begin = (): Promise<ActionPages> => {
      pages ??= (async () => {
        const request = await requestOf(this.#calling, { ...call, connector, action })
        return (await this.#calling.open()).executor.pages(request, options)
      })()
      return pages
    }
    return {
      async *[Symbol.asyncIterator]() {
        yield* await begin()
      },
      async *items() {
        yield* (await begin()).items()
      },
    }
  }

  metrics(): readonly ActionMetrics[] {
    return this.#calling.opened()?.executor.metrics() ?? []
  }

  recent({ tenantId, limit }: { readonly tenantId?: string; readonly limit?: number } = {}): readonly ActionLogEntry[] {
    return (
      this.#calling.opened()?.executor.recent({
        ...(tenantId === undefined ? {} : { tenant: tenantId }),
        ...(limit === undefined ? {} : { limit }),
      }) ?? []
    )
  }
}

function noAction(connector: string, action: string, known: readonly string[]): Error {
  return sdkError(
    'sdk_action_unknown',
    `The connector ${connector} has no action "${action}". It has: ${known.join(', ')}.`,
    { data: { connector, action } },
  )
}
