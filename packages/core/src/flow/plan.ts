/**
 * The plan: the intermediate form that the engine interprets. YAML and `defineFlow` both compile to it; it is plain
 * JSON, stored by content hash, and a run is pinned to that hash. Expressions stay source text here (their canonical
 * print); `engine/program.ts` compiles them once per hash.
 *
 * Paths. A node's `path` is static: segments joined by `/`, a segment being the step's id, or `<kind>@<position>` where
 * it has none (`set@2`: third step of its block). Branch segments are `then`, `else`, `case[0]`, `default`,
 * `branch[0]`, `try`, `catch`, `finally`, `on_error`. At run time the enclosing loops' iterations are filled in:
 * static `loop/send` is `loop[3]/send` in the fourth iteration. Flow-level blocks begin with `on_error`/`on_cancel`.
 */
import type { Json, JsonSchema } from '../json.ts'
import type { SignatureProvider } from './document.ts'

/** Version of the interpreter semantics that a plan was written for. Raised when an old plan would behave differently. */
export const PLAN_VERSION = 1

/** Source text of an expression, without `${ }`. */
export type ExpressionSource = string

/** A value with holes, rendered against the scope when its step starts. */
export type Template =
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'expression'; readonly source: ExpressionSource }
  /** Strings and expressions in turn; rendered to a string (null is '', objects are JSON). */
  | { readonly kind: 'text'; readonly parts: readonly (string | { readonly source: ExpressionSource })[] }
  | { readonly kind: 'list'; readonly items: readonly Template[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [string, Template])[] }
  /** A parameter declared `sql`: rendered to `{ text, params }`; `dialect` decides the placeholders. */
  | {
      readonly kind: 'sql'
      readonly dialect: 'sqlite' | 'postgres' | 'mysql'
      readonly parts: readonly (string | { readonly source: ExpressionSource; readonly spread: boolean })[]
      /** Not written by the compiler: it binds the author's own `params` to their placeholders, as further expressions. */
      readonly params?: Template
    }
  /** A `path`-typed URL parameter: each expression becomes one percent-encoded segment. */
  | { readonly kind: 'path'; readonly parts: readonly (string | { readonly source: ExpressionSource })[] }

export interface SourcePosition {
  readonly line: number
  readonly column: number
}

export type Block = readonly PlanNode[]

/** A condition: an expression or a nest of `all`, `any`, `none`. */
export type Condition =
  | { readonly kind: 'expression'; readonly source: ExpressionSource }
  | { readonly kind: 'all' | 'any' | 'none'; readonly members: readonly Condition[] }

export interface RetryPolicy {
  /** First attempt included; at least 1. */
  readonly maxAttempts: number
  readonly delayMs: number
  readonly backoff: number
  readonly maxDelayMs: number
  readonly jitter: boolean
  /** Error codes that are retried; absent: every error that is not marked as final. */
  readonly on?: readonly string[]
}

/** What happens to a step whose start is journaled and whose end is not, when a process takes the run over. */
export type OnInterrupt = 'retry' | 'check' | 'hold' | 'fail'

interface NodeBase {
  readonly path: string
  /** Name under which later expressions see the step's value. */
  readonly id?: string
  /** An id that holds expressions: the value is also `steps["<label>"]` in the same iteration. */
  readonly label?: Template
  readonly description?: string
  readonly if?: Condition
  /** Per attempt for effectful steps, of the whole for blocks; milliseconds. */
  readonly timeoutMs?: number
  readonly onError?: Block
  readonly at?: SourcePosition
}

interface EffectBase extends NodeBase {
  readonly retry?: RetryPolicy
  readonly onInterrupt: OnInterrupt
}

export interface TaskNode extends EffectBase {
  readonly kind: 'task'
  readonly task: string
  readonly input: Template
  /** Names the author listed under `outputs`; empty: whatever the task returns. */
  readonly outputs: readonly string[]
  /** Inputs whose type is `secret`. */
  readonly secretInputs?: readonly string[]
}

export interface ActionNode extends EffectBase {
  readonly kind: 'action'
  readonly connector: string
  readonly action: string
  /** Name under `connections:` of the flow; absent for connectors that need none (`http.get` with `url`). */
  readonly connection?: string
  readonly input: Template
  readonly outputs: readonly string[]
  readonly effect: 'read' | 'write' | 'destructive'
}

export interface SubflowNode extends EffectBase {
  readonly kind: 'subflow'
  readonly flow: string
  readonly input: Template
  readonly outputs: readonly string[]
}

export interface EmitNode extends NodeBase {
  readonly kind: 'emit'
  readonly event: Template
  readonly data: Template
}

/** Durations here are rendered to what an author may write, text such as `2h` or a number of seconds: see `duration.ts`. */
export interface WaitNode extends NodeBase {
  readonly kind: 'wait'
  readonly wait:
    | { readonly kind: 'delay'; readonly duration: Template }
    | { readonly kind: 'until'; readonly until: Template }
    | {
        readonly kind: 'event'
        readonly event: Template
        readonly match?: ExpressionSource
        readonly timeout?: Template
        readonly since: 'run' | 'wait'
      }
    | {
        readonly kind: 'approval'
        readonly title?: Template
        readonly assignees?: Template
        readonly form?: JsonSchema
        readonly timeout?: Template
      }
    | { readonly kind: 'webhook'; readonly schema?: JsonSchema; readonly timeout?: Template }
}

export interface SetNode extends NodeBase {
  readonly kind: 'set'
  readonly values: readonly (readonly [string, Template])[]
}

export interface IfNode extends NodeBase {
  readonly kind: 'if'
  readonly condition: Condition
  readonly then: Block
  readonly else: Block
}

export interface SwitchNode extends NodeBase {
  readonly kind: 'switch'
  readonly on: ExpressionSource
  readonly cases: readonly { readonly when: readonly Template[]; readonly do: Block }[]
  readonly default: Block
}

export interface LoopNode extends NodeBase {
  readonly kind: 'loop'
  readonly items: ExpressionSource
  readonly as: string
  readonly indexAs?: string
  readonly do: Block
  readonly concurrency: number
  readonly collect?: ExpressionSource
  readonly onItemError: 'fail' | 'continue'
}

export interface RepeatNode extends NodeBase {
  readonly kind: 'repeat'
  readonly vars: readonly (readonly [string, Template])[]
  readonly do: Block
  readonly next: readonly (readonly [string, Template])[]
  readonly until?: ExpressionSource
  readonly collect?: ExpressionSource
  readonly max: number
  readonly delayMs: number
}

export interface ParallelNode extends NodeBase {
  readonly kind: 'parallel'
  readonly branches: readonly {
    readonly do: Block
    /** Indexes of branches that must have ended first (`depends_on`). */
    readonly after: readonly number[]
  }[]
  readonly onBranchError: 'cancel' | 'wait'
}

export interface TryNode extends NodeBase {
  readonly kind: 'try'
  readonly try: Block
  readonly catch: Block
  readonly finally: Block
}

export interface FailNode extends NodeBase {
  readonly kind: 'fail'
  readonly rethrow: boolean
  readonly message?: Template
  readonly code?: Template
  readonly data?: Template
}

export interface ExitNode extends NodeBase {
  readonly kind: 'exit'
  readonly status: 'success' | 'failure'
  readonly reason?: Template
  readonly outputs?: Template
}

export type PlanNode =
  | TaskNode
  | ActionNode
  | SubflowNode
  | EmitNode
  | WaitNode
  | SetNode
  | IfNode
  | SwitchNode
  | LoopNode
  | RepeatNode
  | ParallelNode
  | TryNode
  | FailNode
  | ExitNode

export type EffectNode = TaskNode | ActionNode | SubflowNode

export interface PlanInput {
  readonly name: string
  /** JSON Schema of the value (`type` of the language already mapped: `int` -> `integer`, `list` -> `array`, …). */
  readonly schema: JsonSchema
  readonly required: boolean
  readonly secret: boolean
  readonly default?: Json
  readonly description?: string
}

export interface PlanConnection {
  readonly type: string
  /** A stored connection of the tenant or the run's user. */
  readonly use?: string
  readonly config: Template
}

/**
 * Where a trigger takes the run's inputs from. Templates of a map see `trigger` and, each also by its own name, `body`,
 * `query`, `headers` and `path` of a webhook, or `event` (`name`, `data`) of an event.
 */
export type InputMapping = 'body' | 'query' | 'headers' | 'path' | 'all' | { readonly [input: string]: Template }

export type WebhookAuth =
  | { readonly type: 'none' }
  | { readonly type: 'api_key'; readonly header: string; readonly key: Template }
  | { readonly type: 'bearer'; readonly token: Template }
  | { readonly type: 'basic'; readonly username: Template; readonly password: Template }
  | {
      readonly type: 'hmac'
      readonly header: string
      readonly secret: Template
      readonly algorithm: 'sha1' | 'sha256' | 'sha512'
      readonly encoding: 'hex' | 'base64'
      readonly prefix?: string
      /** The time of signing is signed with the body; `signed` has `{timestamp}` and `{body}` once each. */
      readonly timestamp?: { readonly header: string; readonly toleranceMs: number; readonly signed: string }
    }
  | {
      readonly type: 'signature'
      readonly provider: SignatureProvider
      readonly secret: Template
      readonly previousSecret?: Template
      readonly toleranceMs?: number
      readonly url?: string
    }

export type PlanTrigger =
  | {
      readonly kind: 'webhook'
      /** Absolute, always below `/webhooks/`; `{name}` segments are parameters. */
      readonly path: string
      readonly method: string
      readonly auth?: WebhookAuth
      readonly inputMapping: InputMapping
      readonly respond: 'when_accepted' | 'when_finished' | { readonly withStep: string }
      readonly maxBodyBytes?: number
    }
  | {
      readonly kind: 'schedule'
      readonly cron: string
      readonly timezone: string
      readonly catchUp: 'none' | 'last' | 'all'
      /** At most this many runs of the trigger at once; a tick past it is recorded as skipped. */
      readonly maxInstances?: number
      readonly jitterMs: number
      /** Sees `trigger` (`scheduled_at`) and `now`. */
      readonly inputs?: Template
    }
  | {
      readonly kind: 'event'
      readonly event: string
      readonly match?: ExpressionSource
      readonly inputs?: InputMapping
    }
  | { readonly kind: 'manual' }

export interface PlanSettings {
  readonly timeoutMs?: number
  readonly cancelGraceMs: number
  readonly concurrency?: {
    readonly key: Template
    readonly limit: number
    readonly whenFull: 'queue' | 'skip' | 'cancel_running'
    readonly holdWhileWaiting: boolean
  }
  /** 1 to 10; higher runs first. */
  readonly priority: number
  readonly retentionMs?: number
}

export interface Plan {
  readonly version: typeof PLAN_VERSION
  readonly flow: string
  readonly description?: string
  readonly connections: { readonly [name: string]: PlanConnection }
  readonly triggers: readonly PlanTrigger[]
  readonly inputs: readonly PlanInput[]
  readonly steps: Block
  readonly outputs: readonly { readonly name: string; readonly value: Template }[]
  readonly onError?: Block
  readonly onCancel?: Block
  readonly settings: PlanSettings
  /** Names of `env` that the steps mention; captured in the run's start record. */
  readonly env: readonly string[]
  /** Names of sub-flows, pinned to hashes when a run starts. */
  readonly subflows: readonly string[]
}
