/**
 * What the core asks for. Commands of a decision are carried out only after the record of its event is durable; those
 * marked *transactional* are written in that record's own transaction.
 */
import type { ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Value } from '../expression/value.ts'
import type { ActionNode, TaskNode } from '../flow/plan.ts'

export type Command =
  /** Run one attempt of a task or action. */
  | {
      readonly type: 'effect'
      readonly path: string
      readonly attempt: number
      readonly node: TaskNode | ActionNode
      /** Rendered input; may contain `SecretText`. Journaled as the step's started entry. */
      readonly input: Value
      /**
       * The same for every attempt, retry and crash-resume of this step: hash of root run, run and path. Computed when it
       * is read, so read it only where it is used.
       */
      readonly idempotencyKey: string
      readonly timeoutMs?: number
    }
  /** Ask the connector whether the effect with this key happened (`on_interrupt: check`). */
  | {
      readonly type: 'lookup'
      readonly path: string
      readonly attempt: number
      readonly node: ActionNode
      readonly input: Value
      readonly idempotencyKey: string
    }
  /** Abort a running attempt: its `ctx.signal` fires; a result that still arrives counts until the grace ends. */
  | { readonly type: 'abort'; readonly path: string; readonly attempt: number; readonly reason: string }
  /** Transactional: create a child run. */
  | {
      readonly type: 'start_child'
      readonly path: string
      readonly attempt: number
      readonly flow: string
      readonly hash: string
      readonly inputs: Value
      readonly idempotencyKey: string
    }
  /** Transactional: ask a child run to cancel. */
  | { readonly type: 'cancel_child'; readonly path: string; readonly attempt: number; readonly force: boolean }
  /** Transactional: publish on the event bus. */
  | { readonly type: 'emit'; readonly path: string; readonly event: string; readonly data: Json }
  /** Transactional: subscribe the run to an event; the shell then offers matching ones from `after` on. */
  | { readonly type: 'subscribe'; readonly path: string; readonly event: string; readonly since: 'run' | 'wait' }
  | { readonly type: 'unsubscribe'; readonly path: string }
  /** The run has ended. Nothing follows but a `retry` event. */
  | {
      readonly type: 'finish'
      readonly status: 'succeeded' | 'failed' | 'cancelled'
      readonly outputs?: JsonObject
      readonly error?: ErrorInfo
    }
