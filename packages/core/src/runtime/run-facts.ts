/** What a run is given for life when it is accepted: stored beside its row, and told to the core in the start event. */
import type { StartFacts } from '../engine/event.ts'
import { seal as takeOutSecrets, type SecretParts } from '../engine/secrets.ts'
import { SecretText, type Value } from '../expression/value.ts'
import type { Plan } from '../flow/plan.ts'
import type { JsonObject } from '../json.ts'
import { childPath } from '../store/child-path.ts'
import type { LoadedRun, NewRun, RunRow } from '../store/store.ts'
import type { Ids } from './ids.ts'
import { keyNames, type LoadedFlow } from './programs.ts'
import type { RunIdentity } from './run-actor.ts'
import type { Definitions } from './runtime.ts'
import type { KeyRing } from './key-ring.ts'
import { seal } from './seal.ts'

/** The facts of a run as they are stored: `NewRun.facts`. */
export interface RunFacts {
  readonly token: string
  readonly baseUrl: string
  readonly version: string
  readonly rootRunId: string
  readonly env: { readonly [name: string]: string | null }
  readonly subflows: { readonly [flow: string]: string }
  /** Secret parts of the inputs, by JSON pointer. */
  readonly secrets: SecretParts | null
  readonly eventMark: number
  /** Number of the parent's attempt that the run belongs to, and the step's path. */
  readonly parent?: { readonly path: string; readonly attempt: number }
  /** Concurrency keys that the run and its ancestors hold. */
  readonly keys: readonly string[]
  readonly holdsSlot: boolean
  /** On whose behalf; absent: the tenant's. */
  readonly user?: string
}

export interface NewRunOptions {
  readonly tenant: string
  readonly loaded: LoadedFlow
  /** Checked, with defaults; secret inputs in plain text, or as secret texts. */
  readonly inputs: { readonly [name: string]: Value }
  readonly trigger: JsonObject
  readonly subflows: { readonly [flow: string]: string }
  readonly eventMark: number
  readonly now: number
  readonly priority?: number
  readonly idempotencyKey?: string
  readonly user?: string
  readonly fork?: { readonly from: string; readonly at: string }
  readonly parent?: {
    readonly rid: number
    readonly rootRid: number
    readonly rootRunId: string
    readonly path: string
    readonly attempt: number
    readonly keys: readonly string[]
  }
}

export interface RunFactory {
  readonly ids: Ids
  readonly keys: KeyRing
  readonly baseUrl: () => string
  readonly version: string
  readonly definitions: Definitions
}

/** Names whose values are never captured: they are read where they are used, as secrets. */
const OPAQUE = /KEY|TOKEN|SECRET|PASSWORD/i

/** The row of a new run. A replay takes no concurrency slot: somebody has asked for it in person. */
export function newRun(factory: RunFactory, options: NewRunOptions): NewRun {
  const { tenant, loaded, trigger, parent, now } = options
  const { plan } = loaded
  const id = factory.ids.runId(now)
  const { inputs, secrets } = sealInputs(factory.keys, { tenant, runId: id, plan, inputs: options.inputs })
  const key = concurrencyKey(loaded, inputs, trigger, now)
  const shared = key !== null && parent?.keys.includes(key) === true
  const settings = plan.settings.concurrency
  const facts: RunFacts = {
    token: factory.ids.token(),
    baseUrl: factory.baseUrl(),
    version: factory.version,
    rootRunId: parent?.rootRunId ?? id,
    env: capture(factory.definitions, tenant, plan),
    subflows: options.subflows,
    secrets,
    eventMark: options.eventMark,
    ...(parent === undefined ? {} : { parent: { path: parent.path, attempt: parent.attempt } }),
    keys: [...(parent?.keys ?? []), ...(key === null || shared ? [] : [key])],
    holdsSlot: settings?.holdWhileWaiting ?? true,
    ...(options.user === undefined ? {} : { user: options.user }),
  }
  return {
    id,
    tenant,
    flow: plan.flow,
    flowHash: loaded.hash,
    priority: options.priority ?? plan.settings.priority,
    trigger,
    inputs,
    // Plain data by its type; `JsonObject` asks for an index signature that interfaces do not have.
    facts: facts as unknown as JsonObject,
    createdAt: now,
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
    ...(options.fork === undefined ? {} : { fork: options.fork }),
    ...(parent === undefined
      ? {}
      : { parent: { rid: parent.rid, path: childPath(parent.path, parent.attempt), rootRid: parent.rootRid } }),
    ...(key === null || shared || settings === undefined || options.fork !== undefined
      ? {}
      : {
          concurrency: {
            key,
            limit: settings.limit,
            whenFull: settings.whenFull,
            holdWhileWaiting: settings.holdWhileWaiting,
          },
        }),
  }
}

/** What a run's start event tells the core. Inputs that are in the blob store have been read back. */
export function startFacts(run: Pick<NewRun, 'id' | 'tenant' | 'inputs' | 'trigger' | 'facts'>): StartFacts {
  // Written by `newRun`.
  const facts = run.facts as unknown as RunFacts
  return {
    runId: run.id,
    rootRunId: facts.rootRunId,
    tenant: run.tenant,
    inputs: run.inputs,
    secrets: facts.secrets,
    trigger: run.trigger,
    env: facts.env,
    baseUrl: facts.baseUrl,
    token: facts.token,
    subflows: facts.subflows,
    version: facts.version,
  }
}

/** Who the run of a new row is. */
export function identityOf(
  run: Pick<NewRun | RunRow, 'id' | 'tenant' | 'flow' | 'createdAt'>,
  facts: RunFacts,
  tree: { readonly parentRid: number | null; readonly rootRid: number | null },
): RunIdentity {
  const { parentRid, rootRid } = tree
  return {
    id: run.id,
    tenant: run.tenant,
    user: facts.user ?? null,
    flow: run.flow,
    createdAt: run.createdAt,
    parent: parentRid === null || facts.parent === undefined ? null : { rid: parentRid, ...facts.parent },
    eventMark: facts.eventMark,
    holdsSlot: facts.holdsSlot,
    keys: facts.keys,
    rootRunId: facts.rootRunId,
    rootRid,
    subflows: facts.subflows,
  }
}

/** The facts of a run that was stored. */
export function factsOf(loaded: Pick<LoadedRun, 'facts'>): RunFacts {
  return loaded.facts as unknown as RunFacts
}

/** Names of the environment that the plan's steps mention, with the values that they keep for the whole run. */
function capture(definitions: Definitions, tenant: string, plan: Plan): { readonly [name: string]: string | null } {
  if (plan.env.length === 0) return NO_ENV
  const captured = plan.env.filter((name) => !OPAQUE.test(name))
  return Object.fromEntries(captured.map((name) => [name, definitions.env(tenant, plan.flow, name)]))
}

const NO_ENV = {}

interface SealOptions {
  readonly tenant: string
  readonly runId: string
  readonly plan: Plan
  readonly inputs: { readonly [name: string]: Value }
}

/** Inputs as they are stored: those of `type: secret` only encrypted. */
function sealInputs(
  keys: KeyRing,
  { tenant, runId, plan, inputs }: SealOptions,
): { readonly inputs: JsonObject; readonly secrets: SecretParts | null } {
  const sealed: { [name: string]: Value } = { ...inputs }
  for (const input of plan.inputs) {
    const value = sealed[input.name]
    if (!input.secret || typeof value !== 'string') continue
    const name = seal(keys, { tenant, runId, input: input.name }, value)
    sealed[input.name] = new SecretText([{ source: 'sealed', name }])
  }
  const { json, secrets } = takeOutSecrets(sealed)
  return { inputs: json as JsonObject, secrets }
}

/** Keys are shared by all flows of a tenant: `${flow.name}:…` keeps one flow's to itself. */
function concurrencyKey(loaded: LoadedFlow, inputs: JsonObject, trigger: JsonObject, now: number): string | null {
  if (loaded.concurrencyKey === null) return null
  const value = loaded.concurrencyKey(keyNames(inputs, trigger, loaded.plan.flow), now)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text
}
