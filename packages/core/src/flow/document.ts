/**
 * The flow document: what an author writes, in YAML, JSON or TypeScript. Property names are those of the language, so
 * a YAML file is exactly one of these objects. `grammar.ts` says what each key means; `compile.ts` turns a document into
 * a plan. Where the language accepts two spellings, both are here and the comment names the preferred one.
 */

/** Any JSON value whose strings may hold `${…}`. */
export type Templated = null | boolean | number | string | readonly Templated[] | { readonly [key: string]: Templated }

/** A JSON value in which nothing is evaluated. */
export type Literal = null | boolean | number | string | readonly Literal[] | { readonly [key: string]: Literal }

/** An expression: the whole text is one, `${x}` in it is a parenthesised sub-expression. Other values stand for themselves. */
export type ExpressionText = Templated

/** `250ms`, `10s`, `5m`, `2h`, `30d`, or a number of seconds. */
export type Duration = string | number

/** An expression, or a nest of `all`, `any` and `none`. */
export type ConditionDocument =
  | string
  | boolean
  | { readonly all: readonly ConditionDocument[] }
  | { readonly any: readonly ConditionDocument[] }
  | { readonly none: readonly ConditionDocument[] }

/** One step, or several. */
export type StepsDocument = StepDocument | readonly StepDocument[]

export interface FlowDocument {
  /** Name of the flow, `[A-Za-z][A-Za-z0-9_]*`, unique per tenant. */
  readonly flow: string
  readonly description?: string
  readonly connections?: { readonly [name: string]: ConnectionDocument }
  readonly triggers?: readonly TriggerDocument[]
  readonly inputs?: readonly InputDocument[]
  readonly steps: readonly StepDocument[]
  readonly outputs?: readonly OutputDocument[]
  /** Runs once when the run is about to fail. */
  readonly on_error?: StepsDocument
  /** Compensation when the run is cancelled. */
  readonly on_cancel?: StepsDocument
  readonly settings?: SettingsDocument
}

/** A connection of the flow: a connector's name, and its config beside it. */
export interface ConnectionDocument {
  readonly type: string
  /** Name of a stored connection of the tenant or the run's user. */
  readonly use?: string
  readonly [setting: string]: Templated | undefined
}

export type InputType =
  | 'string'
  | 'int'
  | 'integer'
  | 'number'
  | 'float'
  | 'boolean'
  | 'bool'
  | 'object'
  | 'array'
  | 'list'
  | 'any'
  | 'secret'

/** An input: a name, a type, and any JSON Schema keyword (`enum`, `pattern`, `minimum`, `items`, …). */
export interface InputDocument {
  readonly name: string
  readonly type?: InputType
  readonly required?: boolean
  readonly default?: Literal
  readonly description?: string
  readonly [keyword: string]: Literal | undefined
}

export interface OutputDocument {
  readonly name: string
  readonly value: Templated
  readonly description?: string
}

export interface SettingsDocument {
  /** Of the whole run, from its first start; waits included. */
  readonly timeout?: Duration
  /** How long running steps may take to end when their block is left early. */
  readonly cancel_grace?: Duration
  readonly concurrency?: ConcurrencyDocument
  /** 1 to 10; higher runs first. */
  readonly priority?: number
  readonly retention?: Duration
}

export interface ConcurrencyDocument {
  readonly key: string
  readonly limit?: number
  readonly when_full?: 'queue' | 'skip' | 'cancel_running'
  readonly hold_while_waiting?: boolean
}

/** `{ max_attempts: 3, delay: 2s, backoff: 2, max_delay: 1m, jitter: true, on: [codes] }`. */
export interface RetryDocument {
  readonly max_attempts?: number
  readonly delay?: Duration
  /** Accepted spelling of `delay`, in seconds. */
  readonly delay_seconds?: number
  readonly backoff?: number
  /** Accepted spelling of `backoff`. */
  readonly backoff_multiplier?: number
  readonly max_delay?: Duration
  readonly jitter?: boolean
  readonly on?: string | readonly string[]
}

export interface StepBase {
  readonly id?: string
  readonly description?: string
  /** The step is skipped unless this is true. */
  readonly if?: ConditionDocument
  readonly timeout?: Duration
  readonly on_error?: StepsDocument
  readonly depends_on?: string | readonly string[]
}

export interface EffectBase extends StepBase {
  readonly retry?: RetryDocument
  readonly on_interrupt?: 'retry' | 'check' | 'hold' | 'fail'
  /** Accepted spelling of `on_interrupt: fail`. */
  readonly run?: 'at_most_once'
}

export interface TaskStep extends EffectBase {
  readonly task: string
  readonly inputs?: Templated
  readonly outputs?: readonly string[]
}

/** What stands under an action's name: step keys, and the action's parameters (all of them, or those under `with`). */
export interface ActionCall {
  readonly id?: string
  readonly connection?: string
  readonly outputs?: readonly string[]
  readonly with?: Templated
  readonly retry?: RetryDocument
  readonly [parameter: string]: unknown
}

/** Keys that say of which kind a step is. */
type KindKey =
  | 'task'
  | 'subflow'
  | 'then'
  | 'switch'
  | 'for_each'
  | 'repeat'
  | 'parallel'
  | 'try'
  | 'fail'
  | 'wait'
  | 'set'
  | 'emit'
  | 'exit'

/** `{ 'github.issues.create': { connection: 'gh', title: '…' } }`. YAML also takes `github_issues_create`. */
export type ActionStep = EffectBase & { readonly [kind in KindKey]?: never } & {
  readonly [action: `${string}.${string}`]: ActionCall | null
}

export interface SubflowStep extends EffectBase {
  readonly subflow: string
  readonly inputs?: Templated
  readonly outputs?: readonly string[]
}

export interface ConditionStep extends Omit<StepBase, 'if'> {
  readonly if: ConditionDocument
  readonly then: StepsDocument
  readonly else?: StepsDocument
}

export interface SwitchStep extends StepBase {
  readonly switch: ExpressionText
  readonly cases: readonly CaseDocument[]
  readonly default?: StepsDocument
}

export type CaseDocument =
  { readonly when: Templated | readonly Templated[]; readonly do: StepsDocument } | { readonly default: StepsDocument }

export interface LoopStep extends StepBase {
  readonly for_each: ExpressionText
  readonly as: string
  readonly index_as?: string
  readonly do: StepsDocument
  readonly concurrency?: number
  readonly collect?: ExpressionText
  readonly on_item_error?: 'fail' | 'continue'
}

export interface RepeatStep extends StepBase {
  readonly repeat: RepeatDocument
}

export interface RepeatDocument {
  readonly vars?: { readonly [name: string]: Templated }
  readonly do: StepsDocument
  readonly next?: { readonly [name: string]: Templated }
  readonly until?: ExpressionText
  readonly collect?: ExpressionText
  readonly max?: number
  readonly delay?: Duration
}

export interface ParallelStep extends StepBase {
  readonly parallel: readonly StepsDocument[]
  readonly on_branch_error?: 'cancel' | 'wait'
}

export interface TryStep extends StepBase {
  readonly try: StepsDocument
  readonly catch?: StepsDocument
  readonly finally?: StepsDocument
}

export interface FailStep extends StepBase {
  readonly fail: FailDocument
}

export type FailDocument =
  { readonly message: string; readonly code?: string; readonly data?: Templated } | { readonly rethrow: true }

export interface WaitStep extends StepBase {
  readonly wait: Duration | WaitDocument
}

export type WaitDocument =
  | { readonly until: string }
  | {
      readonly event: string
      readonly match?: ExpressionText
      readonly timeout?: Duration
      readonly since?: 'run' | 'wait'
    }
  | { readonly approval: ApprovalDocument | null; readonly timeout?: Duration }
  | { readonly webhook: WebhookWaitDocument | null; readonly timeout?: Duration }

export interface ApprovalDocument {
  readonly title?: string
  readonly assignees?: Templated
  /** JSON Schema of what the approver fills in. */
  readonly form?: { readonly [keyword: string]: Literal }
  readonly timeout?: Duration
}

export interface WebhookWaitDocument {
  /** JSON Schema that a call's body must meet. */
  readonly schema?: { readonly [keyword: string]: Literal }
  readonly timeout?: Duration
}

export interface SetStep extends StepBase {
  readonly set: { readonly [name: string]: Templated }
}

export interface EmitStep extends StepBase {
  readonly emit: { readonly event: string; readonly data?: Templated }
}

export interface ExitStep extends StepBase {
  readonly exit: ExitDocument | null
}

export interface ExitDocument {
  readonly reason?: string
  readonly outputs?: { readonly [name: string]: Templated }
  readonly status?: 'success' | 'failure'
}

/** One step: the key that is not a common one (`task`, `if`, `for_each`, an action's name, …) says which kind. */
export type StepDocument =
  | TaskStep
  | ActionStep
  | SubflowStep
  | ConditionStep
  | SwitchStep
  | LoopStep
  | RepeatStep
  | ParallelStep
  | TryStep
  | FailStep
  | WaitStep
  | SetStep
  | EmitStep
  | ExitStep

/** `- webhook: { path: /orders }`, or the accepted spelling `- type: webhook` with the options beside it. */
export type TriggerDocument =
  | 'manual'
  | { readonly webhook: string | WebhookDocument }
  | ({ readonly type: 'webhook' } & WebhookDocument)
  | { readonly schedule: string | ScheduleDocument }
  | ({ readonly type: 'schedule' } & ScheduleDocument)
  | { readonly event: string | EventTriggerDocument }
  | ({ readonly type: 'event' } & EventTriggerDocument)
  | { readonly manual: null | { readonly [key: string]: never } }
  | { readonly type: 'manual' }

export type InputMappingDocument =
  'body' | 'query' | 'headers' | 'path' | 'all' | { readonly [input: string]: Templated }

export interface WebhookDocument {
  /** Served as written when it begins with `/webhooks/`, else below that prefix; `{name}` segments are parameters. */
  readonly path: string
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly auth?: WebhookAuthDocument
  readonly input_mapping?: InputMappingDocument
  readonly respond?: 'when_accepted' | 'when_finished' | { readonly with_step: string }
  /** Accepted spelling: `false` is `respond: when_finished`. */
  readonly async?: boolean
  /** Bytes, or text such as `256kb`, `1mb`. */
  readonly max_body?: number | string
}

/** `{ type: bearer, token }`, or with the type as the key: `{ bearer: { token } }`. */
export type WebhookAuthDocument =
  | 'none'
  | { readonly type: 'none' }
  | ({ readonly type: 'api_key' } & ApiKeyAuthDocument)
  | { readonly api_key: ApiKeyAuthDocument }
  | ({ readonly type: 'bearer' } & BearerAuthDocument)
  | { readonly bearer: BearerAuthDocument }
  | ({ readonly type: 'basic' } & BasicAuthDocument)
  | { readonly basic: BasicAuthDocument }
  | ({ readonly type: 'hmac' } & HmacAuthDocument)
  | { readonly hmac: HmacAuthDocument }
  | ({ readonly type: 'signature' } & SignatureAuthDocument)
  | { readonly signature: SignatureAuthDocument }
  | ({ readonly signature: SignatureProvider } & Omit<SignatureAuthDocument, 'provider'>)

export interface ApiKeyAuthDocument {
  readonly header?: string
  readonly key: string
}

export interface BearerAuthDocument {
  readonly token: string
}

export interface BasicAuthDocument {
  readonly username: string
  readonly password: string
}

/** Services whose way of signing webhooks is known; `standard_webhooks` is Svix and whoever follows that specification. */
export type SignatureProvider =
  | 'bitbucket'
  | 'discord'
  | 'github'
  | 'gitlab'
  | 'hubspot'
  | 'hubspot_legacy'
  | 'intercom'
  | 'jira'
  | 'linear'
  | 'mailgun'
  | 'meta'
  | 'microsoft_graph'
  | 'notion'
  | 'paypal'
  | 'sendgrid'
  | 'shopify'
  | 'slack'
  | 'square'
  | 'standard_webhooks'
  | 'stripe'
  | 'telegram'
  | 'twilio'
  | 'typeform'
  | 'zendesk'

export interface SignatureAuthDocument {
  readonly provider: SignatureProvider
  readonly secret: string
  readonly previous_secret?: string
  /** How old a signed time may be. */
  readonly tolerance?: string | number
  /** Address that the service was given, where it signs it. */
  readonly url?: string
}

export interface HmacAuthDocument {
  readonly header: string
  readonly secret: string
  readonly algorithm?: 'sha1' | 'sha256' | 'sha512'
  readonly encoding?: 'hex' | 'base64'
  /** Text before the signature in the header, such as `sha256=`. */
  readonly prefix?: string
  /** Name of the header with the time of signing, which is signed too. */
  readonly timestamp_header?: string
  /** How far that time may be from now. */
  readonly tolerance?: string | number
  /** What is signed then: `{timestamp}` and `{body}`, with text around them. */
  readonly signed?: string
}

export interface ScheduleDocument {
  /** Five fields, or six with seconds first. */
  readonly cron: string
  readonly timezone?: string
  readonly catch_up?: 'none' | 'last' | 'all'
  readonly max_instances?: number
  readonly jitter?: Duration
  readonly inputs?: { readonly [input: string]: Templated }
}

export interface EventTriggerDocument {
  /** Name of an event; `*` stands for one segment, `**` for the rest: `order.*`. */
  readonly event: string
  readonly match?: ExpressionText
  readonly input_mapping?: InputMappingDocument
}
