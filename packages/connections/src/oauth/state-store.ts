/** Where a started authorization waits for its callback. */
import type { Json } from '@plugwork/core'

/** All that a callback is checked against. `codeVerifier` is a secret; the state itself is known by its hash only. */
export interface AuthState {
  /** SHA-256 of the state, hex: the key. */
  readonly hash: string
  /** Name under which the caller knows the provider. */
  readonly provider: string
  /** SHA-256 of what must not change until the callback: client id, authorization and token URL. */
  readonly registration: string
  /** SHA-256 of the session that started it. */
  readonly session: string
  readonly redirectUri: string
  /** Null where the provider has PKCE off. */
  readonly codeVerifier: string | null
  /** Connection parameters; no secrets. */
  readonly settings: { readonly [name: string]: string }
  readonly scopes: readonly string[]
  readonly returnTo: string | null
  /** What the caller wants back: the connection's id, its owner. */
  readonly context: Json
  /** Epoch ms. */
  readonly expiresAt: number
}

export interface AuthStateStore {
  put(state: AuthState): Promise<void>
  /**
   * Removes and answers it in one atomic step, expired ones too; of two calls with the same hash one gets null. Rows that are
   * never taken are the store's to delete after `expiresAt`.
   */
  take(hash: string): Promise<AuthState | null>
}

/** States of one process, for tests and for a command line that waits for its own callback. */
export function createMemoryAuthStateStore(): AuthStateStore & { readonly size: number } {
  const states = new Map<string, AuthState>()
  return {
    get size() {
      return states.size
    },
    put(state) {
      for (const [hash, { expiresAt }] of states) {
        // The clock that made the new one expire in ten minutes is the caller's.
        if (expiresAt <= state.expiresAt - 2 * 600_000) states.delete(hash)
      }
      states.set(state.hash, state)
      return Promise.resolve()
    },
    take(hash) {
      const state = states.get(hash) ?? null
      states.delete(hash)
      return Promise.resolve(state)
    },
  }
}
