/**
 * Events of services, as handlers get them and as they lie in a row. The row's `kind` is its state and its `due` what happens
 * next: a pending event is tried again then, an ended one is deleted. Its id is made of the delivery, so that storing an
 * event twice is refused by the table itself, in whichever process the second one arrives.
 */
import { hash, randomUUID } from 'node:crypto'
import type { Json, JsonObject } from '@plugwork/core'
import type { NewRow, StoredRow } from '../store/connection-store.ts'

/** A verified event of a service. */
export interface ReceivedEvent<Payload = Json> {
  readonly id: string
  readonly connector: string
  /** `issues.opened` */
  readonly name: string
  /** The service's name for the delivery; null where it has none. */
  readonly deliveryId: string | null
  /** Whose it is; null where nobody could be found for it (an application's own webhook, an unknown account). */
  readonly tenant: string | null
  /** Owner of the connection, where exactly one fits. */
  readonly user: string | null
  /** The connection, where exactly one fits. */
  readonly connectionId: string | null
  /** All connections of the tenant to the account that the event is about. */
  readonly connections: readonly EventConnection[]
  /** Account, team or installation at the service; null where it says none. */
  readonly account: string | null
  /** Null: the application's own address of the connector. */
  readonly endpointId: string | null
  readonly payload: Payload
  /** Epoch ms. */
  readonly receivedAt: number
}

export interface EventConnection {
  readonly id: string
  readonly owner: string | null
  readonly name: string
}

/**
 * `pending`: some handler has still to succeed. `done`: all have (or none wanted it). `failed`: given up; it can be
 * redelivered.
 */
export type EventState = 'pending' | 'done' | 'failed'

/** What is stored beside the event. */
export interface DeliveryState {
  readonly state: EventState
  /** Handlers that have still to succeed. */
  readonly waiting: readonly string[]
  readonly attempts: number
  /** Of the last attempt, or why it was given up. */
  readonly error: string | null
}

export interface StoredEvent {
  readonly event: ReceivedEvent
  readonly delivery: DeliveryState
  /** When it is tried again, or deleted. */
  readonly due: number
  readonly version: number
}

/** The same for each delivery of one event to one tenant; without a delivery id every event is another. */
export function eventId(parts: {
  readonly connector: string
  readonly endpointId: string | null
  readonly tenant: string | null
  readonly deliveryKey: string | null
  readonly name: string
  readonly index: number
}): string {
  const { connector, endpointId, tenant, deliveryKey, name, index } = parts
  if (deliveryKey === null) return `evt_${randomUUID()}`
  const text = JSON.stringify([connector, endpointId, tenant, deliveryKey, name, index])
  return `evt_${hash('sha256', text, 'base64url')}`
}

export function eventToRow({ event, delivery, due }: Omit<StoredEvent, 'version'>): NewRow {
  const { state, ...rest } = delivery
  return {
    id: event.id,
    tenant: event.tenant ?? '',
    owner: event.user,
    kind: state,
    name: event.connector,
    slot: null,
    due,
    // Plain JSON by its type, which as an interface has no index signature.
    data: { event, ...rest } as unknown as JsonObject,
  }
}

export function eventFromRow({ kind, due, version, data }: StoredRow): StoredEvent {
  // `eventToRow` is the only writer of the table.
  const { event, ...rest } = data as unknown as { readonly event: ReceivedEvent } & Omit<DeliveryState, 'state'>
  return { event, delivery: { state: kind as EventState, ...rest }, due: due!, version }
}
