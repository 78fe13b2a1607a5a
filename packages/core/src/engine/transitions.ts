/** Which events mean something to a step, by what it is doing. An event that is not in here for the step's phase is ignored. */
import type { RunEvent } from './event.ts'
import type { EffectFrame } from './frames.ts'

type StepEvent = Extract<RunEvent['type'], 'completed' | 'failed' | 'child_ended' | 'looked_up' | 'hold' | 'resolve'>

/**
 * Phases of an effect and the events that move it on.
 *
 *     running --completed, child_ended--> ended        lookup --looked_up--> ended | running
 *     running --failed--> backoff | ended              held --resolve--> ended | running
 *     running, lookup --hold--> held                   backoff --(timer)--> running
 *     running, lookup --(takeover)--> running | lookup | held | ended
 */
export const LEGAL: { readonly [event in StepEvent]: readonly EffectFrame['phase'][] } = {
  completed: ['running'],
  failed: ['running'],
  child_ended: ['running'],
  hold: ['running', 'lookup'],
  looked_up: ['lookup'],
  resolve: ['held'],
}
