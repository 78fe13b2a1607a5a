/** What happens to connections, told to whoever subscribed in this process. */
import type { Connection, ConnectionStatus, StatusReason } from './connection.ts'

interface EventBase {
  readonly connection: Connection
  /** Epoch ms. */
  readonly at: number
}

/**
 * `status` comes with every change of state, whatever caused it, and beside the event that did. A refresh is
 * `active -> refreshing -> active` and `refreshed`.
 */
export type ConnectionEvent =
  | (EventBase & { readonly type: 'created' | 'updated' | 'reconnected' | 'refreshed' | 'removed' })
  | (EventBase & {
      readonly type: 'status'
      readonly from: ConnectionStatus
      readonly to: ConnectionStatus
      readonly reason: StatusReason | null
    })

export type ConnectionListener = (event: ConnectionEvent) => void

export class ConnectionEvents {
  readonly #listeners = new Set<ConnectionListener>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /** Answers the function that ends it. */
  subscribe(listener: ConnectionListener): () => void {
    // Wrapped, so that one function may subscribe twice.
    const own: ConnectionListener = (event) => listener(event)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** A listener that throws harms neither the others nor what happened. */
  emit(event: ConnectionEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
