/**
 * One format for everything that is encrypted here: `<version>.<key id>.<nonce>.<ciphertext and tag>`, the last two in
 * base64url. AES-256-GCM with a random nonce of 96 bits (2^32 texts per key are far away) and a tag of 128 bits, always:
 * Node before 26 accepts a tag of 4 bytes unless its length is pinned. What the text belongs to is authenticated with it,
 * so a text that was moved to another row or field does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface SealedText {
  readonly keyId: string
  readonly nonce: Buffer
  readonly body: Buffer
}

export interface SealOptions {
  readonly version: string
  readonly keyId: string
  /** 32 bytes. */
  readonly key: Uint8Array
  /** What the text belongs to. */
  readonly place: readonly string[]
}

export function sealText({ version, keyId, key, place }: SealOptions, text: Uint8Array): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(additionalData(version, place, keyId))
  const body = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()])
  return `${version}.${keyId}.${nonce.toString('base64url')}.${body.toString('base64url')}`
}

/** Takes a text apart; null when it is not in the form of `version`. */
export function parseSealedText(version: string, text: string): SealedText | null {
  const [found, keyId, nonceText, bodyText, ...rest] = text.split('.')
  if (found !== version || !keyId || nonceText === undefined || bodyText === undefined || rest.length > 0) return null
  const [nonce, body] = [Buffer.from(nonceText, 'base64url'), Buffer.from(bodyText, 'base64url')]
  return nonce.length === NONCE_BYTES && body.length >= TAG_BYTES ? { keyId, nonce, body } : null
}

/** Null when it does not open: another key, another place, or changed. */
export function openSealedText(options: Omit<SealOptions, 'keyId'>, { keyId, nonce, body }: SealedText): Buffer | null {
  const { version, key, place } = options
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(additionalData(version, place, keyId)).setAuthTag(body.subarray(body.length - TAG_BYTES))
    return Buffer.concat([decipher.update(body.subarray(0, body.length - TAG_BYTES)), decipher.final()])
  } catch {
    return null
  }
}

/** `p1|tenant|connection|field|key`; a `|` inside a part is encoded, so that no two places read the same. */
function additionalData(version: string, place: readonly string[], keyId: string): Buffer {
  return Buffer.from([version, ...place, keyId].map(encodeURIComponent).join('|'))
}
