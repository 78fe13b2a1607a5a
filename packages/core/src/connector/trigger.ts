/**
 * What a service tells us by itself: the events of its webhooks. The signature is checked before any of this is asked
 * (`scheme` names a row of the one table of signature schemes); an event is stored before it is acknowledged.
 */
import type { z } from 'zod'
import type { Json } from '../json.ts'

/** A verified request of a service. */
export interface ServiceRequest {
  readonly method: string
  /** Path and query as received. */
  readonly url: string
  /** Names in lower case. Headers that carry credentials are left out. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The body as JSON, or its form fields; null where it is neither. */
  readonly json: Json
}

/** What a verified request means. */
export interface ServiceEvent {
  /** Name of a trigger of the connector (`issues.opened`), or another name that the service uses. */
  readonly name: string
  /** The same for every delivery of this event; null when the service names none. */
  readonly deliveryId: string | null
  /** Account, team or installation at the service, compared with the connection's metadata. */
  readonly account?: string
  readonly payload: Json
}

/** One event of a service, with the shape of its payload. */
export interface Trigger<Payload extends z.ZodType = z.ZodType> {
  readonly description: string
  /** What matters of the payload; `z.looseObject`, because services add fields. */
  readonly payload: Payload
  /** A payload as the service documents it, for tests and the reference page. */
  readonly sample?: Json
}

/** How a service sends webhooks. */
export interface WebhookSource {
  /** Row of the table of signature schemes. */
  readonly scheme: string
  /** Markdown: where the address and the secret are entered at the service. */
  readonly help: string
  /**
   * Keys of a connection's metadata that name its account at the service, as `ServiceEvent.account` does: what the provider
   * says, never a name that a user chose. Default: `account`, `account_id`.
   */
  readonly accountKeys?: readonly string[]
  /** What the request means; several events where one request carries several, none where it is only a test. */
  events(request: ServiceRequest): readonly ServiceEvent[]
}
