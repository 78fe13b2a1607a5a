/**
 * The runtime: the shell around the pure core. It owns runs in memory while they work, carries out their commands, and
 * keeps them in the store. CLI, server, tests and (later) workers all run flows through this one interface; they differ
 * in store, clock and the actions given.
 */
import type { Executor } from '../action/executor.ts'
import type { BlobStore } from '../blob/blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Connector } from '../connector/connector.ts'
import type { Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import type { StepTrace } from '../engine/step-trace.ts'
import type { ErrorInfo } from '../error.ts'
import type { Plan } from '../flow/plan.ts'
import type { Json, JsonObject } from '../json.ts'
import type { RunRow, RunStatus, Store } from '../store/store.ts'
import type { KeyRing } from './key-ring.ts'
import type { StoredConnections } from './stored-connections.ts'

/** Where the runtime finds what a flow names. Answers may change between calls (hot reload); a started step keeps what it got. */
export interface Definitions {
  /** The plan to start a flow with now; null when there is no such (enabled) flow. */
  plan(tenant: string, flow: string): { readonly plan: Plan; readonly hash: string } | null
  /** The author's function for a task of a flow. */
  task(tenant: string, flow: string, name: string): TaskDefinition | null
  /** Folder of the flow's file: relative paths of its connections start here. */
  directory(tenant: string, flow: string): string
  /** Value of `secrets.NAME`; null when there is none. */
  secret(tenant: string, name: string): Promise<string | null> | string | null
  /** Value of `env.NAME`; null when it is not set or not allowed. */
  env(tenant: string, flow: string, name: string): string | null
  /** A connector beside `RuntimeOptions.connectors`: those that come and go with the project's packages. */
  connector?(type: string): Connector | null
}

export interface TaskDefinition {
  /** Hash of the source, recorded in the trace. */
  readonly code: string
  run(inputs: JsonObject, context: TaskContext): unknown
  /** Checks inputs, where the task declares a schema; throws a PlugworkError that names the input. */
  validate?(inputs: JsonObject): JsonObject
}

/** What a task gets beside its inputs. */
export interface TaskContext {
  /** Fires on cancellation, timeout and shutdown. */
  readonly signal: AbortSignal
  /** The same for every attempt of this step of this run. */
  readonly idempotencyKey: string
  readonly attempt: number
  readonly run: { readonly id: string; readonly flow: string; readonly startedAt: number }
  readonly tenant: string
  readonly log: { [level in LogLine['level']]: (message: string, data?: Json) => void }
  /** A connection of the flow: typed actions, and the raw client as `client`; released when the task ends. */
  connection(name: string): Promise<TaskConnection>
  /** `fetch` through the guarded egress. */
  readonly fetch: typeof globalThis.fetch
}

export interface TaskConnection {
  /** The connector's own client (what its `acquire` or `connect` gave). */
  readonly client: unknown
  /**
   * Calls an action of the connector by name; traced, but part of the task's one journal record. Each call of an attempt
   * has an idempotency key of its own, by its order; make calls in the same order in every attempt.
   */
  call(action: string, input: JsonObject): Promise<JsonObject>
}

export interface RuntimeOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly egress: Egress
  readonly connectors: readonly Connector[]
  readonly definitions: Definitions
  /** Seals inputs of `type: secret`: the installation's ring, or one key of 32 bytes. */
  readonly key: KeyRing | Uint8Array
  readonly clock?: Clock
  /** Opens the stored connections that flows name with `use:`. Without it such a connection is an error. */
  readonly storedConnections?: StoredConnections
  /** Calls the actions: their limits, cache, breakers and metrics. Default: one of its own, with what it keeps in memory. */
  readonly executor?: Executor
  /** Runs worked on at once; further ones are queued. Default 1,000. */
  readonly maxActive?: number
  /** Runs queued and active past which `start` answers `full`. Default 100,000. */
  readonly maxOpen?: number
  /** Public address for `wait_url`; a function where it is known only once a server listens. Asked at each start of a run. */
  readonly baseUrl: string | (() => string)
  readonly version: string
  /**
   * What `open` takes over of earlier processes: every interrupted, due and queued run (`all`, the default: a server), or
   * nothing until `adopt` names a run (`named`: a command works on its own runs and leaves the others as they are).
   */
  readonly takeOver?: 'all' | 'named'
  /** Replaces tasks and actions (flow tests). Returning undefined runs the real one. */
  readonly intercept?: (call: InterceptedCall) => Promise<{ readonly output: Json } | undefined>
  /** Told once when this process has lost its store; nothing that the runtime does lands any more. */
  readonly onLost?: (reason: string) => void
  log(level: LogLine['level'], message: string, data?: Json): void
}

export interface InterceptedCall {
  readonly kind: 'task' | 'action'
  readonly runId: string
  readonly flow: string
  /** `ValidateUser`, or `http.get`. */
  readonly name: string
  readonly path: string
  readonly attempt: number
  readonly input: Json
}

export interface StartRun {
  readonly tenant: string
  readonly flow: string
  readonly inputs: JsonObject
  readonly trigger: JsonObject
  /** On whose behalf it runs: `use:` finds this user's stored connections before the tenant's. Default: the tenant's. */
  readonly user?: string
  readonly idempotencyKey?: string
  readonly priority?: number
}

export type StartOutcome =
  | { readonly kind: 'accepted'; readonly id: string; readonly rid: number }
  | { readonly kind: 'existing'; readonly id: string; readonly rid: number }
  | { readonly kind: 'unknown_flow' }
  /** Every problem, by input. No run exists. */
  | {
      readonly kind: 'invalid_inputs'
      readonly problems: readonly { readonly input: string; readonly message: string }[]
    }
  | { readonly kind: 'concurrency_full'; readonly holders: readonly string[] }
  | { readonly kind: 'full'; readonly retryAfterSeconds: number }

/** A run's outcome, or its state at the time of asking. */
export interface RunSummary {
  readonly id: string
  readonly flow: string
  readonly status: RunStatus
  readonly reason: string | null
  readonly outputs: JsonObject | null
  readonly error: ErrorInfo | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
}

export interface RunDetail extends RunSummary {
  readonly row: RunRow
  readonly steps: readonly StepTrace[]
}

/** What a watcher of a run sees, in order. Delivered only after it is durable. */
export type RunNotice =
  | {
      readonly type: 'status'
      readonly runId: string
      readonly status: RunStatus
      readonly reason: string | null
      readonly at: number
    }
  | { readonly type: 'step'; readonly runId: string; readonly step: StepTrace; readonly at: number }

export type ControlOutcome =
  | { readonly kind: 'done'; readonly id: string }
  | { readonly kind: 'not_found' }
  /** The run is in a state in which this makes no sense; the message says which and what to do. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }

export interface ReplayRequest {
  /** Step path, or an id that is unambiguous. */
  readonly from: string
  readonly inputs?: JsonObject
  /** Replaces the resolved input of the step itself. */
  readonly stepInput?: JsonObject
  readonly sameVersion?: boolean
}

export interface Runtime {
  /** Takes over what an earlier process left, and begins to work. Resolves when recovery has been scheduled. */
  open(): Promise<void>
  /**
   * Takes over one run that an earlier process left (with its children), and goes on with it (`plugwork runs resume`).
   * Done also when this process works on it already; refused (`run_ended`) when it has ended.
   */
  adopt(tenant: string, id: string): Promise<ControlOutcome>
  /** Validates, stores and starts. Resolves when the run is durable. */
  start(request: StartRun): Promise<StartOutcome>
  /** Resolves when the run ends, waits for a human, or `timeoutMs` has passed. Null: no such run. */
  wait(tenant: string, id: string, timeoutMs: number): Promise<RunSummary | null>
  /** The fast path of a webhook: the outcome of a run started here, without reading it back. */
  finished(rid: number): Promise<RunSummary>
  get(tenant: string, id: string): Promise<RunDetail | null>
  cancel(
    tenant: string,
    id: string,
    options: { readonly force: boolean; readonly reason?: string; readonly actor?: string },
  ): Promise<ControlOutcome>
  retry(tenant: string, id: string, actor?: string): Promise<ControlOutcome>
  replay(tenant: string, id: string, request: ReplayRequest): Promise<ControlOutcome>
  resolve(
    tenant: string,
    id: string,
    step: string,
    decision:
      { readonly kind: 'retry' } | { readonly kind: 'output'; readonly output: Json } | { readonly kind: 'fail' },
    actor?: string,
  ): Promise<ControlOutcome>
  signal(
    tenant: string,
    id: string,
    signal: {
      readonly name: string
      readonly outcome: 'received' | 'approved' | 'rejected'
      readonly data: Json
      readonly dedupe?: string
      readonly actor?: string
    },
  ): Promise<ControlOutcome>
  /** Checks a `wait_url` token; answers the wait it belongs to. */
  resumeToken(runId: string, wait: string, token: string): Promise<'valid' | 'invalid' | 'used' | 'expired'>
  publish(
    tenant: string,
    event: { readonly name: string; readonly data: Json; readonly key?: string },
  ): Promise<{ readonly id: number }>
  /** With a run: its status and steps. Without: the statuses of all runs. The returned function ends it. */
  watch(listener: (notice: RunNotice) => void, runId?: string): () => void
  /** Feeds the journal to the core again and compares with the stored run; empty: they agree. */
  verify(tenant: string, id: string): Promise<readonly string[]>
  prune(policy: {
    readonly defaultRetentionMs: number
  }): Promise<{ readonly runs: number; readonly bytesFreed: number }>
  stats(): {
    readonly active: number
    readonly queued: number
    readonly open: number
    readonly effects: number
    readonly stepsTotal: number
    readonly runsTotal: { readonly [status: string]: number }
  }
  /** Stops starting steps, gives running ones `graceMs`, leaves every run resumable, closes connections. */
  stop(graceMs: number): Promise<{ readonly unfinished: number }>
}
