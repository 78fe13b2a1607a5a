/**
 * What becomes of a trigger that made no run: an event on the bus (`plugwork.trigger.skipped` or `.failed`), so that it
 * is stored, listed and can be followed like any other fact.
 */
import type { Json, JsonObject } from '@plugwork/core'
import type { Runtime, StartOutcome } from '@plugwork/core/node'
import type { Log } from '../log.ts'

export interface TriggerNote {
  readonly outcome: 'skipped' | 'failed'
  readonly flow: string
  /** Position among the flow's triggers. */
  readonly index: number
  readonly reason: string
  readonly detail?: JsonObject
  /** Deduplicates: the same note is stored once. */
  readonly key: string
}

export type RecordTrigger = (note: TriggerNote) => Promise<void>

export function createTriggerRecord(options: {
  readonly runtime: Runtime
  readonly tenant: string
  readonly log: Log
}): RecordTrigger {
  const { runtime, tenant, log } = options
  return async ({ outcome, flow, index, reason, detail = {}, key }) => {
    const data: JsonObject = { flow, trigger: index, reason, ...detail }
    const level = outcome === 'failed' ? 'error' : 'warn'
    log[level]({ ...data }, `a trigger was ${outcome === 'failed' ? 'not able to start a run' : 'skipped'}`)
    await runtime.publish(tenant, { name: `plugwork.trigger.${outcome}`, data, key: `${outcome}:${key}` })
  }
}

/** What a trigger does about the outcome of a start. */
export type Settled =
  /** A run exists. */
  | { readonly kind: 'started' }
  /** There will be no run for it. */
  | {
      readonly kind: 'settled'
      readonly outcome: 'skipped' | 'failed'
      readonly reason: string
      readonly detail: JsonObject
    }
  /** Not now. */
  | { readonly kind: 'later'; readonly seconds: number }

export function settle(outcome: StartOutcome): Settled {
  switch (outcome.kind) {
    case 'accepted':
    case 'existing':
      return { kind: 'started' }
    case 'full':
      return { kind: 'later', seconds: outcome.retryAfterSeconds }
    case 'concurrency_full':
      return {
        kind: 'settled',
        outcome: 'skipped',
        reason: 'concurrency_full',
        detail: { holders: [...outcome.holders] },
      }
    case 'invalid_inputs': {
      const problems: Json = outcome.problems.map(({ input, message }) => ({ input, message }))
      return { kind: 'settled', outcome: 'failed', reason: 'inputs_invalid', detail: { problems } }
    }
    case 'unknown_flow':
      return { kind: 'settled', outcome: 'failed', reason: 'flow_not_found', detail: {} }
  }
}
