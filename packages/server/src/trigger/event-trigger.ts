/**
 * Starts runs of flows with event triggers. Each trigger has a durable cursor over the event bus; a run carries the key
 * of its event and trigger, so an event that is seen again after a crash lands on the run it made.
 */
import type { Json, JsonObject, PlanTrigger } from '@plugwork/core'
import type { Clock, Runtime, Store, StoredEvent } from '@plugwork/core/node'
import { ExpressionError } from '@plugwork/core'
import type { FlowRegistry, ServedFlow } from '../flow/registry.ts'
import type { Log } from '../log.ts'
import type { EventFeed } from './event-feed.ts'
import { matchesEvent } from './event-pattern.ts'
import type { RenderContext, Renderer } from './render.ts'
import { settle } from './trigger-record.ts'
import type { RecordTrigger } from './trigger-record.ts'
import { mapInputs } from './webhook-input.ts'

type EventTrigger = Extract<PlanTrigger, { readonly kind: 'event' }>

export interface EventTriggers {
  start(): Promise<void>
  close(): Promise<void>
}

export interface EventTriggerOptions {
  readonly registry: FlowRegistry
  readonly runtime: Runtime
  readonly store: Store
  readonly renderer: Renderer
  readonly record: RecordTrigger
  readonly feed: EventFeed
  readonly tenant: string
  readonly clock: Clock
  readonly log: Log
}

/** Meta key of the cursors: `{ "<flow>/<trigger>": last event id }`. */
const CURSORS_KEY = 'event-triggers'
/** How long a cursor that moved may wait to be stored: repeating an event is harmless. */
const SAVE_AFTER_MS = 500

interface Listener {
  readonly flow: ServedFlow
  readonly index: number
  readonly trigger: EventTrigger
}

export function createEventTriggers(options: EventTriggerOptions): EventTriggers {
  const { registry, runtime, store, renderer, record, feed, tenant, clock, log } = options
  let listeners = new Map<string, Listener>()
  let cursors: Record<string, number> = {}
  let unfollowEvents: (() => void) | null = null
  let unfollowFlows = () => {}
  let saveTimer: NodeJS.Timeout | undefined
  let closed = false
  let endPause = () => {}
  let reloading: Promise<void> = Promise.resolve()
  let handling: Promise<void> = Promise.resolve()

  /** Follows the triggers that there are now. A new one begins with the events after this moment. */
  const reload = async (): Promise<void> => {
    const last = await store.lastEventId()
    const next = new Map<string, Listener>()
    for (const flow of registry.list(tenant)) {
      if (!flow.enabled) continue
      flow.plan.triggers.forEach((trigger, index) => {
        if (trigger.kind === 'event') next.set(`${flow.name}/${index}`, { flow, index, trigger })
      })
    }
    listeners = next
    const known = cursors
    cursors = Object.fromEntries(Array.from(next.keys(), (key) => [key, known[key] ?? last]))
    await save()
    unfollowEvents?.()
    unfollowEvents = null
    if (next.size > 0 && !closed) unfollowEvents = feed.follow(tenant, Math.min(...Object.values(cursors)), handle)
  }

  /** One event at a time, also while a reload begins to follow anew. */
  const handle = (event: StoredEvent): Promise<void> => {
    const turn = handling.then(() => offer(event))
    handling = turn.catch(() => {})
    return turn
  }

  const offer = async (event: StoredEvent): Promise<void> => {
    for (const [key, listener] of listeners) {
      if (closed) return
      if ((cursors[key] ?? 0) >= event.id) continue
      if (matchesEvent(listener.trigger.event, event.name)) await startUntilSettled(listener, event)
      if (closed) return
      if (Object.hasOwn(cursors, key)) cursors[key] = event.id
    }
    saveTimer ??= setTimeout(() => void save(), SAVE_AFTER_MS)
  }

  /** A full system holds the events back: they are stored, so nothing is lost by waiting. */
  const startUntilSettled = async ({ flow, index, trigger }: Listener, event: StoredEvent): Promise<void> => {
    const key = `event:${flow.name}:${index}:${event.id}`
    const note = (outcome: 'skipped' | 'failed', reason: string, detail: JsonObject) =>
      record({ outcome, flow: flow.name, index, reason, detail: { event_id: event.id, ...detail }, key })
    const value = { id: event.id, name: event.name, data: event.data, at: new Date(event.at).toISOString() }
    const readsTrigger = /\btrigger\b/.test(JSON.stringify([flow.plan.steps, flow.plan.outputs, flow.plan.settings]))
    const facts: JsonObject = {
      kind: 'event',
      index,
      event: event.name,
      event_id: event.id,
      published_at: value.at,
      ...(readsTrigger ? { data: event.data } : {}),
    }
    const context: RenderContext = {
      tenant,
      flow: flow.name,
      now: clock.now(),
      names: { event: value, trigger: { ...facts, data: event.data } },
    }
    if (!isWanted(trigger, context)) return
    let inputs: JsonObject
    try {
      inputs = inputsOf(flow, trigger, event.data, context)
    } catch (error) {
      return note('failed', 'inputs', { message: error instanceof Error ? error.message : String(error) })
    }
    for (;;) {
      if (closed) return
      const settled = settle(
        await runtime.start({ tenant, flow: flow.name, inputs, trigger: facts, idempotencyKey: key }),
      )
      if (settled.kind === 'started') return
      if (settled.kind === 'settled') return note(settled.outcome, settled.reason, settled.detail)
      await pause(settled.seconds * 1000)
    }
  }

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.at(clock.now() + ms, resolve)
      endPause = () => {
        cancel()
        resolve()
      }
    })

  const isWanted = (trigger: EventTrigger, context: RenderContext): boolean => {
    if (trigger.match === undefined) return true
    try {
      return renderer.expression(trigger.match, context) === true
    } catch (error) {
      // A condition that cannot be computed for an event says that it is another kind of event.
      if (error instanceof ExpressionError) return false
      throw error
    }
  }

  /** Without a mapping, the fields of the event's data are the inputs. */
  const inputsOf = (flow: ServedFlow, trigger: EventTrigger, data: Json, context: RenderContext): JsonObject =>
    mapInputs({
      mapping: trigger.inputs ?? 'body',
      inputs: flow.plan.inputs,
      parts: { method: '', path: '', params: {}, query: {}, headers: {}, body: data },
      renderer,
      context,
    })

  const save = async (): Promise<void> => {
    clearTimeout(saveTimer)
    saveTimer = undefined
    try {
      await store.setMeta(CURSORS_KEY, JSON.stringify(cursors))
    } catch (error) {
      log.error({ err: error }, 'the cursors of event triggers could not be stored')
    }
  }

  return {
    async start() {
      cursors = JSON.parse((await store.getMeta(CURSORS_KEY)) ?? '{}') as Record<string, number>
      unfollowFlows = registry.onChange(() => {
        reloading = reloading.then(reload).catch((error: unknown) => {
          log.error({ err: error }, 'event triggers could not be read anew; they stay as they were')
        })
      })
      await reload()
    },
    async close() {
      closed = true
      unfollowFlows()
      unfollowEvents?.()
      endPause()
      await reloading
      await handling
      await save()
    },
  }
}
