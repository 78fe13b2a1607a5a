/**
 * Sealing of run inputs of `type: secret`: only the sealed text is stored. AES-256-GCM under the installation's key; the
 * tenant, the run and the input's name are authenticated with it, so that a sealed text opens only where it was made.
 *
 * Format: `v1.<run id>.<input>.<nonce, ciphertext and tag in base64url>`.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

import { PlugworkError } from '../error.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface SealPlace {
  readonly tenant: string
  readonly runId: string
  readonly input: string
}

/** Encrypts a secret for one input of one run. `key` has 32 bytes. */
export function seal(key: Uint8Array, place: SealPlace, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(additionalData(place))
  const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${place.runId}.${encodeURIComponent(place.input).replaceAll('.', '%2E')}.${sealed.toString('base64url')}`
}

/** Opens a sealed text of the tenant. Throws `secret_unreadable`. */
export function unseal(key: Uint8Array, tenant: string, sealed: string): string {
  const [version, runId, input, body] = sealed.split('.')
  if (version !== 'v1' || runId === undefined || input === undefined || body === undefined) {
    throw new PlugworkError('secret_unreadable', 'A secret input of the run is not in a form that this version reads.')
  }
  const place: SealPlace = { tenant, runId, input: decodeURIComponent(input) }
  const bytes = Buffer.from(body, 'base64url')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAAD(additionalData(place)).setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    const text = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES), undefined, 'utf8')
    return text + decipher.final('utf8')
  } catch (cause) {
    throw new PlugworkError(
      'secret_unreadable',
      `The secret input "${place.input}" of run ${runId} cannot be decrypted: the key in use is not the one it was ` +
        'sealed with. Restore the key ring that was in use when the run was started, or start the run again.',
      { cause },
    )
  }
}

function additionalData({ tenant, runId, input }: SealPlace): Buffer {
  return Buffer.from(JSON.stringify([tenant, runId, input]))
}
