import { loadProgram, type Program } from '../engine/program.ts'
import { PlugworkError } from '../error.ts'
import type { Value } from '../expression/value.ts'
import type { Plan } from '../flow/plan.ts'
import type { JsonObject } from '../json.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../clock.ts'
import type { Definitions } from './runtime.ts'
import { compileOutsideTemplate, type IsSet, type OutsideTemplate, type TemplateNames } from './templates.ts'

/** Programs that are kept ready; the ones used longest ago leave first. */
const KEPT = 1_000

/** A flow version, ready to run. */
export interface LoadedFlow {
  readonly program: Program
  readonly plan: Plan
  readonly hash: string
  /** Renders the config of each connection the flow declares. */
  readonly connections: ReadonlyMap<string, (isSet: IsSet) => Value>
  /** Renders the concurrency key; null where the flow has none. */
  readonly concurrencyKey: OutsideTemplate | null
}

/** Flow versions by content hash: made ready once, and stored before the first run that is pinned to one. */
export class Programs {
  readonly #store: Store
  readonly #definitions: Definitions
  readonly #clock: Clock
  readonly #loaded = new Map<string, LoadedFlow>()
  /** Versions known to be stored. */
  readonly #stored = new Set<string>()

  constructor(store: Store, definitions: Definitions, clock: Clock) {
    this.#store = store
    this.#definitions = definitions
    this.#clock = clock
  }

  /** The version of a flow that a new run starts with; null when there is no such flow. */
  current(tenant: string, flow: string): LoadedFlow | null {
    const found = this.#definitions.plan(tenant, flow)
    return found === null ? null : this.load(found.plan, found.hash)
  }

  /** Makes a plan ready. Throws `plan_invalid`. */
  load(plan: Plan, hash: string): LoadedFlow {
    return this.known(hash) ?? this.#keep({ hash, plan, program: loadProgram(plan, hash), ...this.#templates(plan) })
  }

  /** A version that is in memory. */
  known(hash: string): LoadedFlow | null {
    const loaded = this.#loaded.get(hash)
    if (loaded === undefined) return null
    if (this.#loaded.size > KEPT / 2) {
      this.#loaded.delete(hash)
      this.#loaded.set(hash, loaded)
    }
    return loaded
  }

  /** A version by its hash, from memory or the store. Throws `flow_version_missing`. */
  async byHash(hash: string, flow: string): Promise<LoadedFlow> {
    const known = this.known(hash)
    if (known !== null) return known
    const version = await this.#store.getFlowVersion(hash)
    if (version === null) {
      throw new PlugworkError(
        'flow_version_missing',
        `Version ${hash} of flow ${flow} is not in the store, so the run cannot go on. Restore it from a backup of the ` +
          'store, or replay the run on the newest version.',
      )
    }
    this.#stored.add(hash)
    return this.load(JSON.parse(version.plan) as Plan, hash)
  }

  /** Whether `store` has nothing to do. */
  isStored(hash: string): boolean {
    return this.#stored.has(hash)
  }

  /** Stores a version, once. */
  async store({ plan, hash }: LoadedFlow): Promise<void> {
    if (this.#stored.has(hash)) return
    await this.#store.putFlowVersion({
      hash,
      flow: plan.flow,
      plan: JSON.stringify(plan),
      createdAt: this.#clock.now(),
    })
    this.#stored.add(hash)
  }

  #keep(flow: LoadedFlow): LoadedFlow {
    this.#loaded.set(flow.hash, flow)
    if (this.#loaded.size > KEPT) {
      const [oldest] = this.#loaded.keys()
      if (oldest !== undefined) this.#loaded.delete(oldest)
    }
    return flow
  }

  #templates(plan: Plan): Pick<LoadedFlow, 'connections' | 'concurrencyKey'> {
    const connections = Object.entries(plan.connections).map(([name, { config }]) => {
      const render = compileOutsideTemplate(config)
      return [name, (isSet: IsSet) => render({}, this.#clock.now(), isSet)] as const
    })
    const key = plan.settings.concurrency?.key
    return { connections: new Map(connections), concurrencyKey: key === undefined ? null : compileOutsideTemplate(key) }
  }
}

/** Names that a concurrency key may use. */
export function keyNames(tenantInputs: JsonObject, trigger: JsonObject, flow: string): TemplateNames {
  return { inputs: tenantInputs, trigger, flow: { name: flow } }
}
