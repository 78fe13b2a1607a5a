/**
 * Encryption of stored credentials. Each tenant has a random data key; credentials are encrypted with it, and it is kept
 * wrapped by the key provider. So a rotation of keys re-wraps data keys and touches no credential, and deleting a tenant's
 * data keys makes everything of the tenant unreadable, copies and backups of the rows included.
 *
 * Record: `p1.<data key>.<nonce>.<ciphertext and tag>`, bound to `p1|tenant|connection|field|data key`.
 */
import { createHash, randomBytes } from 'node:crypto'
import { systemClock, type Clock } from '@plugwork/core/node'
import type { KeyProvider, WrapContext } from '../keys/key-provider.ts'
import type { ConnectionStore, NewRow, StoredRow } from '../store/connection-store.ts'
import { vaultError } from './errors.ts'
import { openSealedText, parseSealedText, sealText } from './sealed-text.ts'
import { Secret } from './secret.ts'

export interface VaultOptions {
  readonly store: ConnectionStore
  readonly keys: KeyProvider
  readonly clock?: Clock
}

/** Where an encrypted text belongs: it opens nowhere else. */
export interface SecretPlace {
  readonly tenant: string
  readonly connectionId: string
  readonly field: string
}

export interface VaultStatus {
  /** Key that wraps new data keys. */
  readonly current: string
  /** Data keys by the key that wraps them. */
  readonly dataKeys: readonly { readonly keyId: string; readonly count: number }[]
  /** Data keys that `rewrap` has still to do. */
  readonly outdated: number
}

export interface RewrapOptions {
  /** Data keys read at a time. Default 200. */
  readonly batch?: number
  /** Called after each batch. */
  readonly onProgress?: (done: number) => void
  readonly signal?: AbortSignal
}

const VERSION = 'p1'
const DATA_KEY_BYTES = 32
const PAGE = 200
/** How long an unwrapped data key is kept: a shredded tenant is unreadable in every process after this. */
const KEEP_MS = 5 * 60_000
/** Tenants whose data keys are kept in memory. */
const KEEP_COUNT = 10_000

/** Rows that belong to no tenant (canaries, salts): none is called so. */
const NO_TENANT = ''
const CANARIES = { tenant: NO_TENANT, name: 'canary' }
const CANARY = createHash('sha256').update('plugwork canary').digest()

interface Kept {
  readonly key: Promise<Uint8Array>
  readonly until: number
}

export class Vault {
  readonly #store: ConnectionStore
  readonly #keys: KeyProvider
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()

  private constructor({ store, keys, clock = systemClock }: VaultOptions) {
    this.#store = store
    this.#keys = keys
    this.#clock = clock
  }

  /**
   * Opens the vault of a store. Every key that something is encrypted with is tried on a known text first: throws
   * `keys_wrong` or `keys_missing` here rather than at some request later.
   */
  static async open(options: VaultOptions): Promise<Vault> {
    const vault = new Vault(options)
    for await (const row of vault.#rows(CANARIES)) await vault.#checkCanary(row)
    await vault.#ensureCanary(await options.keys.current())
    return vault
  }

  /** Encrypts with the tenant's newest data key, making one for a new tenant. */
  async encrypt(place: SecretPlace, secret: Secret | string): Promise<string> {
    const row = await this.#currentRow(place.tenant)
    const text = Buffer.from(typeof secret === 'string' ? secret : secret.reveal())
    return sealText({ version: VERSION, keyId: row.id, key: await this.#unwrapped(row), place: parts(place) }, text)
  }

  /** Throws `credential_unreadable`, `credential_shredded`, or what the key provider throws. */
  async decrypt(place: SecretPlace, record: string): Promise<Secret> {
    const sealed = parseSealedText(VERSION, record)
    if (sealed === null) throw unreadable(place)
    const key = await this.#dataKey(sealed.keyId, place)
    const opened = openSealedText({ version: VERSION, key, place: parts(place) }, sealed)
    if (opened === null) throw unreadable(place)
    return new Secret(opened.toString('utf8'))
  }

  /** Gives the tenant a new data key. What is written from now on uses it; older records are changed when written again. */
  async renew(tenant: string): Promise<void> {
    const row = await this.#findCurrent(tenant)
    if (row !== null) await this.#store.replace('data_keys', { ...bare(row), slot: null }, row.version)
    await this.#currentRow(tenant)
  }

  /**
   * Wraps every data key with the provider's current key that still has another one. Does nothing twice: an interrupted
   * rotation is simply started again. Answers how many it did.
   */
  async rewrap({ batch = PAGE, onProgress, signal }: RewrapOptions = {}): Promise<number> {
    const current = await this.#keys.current()
    await this.#ensureCanary(current)
    let done = 0
    let read = 0
    for await (const row of this.#rows({}, batch)) {
      signal?.throwIfAborted()
      if (row.tenant !== NO_TENANT && row.kind !== current && (await this.#rewrapRow(row.id))) done += 1
      if (++read % batch === 0) onProgress?.(done)
    }
    onProgress?.(done)
    await this.#dropCanaries(current)
    return done
  }

  async status(): Promise<VaultStatus> {
    const current = await this.#keys.current()
    const counts = new Map<string, number>([[current, 0]])
    for await (const { tenant, kind } of this.#rows({})) {
      if (tenant !== NO_TENANT && kind !== null) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
    const dataKeys = Array.from(counts, ([keyId, count]) => ({ keyId, count }))
    const outdated = dataKeys.reduce((sum, { keyId, count }) => sum + (keyId === current ? 0 : count), 0)
    return { current, dataKeys, outdated }
  }

  /** Deletes the tenant's data keys: nothing that was encrypted for the tenant can be read again, by nobody. */
  async shred(tenant: string): Promise<number> {
    let removed = 0
    for await (const { id } of this.#rows({ tenant })) {
      this.#kept.delete(id)
      if (await this.#store.remove('data_keys', id)) removed += 1
    }
    return removed
  }

  /** The row whose key encrypts for a tenant. Read each time: writing is rare, and another process may have shredded it. */
  async #currentRow(tenant: string): Promise<StoredRow> {
    if (tenant === NO_TENANT) throw new TypeError('a tenant needs a name')
    for (;;) {
      const found = await this.#findCurrent(tenant)
      if (found !== null) return found
      const id = `dk_${randomBytes(12).toString('base64url')}`
      const context: WrapContext = { tenant, dataKeyId: id }
      const { keyId, wrapped } = await this.#keys.wrap(randomBytes(DATA_KEY_BYTES), context)
      // Before the data key: a ring that lacks the key is then refused at the next start.
      await this.#ensureCanary(keyId)
      const row = { id, tenant, owner: null, kind: keyId, name: null, slot: currentSlot(tenant), due: null }
      // Of processes that do so at once, one has its row stored; the others find it.
      await this.#store.insert('data_keys', { ...row, data: { wrapped, createdAt: this.#clock.now() } })
    }
  }

  async #findCurrent(tenant: string): Promise<StoredRow | null> {
    const slot = currentSlot(tenant)
    for await (const row of this.#rows({ tenant })) if (row.slot === slot) return row
    return null
  }

  async #dataKey(id: string, place: SecretPlace): Promise<Uint8Array> {
    const kept = this.#kept.get(id)
    if (kept !== undefined && kept.until > this.#clock.now()) return kept.key
    const row = await this.#store.get('data_keys', id)
    if (row === null) {
      throw vaultError(
        'credential_shredded',
        `The data key of connection ${place.connectionId} was deleted; its ${place.field} can never be read again. ` +
          'Connect the service again.',
      )
    }
    // The key of another tenant never opens anything, even if the record names it.
    if (row.tenant !== place.tenant) throw unreadable(place)
    return this.#unwrapped(row)
  }

  #unwrapped(row: StoredRow): Promise<Uint8Array> {
    const now = this.#clock.now()
    const kept = this.#kept.get(row.id)
    if (kept !== undefined && kept.until > now) return kept.key
    const key = this.#keys.unwrap(wrappedOf(row), { tenant: row.tenant, dataKeyId: row.id })
    // A provider that failed is asked again; oldest first out.
    key.catch(() => this.#kept.delete(row.id))
    if (this.#kept.size >= KEEP_COUNT) for (const id of this.#kept.keys()) if (this.#kept.delete(id)) break
    this.#kept.set(row.id, { key, until: now + KEEP_MS })
    return key
  }

  async #rewrapRow(id: string): Promise<boolean> {
    for (;;) {
      const row = await this.#store.get('data_keys', id)
      // Shredded, or done by another process.
      if (row === null || row.kind === (await this.#keys.current())) return false
      const context: WrapContext = { tenant: row.tenant, dataKeyId: id }
      const { keyId, wrapped } = await this.#keys.wrap(await this.#keys.unwrap(wrappedOf(row), context), context)
      const data = { ...row.data, wrapped }
      if ((await this.#store.replace('data_keys', { ...bare(row), kind: keyId, data }, row.version)) === 'done')
        return true
    }
  }

  async #ensureCanary(keyId: string): Promise<void> {
    const id = canaryId(keyId)
    if ((await this.#store.get('data_keys', id)) !== null) return
    const made = await this.#keys.wrap(CANARY, { tenant: NO_TENANT, dataKeyId: id })
    if (made.keyId !== keyId) return
    const row = { id, ...CANARIES, owner: null, kind: keyId, slot: null, due: null }
    await this.#store.insert('data_keys', { ...row, data: { wrapped: made.wrapped, createdAt: this.#clock.now() } })
  }

  async #checkCanary(row: StoredRow): Promise<void> {
    const opened = await this.#keys.unwrap(wrappedOf(row), { tenant: NO_TENANT, dataKeyId: row.id })
    if (Buffer.compare(opened, CANARY) !== 0) {
      throw vaultError(
        'keys_wrong',
        `The key ${row.kind} opens something else than it has encrypted; restore the right one.`,
      )
    }
  }

  /** A key that wraps nothing any more may leave the ring. */
  async #dropCanaries(current: string): Promise<void> {
    const { dataKeys } = await this.status()
    const inUse = new Set(dataKeys.filter(({ count }) => count > 0).map(({ keyId }) => keyId))
    for await (const { id, kind } of this.#rows(CANARIES)) {
      if (kind !== current && !inUse.has(kind!)) await this.#store.remove('data_keys', id)
    }
  }

  async *#rows(query: { readonly tenant?: string; readonly name?: string }, limit = PAGE): AsyncGenerator<StoredRow> {
    let after: string | undefined
    for (;;) {
      const page = await this.#store.list('data_keys', { ...query, ...(after === undefined ? {} : { after }), limit })
      yield* page
      if (page.length < limit) return
      after = page.at(-1)!.id
    }
  }
}

const parts = ({ tenant, connectionId, field }: SecretPlace): readonly string[] => [tenant, connectionId, field]
const currentSlot = (tenant: string): string => `current/${tenant}`
const canaryId = (keyId: string): string => `canary/${keyId}`

function bare({ version: _, ...row }: StoredRow): NewRow {
  return row
}

/** Rows of data keys are written above, and nowhere else. */
function wrappedOf(row: StoredRow): { readonly keyId: string; readonly wrapped: string } {
  return { keyId: row.kind!, wrapped: row.data['wrapped'] as string }
}

function unreadable({ connectionId, field }: SecretPlace): Error {
  return vaultError(
    'credential_unreadable',
    `The ${field} of connection ${connectionId} does not open: it was changed, cut, or belongs to another connection. ` +
      'Restore the row from a backup, or connect the service again.',
  )
}
