/** What happened to webhooks in this process, counted per connector. */
export type RejectReason =
  | 'malformed'
  | 'wrong_signature'
  | 'stale'
  | 'not_configured'
  | 'no_endpoint'
  | 'too_large'
  | 'too_many_attempts'
  | 'unavailable'

export interface ConnectorMetrics {
  /** Requests. */
  readonly received: number
  /** Requests that only tested the address. */
  readonly challenges: number
  /** Events that were stored. */
  readonly accepted: number
  /** Events that had been stored before. */
  readonly duplicates: number
  /** Events whose payload does not fit the trigger's schema. */
  readonly misfits: number
  /** Requests, by reason. */
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>
  /** Runs of handlers. */
  readonly handled: number
  readonly retried: number
  /** Events that were given up. */
  readonly failed: number
}

export type WebhookMetrics = Readonly<Record<string, ConnectorMetrics>>

type Count = Exclude<keyof ConnectorMetrics, 'rejected'>
type Counters = { -readonly [name in Count]: number } & { rejected: Partial<Record<RejectReason, number>> }

export class WebhookCounters {
  readonly #byConnector = new Map<string, Counters>()

  add(connector: string, name: Count, count = 1): void {
    this.#of(connector)[name] += count
  }

  reject(connector: string, reason: RejectReason): void {
    const { rejected } = this.#of(connector)
    rejected[reason] = (rejected[reason] ?? 0) + 1
  }

  read(): WebhookMetrics {
    return structuredClone(Object.fromEntries(this.#byConnector))
  }

  #of(connector: string): Counters {
    let counters = this.#byConnector.get(connector)
    if (counters === undefined) {
      const zero = { received: 0, challenges: 0, accepted: 0, duplicates: 0, misfits: 0 }
      counters = { ...zero, handled: 0, retried: 0, failed: 0, rejected: {} }
      this.#byConnector.set(connector, counters)
    }
    return counters
  }
}
