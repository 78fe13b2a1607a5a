/**
 * Sealing of run inputs of `type: secret`: only the sealed text is stored. AES-256-GCM under a key of the installation's
 * ring, derived for this purpose; the tenant, the run and the input's name are authenticated with it, so that a sealed
 * text opens only where it was made.
 *
 * Format: `v2.<key id>.<run id>.<input>.<nonce, ciphertext and tag in base64url>`. `v1` has no key id and used the key
 * underived; it still opens, with whichever key of the ring fits.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

import { PlugworkError } from '../error.ts'
import type { KeyRing } from './key-ring.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface SealPlace {
  readonly tenant: string
  readonly runId: string
  readonly input: string
}

/** Encrypts a secret for one input of one run. */
export function seal(keys: KeyRing, place: SealPlace, secret: string): string {
  const keyId = keys.current
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keys.derive('run-inputs', keyId)!, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(additionalData(place, keyId))
  const body = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
  const input = encodeURIComponent(place.input).replaceAll('.', '%2E')
  return `v2.${keyId}.${place.runId}.${input}.${body.toString('base64url')}`
}

/** Opens a sealed text of the tenant. Throws `secret_unreadable`. */
export function unseal(keys: KeyRing, tenant: string, sealed: string): string {
  const { keyId, runId, input, body } = parse(sealed)
  const place: SealPlace = { tenant, runId, input }
  if (keyId === null) {
    for (const key of keys.underived()) {
      const text = open(key, body, additionalData(place, null))
      if (text !== null) return text
    }
  } else {
    const key = keys.derive('run-inputs', keyId)
    const text = key === null ? null : open(key, body, additionalData(place, keyId))
    if (text !== null) return text
    if (key === null) {
      throw new PlugworkError(
        'secret_unreadable',
        `The secret input "${input}" of run ${runId} was sealed with the key ${keyId}, which is not in the key ring (it ` +
          `has ${keys.ids.join(', ')}). Add that key to the end of the ring, or start the run again.`,
      )
    }
  }
  throw new PlugworkError(
    'secret_unreadable',
    `The secret input "${input}" of run ${runId} cannot be decrypted: the key in use is not the one it was ` +
      'sealed with. Restore the key ring that was in use when the run was started, or start the run again.',
  )
}

interface Sealed {
  readonly keyId: string | null
  readonly runId: string
  readonly input: string
  readonly body: Buffer
}

function parse(sealed: string): Sealed {
  const [version, ...parts] = sealed.split('.')
  const keyId = version === 'v2' ? parts.shift() : null
  const [runId, input, body] = parts
  const known = (version === 'v1' || version === 'v2') && parts.length === 3
  if (!known || keyId === undefined || runId === undefined || input === undefined || body === undefined) {
    throw new PlugworkError('secret_unreadable', 'A secret input of the run is not in a form that this version reads.')
  }
  return { keyId, runId, input: decodeURIComponent(input), body: Buffer.from(body, 'base64url') }
}

/** Null when it does not open. */
function open(key: Uint8Array, body: Buffer, data: Buffer): string | null {
  if (body.length < NONCE_BYTES + TAG_BYTES) return null
  try {
    const nonce = body.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(data).setAuthTag(body.subarray(body.length - TAG_BYTES))
    return (
      decipher.update(body.subarray(NONCE_BYTES, body.length - TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    )
  } catch {
    return null
  }
}

function additionalData({ tenant, runId, input }: SealPlace, keyId: string | null): Buffer {
  return Buffer.from(JSON.stringify(keyId === null ? [tenant, runId, input] : [tenant, runId, input, keyId]))
}
