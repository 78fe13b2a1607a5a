/** Tokens: how they look, how they are kept, and how a request's token becomes a principal. */
import { hash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Store, TokenRow } from '@plugwork/core/node'
import type { Principal } from './permission.ts'

/** Id of the token that `PLUGWORK_OWNER_TOKEN` or the first start made. */
export const OWNER_TOKEN_ID = 'owner'

const CACHE_MS = 5_000
const CACHE_SIZE = 1_000

/** SHA-256 in hex: what the store keeps of a token. Tokens have 256 random bits, so no slow hash is needed. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}

/** A fresh token: 256 random bits, with a prefix that secret scanners can recognise. */
export function newToken(): string {
  return `pwk_${randomBytes(32).toString('base64url')}`
}

export interface Tokens {
  /**
   * The principal of a token; null when it is unknown or expired. `guard` is called, and may throw, before a token that
   * was never right in this process is compared.
   */
  verify(token: string, guard?: () => void): Promise<Principal | null>
  create(request: {
    readonly tenant: string
    readonly name: string
    readonly permissions: readonly string[]
    readonly expiresAt: number | null
  }): Promise<{ readonly row: TokenRow; readonly token: string }>
  list(tenant: string): Promise<readonly TokenRow[]>
  remove(tenant: string, id: string): Promise<boolean>
}

/**
 * Makes sure that the owner can get in. A configured token replaces the stored one; without either, one is made and
 * returned: the only time it can be read.
 */
export async function ensureOwnerToken(options: {
  readonly store: Store
  readonly tenant: string
  readonly configured: string | undefined
  readonly now: number
}): Promise<string | null> {
  const { store, tenant, configured, now } = options
  const rows = await store.listTokens(tenant)
  const existing = rows.find((row) => row.id === OWNER_TOKEN_ID)
  if (configured === undefined && existing !== undefined) return null
  const token = configured ?? newToken()
  const tokenHash = hashToken(token)
  if (existing?.hash !== tokenHash) {
    await store.putToken({
      id: OWNER_TOKEN_ID,
      tenant,
      name: 'owner',
      hash: tokenHash,
      permissions: ['admin'],
      createdAt: now,
      expiresAt: null,
    })
  }
  return configured === undefined ? token : null
}

/** Tokens over the store, with a short cache so that a busy client costs no read per request. */
export function createTokens(options: { readonly store: Store; readonly now: () => number }): Tokens {
  const { store, now } = options
  const cache = new Map<string, { readonly row: TokenRow; readonly principal: Principal; readonly until: number }>()

  const verify = async (token: string, guard?: () => void): Promise<Principal | null> => {
    const tokenHash = hashToken(token)
    const at = now()
    const cached = cache.get(tokenHash)
    if (cached !== undefined && cached.until > at) return isLive(cached.row, at) ? cached.principal : null
    // What is left in the cache past its time says that the token was right once.
    if (cached === undefined) guard?.()
    const row = await store.findToken(tokenHash)
    if (row === null || !sameHash(row.hash, tokenHash) || !isLive(row, at)) {
      cache.delete(tokenHash)
      return null
    }
    const principal: Principal = {
      tenant: row.tenant,
      actor: `token:${row.name}`,
      permissions: new Set(row.permissions),
    }
    if (cache.size >= CACHE_SIZE) cache.clear()
    cache.set(tokenHash, { row, principal, until: at + CACHE_MS })
    return principal
  }

  return {
    verify,
    async create({ tenant, name, permissions, expiresAt }) {
      const token = newToken()
      const row = { id: randomUUID(), tenant, name, hash: hashToken(token), permissions, createdAt: now(), expiresAt }
      await store.putToken(row)
      return { row, token }
    },
    list: (tenant) => store.listTokens(tenant),
    async remove(tenant, id) {
      const removed = await store.deleteToken(tenant, id)
      cache.clear()
      return removed
    },
  }
}

function isLive(row: TokenRow, at: number): boolean {
  return row.expiresAt === null || row.expiresAt > at
}

function sameHash(left: string, right: string): boolean {
  const a = Buffer.from(left)
  const b = Buffer.from(right)
  return a.length === b.length && timingSafeEqual(a, b)
}
