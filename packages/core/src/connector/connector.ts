/**
 * The connector contract. A connector describes a service: its config, how a connection is opened, pooled and closed,
 * its actions and triggers, the packages it needs, and how to scaffold a config. One `defineConnector` call declares
 * it; types flow from its zod schemas, nothing is written twice. Connectors are plain values: no registration call.
 */
import type { z } from 'zod'
import type { Cancellation, Egress } from '../egress/egress.ts'
import type { LogLine } from '../engine/event.ts'
import type { Json } from '../json.ts'
import type { AuthMethod } from './auth.ts'
import type { CredentialSource } from './credential.ts'
import type { Trigger, WebhookSource } from './trigger.ts'

export type Effect = 'read' | 'write' | 'destructive'

/**
 * How repeating an action is made safe. `natural`: the same call twice is the same as once. `key`: the service takes
 * `ctx.idempotencyKey`. `lookup`: `lookup` finds what an earlier attempt did. `none`: it may happen twice.
 */
export type Idempotency = 'natural' | 'key' | 'lookup' | 'none'

export interface ConnectContext {
  /** Name of the connection, for messages. */
  readonly name: string
  readonly tenant: string
  readonly egress: Egress
  /** Folder against which relative paths in a config are resolved; configs never reach outside it. */
  readonly directory: string
  readonly signal: AbortSignal
  /** Set for a stored connection whose auth method makes its tokens (OAuth 2, JWT); its config has no secret then. */
  readonly credentials?: CredentialSource
  log(level: LogLine['level'], message: string, data?: Json): void
}

export interface ActionContext<Client> {
  /** What `acquire` gave (or `connect`, without `acquire`). Undefined for actions that need no connection and have none. */
  readonly client: Client
  readonly connection: string
  readonly egress: Egress
  readonly signal: AbortSignal
  /** The same without making a signal, for what an action calls often; the egress takes either. */
  readonly cancellation?: Cancellation
  readonly idempotencyKey: string
  readonly attempt: number
  readonly tenant: string
  /**
   * The service says that calls are used up until then (epoch ms): later calls of this connection wait. For answers that
   * succeeded; an error says it with `retryAfterMs` in its data.
   */
  rateLimited?(pause: { readonly until: number }): void
  log(level: LogLine['level'], message: string, data?: Json): void
}

export interface Action<Client = unknown, Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly description: string
  readonly input: Input
  readonly output: Output
  readonly effect: Effect
  readonly idempotency: Idempotency
  /** Works without a connection (`http.get` with `url`). Default: false. */
  readonly connectionOptional?: boolean
  /** YAML of one step that uses it, for the reference page. */
  readonly example?: string
  /** How long an answer may be served again to the same connection; a duration such as `30s`. Reads only. Default: never. */
  readonly cache?: string
  /** How a list goes on: `items` names the output that holds them, `next` makes the input of the next page. */
  readonly pages?: {
    readonly items: string
    next(input: z.output<Input>, output: z.output<Output>): z.input<Input> | null
  }
  run(context: ActionContext<Client>, input: z.output<Input>): Promise<z.input<Output>>
  /** Finds the result of an earlier attempt with the same key; null: it did not happen. */
  lookup?(context: ActionContext<Client>, input: z.output<Input>): Promise<z.input<Output> | null>
}

export interface PackageNeed {
  readonly name: string
  /** Semver range that is tested. */
  readonly range: string
}

export interface ConnectorSpec<Config extends z.ZodObject, Client, Handle = Client> {
  /** `[a-z][a-z0-9_]*`; the `type` of a connection. */
  readonly name: string
  readonly title: string
  readonly description: string
  readonly version: string
  /** Prefixes of the underscore spelling of its actions; `['sqlite']` makes `sqlite_query` out of `query`. */
  readonly prefixes: readonly string[]
  readonly config: Config
  readonly sqlDialect?: 'sqlite' | 'postgres' | 'mysql'
  /** Markdown for the reference page, under the description: what a user must know beside the tables. */
  readonly notes?: string
  /** Ways to authenticate by name; the first is the default. Left out: the config says all (a database), or there are none. */
  readonly auth?: { readonly [name: string]: AuthMethod }
  /** Calls that the service allows, per connection: a token bucket of `burst` that gains `requests` each `per`. */
  readonly limits?: { readonly requests: number; readonly per: string; readonly burst?: number }
  /** Events that the service sends by itself. */
  readonly triggers?: { readonly [name: string]: Trigger }
  readonly webhooks?: WebhookSource
  /** Packages that the connector loads lazily; empty when it needs none. */
  readonly packages?: readonly PackageNeed[]
  /** Opens the client (a pool, a handle). Called once per connection, lazily. Throws with a message that names the field. */
  connect(config: z.output<Config>, context: ConnectContext): Promise<Client>
  disconnect?(client: Client): Promise<void>
  /** False when the client can no longer be used (its socket is gone); it is replaced. Cheap: asked before each use. */
  healthy?(client: Client): boolean
  /** Takes a handle out of the pool for one action or task. */
  acquire?(client: Client, signal: AbortSignal): Promise<Handle>
  release?(client: Client, handle: Handle): Promise<void>
  /** Proves that the connection works: cheap, without side effect. */
  test?(handle: Handle, context: ConnectContext): Promise<{ readonly message: string }>
  readonly actions: { readonly [name: string]: Action<Handle> }
  /** YAML for a flow's `connections:`, indented by two spaces under `name`. */
  scaffold(options: { readonly name: string }): string
  /** A complete runnable example flow. */
  example(options: { readonly name: string }): { readonly fileName: string; readonly source: string }
}

/** A connector as the rest of the product sees it, whatever its types. */
export type Connector = ConnectorSpec<z.ZodObject, unknown, unknown>
