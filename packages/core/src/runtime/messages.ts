/** Messages between runs and from outside: what stands in an inbox, and the event of the core that each becomes. */
import type { RunEvent } from '../engine/event.ts'
import type { RunState } from '../engine/state.ts'
import { PlugworkError, type ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import { endKey } from '../store/concurrency-messages.ts'
import { mutated } from '../store/mutation.ts'
import type { NewMessage, StoredMessage } from '../store/store.ts'

/** A fault for the crash tests: a signal that is read again passes for a new one. */
const NEW_IDS = mutated('new_ids')

export type MessageKind = 'signal' | 'cancel' | 'child_ended' | 'resolve' | 'retry'

type Fields<Type extends RunEvent['type']> = Omit<Extract<RunEvent, { type: Type }>, 'type' | 'at'>

/** The payload of a message, as the core's event has it. */
export interface MessagePayloads {
  readonly signal: Omit<Fields<'signal'>, 'id'>
  readonly cancel: Fields<'cancel'>
  readonly child_ended: Fields<'child_ended'>
  readonly resolve: Fields<'resolve'>
  readonly retry: Fields<'retry'>
}

/** A message to be stored. `dedupe` makes one that is sent twice count once. */
export function message<Kind extends MessageKind>(
  kind: Kind,
  to: { readonly rid: number; readonly at: number; readonly dedupe?: string },
  payload: MessagePayloads[Kind],
): NewMessage {
  return {
    rid: to.rid,
    kind,
    at: to.at,
    payload: withoutUndefined(payload),
    ...(to.dedupe === undefined ? {} : { dedupe: to.dedupe }),
  }
}

/** The event that a message becomes. */
export function eventOf(stored: StoredMessage, now: number): RunEvent {
  const { kind, payload } = stored
  switch (kind as MessageKind) {
    case 'signal': {
      // Written by `message` above; this is its inverse.
      const fields = payload as unknown as MessagePayloads['signal']
      const id = stored.dedupe ?? `m${stored.id}`
      return { ...fields, type: 'signal', at: now, id: NEW_IDS ? `${id}/${now}` : id }
    }
    case 'cancel':
    case 'child_ended':
    case 'resolve':
    case 'retry':
      return { ...payload, type: kind, at: now } as unknown as RunEvent
    default:
      throw new PlugworkError('internal_unreachable', `A message of kind "${kind}" is not known; please report this.`)
  }
}

/** The end of a sub-flow's run, for its parent; part of the child's last transaction. */
export function endMessage(
  run: { readonly id: string },
  parent: { readonly rid: number; readonly path: string; readonly attempt: number },
  at: number,
  status: 'succeeded' | 'failed' | 'cancelled',
  state: RunState,
): NewMessage {
  const outputs: JsonObject | undefined = state.outputs ?? undefined
  const error: ErrorInfo | undefined = state.error ?? undefined
  const { path, attempt } = parent
  const to = { rid: parent.rid, at, dedupe: endKey(run.id) }
  return message('child_ended', to, { path, attempt, runId: run.id, status, outputs, error })
}

function withoutUndefined(payload: object): JsonObject {
  const entries = Object.entries(payload as Record<string, Json | undefined>)
  return Object.fromEntries(entries.filter((entry): entry is [string, Json] => entry[1] !== undefined))
}
