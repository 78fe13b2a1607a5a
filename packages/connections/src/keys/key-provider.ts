/**
 * Who holds the key that protects data keys: the key ring, or a key management service. Data keys are what credentials are
 * encrypted with; a provider sees those and never a credential.
 */
import type { KeyRing } from '@plugwork/core/node'
import { openSealedText, parseSealedText, sealText } from '../vault/sealed-text.ts'
import { vaultError } from '../vault/errors.ts'

/** What a data key is for; authenticated with it, where the provider can (AWS KMS: the encryption context). */
export interface WrapContext {
  readonly tenant: string
  readonly dataKeyId: string
}

export interface WrappedKey {
  /** Id of the key that wrapped it. */
  readonly keyId: string
  readonly wrapped: string
}

/** Wraps and unwraps data keys of 32 bytes. `keyId` is compared with `current` to find what a rotation has left. */
export interface KeyProvider {
  /** Id of the key that wraps now. */
  current(): Promise<string>
  wrap(dataKey: Uint8Array, context: WrapContext): Promise<WrappedKey>
  /** Throws `keys_missing` for a key that is not known, `keys_wrong` when the known one does not fit. */
  unwrap(wrapped: WrappedKey, context: WrapContext): Promise<Uint8Array>
}

const VERSION = 'w1'

/** A provider on the installation's key ring. */
export function ringKeyProvider(ring: KeyRing): KeyProvider {
  return {
    async current() {
      return ring.current
    },
    async wrap(dataKey, { tenant, dataKeyId }) {
      const keyId = ring.current
      const key = ring.derive('credentials', keyId)!
      return { keyId, wrapped: sealText({ version: VERSION, keyId, key, place: [tenant, dataKeyId] }, dataKey) }
    },
    async unwrap({ keyId, wrapped }, { tenant, dataKeyId }) {
      const key = ring.derive('credentials', keyId)
      if (key === null) {
        throw vaultError(
          'keys_missing',
          `Stored credentials are encrypted with the key ${keyId}, and the key ring has only ${ring.ids.join(', ')}. Add ` +
            `${keyId} to the end of the ring (PLUGWORK_KEYS, or the file keys); \`plugwork keys rotate\` makes it superfluous.`,
        )
      }
      const parsed = parseSealedText(VERSION, wrapped)
      const opened =
        parsed?.keyId === keyId ? openSealedText({ version: VERSION, key, place: [tenant, dataKeyId] }, parsed) : null
      if (opened === null) {
        throw vaultError(
          'keys_wrong',
          `The key ${keyId} in the ring is not the ${keyId} that stored credentials were encrypted with. Restore the ring ` +
            'that was in use (PLUGWORK_KEYS, or the file keys; for a passphrase its salt too). Nothing was changed.',
        )
      }
      return opened
    },
  }
}
