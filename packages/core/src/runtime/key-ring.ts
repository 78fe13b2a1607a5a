/**
 * The installation's keys in memory. The first encrypts, all decrypt; what is encrypted names its key by id. A key is
 * never used as it is: each purpose has one derived from it (HKDF-SHA256, RFC 5869), so that a text made for one purpose
 * opens nowhere else.
 */
import { hkdfSync } from 'node:crypto'
import { PlugworkError } from '../error.ts'

/** What a key is derived for. */
export type KeyPurpose = 'credentials' | 'state' | 'webhook-secrets' | 'session' | 'run-inputs'

export interface RingKey {
  /** Letters, digits, `_` and `-`. */
  readonly id: string
  /** 32 bytes. */
  readonly key: Uint8Array
}

export const KEY_BYTES = 32
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/

/** A ring of keys; prints as nothing that is secret. */
export class KeyRing {
  readonly #reload: (() => readonly RingKey[]) | null
  #keys: readonly RingKey[]
  #derived = new Map<string, Uint8Array>()

  /**
   * `reload` reads the ring again when something names a key that is not in it: another process may have rotated. Throws
   * `keys_invalid` for no key, a key that has not 32 bytes, and an id that is malformed or stands twice.
   */
  constructor(keys: readonly RingKey[], reload: (() => readonly RingKey[]) | null = null) {
    this.#keys = checked(keys)
    this.#reload = reload
  }

  /** Id of the key that encrypts. */
  get current(): string {
    return this.#keys[0]!.id
  }

  /** Ids of all keys, the encrypting one first. */
  get ids(): readonly string[] {
    return this.#keys.map(({ id }) => id)
  }

  /** The key for a purpose; null when the ring has no key of this id. */
  derive(purpose: KeyPurpose, id: string): Uint8Array | null {
    const name = `${purpose}/${id}`
    const known = this.#derived.get(name)
    if (known !== undefined) return known
    const found = this.#find(id)
    if (found === null) return null
    const derived = new Uint8Array(hkdfSync('sha256', found.key, new Uint8Array(0), `plugwork/${purpose}`, KEY_BYTES))
    this.#derived.set(name, derived)
    return derived
  }

  /** The keys themselves: for what was sealed before there were purposes. */
  underived(): readonly Uint8Array[] {
    return this.#keys.map(({ key }) => key)
  }

  #find(id: string): RingKey | null {
    const known = this.#keys.find((key) => key.id === id)
    if (known !== undefined || this.#reload === null) return known ?? null
    this.#keys = checked(this.#reload())
    this.#derived = new Map()
    return this.#keys.find((key) => key.id === id) ?? null
  }
}

/** A ring of one key, called `k1`. */
export function singleKey(key: Uint8Array): KeyRing {
  return new KeyRing([{ id: 'k1', key }])
}

function checked(keys: readonly RingKey[]): readonly RingKey[] {
  if (keys.length === 0) throw new PlugworkError('keys_invalid', 'A key ring needs at least one key.')
  const ids = new Set<string>()
  for (const { id, key } of keys) {
    if (!KEY_ID.test(id)) {
      throw new PlugworkError('keys_invalid', `A key has the id "${id}"; use up to 32 letters, digits, "_" and "-".`)
    }
    if (key.length !== KEY_BYTES) {
      throw new PlugworkError('keys_invalid', `The key ${id} has ${key.length} bytes; it must have ${KEY_BYTES}.`)
    }
    if (ids.has(id)) throw new PlugworkError('keys_invalid', `Two keys have the id ${id}; give each its own.`)
    ids.add(id)
  }
  return keys
}
