/** Sign-ins under way, in the store: begun in one process, finished in another. Encrypted: a PKCE verifier is among it. */
import { systemClock, type Clock, type KeyRing } from '@plugwork/core/node'
import type { AuthState, AuthStateStore } from '../oauth/state-store.ts'
import { openSealedText, parseSealedText, sealText } from '../vault/sealed-text.ts'
import type { ConnectionStore } from './connection-store.ts'

export interface StoredAuthStatesOptions {
  readonly store: ConnectionStore
  readonly keys: KeyRing
  readonly clock?: Clock
}

const VERSION = 's1'
/** Expired rows that a new sign-in takes away. */
const SWEEP = 20

/** States that nobody takes are deleted after they have expired, by the sign-ins that follow. */
export function createStoredAuthStates({ store, keys, clock = systemClock }: StoredAuthStatesOptions): AuthStateStore {
  return {
    async put(state) {
      for (const { id, version } of await store.list('auth_states', { dueBefore: clock.now(), limit: SWEEP })) {
        await store.remove('auth_states', id, version)
      }
      const { hash, provider, expiresAt } = state
      const keyId = keys.current
      const key = keys.derive('state', keyId)!
      const sealed = sealText({ version: VERSION, keyId, key, place: [hash] }, Buffer.from(JSON.stringify(state)))
      const row = { id: hash, tenant: '', owner: null, kind: provider, name: null, slot: null, due: expiresAt }
      await store.insert('auth_states', { ...row, data: { sealed } })
    },
    async take(hash) {
      const row = await store.get('auth_states', hash)
      // Of two callbacks with one state, one has removed it.
      if (row === null || !(await store.remove('auth_states', hash, row.version))) return null
      const parsed = parseSealedText(VERSION, String(row.data['sealed']))
      const key = parsed === null ? null : keys.derive('state', parsed.keyId)
      const opened =
        parsed === null || key === null ? null : openSealedText({ version: VERSION, key, place: [hash] }, parsed)
      // A state that this ring did not make was not made here.
      return opened === null ? null : (JSON.parse(opened.toString('utf8')) as AuthState)
    },
  }
}
