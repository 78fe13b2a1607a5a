/**
 * What can happen to a run. Every event that the core accepts becomes exactly one journal record, in order; feeding the
 * records of a run to the core again gives the same state. `at` is the only clock the core knows.
 */
import type { ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { SecretParts } from './secrets.ts'

export interface LogLine {
  readonly at: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly data?: Json
}

/** The facts of the start that a run keeps for life. */
export interface StartFacts {
  readonly runId: string
  readonly rootRunId: string
  readonly tenant: string
  readonly inputs: JsonObject
  /** Parts of the secret texts among the inputs, by JSON pointer into `inputs` (where null stands). */
  readonly secrets?: SecretParts | null
  readonly trigger: JsonObject
  /** Captured `env` names of the plan; opaque ones are absent and resolved at use. */
  readonly env: { readonly [name: string]: string | null }
  /** Public address for `wait_url`, and the run's own random token from which its links are derived. */
  readonly baseUrl: string
  readonly token: string
  /** Flow hashes of the sub-flows named by the plan. */
  readonly subflows: { readonly [name: string]: string }
  /** Concurrency keys held by this run's ancestors and itself. */
  readonly version: string
}

export type RunEvent =
  | { readonly type: 'start'; readonly at: number; readonly facts: StartFacts }
  | {
      readonly type: 'completed'
      readonly at: number
      readonly path: string
      readonly attempt: number
      readonly output: Json
      /** When the attempt began. */
      readonly startedAt: number
      readonly logs?: readonly LogLine[]
      /** Hash of the task's or connector's code, for the trace. */
      readonly code?: string
    }
  | {
      readonly type: 'failed'
      readonly at: number
      readonly path: string
      readonly attempt: number
      readonly error: ErrorInfo
      /** A final error is not retried whatever the policy says. */
      readonly final?: boolean
      readonly retryAfterMs?: number
      readonly startedAt: number
      readonly logs?: readonly LogLine[]
      readonly code?: string
    }
  /** The earliest timer of the state is due; `at` is at or after it. */
  | { readonly type: 'timer'; readonly at: number }
  /** Buffered from the run's start; deduplicated by `id`. `name` is a wait's id. */
  | {
      readonly type: 'signal'
      readonly at: number
      readonly id: string
      readonly name: string
      readonly outcome: 'received' | 'approved' | 'rejected'
      readonly data: Json
      readonly actor?: string
    }
  /** An event of the bus, offered to the event wait at `path`. */
  | {
      readonly type: 'event'
      readonly at: number
      readonly path: string
      readonly eventId: number
      readonly name: string
      readonly data: Json
      readonly publishedAt: number
    }
  | {
      readonly type: 'child_ended'
      readonly at: number
      readonly path: string
      readonly attempt: number
      readonly runId: string
      readonly status: 'succeeded' | 'failed' | 'cancelled'
      readonly outputs?: JsonObject
      readonly error?: ErrorInfo
    }
  | {
      readonly type: 'cancel'
      readonly at: number
      readonly force: boolean
      readonly reason?: string
      readonly actor?: string
    }
  /** Another process (or this one after a restart) took the run over: in-flight steps follow their `on_interrupt`. */
  | { readonly type: 'takeover'; readonly at: number }
  /** Answer of a connector's look-up by key for a step whose end is unknown. */
  | {
      readonly type: 'looked_up'
      readonly at: number
      readonly path: string
      readonly found: boolean
      readonly output?: Json
    }
  /** A human's decision about a step that needs attention. */
  | {
      readonly type: 'resolve'
      readonly at: number
      readonly path: string
      readonly decision: 'retry' | 'output' | 'fail'
      readonly output?: Json
      readonly actor?: string
    }
  /** The step cannot run here now (task missing, schema incompatible): hold it, never fail it. */
  | { readonly type: 'hold'; readonly at: number; readonly path: string; readonly reason: string }
  /** Retry in place of a failed run: a new generation of what failed. */
  | { readonly type: 'retry'; readonly at: number; readonly actor?: string }
